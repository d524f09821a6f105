// Fuzz target: second flights of clients that come back. The input says what a client that knows
// its keys sends: pieces of a Finished, other messages, damaged records, bytes without a seal, data
// behind it. Whole or in pieces, it must come to what the reference below says, which reads the
// stream by the letter of RFC 8446 and opens by OpenSSL directly: done is one Finished, no more.

import COpenSSL
import Glibc
import Reactor
import Synchronization

@testable import Transports

// MARK: The client's keys

private func hash(_ bytes: [UInt8]) -> [UInt8] {
  var output = [UInt8](repeating: 0, count: 32)
  SHA256(bytes, bytes.count, &output)
  return output
}

/// A pair of X25519 for all runs.
private final class Pair {
  private let key: OpaquePointer
  let share: [UInt8]

  init() {
    let seed = (0..<32).map { UInt8($0 + 1) }
    guard let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nil, seed, 32) else {
      preconditionFailure("OpenSSL has X25519")
    }
    self.key = key
    var bytes = [UInt8](repeating: 0, count: 32)
    var count = 32
    precondition(EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1, "a share")
    share = bytes
  }

  func agree(with share: [UInt8]) -> [UInt8] {
    let peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nil, share, 32)
    defer { EVP_PKEY_free(peer) }
    let context = EVP_PKEY_CTX_new(key, nil)
    defer { EVP_PKEY_CTX_free(context) }
    var secret = [UInt8](repeating: 0, count: 32)
    var count = 32
    precondition(
      EVP_PKEY_derive_init(context) == 1 && EVP_PKEY_derive_set_peer(context, peer) == 1
        && EVP_PKEY_derive(context, &secret, &count) == 1, "a secret")
    return secret
  }
}

/// A client up to the server's Finished.
private struct Client {
  let hello: [UInt8]
  private let psk: [UInt8]
  private let suite: CipherSuite
  private let sessionBytes: Int

  init(_ grant: ReconnectGrant, _ suite: CipherSuite, hasSessionID: Bool, share: [UInt8]) {
    func vector(_ lengthBytes: Int, _ content: [UInt8]) -> [UInt8] {
      (0..<lengthBytes).reversed().map { UInt8(content.count >> (8 * $0) & 255) } + content
    }
    psk = grant.key
    self.suite = suite
    sessionBytes = hasSessionID ? 32 : 0
    let number = suite.registryNumber
    var extensions: [UInt8] = [0, 43, 0, 3, 2, 3, 4, 0, 10, 0, 4, 0, 2, 0, 29, 0, 45, 0, 2, 1, 1]
    extensions += [0, 51, 0, 38, 0, 36, 0, 29, 0, 32] + share
    let identities = vector(2, vector(2, grant.identity) + [0, 0, 0, 0])
    extensions += [0, 41] + vector(2, identities + vector(2, [UInt8](repeating: 32, count: 33)))
    var body: [UInt8] = [3, 3] + [UInt8](repeating: 5, count: 32)
    body += vector(1, [UInt8](repeating: 6, count: sessionBytes))
    body += vector(2, [UInt8(number >> 8), UInt8(number & 255)]) + [1, 0] + vector(2, extensions)
    let bound = ([1] + vector(3, body)).dropLast(35)
    let early = hmac(suite, [UInt8](repeating: 0, count: 32), psk)
    let binderKey = expand(suite, expand(suite, early, "ext binder", hash([])), "finished")
    let message = bound + [0, 33, 32] + hmac(suite, binderKey, hash(Array(bound)))
    hello = [22, 3, 1] + vector(2, Array(message))
  }

  /// Keys and the Finished that follow from the server's answer.
  func hear(_ answer: [UInt8], _ pair: Pair) -> Keys {
    let end = 5 + Int(answer[3]) << 8 + Int(answer[4])
    let behind = end + (sessionBytes > 0 ? 6 : 0)
    var transcript = Array(hello[5...] + answer[5..<end])
    let shareStart = 5 + 4 + 2 + 32 + 1 + sessionBytes + 3 + 2 + 6 + 8
    let share = Array(answer[shareStart..<(shareStart + 32)])
    let early = hmac(suite, [UInt8](repeating: 0, count: 32), psk)
    let stage = hmac(suite, expand(suite, early, "derived", hash([])), pair.agree(with: share))
    let client = expand(suite, stage, "c hs traffic", hash(transcript))
    var server = PeerKey(suite, expand(suite, stage, "s hs traffic", hash(transcript)))
    guard let (inner, _) = server.open(answer[behind...]), inner.last == 22 else {
      preconditionFailure("the server's flight opens")
    }
    transcript += inner.dropLast()
    let zeros = [UInt8](repeating: 0, count: 32)
    let main = hmac(suite, expand(suite, stage, "derived", hash([])), zeros)
    return Keys(
      handshake: PeerKey(suite, client),
      data: PeerKey(suite, expand(suite, main, "c ap traffic", hash(transcript))),
      heard: PeerKey(suite, expand(suite, main, "s ap traffic", hash(transcript))),
      finished: [20, 0, 0, 32] + hmac(suite, expand(suite, client, "finished"), hash(transcript)))
  }
}

