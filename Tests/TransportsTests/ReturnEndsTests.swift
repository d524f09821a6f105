// Where our handshake with a client that comes back (Returning/) meets the world around it: streams
// that end, sockets that are full, and a table that others are in too.
import Glibc
import Reactor
import Testing

@testable import Transports

@Suite("Handshakes of clients that come back: ends, full sockets, the table")
struct ReturnEndsTests {
  private let stage: ReturnStage

  init() throws { stage = try ReturnStage() }

  private func visit(hasSessionID: Bool = true) throws -> ReturnVisit {
    try ReturnVisit(stage, ReturnPeer(stage.grant(), hasSessionID: hasSessionID))
  }

  // MARK: Ends

  @Test("The stream ends behind each byte of the second flight", arguments: [true, false])
  func ends(_ hasSessionID: Bool) throws {
    let size = (hasSessionID ? 6 : 0) + 58
    for count in 0..<size {
      let visit = try visit(hasSessionID: hasSessionID)
      try visit.begin()
      let flight = visit.peer.makeFlight()
      #expect(flight.count == size)
      let isStepped = count % 2 == 0
      visit.send(Array(flight[..<count]))
      if isStepped { #expect(visit.server.handshake() == .wouldBlock(.readable), "\(count)") }
      visit.leave()
      #expect(visit.server.handshake() == .failed(TransportError(.truncated)), "\(count)")
      #expect(visit.hear().isEmpty)
      visit.close()
    }
    let visit = try visit(hasSessionID: hasSessionID)
    try visit.begin()
    visit.send(visit.peer.makeFlight())
    visit.leave()
    #expect(visit.server.handshake() == .done)
    #expect(visit.collect().step == .failed(TransportError(.truncated)))
    visit.close()
    #expect(stage.context.resumedHandshakes == 1)
  }

  @Test("The stream ends before the hello, as OpenSSL says it")
  func endsAtOnce() throws {
    let ends = try HandshakeMaker.allCases.map { maker in
      let visit = try ReturnVisit(stage, nil, maker)
      visit.leave()
      defer { visit.close() }
      return visit.server.handshake()
    }
    #expect(ends[0] == ends[1])
    #expect(ends[1] == .failed(TransportError(.truncated)))
  }

  @Test(
    "A reset ends it, before the hello and behind the answer", arguments: [false, true],
    HandshakeMaker.allCases)
  func reset(_ isAnswered: Bool, _ maker: HandshakeMaker) throws {
    let visit = try ReturnVisit(stage, nil, maker, sockets: tcpPair())
    if isAnswered {
      visit.send(visit.peer.makeHello())
      try awaitReady((visit.server.descriptor, .readable))
      #expect(visit.server.handshake() == .wouldBlock(.readable))
      #expect(visit.table.count == (maker == .ours ? 1 : 0))
    }
    visit.leave(byReset: true)
    try awaitReady((visit.server.descriptor, .readable))
    let step = visit.server.handshake()
    #expect(step == .failed(TransportError(.connectionReset, errno: ECONNRESET)))
    visit.close()
  }

  // MARK: The table

  @Test("A full table leaves the handshake to OpenSSL")
  func fullTable() throws {
    let table = try #require(DetachedTable(limit: 1))
    let first = try ReturnVisit(stage, table: table)
    try first.begin()
    let second = try ReturnVisit(stage, table: table)
    try second.begin()
    #expect(table.refusals == 1)
    #expect(table.count == 1)
    #expect(second.play(second.peer.makeFlight()) == .done)
    #expect(!second.server.isDetached)
    #expect(second.server.readProof() == .reconnect(stage.desk.client(7)))
    #expect(second.server.detach(into: table) == .notYet)
    second.server.close(sendCloseNotify: false)
    #expect(first.play(first.peer.makeFlight()) == .done)
    first.talk()
    first.close()
    #expect(stage.desk.desk.accepted == 2)
    #expect(stage.context.resumedHandshakes == 2)
  }

  @Test("Connections of one table do not disturb one another", arguments: PeerSuite.allCases)
  func interleaved(_ suite: PeerSuite) throws {
    let table = try #require(DetachedTable(limit: 3))
    let visits = try (0..<3).map { number in
      try ReturnVisit(stage, ReturnPeer(stage.grant(UInt128(number)), suite), table: table)
    }
    for visit in visits { try visit.begin() }
    let flights = visits[1...].map { $0.peer.makeFlight() }
    // A byte of each in turn; the first says nothing.
    for place in flights[0].indices {
      for number in 1..<3 {
        let step = visits[number].play([flights[number - 1][place]])
        guard place == flights[0].count - 1 else {
          #expect(step == .wouldBlock(.readable))
          continue
        }
        #expect(step == .done)
        #expect(
          visits[number].server.readProof() == .reconnect(stage.desk.client(UInt128(number))))
      }
    }
    // Nobody's proof is told for another's.
    #expect(visits[0].server.readProof() == nil)
    #expect(visits[1].server.readProof() == nil)
    #expect(visits[0].play(visits[0].peer.seal([1])) != .done)
    #expect(visits[0].hearAlert() == 10)
    #expect(visits[2].server.readProof() == .reconnect(stage.desk.client(2)))
    visits[0].server.close(sendCloseNotify: false)
    for visit in visits[1...] { visit.talk() }
    visits[1].server.close(sendCloseNotify: false)
    visits[2].talk()
    visits[2].close()
  }

