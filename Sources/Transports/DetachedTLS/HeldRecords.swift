// What cannot be finished now: a record that has come in part, bytes that the receive buffer had no
// room for, a record that the socket took in part, a handshake message in pieces. It lies beside
// the slots and only as long as there is something, so that an idle connection holds nothing of it;
// and all connections of a table together are bounded, since each of a hundred thousand peers may
// leave half a record behind.

/// Input that could not be finished.
struct HeldInput {
  /// Bytes as they came, from the start of a record.
  var sealed: [UInt8] = []
  /// Opened bytes that the receive buffer had no room for, and how many of them were delivered.
  var opened: [UInt8] = []
  var delivered = 0

  /// What it counts for.
  var cost: Int { sealed.capacity + opened.capacity }
}

/// Output that could not be finished.
struct HeldOutput {
  /// Sealed bytes that the socket has not taken, and how many of them it took since.
  var bytes: [UInt8]
  var sent = 0
  /// Bytes of the owner's that they stand for.
  let covers: Int
}

/// A handshake message of which a part has come.
struct HandshakeFragment: Equatable {
  /// The first bytes of the message, a key update's whole.
  var bytes: [UInt8] = []
  /// Bytes of a ticket that are still to come and to be skipped.
  var skips = 0
}

/// All that is held for the connections of one table.
struct HeldRecords {
  /// Connections for which the memory of an empty dictionary is kept.
  private static let keptCapacity = 1024

  /// Bytes held for all connections at most.
  let bytesMax: Int
  /// Bytes held now.
  private(set) var bytes = 0
  private var inputs: [SlotName: HeldInput] = [:]
  private var outputs: [SlotName: HeldOutput] = [:]
  private var fragments: [SlotName: HandshakeFragment] = [:]

  init(bytesMax: Int) { self.bytesMax = bytesMax }

  /// How many connections have something here.
  var count: Int { inputs.count + outputs.count + fragments.count }

  /// Keeps input; false, and nothing kept, if the table then held too much.
  mutating func keep(_ input: HeldInput, of name: SlotName) -> Bool {
    let cost = input.cost
    guard bytes + cost <= bytesMax else { return false }
    bytes += cost
    inputs[name] = input
    return true
  }

  mutating func takeInput(of name: SlotName) -> HeldInput? {
    guard let input = inputs.removeValue(forKey: name) else { return nil }
    bytes -= input.cost
    // A dictionary never shrinks: after a bad moment of the network, all at once.
    if inputs.isEmpty && inputs.capacity > Self.keptCapacity { inputs = [:] }
    return input
  }

  /// Keeps output; false, and nothing kept, if the table then held too much.
  mutating func keep(_ output: HeldOutput, of name: SlotName) -> Bool {
    let cost = output.bytes.capacity
    guard bytes + cost <= bytesMax else { return false }
    bytes += cost
    outputs[name] = output
    return true
  }

  mutating func takeOutput(of name: SlotName) -> HeldOutput? {
    guard let output = outputs.removeValue(forKey: name) else { return nil }
    bytes -= output.bytes.capacity
    if outputs.isEmpty && outputs.capacity > Self.keptCapacity { outputs = [:] }
    return output
  }

  /// Keeps a fragment, which is a few bytes.
  mutating func keep(_ fragment: HandshakeFragment, of name: SlotName) {
    fragments[name] = fragment
  }

  mutating func takeFragment(of name: SlotName) -> HandshakeFragment? {
    fragments.removeValue(forKey: name)
  }

  /// Forgets all that is held for one connection.
  mutating func removeAll(of name: SlotName) {
    _ = takeInput(of: name)
    _ = takeOutput(of: name)
    _ = takeFragment(of: name)
  }
}
