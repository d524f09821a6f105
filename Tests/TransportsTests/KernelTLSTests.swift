// Connections whose records a kernel seals and opens: what it is given, that nothing is lost or
// counted twice in the handoff, what it cannot do. The kernel is FakeKernel; one test takes the
// real one, and is skipped where that has no TLS.
import COpenSSL
import Glibc
import Reactor
import Testing

@testable import Transports

@Suite("Kernel TLS")
struct KernelTLSTests {
  typealias Stage = DetachedTLSTests.Stage

  // <linux/tls.h> gives the fields in this order: version, cipher, iv, key, salt, rec_seq.
  @Test(
    "The kernel is given keys in its own structures",
    arguments: [
      (
        CipherSuite.aes128, 51 as UInt8, "a4a5a6a7a8a9aaab", "000102030405060708090a0b0c0d0e0f",
        "a0a1a2a3"
      ),
      (
        .aes256, 52, "a4a5a6a7a8a9aaab",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "a0a1a2a3"
      ),
      (
        .chacha20, 54, "a0a1a2a3a4a5a6a7a8a9aaab",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", ""
      ),
    ])
  func goldenKeys(
    _ suite: CipherSuite, cipher: UInt8, vector: String, key: String, salt: String
  ) throws {
    let slots = DetachedSlots()
    let name = try #require(slots.take(suite))
    slots.key(name, .write).copyBytes(from: (0..<suite.keyBytes).map { UInt8($0) })
    slots.vector(name, .write).copyBytes(from: (0..<12).map { 0xA0 + UInt8($0) })
    slots.setSequence(name, .write, 0x0102_0304)
    let info = slots.withKernelKey(name, .write) { info in (0..<info.count).map { info[$0] } }
    #expect(
      info == [4, 3, cipher, 0] + hex(vector) + hex(key) + hex(salt) + hex("0000000001020304"))
    #expect(info.count == (suite == .aes128 ? 40 : 56))
    // The other way has its own.
    let other = slots.withKernelKey(name, .read) { info in (0..<info.count).map { info[$0] } }
    #expect(other == [4, 3, cipher, 0] + [UInt8](repeating: 0, count: info.count - 4))
  }

  @Test(
    "Each suite goes on in the kernel, with the counts as they stood",
    arguments: suites)
  func eachSuite(_ suite: String) throws {
    let stage = try Stage(kernel: FakeKernel()) { SSL_CTX_set_ciphersuites($0, suite) }
    stage.shakeHands()
    for value in UInt8(1)...5 {
      #expect(stage.ask([value]) == [value])
      if value < 4 { #expect(stage.tell([value]) == [value]) }
    }
    // The next records of the peer lie in the socket already, the last of them in part.
    #expect(stage.client.write(pattern(900)))
    #expect(stage.client.write([7]))
    let there = stage.wire.collect(.toServer)
    stage.wire.carry(.toServer, atMost: there - 4)
    #expect(stage.server.detach(into: stage.table) == .detached)
    #expect(stage.table.inKernel == 1)
    #expect(stage.receive().bytes == pattern(900))
    #expect(stage.receive().step == .wouldBlock(.readable))
    stage.wire.carry(.toServer)
    #expect(stage.receive().bytes == [7])
    #expect(stage.tell(pattern(4000)) == pattern(4000))
    #expect(stage.tell([8]) == [8])
    #expect(stage.table.heldBytes == 0)
    stage.server.close(sendCloseNotify: true)
    #expect(stage.table.inKernel == 0)
    stage.wire.carry(.toClient)
    #expect(stage.client.read().isEmpty)
    #expect(SSL_get_shutdown(stage.client.ssl) & SSL_RECEIVED_SHUTDOWN != 0)
  }

  @Test("A count or a key that is not the slot's opens nothing", arguments: [0, 1])
  func wrongHandoff(_ fault: Int) throws {
    final class Forger: KernelTLS {
      let kernel = FakeKernel()
      let fault: Int
      init(_ fault: Int) {
        self.fault = fault
        super.init()
      }
      override func attach(_ fd: Int32) throws(Errno) { try kernel.attach(fd) }
      override func setKey(_ fd: Int32, _ way: RecordWay, _ info: Span<UInt8>) throws(Errno) {
        var info = (0..<info.count).map { info[$0] }
        info[fault == 0 ? info.count - 1 : 12] ^= 1
        try kernel.setKey(fd, way, info.span)
      }
      override func receive(_ fd: Int32, into room: inout MutableSpan<UInt8>) -> TLSReceipt {
        kernel.receive(fd, into: &room)
      }
      override func send(_ fd: Int32, type: UInt8, _ content: Span<UInt8>) -> SocketStep {
        kernel.send(fd, type: type, content)
      }
    }
    let stage = try Stage(kernel: Forger(fault))
    stage.shakeHands()
    #expect(stage.server.detach(into: stage.table) == .detached)
    #expect(stage.client.write([1]))
    stage.wire.carry(.toServer)
    #expect(
      stage.receive().step
        == .failed(
          TransportError(
            .protocolViolation, reason: SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC)))
    // Nor can the peer open the alert.
    stage.wire.carry(.toClient)
    #expect(stage.client.read().isEmpty)
    #expect(stage.client.alert == nil)
  }

  @Test("What the kernel does not take stays ours", arguments: [0, 1, 2, 3])
  func refusals(_ what: Int) throws {
    let kernel = FakeKernel()
    switch what {
    case 0: kernel.attachRefusal = .notFound
    case 1: kernel.keyRefusals = [.read: .invalidArgument]
    case 2: kernel.keyRefusals = [.write: .invalidArgument]
    default: kernel.keyRefusals = [.read: .invalidArgument, .write: .invalidArgument]
    }
    let stage = try Stage(kernel: kernel)
    stage.shakeHands()
    #expect(stage.ask([1]) == [1])
    #expect(stage.server.detach(into: stage.table) == .detached)
    #expect(stage.table.kernelRefusals == 1)
    #expect(stage.table.inKernel == (what == 1 || what == 2 ? 1 : 0))
    for _ in 0..<3 {
      #expect(stage.ask(pattern(700)) == pattern(700))
      #expect(stage.tell(pattern(800)) == pattern(800))
      #expect(stage.client.demandKeyUpdate())
    }
    stage.server.close(sendCloseNotify: true)
    #expect(stage.table.inKernel == 0)
    stage.wire.carry(.toClient)
    #expect(stage.client.read().isEmpty)
    #expect(SSL_get_shutdown(stage.client.ssl) & SSL_RECEIVED_SHUTDOWN != 0)
  }

  @Test("A kernel that can is told new keys, of either side", arguments: [0, 2])
  func keyUpdates(before: Int) throws {
    let stage = try Stage(kernel: FakeKernel())
    stage.shakeHands()
    for round in 0..<before {
      #expect(stage.client.demandKeyUpdate())
      #expect(stage.ask([UInt8(round)]) == [UInt8(round)])
      #expect(stage.tell([3]) == [3])
    }
    #expect(stage.server.detach(into: stage.table) == .detached)
    #expect(stage.table.inKernel == 1)
    for round in 0..<4 {
      #expect(stage.client.demandKeyUpdate())
      #expect(stage.ask([5, 6]) == [5, 6])
      if round % 2 == 0 { #expect(stage.tell([7]) == [7]) }
    }
    #expect(stage.table.keyUpdatesReceived == 4)
    #expect(stage.table.keyUpdatesSent == 2)
    // Our own, when the key has sealed enough; the answer's key was counted from 0.
    let slot = try #require(detachedSlot(of: stage.server))
    #expect(stage.tell([8]) == [8])
    #expect(stage.table.slots.sequence(slot, .write) == 1)
    stage.table.slots.setSequence(slot, .write, RecordLimits.ownRecordsMax)
    #expect(stage.tell([9]) == [9])
    #expect(stage.table.keyUpdatesSent == 4)
    #expect(stage.ask(pattern(1000)) == pattern(1000))
    #expect(stage.tell(pattern(1000)) == pattern(1000))
  }

  @Test("An older kernel cannot follow, and the connection ends with that reason")
  func oldKernel() throws {
    let stage = try Stage(kernel: FakeKernel(.before614))
    stage.shakeHands()
    #expect(stage.server.detach(into: stage.table) == .detached)
    #expect(stage.ask([1]) == [1])
    #expect(stage.client.demandKeyUpdate())
    #expect(stage.client.write([2]))
    stage.wire.carry(.toServer)
    let error = TransportError(.keyChange, errno: EBUSY)
    #expect(stage.receive().step == .failed(error))
    #expect(stage.receive().step == .failed(error))
    #expect(error.description.contains("could not follow a change of keys"))
    stage.wire.carry(.toClient)
    #expect(stage.client.read().isEmpty)
    #expect(stage.client.alert == 80)

    // Our own change of keys: the peer knows of it before the kernel refuses.
    let other = try Stage(kernel: FakeKernel(.before614))
    other.shakeHands()
    #expect(other.server.detach(into: other.table) == .detached)
    let slot = try #require(detachedSlot(of: other.server))
    other.table.slots.setSequence(slot, .write, RecordLimits.ownRecordsMax)
    #expect(other.server.enqueue([1].span, now: .zero) == .stored)
    #expect(other.server.flush(now: .zero) == .failed(error))
  }

  @Test("A connection that owes an answer to a key update stays ours")
  func owed() throws {
    let stage = try Stage(kernel: FakeKernel(.before614))
    stage.shakeHands()
    #expect(stage.client.demandKeyUpdate())
    #expect(stage.ask([1]) == [1])
    #expect(stage.server.detach(into: stage.table) == .detached)
    #expect(stage.table.inKernel == 0)
    #expect(stage.table.kernelRefusals == 0)
    #expect(stage.tell([2]) == [2])
    #expect(stage.table.keyUpdatesSent == 1)
    #expect(stage.ask([3]) == [3])
  }

  @Test("A full socket puts off a key update and a close_notify, and loses neither")
  func fullSocket() throws {
    let stage = try Stage(kernel: FakeKernel())
    stage.shakeHands()
    #expect(stage.server.detach(into: stage.table) == .detached)
    stage.stuffServerSocket()
    #expect(stage.server.enqueue([1].span, now: .zero) == .stored)
    #expect(stage.server.flush(now: .zero) == .progressed(1))
    #expect(stage.client.demandKeyUpdate())
    #expect(stage.ask([2]) == [2])
    #expect(stage.server.enqueue([3].span, now: .zero) == .stored)
    #expect(stage.server.flush(now: .zero) == .wouldBlock(.writable))
    #expect(stage.table.keyUpdatesSent == 0)
    stage.wire.drop(.toClient)
    #expect(stage.server.flush(now: .zero) == .progressed(1))
    #expect(stage.table.keyUpdatesSent == 1)
    stage.wire.carry(.toClient)
    #expect(stage.client.read() == [1])
    #expect(stage.client.read() == [3])
    stage.stuffServerSocket()
    #expect(stage.server.enqueue([4].span, now: .zero) == .stored)
    #expect(stage.server.flush(now: .zero) == .progressed(1))
    #expect(stage.server.finishSending() == .wouldBlock(.writable))
    stage.wire.drop(.toClient)
    #expect(stage.server.finishSending() == .progressed(0))
    #expect(stage.server.finishSending() == .progressed(0))
    stage.wire.carry(.toClient)
    #expect(stage.client.read() == [4])
    #expect(stage.client.read().isEmpty)
    #expect(SSL_get_shutdown(stage.client.ssl) & SSL_RECEIVED_SHUTDOWN != 0)
  }

  // MARK: Hostile peers

  /// Records that the kernel judges, and what is made of its answer.
  static let records: [HostileCase] = [
    HostileCase(
      "A bit of the tag is turned", alert: 20, reason: SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC
    ) {
      var record = $0.seal(inner: [1, 23])
      record[record.count - 1] ^= 1
      $0.send(record)
    },
    HostileCase("A length over the limit", alert: 22, reason: SSL_R_ENCRYPTED_LENGTH_TOO_LONG) {
      $0.send([23, 3, 3, 0x41, 0x01])
    },
    HostileCase("Another version", alert: 50, reason: SSL_R_WRONG_VERSION_NUMBER) {
      $0.send($0.seal(inner: [1, 23], version: 1))
    },
    HostileCase(
      "Nothing but padding", alert: 20, reason: SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC
    ) { $0.send($0.seal(inner: [UInt8](repeating: 0, count: 100))) },
    HostileCase("A sealed change of ciphers", alert: 10, reason: SSL_R_UNEXPECTED_RECORD) {
      $0.send([1], as: 20)
    },
  ]

  @Test(
    "Each attempt gets its alert through the kernel",
    arguments: records
      // The kernel waits for a key as soon as a message begins like a KeyUpdate.
      + HostilePeerTests.messages.filter { $0.testDescription != "Data within a message" })
  func attempts(_ attempt: HostileCase) throws {
    for (victim, room) in attempt.victims.flatMap({ [($0, 65536), ($0, 3)] }) {
      let peer = try HostilePeer(against: victim, receiveBytes: room, kernel: FakeKernel())
      peer.data([9, 8, 7, 6])
      try attempt.attempt(peer)
      peer.data([1])
      let (step, bytes) = peer.settle()
      #expect(step == attempt.ending)
      #expect(bytes == [9, 8, 7, 6])
      let heard = peer.heard()
      #expect(heard.map(\.type) == (attempt.alert == nil ? [] : [21]))
      #expect(heard.first?.content == attempt.alert.map { [2, $0] })
      #expect(!peer.victim.hasLeftovers)
      #expect(peer.settle().step == step)
      #expect(peer.victim.enqueue([1].span, now: .zero) == .stored)
      #expect(peer.victim.flush(now: .zero) == step)
      #expect(peer.heard().isEmpty)
    }
  }

  @Test("A KeyUpdate in pieces is more than a kernel bears, and ends with that reason")
  func keyUpdateInPieces() throws {
    let peer = try HostilePeer(against: .server, kernel: FakeKernel())
    peer.handshake([24, 0])
    peer.handshake([0, 1, 0])
    #expect(peer.settle().step == .failed(TransportError(.keyChange, errno: EKEYEXPIRED)))
    #expect(peer.heard().first?.content == [2, 80])
  }

  @Test("Data that the receive buffer has no room for is bounded with all others")
  func heldBytes() throws {
    let peer = try HostilePeer(
      against: .server, receiveBytes: 10, heldBytesMax: 4000, kernel: FakeKernel())
    peer.data(pattern(3000))
    let (step, bytes) = peer.settle()
    #expect(step == .wouldBlock(.readable))
    #expect(bytes == pattern(3000))
    peer.data(pattern(9000))
    let (last, more) = peer.settle()
    #expect(last == .failed(TransportError(.limitExceeded)))
    #expect(more == Array(pattern(10)))
    #expect(peer.duet.tables.server.heldBytes == 0)
  }

  // MARK: The real kernel

  static let hasTLS = KernelTLS.refusal() == nil
  static let suites = [
    "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
  ]

  @Test(
    "A kernel without TLS leaves every connection ours",
    .disabled(if: hasTLS, "this machine's kernel has TLS"))
  func fallBack() throws {
    #expect(KernelTLS.refusal() == .notFound)
    let pair = try ConnectedPair(.detached, kernels: (KernelTLS(), KernelTLS()))
    #expect(pair.tables.server.inKernel + pair.tables.client.inKernel == 0)
    #expect(pair.tables.server.kernelRefusals == 1)
    #expect(pair.tables.client.kernelRefusals == 1)
    try converse(pair)
  }

  @Test(
    "The kernel of this machine takes both ends",
    .enabled(if: hasTLS, "this machine's kernel has no TLS"), arguments: suites)
  func realKernel(_ suite: String) throws {
    try converseInKernels((KernelTLS(), KernelTLS()), suite)
  }

  @Test("A kernel takes both ends of a TCP connection", arguments: FakeKernel.Age.allCases, suites)
  func overTCP(_ age: FakeKernel.Age, suite: String) throws {
    try converseInKernels((FakeKernel(age), FakeKernel(age)), suite)
  }

  /// What is asked of a real kernel, and of the played one so that the asking is known to work.
  private func converseInKernels(
    _ kernels: (server: KernelTLS?, client: KernelTLS?), _ suite: String
  ) throws {
    let pair = try ConnectedPair(.detached, kernels: kernels, suites: suite)
    #expect(pair.tables.server.inKernel == 1)
    #expect(pair.tables.client.inKernel == 1)
    #expect(pair.client.readAgreement() == "TLSv1.3, \(suite)")
    try converse(pair)

    // A change of keys is followed, or ends the connection with that reason.
    let other = try ConnectedPair(.detached, kernels: kernels, suites: suite)
    let slot = try #require(detachedSlot(of: other.client))
    other.tables.client.slots.setSequence(slot, .write, RecordLimits.ownRecordsMax)
    do throws(TransportError) {
      try other.carry([4, 5], from: other.client, to: other.server)
      #expect(other.tables.client.keyUpdatesSent == 1)
      #expect(other.tables.server.keyUpdatesReceived == 1)
      try converse(other)
    } catch {
      #expect(error == TransportError(.keyChange, errno: EBUSY))
    }
  }

  /// Bytes both ways over real TCP, and an end in good order.
  private func converse(_ pair: ConnectedPair) throws(TransportError) {
    for bytes in [[1], pattern(40_000), [2, 3]] {
      try pair.carry(bytes, from: pair.client, to: pair.server)
      try pair.carry(bytes, from: pair.server, to: pair.client)
    }
    #expect(pair.client.finishSending() == .progressed(0))
    #expect((try? awaitReady((pair.server.descriptor, .readable))) != nil)
    var buffer = ReceiveBuffer(capacity: 100)
    #expect(pair.server.receiveBytes(by: &buffer).step == .ended)
  }
}