  @Test("A slot that is given back says nothing of who had it")
  func reused() throws {
    let table = try #require(DetachedTable(limit: 1))
    let first = try ReturnVisit(stage, ReturnPeer(stage.grant(1)), table: table)
    try first.begin()
    #expect(first.play(first.peer.makeFlight()) == .done)
    first.close()
    let second = try ReturnVisit(stage, ReturnPeer(stage.grant(2)), table: table)
    try second.begin()
    #expect(second.server.readProof() == nil)
    #expect(second.play(second.peer.makeFlight()) == .done)
    #expect(second.server.readProof() == .reconnect(stage.desk.client(2)))
    second.talk()
    second.close()
    // Nor to a connection that comes from OpenSSL.
    let third = try ReturnVisit(stage, ReturnPeer(stage.grant(3)), .openSSL, table: table)
    try third.begin()
    #expect(third.play(third.peer.makeFlight()) == .done)
    #expect(third.server.detach(into: table) == .detached)
    #expect(third.server.readProof() == nil)
    third.close()
  }

  @Test(
    "A kernel gets the keys, unless part of the next record was read",
    arguments: [(true, false), (true, true), (false, false)])
  func kernel(_ hasSessionID: Bool, leavesOut: Bool) throws {
    for data in [[], [5]] as [[UInt8]] {
      let table = try #require(DetachedTable(limit: 1, kernel: FakeKernel()))
      let peer = try ReturnPeer(stage.grant(), hasSessionID: hasSessionID)
      let visit = try ReturnVisit(stage, peer, table: table)
      try visit.begin()
      let flight = leavesOut ? peer.seal(peer.finished) : peer.makeFlight()
      // A beginning of a record says how long it is, and no more than that is read.
      #expect(visit.play(Array(flight[..<20])) == .wouldBlock(.readable))
      let behind = data.isEmpty ? [] : peer.sealData(data)
      #expect(visit.play(flight[20...] + behind) == .done)
      #expect(table.inKernel == (leavesOut && !data.isEmpty ? 0 : 1))
      #expect(table.kernelRefusals == 0)
      visit.talk(behind: data)
      visit.close()
      #expect(table.inKernel == 0)
    }
  }

