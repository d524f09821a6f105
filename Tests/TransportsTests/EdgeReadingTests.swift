// A receiver behind a real poller, as loops are: one read an event, and a turn for what is left
// over. Connections that left OpenSSL hear of each change once; if anything were lost by that, the
// receiver would wait here for an event that never comes.

import Glibc
import Reactor
import Testing

@testable import Transports

/// How a sender ends.
enum SenderEnd: CaseIterable, CustomTestStringConvertible {
  case closeNotify, withoutGoodbye, reset

  var testDescription: String {
    switch self {
    case .closeNotify: "the end announced"
    case .withoutGoodbye: "the end of the stream alone"
    case .reset: "a reset"
    }
  }
}

/// The receiving end of a pair, with all that a loop's turn does for it.
private final class Receiver {
  let channel: ByteChannel
  let poller: Poller
  private let ready = ReadyList(capacity: 4)
  private var buffer: ReceiveBuffer
  private var hasLeftovers = false
  /// What came.
  private(set) var arrived: [UInt8] = []
  /// How it ended; nil as long as it did not.
  private(set) var end: IOStep?
  /// How many events there were.
  private(set) var events = 0

  init(_ channel: ByteChannel, room: Int) throws {
    self.channel = channel
    poller = try Poller()
    buffer = ReceiveBuffer(capacity: room)
    try channel.settle(poller)
  }

  /// One turn; false when nothing came in ten seconds, or is there if it shall not wait.
  func turn(waits: Bool = true) throws -> Bool {
    let timeout: Int32 = hasLeftovers || !waits ? 0 : 10_000
    let count = try poller.wait(into: ready, timeoutMilliseconds: timeout)
    guard count > 0 || hasLeftovers else { return false }
    events += count
    // As loops do: first what is left over, then what the events say.
    if hasLeftovers { receive() }
    if count > 0, channel.mayReceive(on: ready[0].readiness), end == nil { receive() }
    try channel.settle(poller)
    return true
  }

  private func receive() {
    let step = channel.receive(into: &buffer)
    switch step {
    case .progressed: arrived += buffer.slice
    case .wouldBlock: break
    case .ended, .failed: end = step
    }
    hasLeftovers = end == nil && channel.hasLeftovers
  }

  /// Turns until so much came, or the end.
  func turn(until count: Int) throws {
    while arrived.count < count, end == nil {
      guard try turn() else {
        Issue.record("nothing more after \(arrived.count) of \(count) bytes")
        return
      }
    }
  }
}

@Suite("Reading with few events")
struct EdgeReadingTests {
  static let kinds: [TransportKind] = [.plain, .tls, .detachedServer, .detached]

  @Test(
    "All that was sent is read, whatever room there is", arguments: kinds,
    [1, 700, 16_384, 65_536])
  func all(_ kind: TransportKind, _ room: Int) throws {
    let pair = try ConnectedPair(kind)
    let receiver = try Receiver(pair.server, room: room)
    var expected: [UInt8] = []
    // The last ones fill the room of one read from the kernel, and many.
    for size in [1, 90, 699, 701, 16_384, 30_000] + (room > 1 ? [65_514, 65_536, 400_000] : []) {
      let bytes = pattern(size)
      expected += bytes
      #expect(pair.client.enqueue(bytes.span, now: .zero) == .stored)
      while pair.client.outboundCount > 0 {
        _ = pair.client.flush(now: .zero)
        // What fills the socket may end in the middle of a record: only the sender goes on then.
        _ = try receiver.turn(waits: false)
      }
      try receiver.turn(until: expected.count)
    }
    #expect(receiver.arrived == expected)
    #expect(receiver.end == nil)
  }

