// The signed task: the statement that the site signs, and the compact set of its targets. The bytes
// of a statement are made once, where it is signed; everybody else verifies those same bytes and
// never encodes them anew.

/// What the site signs: everything about a task that an agent must be able to rely on.
public struct TaskStatement: Hashable, Sendable {
  /// The first bytes of every statement, so that a signature cannot be used for anything else.
  public static let domain: [UInt8] = Array("BGB task statement 1\0".utf8)

  /// The task.
  public var taskID: TaskID
  /// The site that made it.
  public var site: SiteCode
  /// The key that signs it.
  public var keyID: KeyID
  /// The action's code; may be one that the reader does not know.
  public var actionCode: UInt16
  /// The action's values.
  public var parameters: ActionParameters
  /// Not before this moment.
  public var notBefore: WallTime
  /// Valid for delivery strictly before this moment.
  public var deliverBefore: WallTime
  /// Valid for starting strictly before this moment.
  public var startBefore: WallTime
  /// The action is ended after this many seconds.
  public var runSeconds: UInt32
  /// Agents start at a random moment within this many seconds.
  public var spreadSeconds: UInt32
  /// How many targets the set has.
  public var targetCount: UInt32
  /// The Merkle root over the targets' client ids, 32 bytes.
  public var targetRoot: [UInt8]

  /// Joins the parts.
  public init(
    taskID: TaskID, site: SiteCode, keyID: KeyID, actionCode: UInt16, parameters: ActionParameters,
    notBefore: WallTime, deliverBefore: WallTime, startBefore: WallTime, runSeconds: UInt32,
    spreadSeconds: UInt32, targetCount: UInt32, targetRoot: [UInt8]
  ) {
    self.taskID = taskID
    self.site = site
    self.keyID = keyID
    self.actionCode = actionCode
    self.parameters = parameters
    self.notBefore = notBefore
    self.deliverBefore = deliverBefore
    self.startBefore = startBefore
    self.runSeconds = runSeconds
    self.spreadSeconds = spreadSeconds
    self.targetCount = targetCount
    self.targetRoot = targetRoot
  }

  /// The bytes that are signed and sent.
  public func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: 256)
    writer.raw(TaskStatement.domain)
    writer.bits128(taskID.bits)
    writer.raw(Array(site.description.utf8))
    writer.integer(keyID.rawValue)
    writer.integer(actionCode)
    writer.wallTime(notBefore)
    writer.wallTime(deliverBefore)
    writer.wallTime(startBefore)
    writer.integer(runSeconds)
    writer.integer(spreadSeconds)
    writer.integer(targetCount)
    writer.raw(targetRoot.prefix(32))
    parameters.encode(into: &writer)
    return writer.bytes
  }

  /// Reads what `encoded` made; every byte must be accounted for.
  public init(decoding bytes: [UInt8]) throws(CodingError) {
    var reader = ByteReader(bytes)
    guard try reader.raw(TaskStatement.domain.count).elementsEqual(TaskStatement.domain) else {
      throw .badValue
    }
    taskID = TaskID(try reader.bits128())
    guard let site = SiteCode(String(decoding: try reader.raw(3), as: UTF8.self)) else {
      throw .badValue
    }
    self.site = site
    keyID = KeyID(try reader.integer())
    actionCode = try reader.integer()
    notBefore = try reader.wallTime()
    deliverBefore = try reader.wallTime()
    startBefore = try reader.wallTime()
    runSeconds = try reader.integer()
    spreadSeconds = try reader.integer()
    targetCount = try reader.integer()
    targetRoot = Array(try reader.raw(32))
    parameters = try ActionParameters(from: &reader)
    try reader.end()
  }
}

/// A statement's bytes with the site's signature, as stored, pushed and verified.
public struct SignedTask: Hashable, Sendable {
  /// The bytes of the statement.
  public var statement: [UInt8]
  /// The Ed25519 signature, 64 bytes; empty for a task that nobody signed.
  public var signature: [UInt8]

  /// Joins the parts.
  public init(statement: [UInt8], signature: [UInt8]) {
    self.statement = statement
    self.signature = signature
  }
}

/// The targets of one task as one compact value: resource ids, sorted, without repetition.
///
/// Encoded as the differences of neighbours in base-128 groups, about one byte a target in a dense
/// site, so that the snapshot of 100,000 targets is one value of some 100 KB and not 100,000 rows.
public struct TargetSet: Hashable, Sendable {
  /// The resource ids, ascending.
  public let members: [ResourceID]

  /// Takes members in any order; repetitions count once.
  public init(_ members: some Sequence<ResourceID>) {
    var sorted = Array(members)
    sorted.sort()
    var unique: [ResourceID] = []
    unique.reserveCapacity(sorted.count)
    for member in sorted where unique.last != member { unique.append(member) }
    self.members = unique
  }

  /// How many targets there are.
  public var count: Int { members.count }

  /// The position of a member, which is its leaf in the Merkle tree, in O(log n); nil for others.
  public func index(of member: ResourceID) -> Int? {
    var low = 0
    var high = members.count
    while low < high {
      let middle = low + (high - low) / 2
      if members[middle] < member { low = middle + 1 } else { high = middle }
    }
    return low < members.count && members[low] == member ? low : nil
  }

  /// The compact bytes.
  public func encoded() -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(members.count + 16)
    var last: UInt32 = 0
    for member in members {
      var difference = member.rawValue &- last
      last = member.rawValue
      while difference >= 0x80 {
        bytes.append(UInt8(truncatingIfNeeded: difference) | 0x80)
        difference >>= 7
      }
      bytes.append(UInt8(truncatingIfNeeded: difference))
    }
    return bytes
  }

  /// Reads the compact bytes; members that are 0, repeated, over 32 bits or written longer than
  /// they need are refused, so that a set has one encoding.
  public init(decoding bytes: [UInt8]) throws(CodingError) {
    var members: [ResourceID] = []
    members.reserveCapacity(bytes.count)
    var last: UInt64 = 0
    var difference: UInt64 = 0
    var shift: UInt64 = 0
    for byte in bytes {
      guard shift <= 28 else { throw .badValue }
      difference |= UInt64(byte & 0x7F) << shift
      shift += 7
      if byte & 0x80 != 0 { continue }
      // A last group of nothing would be a second way to write the same number.
      guard byte != 0 || shift == 7 else { throw .badValue }
      last += difference
      guard last <= UInt64(UInt32.max), difference > 0 else { throw .badValue }
      members.append(ResourceID(UInt32(truncatingIfNeeded: last)))
      difference = 0
      shift = 0
    }
    guard shift == 0 else { throw .truncated }
    self.members = members
  }
}
