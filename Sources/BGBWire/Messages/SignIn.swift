// Body of SignIn: version 2, client id 16, incarnation 8, previous session 8, outcomes stored 8,
// clock 8, hostname, operating system, agent version, number of addresses 1, addresses. Optional:
// tag 1, fallback reason 1; tag 2, what the agent takes to come back with 1; tag 3, ids of tasks 16
// each.

import BGBModel

extension SignIn {
  /// The tag of the fallback reason in the optional tail.
  static let fallbackTag: UInt16 = 0x0001

  /// The tag of what the agent takes to come back with.
  static let reconnectTag: UInt16 = 0x0002
  /// The value of that tag: reconnect identities.
  static let takesIdentities: UInt8 = 1

  /// The tag of the tasks that are over.
  static let endedTasksTag: UInt16 = 0x0003

  func encode(into writer: inout ByteWriter) {
    writer.integer(version)
    writer.bits128(clientID.bits)
    writer.integer(incarnation)
    writer.integer(previousSession)
    writer.integer(outcomesStored)
    writer.wallTime(clock)
    writer.text(facts.hostname, limit: Limits.hostnameBytesMax)
    writer.text(facts.operatingSystem, limit: Limits.descriptionBytesMax)
    writer.text(facts.agentVersion, limit: Limits.descriptionBytesMax)
    let addresses = facts.addresses.prefix(Limits.addressesMax)
    writer.integer(UInt8(truncatingIfNeeded: addresses.count))
    for address in addresses { writer.text(address, limit: Limits.addressBytesMax) }
    if fallback != .none {
      writer.integer(SignIn.fallbackTag)
      writer.block(CollectionOfOne(fallback.rawValue))
    }
    if takesReconnect {
      writer.integer(SignIn.reconnectTag)
      writer.block(CollectionOfOne(SignIn.takesIdentities))
    }
    if !endedTasks.isEmpty {
      var value = ByteWriter()
      for task in endedTasks.prefix(Limits.endedTasksMax) { value.bits128(task.bits) }
      writer.integer(SignIn.endedTasksTag)
      writer.block(value.bytes)
    }
  }

  init(from reader: inout ByteReader) throws(CodingError) {
    version = try reader.integer()
    clientID = ClientID(try reader.bits128())
    incarnation = try reader.integer()
    previousSession = try reader.integer()
    outcomesStored = try reader.integer()
    clock = try reader.wallTime()
    facts = ClientFacts()
    facts.hostname = try reader.text(limit: Limits.hostnameBytesMax)
    facts.operatingSystem = try reader.text(limit: Limits.descriptionBytesMax)
    facts.agentVersion = try reader.text(limit: Limits.descriptionBytesMax)
    let count = Int(try reader.integer(UInt8.self))
    guard count <= Limits.addressesMax else { throw .tooLong }
    for _ in 0..<count { facts.addresses.append(try reader.text(limit: Limits.addressBytesMax)) }
    var told = FallbackReason.none
    var takes = false
    var ended: [TaskID] = []
    try MessageTail.read(from: &reader) { (tag, value) throws(CodingError) in
      switch tag {
      // A value of a later version: the session is worth more than what is meant by it.
      case SignIn.fallbackTag:
        told = FallbackReason(rawValue: try SignIn.byte(value)) ?? FallbackReason.none
      case SignIn.reconnectTag: takes = try SignIn.byte(value) == SignIn.takesIdentities
      case SignIn.endedTasksTag: ended = try SignIn.tasks(value)
      default: return false
      }
      return true
    }
    fallback = told
    takesReconnect = takes
    endedTasks = ended
  }

  private static func byte(_ value: ArraySlice<UInt8>) throws(CodingError) -> UInt8 {
    guard let byte = value.first, value.count == 1 else { throw .badValue }
    return byte
  }

  private static func tasks(_ value: ArraySlice<UInt8>) throws(CodingError) -> [TaskID] {
    guard value.count % 16 == 0, (1...Limits.endedTasksMax).contains(value.count / 16) else {
      throw .badValue
    }
    var reader = ByteReader(value)
    var tasks: [TaskID] = []
    while reader.remaining > 0 { tasks.append(TaskID(try reader.bits128())) }
    return tasks
  }
}
