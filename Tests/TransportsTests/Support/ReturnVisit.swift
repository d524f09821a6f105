// A server and a client that comes back, on one pair of sockets and in the test's hands: the test
// says what the client sends, in which pieces, and when the server looks.
import Glibc
import Reactor
import Testing

@testable import Transports

/// A server's site, desk and context.
final class ReturnStage {
  let site = Site()
  let desk: DeskStage
  let context: TLSContext

  init(_ change: (inout TLSOptions) -> Void = { _ in }) throws {
    desk = try DeskStage()
    desk.now = Int64(time(nil))
    var options = TLSOptions()
    options.detaches = true
    change(&options)
    context = try site.serverContext(options, reconnects: desk.desk)
  }

  func grant(_ subject: UInt128 = 7) throws -> ReconnectGrant {
    try #require(desk.desk.issue(for: desk.client(subject)))
  }
}

/// One visit.
final class ReturnVisit {
  let peer: ReturnPeer
  let server: ByteChannel
  let table: DetachedTable
  private let stage: ReturnStage
  private let maker: HandshakeMaker
  private var socket: Descriptor?
  private var buffer = ReceiveBuffer(capacity: 65536)

  /// - Parameters:
  ///   - maker: whose handshake the server answers with.
  ///   - sockets: the client's and the server's.
  init(
    _ stage: ReturnStage, _ peer: ReturnPeer? = nil, _ maker: HandshakeMaker = .ours,
    table: DetachedTable? = nil, sockets: (Int32, Int32)? = nil
  ) throws {
    self.stage = stage
    self.maker = maker
    self.peer = try peer ?? ReturnPeer(stage.grant())
    self.table = try #require(table ?? DetachedTable(limit: 4))
    let (near, far) = sockets ?? socketPair()
    socket = Descriptor(owning: near)
    server = ByteChannel(
      .plain(PlainTransport(Descriptor(owning: far))), token: Token(generation: 1, index: 1),
      pool: BlockPool(limit: 64), outboundBytesMax: 1 << 16, now: .zero)
    try server.startTLS(stage.context, detachingInto: maker == .ours ? self.table : nil)
  }

  var clientSocket: Int32 { socket?.raw ?? -1 }

  /// Sends bytes as they are.
  func send(_ bytes: [UInt8]) {
    guard !bytes.isEmpty else { return }
    #expect(StreamSocket.write(clientSocket, bytes.span) == .moved(bytes.count))
  }

  /// All that the server has sent.
  func hear() -> [UInt8] {
    var heard: [UInt8] = []
    var room = [UInt8](repeating: 0, count: 65536)
    while case .moved(let count) = StreamSocket.read(clientSocket, into: &room) {
      heard += room[..<count]
    }
    return heard
  }

  /// Goes as far as the server's answer.
  func begin() throws {
    send(peer.makeHello())
    #expect(server.handshake() == .wouldBlock(.readable))
    #expect(server.isShakingHands)
    try peer.hear(hear())
    // OpenSSL sends one in any case.
    if maker == .ours { #expect(peer.sawChange == !peer.hello.sessionID.isEmpty) }
  }

  /// Sends bytes in pieces of so many and lets the server look after each, until it is done or not
  /// to be; then the rest.
  @discardableResult
  func play(_ bytes: [UInt8], pieces: Int = .max) -> HandshakeStep {
    var rest = bytes[...]
    var step = HandshakeStep.wouldBlock(.readable)
    repeat {
      send(Array(rest.prefix(pieces)))
      rest = rest.dropFirst(pieces)
      step = server.handshake()
    } while !rest.isEmpty && step == .wouldBlock(.readable)
    send(Array(rest))
    return step
  }

  /// What arrives at the server if it looks whenever its loop would: when there are leftovers or
  /// the kernel has something.
  func collect() -> (step: IOStep, bytes: [UInt8]) {
    var arrived: [UInt8] = []
    var step = IOStep.wouldBlock(.readable)
    while server.hasLeftovers || isReady(server.descriptor, .readable) {
      step = server.receive(into: &buffer)
      arrived += buffer.slice
      switch step {
      case .progressed, .wouldBlock: continue
      case .ended, .failed: return (step, arrived)
      }
    }
    return (step, arrived)
  }

  /// Expects that the connection stands, that nothing but `behind` has come, and that data go both
  /// ways.
  func talk(behind: [UInt8] = []) {
    #expect(!server.isShakingHands)
    #expect(server.isDetached == (maker == .ours))
    #expect(server.resumed)
    expectSame(collect().bytes, behind)
    for data in [[1], pattern(16_384)] {
      send(peer.sealData(data))
      expectSame(collect().bytes, data)
      #expect(server.enqueue(data.span, now: .zero) == .stored)
      #expect(server.flush(now: .zero) == .progressed(data.count))
      let records = peer.open(hear())
      #expect(records.allSatisfy { $0.last == 23 })
      expectSame(records.flatMap { $0.dropLast() }, data)
    }
  }

  /// Expects the same bytes, without comparing them one by one where they are not.
  private func expectSame(_ arrived: [UInt8], _ sent: [UInt8]) {
    let isSame = arrived == sent
    #expect(isSame, "\(arrived.count) bytes arrived, \(sent.count) were sent")
  }

  /// The alert that the client got, and nothing else; nil for none.
  func hearAlert() -> UInt8? {
    let records = peer.open(hear())
    guard let alert = records.first else { return nil }
    #expect(records.count == 1)
    #expect(alert.count == 3 && alert.starts(with: [2]) && alert.last == 21, "\(alert)")
    return alert.count == 3 ? alert[1] : nil
  }

  /// Ends the client's stream, or all of the connection by a reset.
  func leave(byReset: Bool = false) {
    if byReset {
      var lingers = linger(l_onoff: 1, l_linger: 0)
      setsockopt(
        clientSocket, SOL_SOCKET, SO_LINGER, &lingers, socklen_t(MemoryLayout<linger>.size))
      socket = nil
    } else {
      shutdown(clientSocket, Int32(SHUT_WR))
    }
  }

  /// Closes the server's end, and expects that nothing of it stays.
  func close() {
    server.close(sendCloseNotify: false)
    #expect(table.count == 0)
    #expect(table.heldBytes == 0)
    #expect(stage.context.staleErrors == 0)
  }
}
