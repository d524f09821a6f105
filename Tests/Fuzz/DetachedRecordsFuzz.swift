// Fuzz target: detached records and the messages after a handshake. The input is a list of what a
// peer that knows its keys sends: records around bytes of its choice, damaged ones, bytes without a
// seal. Cut in pieces or whole, into a large receive buffer or a small one, what arrives, how it
// ends, the alert and the answer must be those of the reference below, which reads messages whole
// and seals by OpenSSL directly.

import COpenSSL
import Glibc
import Reactor
import Synchronization

@testable import Transports

// MARK: The reference

/// How a connection stands or ended.
private enum Fate: Equatable {
  case open, ended
  /// With the alert that the peer gets, if it gets one.
  case failed(TransportError.Kind, alert: UInt8?)
}

/// What must come of the records, read one after the other by the letter of RFC 8446.
private struct Reference {
  static let updatesMax = 3

  let isClient: Bool
  var key: PeerKey
  var plaintext: [UInt8] = []
  var fate = Fate.open
  var owesUpdate = false
  /// Bytes without a seal were sent: whatever comes, it is no data and no good end.
  var isSpoilt = false
  private var messages: [UInt8] = []
  private var barren = 0
  private var updates = 0

  init(isClient: Bool, key: PeerKey) {
    self.isClient = isClient
    self.key = key
  }

  private mutating func refuse(_ alert: UInt8) {
    fate = .failed(.protocolViolation, alert: alert)
  }

  /// A record around these bytes; the peer's key has moved on when it says so.
  mutating func take(_ inner: [UInt8]) {
    guard fate == .open, !isSpoilt else { return }
    guard inner.count + 16 <= 16384 + 256 else { return refuse(22) }
    guard let last = inner.lastIndex(where: { $0 != 0 }) else { return refuse(10) }
    let content = inner[..<last]
    guard content.count <= 16384 else { return refuse(22) }
    switch inner[last] {
    case 23 where content.isEmpty: bear()
    case 23:
      guard messages.isEmpty else { return refuse(10) }
      plaintext += content
      barren = 0
    case 21:
      guard content.count == 2 else { return refuse(10) }
      switch content[1] {
      case 0: fate = .ended
      case 90: bear()
      default: fate = .failed(.alertReceived, alert: nil)
      }
    case 22 where !content.isEmpty:
      messages += content
      while fate == .open, readMessage() {}
      if fate == .open { bear() }
    default: refuse(10)
    }
  }

  private mutating func bear() {
    barren += 1
    if barren > 32 { refuse(10) }
  }

  /// Takes one message off the front, if all of it is there.
  private mutating func readMessage() -> Bool {
    guard let type = messages.first else { return false }
    guard type == 24 || type == 4 && isClient else {
      refuse(10)
      return false
    }
    guard messages.count >= 4 else { return false }
    let length = Int(messages[1]) << 16 | Int(messages[2]) << 8 | Int(messages[3])
    if type == 24 ? length != 1 : length > 16384 {
      refuse(type == 24 ? 50 : 47)
      return false
    }
    guard messages.count >= 4 + length else { return false }
    let body = messages[4..<(4 + length)]
    messages.removeFirst(4 + length)
    if type == 24 { update(request: body.first ?? 0) }
    return true
  }

  private mutating func update(request: UInt8) {
    guard request <= 1 else { return refuse(47) }
    guard messages.isEmpty else { return refuse(10) }
    guard updates < Self.updatesMax else {
      fate = .failed(.limitExceeded, alert: 47)
      return
    }
    updates += 1
    key.update()
    if request == 1 { owesUpdate = true }
  }
}

// MARK: The input

/// What the keys of one way come from.
private func secret(_ filler: UInt8, _ suite: CipherSuite) -> [UInt8] {
  [UInt8](repeating: filler, count: suite.secretBytes)
}

/// A peer's bytes, and what they must come to.
private struct Script {
  let suite: CipherSuite
  let step: Int
  let room: Int
  var stream: [UInt8] = []
  var reference: Reference