  @Test("An end right behind the last bytes is read", arguments: kinds, SenderEnd.allCases)
  func end(_ kind: TransportKind, _ end: SenderEnd) throws {
    let pair = try ConnectedPair(kind)
    let receiver = try Receiver(pair.server, room: 4_096)
    let bytes = pattern(3_000)
    #expect(pair.client.enqueue(bytes.span, now: .zero) == .stored)
    #expect(pair.client.flush(now: .zero) == .progressed(3_000))
    if end == .reset {
      // The kernel answers bytes that nobody will read with a reset.
      var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
      let size = socklen_t(MemoryLayout<Glibc.linger>.size)
      #expect(setsockopt(pair.client.descriptor, SOL_SOCKET, SO_LINGER, &linger, size) == 0)
    }
    pair.client.close(sendCloseNotify: end == .closeNotify)
    while receiver.end == nil {
      guard try receiver.turn() else {
        Issue.record("the end never came, after \(receiver.arrived.count) bytes")
        return
      }
    }
    if end != .reset { #expect(receiver.arrived == bytes) }
    let isOrderly = end == .closeNotify || end == .withoutGoodbye && kind == .plain
    #expect((receiver.end == .ended) == isOrderly, "\(String(describing: receiver.end))")
  }

  @Test("What comes while something is left over is read", arguments: kinds)
  func leftovers(_ kind: TransportKind) throws {
    let pair = try ConnectedPair(kind)
    let receiver = try Receiver(pair.server, room: 700)
    var expected: [UInt8] = []
    // Each record comes while the one before is handed over in pieces: its event is over when the
    // last piece has gone.
    for size in [16_384, 3_000, 100] {
      let bytes = pattern(size)
      expected += bytes
      #expect(pair.client.enqueue(bytes.span, now: .zero) == .stored)
      #expect(pair.client.flush(now: .zero) == .progressed(size))
      _ = try receiver.turn()
      _ = try receiver.turn()
    }
    try receiver.turn(until: expected.count)
    #expect(receiver.arrived == expected)
  }

  @Test("An end behind half a record is read", arguments: kinds.filter { $0 != .plain })
  func half(_ kind: TransportKind) throws {
    let pair = try ConnectedPair(kind)
    let receiver = try Receiver(pair.server, room: 4_096)
    #expect(StreamSocket.write(pair.client.descriptor, [23, 3, 3, 0].span) == .moved(4))
    pair.client.close(sendCloseNotify: false)
    while receiver.end == nil, try receiver.turn() {}
    guard case .failed(let error) = receiver.end else {
      Issue.record("\(String(describing: receiver.end)) after half a record")
      return
    }
    #expect(error.kind == .truncated)
  }

  @Test("What came while reading was paused is told when it goes on", arguments: kinds)
  func paused(_ kind: TransportKind) throws {
    let pair = try ConnectedPair(kind)
    let receiver = try Receiver(pair.server, room: 4_096)
    pair.server.receives = false
    try pair.server.settle(receiver.poller)
    let bytes = pattern(2_000)
    #expect(pair.client.enqueue(bytes.span, now: .zero) == .stored)
    #expect(pair.client.flush(now: .zero) == .progressed(2_000))
    pair.client.close(sendCloseNotify: true)
    #expect(!pair.server.hasLeftovers)
    pair.server.receives = true
    try pair.server.settle(receiver.poller)
    while receiver.end == nil, try receiver.turn() {}
    #expect(receiver.arrived == bytes)
    #expect(receiver.end == .ended)
  }

  @Test("A connection that left OpenSSL is reported once for what came, others again")
  func once() throws {
    for kind in EdgeReadingTests.kinds {
      let pair = try ConnectedPair(kind)
      let receiver = try Receiver(pair.server, room: 4_096)
      let ready = ReadyList(capacity: 4)
      #expect(pair.client.enqueue([1, 2, 3].span, now: .zero) == .stored)
      #expect(pair.client.flush(now: .zero) == .progressed(3))
      #expect(try receiver.poller.wait(into: ready, timeoutMilliseconds: 10_000) == 1)
      let again = try receiver.poller.wait(into: ready, timeoutMilliseconds: 0)
      #expect(again == (kind.detachesServer ? 0 : 1), "\(kind)")
    }
  }
}