/// What a client knows before its second flight.
private struct Keys {
  var handshake: PeerKey
  var data: PeerKey
  /// Under which the server seals.
  var heard: PeerKey
  let finished: [UInt8]
}

// MARK: The reference

/// How a second flight ends.
private enum Fate: Equatable {
  case waiting
  case refused(alert: UInt8)
  /// By an alert of the client's.
  case told(UInt8)
  /// With so many bytes behind it.
  case done(rest: Int)
}

/// What must come of a stream.
private struct Reference {
  var keys: Keys
  private var message: [UInt8] = []
  private var changes = 0
  init(_ keys: Keys) { self.keys = keys }

  mutating func judge(_ stream: [UInt8]) -> Fate {
    var rest = stream[...]
    while rest.count >= 5 {
      let bytes = Array(rest.prefix(5))
      let length = Int(bytes[3]) << 8 | Int(bytes[4])
      let whole = Array(rest.prefix(5 + length))
      let isWhole = whole.count == 5 + length
      switch bytes[0] {
      case 20:
        guard bytes == [20, 3, 3, 0, 1] else { return .refused(alert: 10) }
        guard isWhole else { return .waiting }
        guard whole[5] == 1, changes < 32 else { return .refused(alert: 10) }
        changes += 1
      case 21:
        guard length == 2 else { return .refused(alert: 10) }
        return isWhole ? .told(whole[6]) : .waiting
      case 23:
        guard bytes[1] == 3, bytes[2] == 3 else { return .refused(alert: 50) }
        guard length <= 16_640 else { return .refused(alert: 22) }
        guard length >= 16 else { return .refused(alert: 20) }
        guard isWhole else { return .waiting }
        if let fate = judge(record: whole) {
          return fate == .done(rest: 0) ? .done(rest: rest.count - whole.count) : fate
        }
      default: return .refused(alert: 10)
      }
      rest = rest.dropFirst(whole.count)
    }
    return .waiting
  }

  private mutating func judge(record: [UInt8]) -> Fate? {
    guard let inner = keys.handshake.open(record[...])?.inner else { return .refused(alert: 20) }
    guard let last = inner.lastIndex(where: { $0 != 0 }) else { return .refused(alert: 10) }
    let content = inner[..<last]
    guard last <= 16_384 else { return .refused(alert: 22) }
    if inner[last] == 21 && content.count == 2 { return .told(content[1]) }
    guard inner[last] == 22, !content.isEmpty else { return .refused(alert: 10) }
    message += content
    let start = message.prefix(4)
    guard start.first == 20 else { return .refused(alert: 10) }
    guard start == [20, 0, 0, 32][..<start.count] else { return .refused(alert: 50) }
    if message.count < 36 { return nil }
    if message.count > 36 { return .refused(alert: 10) }
    return message == keys.finished ? .done(rest: 0) : .refused(alert: 51)
  }

  /// The data at the start of what is behind, and whether nothing else is there, but for part of a
  /// record.
  mutating func data(_ rest: ArraySlice<UInt8>) -> (bytes: [UInt8], isAll: Bool) {
    var rest = rest
    var data: [UInt8] = []
    while rest.count >= 5 {
      let header = Array(rest.prefix(5))
      let length = Int(header[3]) << 8 | Int(header[4])
      guard header[..<3] == [23, 3, 3], (16...16_640).contains(length) else {
        return (data, false)
      }
      guard rest.count >= 5 + length else { return (data, true) }
      guard let inner = keys.data.open(rest)?.inner,
        let last = inner.lastIndex(where: { $0 != 0 }), inner[last] == 23, last > 0,
        last <= 16_384
      else { return (data, false) }
      data += inner[..<last]
      rest = rest.dropFirst(5 + length)
    }
    return (data, true)
  }
}

// MARK: The input

/// What a client does in place of its second flight.
private struct Script {
  let suite: CipherSuite
  let hasSessionID: Bool
  let step: Int
  private let orders: [UInt8]