  init?(_ bytes: [UInt8]) {
    guard bytes.count > 3 else { return nil }
    suite = CipherSuite.allCases[Int(bytes[0] & 3) % 3]
    step = Int(bytes[1]) + 1
    room = [65536, 16400, 16384, 700, 33, 3, 2, 1][Int(bytes[2] & 7)]
    reference = Reference(isClient: bytes[0] & 4 != 0, key: PeerKey(suite, secret(7, suite)))
    var place = 3
    // Single bytes of a long stream only take time.
    let isSlow = room < 700
    let streamMax = isSlow ? 4_000 : 60_000
    func next() -> UInt8 {
      defer { place += 1 }
      return place < bytes.count ? bytes[place] : 0
    }
    while place < bytes.count, stream.count < streamMax {
      let order = next() & 7
      let number = Int(next())
      func piece() -> [UInt8] { (0..<number).map { _ in next() } }
      switch order {
      case 0: send(piece())
      case 1: send(data: piece())
      case 2: send(handshake: piece())
      case 3: send(inner: [next(), next(), 21] + [UInt8](repeating: 0, count: number))
      case 4: send(handshake: [24, 0, 0, 1, next() & 3])
      case 5:
        let count = (number << 8 | Int(next())) % (isSlow ? 700 : 16_700)
        send(data: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) })
      case 6: send(damaged: piece() + [23], at: next())
      default: sendRaw(piece())
      }
    }
  }

  private mutating func send(_ inner: [UInt8]) { send(inner: inner) }
  private mutating func send(data: [UInt8]) { send(inner: data + [23]) }
  private mutating func send(handshake: [UInt8]) { send(inner: handshake + [22]) }

  private mutating func send(inner: [UInt8]) {
    stream += reference.key.seal(inner)
    reference.take(inner)
  }

  private mutating func send(damaged inner: [UInt8], at place: UInt8) {
    var record = reference.key.seal(inner)
    let body = record.count - 5
    record[5 + Int(place) % body] ^= 1 << (place & 7)
    stream += record
    if reference.fate == .open && !reference.isSpoilt {
      reference.fate = .failed(.protocolViolation, alert: 20)
    }
  }

  private mutating func sendRaw(_ bytes: [UInt8]) {
    stream += bytes
    if !bytes.isEmpty && reference.fate == .open { reference.isSpoilt = true }
  }
}

// MARK: Ours

/// What came of a stream.
private struct Outcome: Equatable {
  var plaintext: [UInt8] = []
  var fate = Fate.open
  var error: TransportError?
  /// What we sent in the end, opened.
  var answer: [[UInt8]] = []
}

/// One table for all runs, as a loop has it.
private let shared = Mutex<DetachedTable?>(DetachedTable(limit: 4))

private func play(_ script: Script, step: Int, room: Int, in table: DetachedTable) -> Outcome {
  var ends: [Int32] = [-1, -1]
  let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue)
  precondition(socketpair(AF_UNIX, kind, 0, &ends) == 0, "a pair of sockets")
  let peer = Descriptor(owning: ends[0])
  let name = ready(script, table)
  var transport = DetachedTransport(Descriptor(owning: ends[1]), table, name)
  var buffer = ReceiveBuffer(capacity: room)
  var outcome = Outcome()
  var start = 0
  var pieces = 0
  while start < script.stream.count {
    pieces += 1
    // The first pieces show what cutting does; the rest would only take time.
    let end = pieces > 100 ? script.stream.count : min(script.stream.count, start + step)
    start += write(Array(script.stream[start..<end]), peer.raw)
    read(&transport, &buffer, into: &outcome)
  }
  precondition(!transport.hasLeftovers, "all was delivered and told")
  precondition(table.heldBytes <= 2 * RecordLimits.recordBytesMax + 64, "at most one record")
  answer(&transport, peer.raw, script, &outcome)
  return outcome
}

private func ready(_ script: Script, _ table: DetachedTable) -> SlotName {
  guard let name = table.take(script.suite) else { preconditionFailure("the table is empty") }
  for (way, filler) in [(RecordWay.read, 7 as UInt8), (.write, 9)] {
    table.slots.secret(name, way).copyBytes(from: secret(filler, script.suite))
    precondition(table.slots.deriveKeys(name, way), "keys")
  }
  var head = SlotHead()
  if script.reference.isClient { head.nature.insert(.isClient) }
  head.updatesLeft = UInt8(Reference.updatesMax)
  table.slots.setHead(name, head)
  return name
}

