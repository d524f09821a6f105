// Taking a connection from OpenSSL, and what must go on working afterwards: sequence numbers that
// count what OpenSSL had sent and read, key updates of either side, tickets, leftovers.
import COpenSSL
import Glibc
import Reactor
import Testing

@testable import Transports

@Suite("Detached TLS: taking over")
struct DetachedTLSTests {
  /// A server of ours and a raw client, connected by a wire.
  final class Stage {
    let site = Site()
    let wire: Wire
    let server: ByteChannel
    let client: RawPeer
    let table: DetachedTable
    private let clientEnd: Descriptor
    private var buffer: ReceiveBuffer

    init(
      options: TLSOptions = TLSOptions(), limit: Int = 4, heldBytesMax: Int = 1 << 20,
      receiveBytes: Int = 65536, version: Int32 = TLS1_3_VERSION, kernel: KernelTLS? = nil,
      configure: (OpaquePointer) -> Void = { _ in }
    ) throws {
      let (wire, clientNumber, serverNumber) = Wire.make()
      self.wire = wire
      clientEnd = Descriptor(owning: clientNumber)
      let serverEnd = Descriptor(owning: serverNumber)
      var options = options
      options.detaches = true
      table = try #require(DetachedTable(limit: limit, heldBytesMax: heldBytesMax, kernel: kernel))
      server = ByteChannel(
        .tls(try TLSTransport(serverEnd, context: try site.serverContext(options))),
        token: Token(generation: 1, index: 1), pool: BlockPool(limit: 1024),
        outboundBytesMax: 1 << 20, now: .zero)
      client = RawPeer(
        .client, site.client, fd: clientEnd.raw, version: version, configure: configure)
      buffer = ReceiveBuffer(capacity: receiveBytes)
    }

    func shakeHands() { client.shakeHands(with: server, over: wire) }

    func receive() -> (step: IOStep, bytes: [UInt8]) { server.receiveBytes(by: &buffer) }

    /// From the client to the server, and what the server then has.
    func ask(_ bytes: [UInt8]) -> [UInt8] {
      #expect(client.write(bytes))
      wire.carry(.toServer)
      return receive().bytes
    }

    /// From the server to the client, and what the client then has.
    func tell(_ bytes: [UInt8]) -> [UInt8] {
      #expect(server.enqueue(bytes.span, now: .zero) == .stored)
      #expect(server.flush(now: .zero) == .progressed(bytes.count))
      wire.carry(.toClient)
      return client.read()
    }

    /// Fills the kernel's buffer from the server to the wire with bytes that the wire will lose.
    func stuffServerSocket() {
      let junk = [UInt8](repeating: 0, count: 4096)
      while case .moved = StreamSocket.write(server.descriptor, junk.span) {}
    }

  }

  @Test(
    "Each suite goes on after detaching",
    arguments: [
      "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
    ])
  func suites(_ suite: String) throws {
    let stage = try Stage { SSL_CTX_set_ciphersuites($0, suite) }
    stage.shakeHands()
    #expect(stage.ask([1]) == [1])
    #expect(stage.tell([2]) == [2])
    #expect(stage.server.detach(into: stage.table) == .detached)
    #expect(stage.server.isDetached)
    #expect(stage.table.count == 1)
    #expect(stage.server.readAgreement() == "TLSv1.3, \(suite)")
    #expect(stage.server.peer?.commonName == "client-1")
    #expect(stage.ask(pattern(16384)) == pattern(16384))
    #expect(stage.tell(pattern(300)) == pattern(300))
    #expect(stage.server.detach(into: stage.table) == .detached)
    stage.server.close(sendCloseNotify: true)
    #expect(stage.table.count == 0)
    stage.wire.carry(.toClient)
    #expect(stage.client.read().isEmpty)
    #expect(SSL_get_shutdown(stage.client.ssl) & SSL_RECEIVED_SHUTDOWN != 0)
  }

  @Test("Not before the handshake, not with a byte inside, not with half a record inside")
  func notYet() throws {
    let stage = try Stage(receiveBytes: 10)
    #expect(stage.server.detach(into: stage.table) == .notYet)
    stage.shakeHands()
    #expect(stage.ask(pattern(15)) == Array(pattern(15)[..<10]))
    #expect(stage.server.detach(into: stage.table) == .notYet)
    #expect(stage.receive().bytes == Array(pattern(15)[10...]))
    // Each place in a record: within the header, at its end, within the body.
    #expect(stage.client.write([7]))
    let length = stage.wire.collect(.toServer)
    for _ in 1..<length {
      stage.wire.carry(.toServer, atMost: 1)
      #expect(stage.receive().step == .wouldBlock(.readable))
      #expect(stage.server.detach(into: stage.table) == .notYet)
    }
    stage.wire.carry(.toServer)
    #expect(stage.receive().bytes == [7])
    #expect(stage.server.detach(into: stage.table) == .detached)
    #expect(stage.ask([8]) == [8])
    #expect(stage.tell([9]) == [9])
  }