  init?(_ bytes: [UInt8]) {
    guard bytes.count > 2 else { return nil }
    suite = bytes[0] & 1 == 0 ? .aes128 : .chacha20
    hasSessionID = bytes[0] & 2 != 0
    step = Int(bytes[1]) + 1
    orders = Array(bytes[2...])
  }

  /// The bytes of the second flight, sealed with these keys.
  func stream(_ keys: Keys) -> [UInt8] {
    var keys = keys
    var stream: [UInt8] = []
    var place = 0
    /// How much of the Finished was sent.
    var sent = 0
    func next() -> UInt8 {
      defer { place += 1 }
      return place < orders.count ? orders[place] : 0
    }
    func piece() -> [UInt8] { (0..<Int(next())).map { _ in next() } }
    func finished(_ count: Int = 36) -> [UInt8] {
      let part = keys.finished.dropFirst(sent).prefix(count)
      sent += part.count
      return Array(part)
    }
    while place < orders.count, stream.count < 40_000 {
      switch next() & 15 {
      case 0: stream += [20, 3, 3, 0, 1, 1]
      case 1: stream += keys.handshake.seal(finished(Int(next()) % 37) + [22])
      case 2: stream += keys.handshake.seal(finished() + [22])
      case 3: stream += keys.handshake.seal(piece() + [next()])
      case 4:
        let padding = [UInt8](repeating: 0, count: Int(next()) * 66)
        stream += keys.handshake.seal(finished() + [22] + padding)
      case 5: stream += piece()
      case 6:
        var record = keys.handshake.seal(finished() + [22])
        record[Int(next()) % record.count] ^= 1 << (next() & 7)
        stream += record
      case 7: stream += keys.data.seal(piece() + [23])
      case 8: stream += keys.handshake.seal(piece() + [22])
      case 9: stream += [21, 3, 3, 0, 2, next(), next()]
      case 10:
        stream += keys.handshake.seal(finished() + [22], type: next(), version: next() & 3)
      case 11:
        var wrong = finished()
        if !wrong.isEmpty { wrong[Int(next()) % wrong.count] ^= 1 << (next() & 7) }
        stream += keys.handshake.seal(wrong + [22])
      case 12:
        let count = (Int(next()) << 8 | Int(next())) % 16_700
        stream += keys.handshake.seal([UInt8](repeating: next(), count: count) + [next()])
      case 13:
        let count = (Int(next()) << 8 | Int(next())) % 16_400
        stream += keys.data.seal([UInt8](repeating: 3, count: count) + [23])
      case 14: stream += keys.data.seal([1, 0, 21])
      default: stream += keys.handshake.seal(finished() + piece() + [22])
      }
    }
    return stream
  }
}

// MARK: Ours

/// What all runs share, as the connections of a loop do.
private final class Stage {
  static let client = ProvenClient(subject: 7, notAfter: .max, shownAt: 1_000)

  let table: DetachedTable
  let context: TLSContext
  let rules: ReturnRules
  let grant: ReconnectGrant
  let pair = Pair()

  init?() {
    var options = TLSOptions()
    options.detaches = true
    options.peerCertificate = .ignored
    options.cipherSuites = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
    guard let keys = try? ReconnectKeys.fresh(now: 0), let table = DetachedTable(limit: 4),
      // The handshake asks its context only to count; a client's needs no files.
      let context = try? TLSContext(
        role: .client, certificateChainFile: nil, privateKeyFile: nil, caFile: nil,
        options: options)
    else { return nil }
    let desk = ReconnectDesk(
      keys: keys, rules: ReconnectRules(lifeSeconds: 86_400, proofSeconds: 86_400),
      audience: "P01", wall: { 1_000 })
    guard let grant = desk.issue(for: Self.client), let rules = ReturnRules(desk, options) else {
      return nil
    }
    (self.table, self.context, self.rules, self.grant) = (table, context, rules, grant)
  }
}

private let shared = Mutex<Stage?>(Stage())

private struct Outcome: Equatable {
  var fate = Fate.waiting
  var data: [UInt8] = []
}

private func send(_ bytes: ArraySlice<UInt8>, _ fd: Int32) {
  guard !bytes.isEmpty else { return }
  guard StreamSocket.write(fd, Array(bytes).span) == .moved(bytes.count) else {
    preconditionFailure("the reader keeps up")
  }
}

private func hear(_ fd: Int32) -> [UInt8] {
  var room = [UInt8](repeating: 0, count: 4096)
  guard case .moved(let count) = StreamSocket.read(fd, into: &room) else { return [] }
  return Array(room[..<count])
}