private func write(_ bytes: [UInt8], _ fd: Int32) -> Int {
  switch StreamSocket.write(fd, bytes.span) {
  case .moved(let count): return count
  // Nobody reads any more after an end; what else comes cannot matter.
  default: return bytes.count
  }
}

private func read(
  _ transport: inout DetachedTransport, _ buffer: inout ReceiveBuffer, into outcome: inout Outcome
) {
  while true {
    buffer.clear()
    let step = transport.read(into: &buffer)
    let before = outcome.plaintext.count
    outcome.plaintext += buffer.slice
    switch step {
    case .progressed(let count):
      precondition(count > 0 && outcome.plaintext.count == before + count, "as many as it says")
      precondition(outcome.fate == .open, "nothing is delivered behind the end")
    case .wouldBlock(let readiness):
      precondition(readiness == .readable && outcome.fate == .open, "what is over does not wait")
      // What is still in the kernel would make the next event.
      var one: [UInt8] = [0]
      var look = one.mutableSpan
      guard case .moved = StreamSocket.peek(transport.descriptor, into: &look) else { return }
    case .ended:
      precondition(outcome.fate == .open || outcome.fate == .ended, "one end")
      outcome.fate = .ended
      return
    case .failed(let error):
      precondition(outcome.error == nil || outcome.error == error, "one failure")
      precondition(outcome.fate != .ended, "one end")
      outcome.error = error
      outcome.fate = .failed(error.kind, alert: nil)
      return
    }
  }
}

/// Lets our end write, and opens all that it sent.
private func answer(
  _ transport: inout DetachedTransport, _ fd: Int32, _ script: Script, _ outcome: inout Outcome
) {
  let step = transport.write([1, 2, 3].span)
  if let error = outcome.error {
    precondition(step == .failed(error), "a failure is for both ways")
  } else {
    precondition(step == .progressed(3), "a small write goes")
  }
  var room = [UInt8](repeating: 0, count: 4096)
  guard case .moved(let count) = StreamSocket.read(fd, into: &room) else { return }
  var key = PeerKey(script.suite, secret(9, script.suite))
  var rest = room[..<count]
  while !rest.isEmpty {
    guard let (inner, behind) = key.open(rest) else { preconditionFailure("our record opens") }
    outcome.answer.append(inner)
    if inner.last == 22 { key.update() }
    rest = behind
  }
  if case .failed(let kind, nil) = outcome.fate, let alert = outcome.answer.last {
    precondition(alert.count == 3 && alert[0] == 2 && alert[2] == 21, "a fatal alert")
    outcome.fate = .failed(kind, alert: alert[1])
  }
}

/// The entry that libFuzzer calls.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDetachedRecords(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let script = Script([UInt8](UnsafeBufferPointer(start: start, count: count))) else {
    return 0
  }
  shared.withLock { table in
    guard let table else { preconditionFailure("OpenSSL has the ciphers") }
    check(script, in: table)
  }
  return 0
}

private func check(_ script: Script, in table: DetachedTable) {
  let whole = play(script, step: .max / 2, room: 65536, in: table)
  let cut = play(script, step: script.step, room: script.room, in: table)
  precondition(whole == cut, "neither pieces nor the receive buffer matter")
  let reference = script.reference
  precondition(whole.plaintext == reference.plaintext, "the plaintext is the reference's")
  if reference.isSpoilt {
    precondition(whole.fate != .ended, "bytes without a seal end nothing in good order")
  } else {
    precondition(whole.fate == reference.fate, "the end is the reference's")
  }
  if whole.error == nil {
    let update: [[UInt8]] = reference.owesUpdate ? [[24, 0, 0, 1, 0, 22]] : []
    precondition(whole.answer == update + [[1, 2, 3, 23]], "one update if asked, and the data")
  } else {
    precondition(whole.answer.count <= 1, "at most an alert")
  }
  precondition(table.count == 0 && table.heldBytes == 0, "nothing stays")
}