  @Test("Not with a record half sent")
  func notWhileSending() throws {
    let stage = try Stage()
    stage.shakeHands()
    stage.stuffServerSocket()
    #expect(stage.server.enqueue(pattern(500).span, now: .zero) == .stored)
    #expect(stage.server.flush(now: .zero) == .wouldBlock(.writable))
    #expect(stage.server.detach(into: stage.table) == .notYet)
    stage.wire.drop(.toClient)
    #expect(stage.server.flush(now: .zero) == .progressed(500))
    #expect(stage.server.detach(into: stage.table) == .detached)
    stage.wire.carry(.toClient)
    #expect(stage.client.read() == pattern(500))
    #expect(stage.tell([1, 2]) == [1, 2])
  }

  @Test("Never with TLS 1.2, without the option, or after an end")
  func never() throws {
    var old = TLSOptions()
    old.oldestVersion = .tls12
    let stage = try Stage(options: old, version: TLS1_2_VERSION)
    stage.shakeHands()
    #expect(stage.server.detach(into: stage.table) == .never)
    #expect(stage.ask([1]) == [1])

    let duet = try Duet(.tls)
    try duet.shakeHands()
    #expect(duet.server.detach(into: stage.table) == .never)
    #expect(!duet.server.isDetached)
    let plain = try Duet(.plain)
    #expect(plain.server.detach(into: stage.table) == .never)

    let ended = try Stage()
    ended.shakeHands()
    #expect(SSL_shutdown(ended.client.ssl) == 0)
    ended.wire.carry(.toServer)
    #expect(ended.receive().step == .ended)
    #expect(ended.server.detach(into: ended.table) == .never)
    #expect(ended.server.finishSending() == .progressed(0))
    #expect(ended.server.detach(into: ended.table) == .never)
  }

  @Test("A full table leaves the connection with OpenSSL")
  func fullTable() throws {
    let stage = try Stage(limit: 1)
    let other = try Stage()
    stage.shakeHands()
    other.shakeHands()
    #expect(stage.server.detach(into: stage.table) == .detached)
    #expect(other.server.detach(into: stage.table) == .notYet)
    #expect(stage.table.refusals == 1)
    #expect(other.ask([5]) == [5])
    stage.server.close(sendCloseNotify: false)
    #expect(other.server.detach(into: stage.table) == .detached)
    #expect(other.ask([6]) == [6])
    #expect(stage.table.detached == 2)
  }