/// The fatal alert that the server sent, and nothing else; nil if it said nothing.
private func alert(_ bytes: [UInt8], _ keys: inout Keys) -> UInt8? {
  guard !bytes.isEmpty else { return nil }
  let inner = keys.heard.open(bytes[...])?.inner
  precondition(inner?.count == 3 && inner?.first == 2 && inner?.last == 21, "one fatal alert")
  return inner?[1]
}

private func play(_ script: Script, step: Int, in stage: Stage) -> Outcome {
  var ends: [Int32] = [-1, -1]
  let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue)
  precondition(socketpair(AF_UNIX, kind, 0, &ends) == 0, "a pair of sockets")
  let peer = Descriptor(owning: ends[0])
  let far = Descriptor(owning: ends[1])
  let client = Client(
    stage.grant, script.suite, hasSessionID: script.hasSessionID, share: stage.pair.share)
  let work = ReturnHandshake(far.raw, stage.context, stage.rules, stage.table)
  send(client.hello[...], peer.raw)
  precondition(work.step() == .wouldBlock(.readable), "the hello is answered")
  let answer = hear(peer.raw)
  var keys = client.hear(answer, stage.pair)
  let stream = script.stream(keys)
  var reference = Reference(keys)
  let expected = reference.judge(stream)
  var outcome = Outcome()
  var start = 0
  var pieces = 0
  var slot: SlotName?
  while start < stream.count, slot == nil, outcome.fate == .waiting {
    pieces += 1
    // The first pieces show what cutting does; the rest would only take time.
    let end = pieces > 200 ? stream.count : min(stream.count, start + step)
    send(stream[start..<end], peer.raw)
    start = end
    switch work.step() {
    case .wouldBlock(let readiness): precondition(readiness == .readable, "it sends nothing")
    case .done(let who, let name):
      precondition(who == Stage.client, "the client of the identity")
      slot = name
    case .failed(let error): fail(error, &outcome, alert(hear(peer.raw), &keys))
    case .notOurs: preconditionFailure("the hello is taken")
    }
  }
  if let slot {
    guard case .done(let rest) = expected else { preconditionFailure("done without a Finished") }
    outcome.fate = expected
    var transport = DetachedTransport(far, stage.table, slot)
    send(stream[start...], peer.raw)
    outcome.data = read(&transport)
    let (data, isAll) = reference.data(stream[(stream.count - rest)...])
    precondition(outcome.data.starts(with: data), "what came behind arrives")
    precondition(!isAll || outcome.data == data, "and nothing else does")
  } else if outcome.fate == .waiting {
    precondition(hear(peer.raw).isEmpty, "nothing is said before the end")
    shutdown(peer.raw, Int32(SHUT_WR))
    precondition(work.step() == .failed(TransportError(.truncated)), "the end is told")
  }
  precondition(outcome.fate == expected, "the end is the reference's")
  return outcome
}

private func fail(_ error: TransportError, _ outcome: inout Outcome, _ alert: UInt8?) {
  switch (error.kind, alert) {
  case (.protocolViolation, .some(let alert)): outcome.fate = .refused(alert: alert)
  case (.truncated, nil): outcome.fate = .told(0)
  case (.alertReceived, nil): outcome.fate = .told(UInt8(truncatingIfNeeded: error.reason))
  default: preconditionFailure("no such failure: \(error), alert \(String(describing: alert))")
  }
}

/// Reads when a loop would: while there are leftovers, or bytes in the kernel.
private func read(_ transport: inout DetachedTransport) -> [UInt8] {
  var buffer = ReceiveBuffer(capacity: 65536)
  var data: [UInt8] = []
  var wish = pollfd(fd: transport.descriptor, events: Int16(POLLIN), revents: 0)
  while transport.hasLeftovers || poll(&wish, 1, 0) == 1 {
    buffer.clear()
    let step = transport.read(into: &buffer)
    data += buffer.slice
    switch step {
    case .progressed, .wouldBlock: continue
    case .ended, .failed: return data
    }
  }
  return data
}

/// The entry that libFuzzer calls.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzReturnHandshakes(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let script = Script([UInt8](UnsafeBufferPointer(start: start, count: count))) else {
    return 0
  }
  shared.withLock { stage in
    guard let stage else { preconditionFailure("OpenSSL has what it takes") }
    let whole = play(script, step: .max / 2, in: stage)
    let cut = play(script, step: script.step, in: stage)
    precondition(whole == cut, "pieces do not matter")
    precondition(stage.table.count == 0 && stage.table.heldBytes == 0, "nothing stays")
  }
  return 0
}