  @Test("What lies in the kernel behind the second flight makes an event")
  func event() throws {
    let visit = try visit()
    try visit.begin()
    let poller = try Poller()
    let ready = ReadyList(capacity: 4)
    try visit.server.settle(poller)
    visit.send(visit.peer.makeFlight() + visit.peer.sealData([5]))
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 0) == 1)
    #expect(visit.server.handshake() == .done)
    #expect(!visit.server.hasLeftovers)
    try visit.server.settle(poller)
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 0) == 1)
    #expect(visit.server.mayReceive(on: ready[0].readiness))
    visit.talk(behind: [5])
    visit.close()
  }

  // MARK: Full sockets

  @Test("An answer for which there is no room waits for it")
  func full() throws {
    let visit = try visit()
    let filler = fill(visit.server.descriptor, by: 4096)
    visit.send(visit.peer.makeHello())
    for _ in 0..<3 { #expect(visit.server.handshake() == .wouldBlock(.writable)) }
    #expect(stage.desk.desk.accepted == 1)
    #expect(visit.hear().count == filler)
    #expect(visit.server.handshake() == .wouldBlock(.readable))
    try visit.peer.hear(visit.hear())
    #expect(visit.play(visit.peer.makeFlight()) == .done)
    visit.talk()
    visit.close()
  }

  @Test("A client that goes away before there is room for the answer")
  func fullAndGone() throws {
    let visit = try visit()
    _ = fill(visit.server.descriptor, by: 4096)
    visit.send(visit.peer.makeHello())
    #expect(visit.server.handshake() == .wouldBlock(.writable))
    visit.leave(byReset: true)
    #expect(
      visit.server.handshake() == .failed(TransportError(.connectionReset, errno: EPIPE)))
    visit.close()
  }

  @Test("An answer that goes in pieces")
  func pieces() throws {
    let idle = try ReturnVisit(stage, sockets: smallPair())
    let rooms = try (0..<2).map { _ in
      try hear(idle, atLeast: fill(idle.server.descriptor, by: 64)).count
    }
    var cuts = [0, 0]
    // There is a little more room each time, and the kernel cuts where it ends.
    for spare in stride(from: 0, to: 240, by: 16) {
      let visit = try ReturnVisit(stage, sockets: smallPair())
      visit.send(visit.peer.makeHello())
      try awaitReady((visit.server.descriptor, .readable))
      var answer: [UInt8] = []
      var step = HandshakeStep.wouldBlock(.writable)
      for turn in cuts.indices where step == .wouldBlock(.writable) {
        let filler = fill(visit.server.descriptor, by: 64, atMost: rooms[turn] - spare)
        step = visit.server.handshake()
        let piece = try hear(visit, atLeast: filler)[filler...]
        if step == .wouldBlock(.writable), !piece.isEmpty { cuts[turn] += 1 }
        answer += piece
      }
      while step == .wouldBlock(.writable) {
        try awaitReady((visit.server.descriptor, .writable))
        step = visit.server.handshake()
      }
      #expect(step == .wouldBlock(.readable))
      // ServerHello, change of ciphers, EncryptedExtensions and Finished.
      try visit.peer.hear(answer + hear(visit, atLeast: 127 + 6 + 64 - answer.count))
      visit.send(visit.peer.makeFlight())
      try awaitReady((visit.server.descriptor, .readable))
      #expect(visit.server.handshake() == .done)
      visit.close()
    }
    #expect(cuts[0] > 0)
    #expect(cuts[1] > 0)
  }

  private func hear(_ visit: ReturnVisit, atLeast count: Int) throws -> [UInt8] {
    var heard: [UInt8] = visit.hear()
    while heard.count < count {
      try awaitReady((visit.clientSocket, .readable))
      heard += visit.hear()
    }
    return heard
  }

  /// Sockets with as little room as the kernel grants.
  private func smallPair() throws -> (Int32, Int32) {
    let (near, far) = try tcpPair()
    var least: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    setsockopt(near, SOL_SOCKET, SO_RCVBUF, &least, size)
    setsockopt(far, SOL_SOCKET, SO_SNDBUF, &least, size)
    return (near, far)
  }

  /// Fills a socket until it takes no byte more; returns the bytes it took.
  private func fill(_ fd: Int32, by piece: Int, atMost maximum: Int = .max) -> Int {
    var filler = 0
    for size in [piece, 1] {
      while maximum - filler >= size,
        case .moved(let count) = StreamSocket.write(fd, pattern(size).span)
      { filler += count }
    }
    return filler
  }
}