  @Test("Key updates before, and after, of either side", arguments: [0, 1, 3])
  func keyUpdates(before: Int) throws {
    let stage = try Stage()
    stage.shakeHands()
    for round in 0..<before {
      #expect(stage.client.demandKeyUpdate())
      #expect(stage.ask([UInt8(round)]) == [UInt8(round)])
      // The last one is not answered before detaching: the answer is owed.
      if round < before - 1 { #expect(stage.tell([3]) == [3]) }
    }
    #expect(stage.server.detach(into: stage.table) == .detached)
    #expect(stage.tell([4]) == [4])
    #expect(stage.table.keyUpdatesSent == (before > 0 ? 1 : 0))
    for round in 0..<4 {
      #expect(stage.client.demandKeyUpdate())
      #expect(stage.ask([5, 6]) == [5, 6])
      if round % 2 == 0 { #expect(stage.tell([7]) == [7]) }
    }
    #expect(stage.table.keyUpdatesReceived == 4)
    #expect(stage.ask(pattern(1000)) == pattern(1000))
    #expect(stage.tell(pattern(1000)) == pattern(1000))
  }

  @Test("Asked again before an answer, one answer is enough")
  func answeredOnce() throws {
    let stage = try Stage()
    stage.shakeHands()
    #expect(stage.server.detach(into: stage.table) == .detached)
    for _ in 0..<5 { #expect(stage.client.demandKeyUpdate()) }
    #expect(stage.ask([1]) == [1])
    #expect(stage.tell([2]) == [2])
    #expect(stage.tell([3]) == [3])
    #expect(stage.table.keyUpdatesReceived == 5)
    #expect(stage.table.keyUpdatesSent == 1)
  }

  @Test("Our key is changed before it has sealed too much")
  func ownUpdates() throws {
    let duet = try Duet(.detached)
    try duet.shakeHands()
    let tables = duet.tables
    let near = try #require(detachedSlot(of: duet.client))
    let far = try #require(detachedSlot(of: duet.server))
    for (table, slot) in [(tables.client, near), (tables.server, far)] {
      table.slots.setSequence(slot, .read, RecordLimits.ownRecordsMax - 2)
      table.slots.setSequence(slot, .write, RecordLimits.ownRecordsMax - 2)
    }
    for value in UInt8(0)..<6 {
      #expect(duet.send([value], from: duet.client) == [value])
      #expect(duet.send([value], from: duet.server) == [value])
    }
    #expect(tables.client.keyUpdatesSent == 1)
    #expect(tables.server.keyUpdatesSent == 1)
    #expect(tables.server.slots.sequence(far, .read) < 10)
    #expect(tables.client.slots.sequence(near, .read) < 10)
  }

  @Test("A peer that does not change its key is asked to, and in the end given up")
  func peerUpdates() throws {
    let duet = try Duet(.detached)
    try duet.shakeHands()
    let tables = duet.tables
    let near = try #require(detachedSlot(of: duet.client))
    let far = try #require(detachedSlot(of: duet.server))
    // The client has another idea of what is too much: play it by its count.
    let start = RecordLimits.askAfterRecords
    tables.server.slots.setSequence(far, .read, start)
    tables.client.slots.setSequence(near, .write, 0)
    resealed(tables.client, near, as: start)
    #expect(duet.send([1], from: duet.client) == [1])
    #expect(duet.send([2], from: duet.server) == [2])
    #expect(tables.server.keyUpdatesSent == 1)
    #expect(tables.client.keyUpdatesReceived == 1)
    #expect(duet.send([3], from: duet.client) == [3])
    #expect(tables.server.slots.sequence(far, .read) == 1)
    tables.server.slots.setSequence(far, .read, CipherSuite.aes128.peerRecordsMax)
    #expect(duet.client.enqueue([1].span, now: duet.now) == .stored)
    #expect(duet.client.flush(now: duet.now) == .progressed(1))
    duet.wire.carry(.toServer)
    #expect(duet.receive(on: duet.server) == .failed(TransportError(.limitExceeded)))
  }

  /// Makes the sender's vector such that its count of 0 gives the nonce of `sequence`.
  private func resealed(_ table: DetachedTable, _ slot: SlotName, as sequence: UInt32) {
    let vector = table.slots.vector(slot, .write)
    for place in 0..<4 {
      vector[11 - place] ^= UInt8(truncatingIfNeeded: sequence >> (8 * UInt32(place)))
    }
  }

  @Test("A ticket is sent by hand before detaching, and resumes")
  func ticket() throws {
    var options = TLSOptions()
    options.ticketKeys = try TicketKeys.fresh(now: 1)
    options.ticketsPerHandshake = 0
    let stage = try Stage(options: options)
    stage.shakeHands()
    #expect(stage.client.read().isEmpty)
    #expect(!isResumable(stage.client))
    #expect(stage.server.sendTicket() == .progressed(0))
    #expect(stage.server.detach(into: stage.table) == .detached)
    #expect(stage.tell([1]) == [1])
    #expect(isResumable(stage.client))
    #expect(stage.server.sendTicket() == .failed(TransportError(.closed)))
    #expect(!stage.server.resumed)

    // And a client of ours that detaches at once skips the ticket that it did not wait for.
    var ours = TLSOptions()
    ours.ticketKeys = options.ticketKeys
    ours.ticketsPerHandshake = 2
    let duet = try Duet(.detached, serverOptions: ours)
    try duet.shakeHands()
    #expect(duet.send([1, 2], from: duet.server) == [1, 2])
    #expect(duet.send([3], from: duet.client) == [3])
  }

  @Test("A ticket that finds the socket full is finished later, and once")
  func ticketBlocked() throws {
    var options = TLSOptions()
    options.ticketKeys = try TicketKeys.fresh(now: 1)
    options.ticketsPerHandshake = 0
    let stage = try Stage(options: options)
    stage.shakeHands()
    stage.stuffServerSocket()
    #expect(stage.server.sendTicket() == .wouldBlock(.writable))
    #expect(stage.server.detach(into: stage.table) == .notYet)
    stage.wire.drop(.toClient)
    #expect(stage.server.sendTicket() == .progressed(0))
    #expect(stage.server.detach(into: stage.table) == .detached)
    #expect(stage.tell([1]) == [1])
    #expect(isResumable(stage.client))
  }

  private func isResumable(_ peer: RawPeer) -> Bool {
    SSL_SESSION_is_resumable(SSL_get_session(peer.ssl)) == 1
  }
}

/// The slot of a detached channel.
func detachedSlot(of channel: ByteChannel) -> SlotName? {
  switch channel.line.transport {
  case .detached(let detached): detached.place
  case .plain: nil
  case .tls: nil
  case .returning: nil
  case .polled: nil
  case .closed: nil
  }
}
