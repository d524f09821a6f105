// What the first bytes of real clients tell, and that no bytes at all do harm.
import Reactor
import Testing

@testable import Transports

@Suite("The look into a ClientHello")
struct ClientHelloTests {
  let site = Site()

  /// The first flight of a client, whole.
  private func hello(session: [UInt8]? = nil) throws -> [UInt8] {
    let (nearNumber, farNumber) = try tcpPair()
    let far = Descriptor(owning: farNumber)
    var client = Transport.tls(
      try TLSTransport(
        Descriptor(owning: nearNumber), context: try site.clientContext(), serverName: "mp.test",
        session: session))
    guard case .wouldBlock = client.handshake() else {
      Issue.record("the client does not wait for an answer")
      return []
    }
    try awaitReady((far.raw, .readable))
    var room = [UInt8](repeating: 0, count: 8_192)
    guard case .moved(let count) = StreamSocket.read(far.raw, into: &room) else { return [] }
    return Array(room[..<count])
  }

  private func client(on descriptor: Int32, _ pool: BlockPool) throws -> ByteChannel {
    ByteChannel(
      .tls(
        try TLSTransport(
          Descriptor(owning: descriptor), context: try site.clientContext(),
          serverName: "mp.test")),
      token: Token(generation: 1, index: 1), pool: pool, outboundBytesMax: 100, now: .zero)
  }

  private func session() throws -> [UInt8] {
    var options = TLSOptions()
    options.ticketKeys = try TicketKeys.fresh(now: 1)
    let server = try site.serverContext(options)
    let (nearNumber, farNumber) = try tcpPair()
    let pool = BlockPool(limit: 8)
    let client = try client(on: nearNumber, pool)
    let far = ByteChannel(
      .tls(try TLSTransport(Descriptor(owning: farNumber), context: server)),
      token: Token(generation: 1, index: 2), pool: pool, outboundBytesMax: 100, now: .zero)
    try connect(client, far)
    var buffer = ReceiveBuffer(capacity: 100)
    try awaitReady((client.descriptor, .readable))
    _ = client.receive(into: &buffer)
    return try #require(client.takeNewSession())
  }

  private func offers(_ bytes: [UInt8]) -> Bool { ClientHello.offersResumption(bytes.span) }

  @Test("A client without a session offers none, one with a session does")
  func realClients() throws {
    #expect(!offers(try hello()))
    #expect(offers(try hello(session: try session())))
  }

  @Test("A hello that is cut anywhere offers nothing, and no change of a byte does harm")
  func tornAndChanged() throws {
    let whole = try hello(session: try session())
    // The extension's header is enough; what lies behind it need not be there.
    let known = try #require((0...whole.count).first { offers(Array(whole[..<$0])) })
    for count in 0...whole.count {
      #expect(offers(Array(whole[..<count])) == (count >= known))
    }
    var answers: Set<Bool> = []
    for place in whole.indices {
      for value in [0, 1, 0x7F, 0xFF] as [UInt8] {
        var changed = whole
        changed[place] = value
        answers.insert(offers(changed))
      }
    }
    #expect(answers == [true, false])
  }

  @Test("Other protocols offer nothing")
  func foreign() {
    for bytes in [
      [], [22], Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8),
      [UInt8](repeating: 0xFF, count: 300), [UInt8](repeating: 22, count: 300),
      [UInt8](repeating: 0, count: 300),
    ] as [[UInt8]] {
      #expect(!offers(bytes))
    }
  }

  @Test("A greeting stays in the kernel, and TLS goes on with it")
  func greeting() throws {
    let (nearNumber, farNumber) = try tcpPair()
    let pool = BlockPool(limit: 8)
    let client = try client(on: nearNumber, pool)
    let server = ByteChannel(
      .plain(PlainTransport(Descriptor(owning: farNumber))),
      token: Token(generation: 1, index: 2), pool: pool, outboundBytesMax: 100, now: .zero)
    var scratch = ReceiveBuffer(capacity: 1_024)
    let greeting1 = server.greeting(using: &scratch)
    #expect(greeting1 == .none)
    _ = client.handshake()
    try awaitReady((server.descriptor, .readable))
    let greeting2 = server.greeting(using: &scratch)
    #expect(greeting2 == .handshake)
    let greeting3 = server.greeting(using: &scratch)
    #expect(greeting3 == .handshake)
    try server.startTLS(try site.serverContext())
    #expect(server.isShakingHands)
    try connect(client, server)
    #expect(server.peer != nil)
    client.close(sendCloseNotify: true)
  }

  @Test("A peer that has gone is told from one that is silent")
  func gone() throws {
    let (nearNumber, farNumber) = try tcpPair()
    let server = ByteChannel(
      .plain(PlainTransport(Descriptor(owning: farNumber))),
      token: Token(generation: 1, index: 2), pool: BlockPool(limit: 8), outboundBytesMax: 100,
      now: .zero)
    Descriptor(owning: nearNumber).close()
    try awaitReady((server.descriptor, .readable))
    var scratch = ReceiveBuffer(capacity: 1_024)
    let greeting4 = server.greeting(using: &scratch)
    #expect(greeting4 == .gone)
  }
}
