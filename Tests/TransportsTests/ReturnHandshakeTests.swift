// Our handshake with a client that comes back (Returning/ReturnHandshake.swift), step by step and
// byte by byte, against a client that is made of OpenSSL's ciphers and RFC 8446 alone. What hostile
// clients get is in ReturnRefusalTests, what sockets and the table do in ReturnEndsTests.
import COpenSSL
import Reactor
import Testing

@testable import Transports

@Suite("Handshakes of clients that come back")
struct ReturnHandshakeTests {
  private let stage: ReturnStage

  init() throws { stage = try ReturnStage() }

  private func visit(
    _ suite: PeerSuite = .aes128, hasSessionID: Bool = true
  ) throws -> ReturnVisit {
    try ReturnVisit(stage, ReturnPeer(stage.grant(), suite, hasSessionID: hasSessionID))
  }

  // MARK: Honest clients

  @Test(
    "An honest client, with a session id and without", arguments: PeerSuite.allCases, [true, false])
  func honest(_ suite: PeerSuite, _ hasSessionID: Bool) throws {
    let visit = try visit(suite, hasSessionID: hasSessionID)
    #expect(visit.server.handshake() == .wouldBlock(.readable))
    try visit.begin()
    #expect(visit.table.count == 1)
    #expect(stage.context.resumedHandshakes == 0)
    #expect(visit.play(visit.peer.makeFlight()) == .done)
    #expect(visit.server.readProof() == .reconnect(stage.desk.client(7)))
    #expect(visit.server.peer == nil)
    let name = suite == .aes128 ? "TLS_AES_128_GCM_SHA256" : "TLS_CHACHA20_POLY1305_SHA256"
    #expect(visit.server.readAgreement() == "TLSv1.3, \(name)")
    visit.talk()
    #expect(visit.server.handshake() == .done)
    #expect(stage.context.resumedHandshakes == 1)
    #expect(stage.context.fullHandshakes == 0)
    #expect(stage.desk.desk.accepted == 1)
    #expect(stage.desk.desk.refused.isEmpty)
    #expect(visit.table.detached == 1)
    #expect(visit.table.alertsSent == 0)
    visit.close()
  }

  @Test("The same client and OpenSSL's handshake understand each other", arguments: [true, false])
  func openSSL(_ hasSessionID: Bool) throws {
    let peer = try ReturnPeer(stage.grant(), hasSessionID: hasSessionID)
    let visit = try ReturnVisit(stage, peer, .openSSL)
    try visit.begin()
    #expect(visit.play(peer.makeFlight()) == .done)
    #expect(visit.server.readProof() == .reconnect(stage.desk.client(7)))
    visit.talk()
    visit.close()
  }

  /// Second flights that are allowed, and whether a session id promises a change of ciphers.
  struct Allowed: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let hasSessionID: Bool
    let make: @Sendable (ReturnPeer) -> [UInt8]

    init(
      _ name: String, hasSessionID: Bool = false, make: @escaping @Sendable (ReturnPeer) -> [UInt8]
    ) {
      testDescription = name
      self.hasSessionID = hasSessionID
      self.make = make
    }
  }

  private static let change = ReturnPeer.changeOfCiphers

  static let allowed: [Allowed] = [
    Allowed("plain") { $0.makeFlight() },
    Allowed("with a change of ciphers", hasSessionID: true) { $0.makeFlight() },
    Allowed("a change that was not promised") { change + $0.makeFlight() },
    Allowed("a change that was left out", hasSessionID: true) { $0.seal($0.finished) },
    Allowed("in two records") {
      $0.seal(Array($0.finished[..<2])) + $0.seal(Array($0.finished[2...]))
    },
    Allowed("the last byte alone") {
      $0.seal(Array($0.finished[..<35])) + $0.seal(Array($0.finished[35...]))
    },
    Allowed("in a record for each byte") { peer in peer.finished.flatMap { peer.seal([$0]) } },
    Allowed("in many records, and no change", hasSessionID: true) { peer in
      peer.finished.flatMap { peer.seal([$0]) }
    },
    Allowed("a change between records", hasSessionID: true) {
      $0.seal(Array($0.finished[..<20])) + change + $0.seal(Array($0.finished[20...]))
    },
    Allowed("two changes", hasSessionID: true) { change + change + $0.seal($0.finished) },
    Allowed("two changes around a piece", hasSessionID: true) {
      change + $0.seal(Array($0.finished[..<9])) + change + $0.seal(Array($0.finished[9...]))
    },
    Allowed("as many changes as there may be") { peer in
      (0..<RecordLimits.barrenRecordsMax).flatMap { _ in change } + peer.seal(peer.finished)
    },
    Allowed("a byte of padding") { $0.seal($0.finished, padding: 1) },
    Allowed("padding", hasSessionID: true) { change + $0.seal($0.finished, padding: 300) },
    Allowed("as much padding as there may be") {
      $0.seal($0.finished, padding: 16_384 - $0.finished.count)
    },
    Allowed("in padded records") {
      $0.seal(Array($0.finished[..<7]), padding: 90) + $0.seal(Array($0.finished[7...]), padding: 3)
    },
  ]

  /// What comes behind the Finished at once, as contents of records.
  private static let behind: [[[UInt8]]] = [
    [], [[9]], [[9, 8], [7]], [pattern(12)], [pattern(100), pattern(16_384), [3]],
  ]

  @Test("A second flight that is allowed, and data at once behind it", arguments: allowed)
  func data(_ flight: Allowed) throws {
    for behind in Self.behind {
      for pieces in [Int.max, 1] {
        let visit = try visit(hasSessionID: flight.hasSessionID)
        try visit.begin()
        let bytes = flight.make(visit.peer) + behind.flatMap { visit.peer.sealData($0) }
        #expect(visit.play(bytes, pieces: pieces) == .done)
        visit.talk(behind: behind.flatMap { $0 })
        #expect(visit.table.heldBytes == 0)
        visit.close()
      }
    }
  }

  @Test("A key update and a goodbye behind the second flight are heard", arguments: allowed)
  func updates(_ flight: Allowed) throws {
    let visit = try visit(hasSessionID: flight.hasSessionID)
    let peer = visit.peer
    try visit.begin()
    var bytes = flight.make(peer) + peer.sealData([24, 0, 0, 1, 0], as: 22)
    peer.updateKeys()
    bytes += peer.sealData([5]) + peer.sealData([1, 0], as: 21)
    #expect(visit.play(bytes) == .done)
    let collected = visit.collect()
    #expect(collected.step == .ended)
    #expect(collected.bytes == [5])
    #expect(visit.table.keyUpdatesReceived == 1)
    visit.close()
  }

  @Test("A goodbye alone behind the second flight is heard", arguments: allowed)
  func goodbye(_ flight: Allowed) throws {
    let visit = try visit(hasSessionID: flight.hasSessionID)
    try visit.begin()
    #expect(
      visit.play(flight.make(visit.peer) + visit.peer.sealData([1, 0], as: 21)) == .done)
    #expect(visit.collect().step == .ended)
    visit.close()
  }

  @Test("Wrong bytes behind the second flight are refused by the connection", arguments: allowed)
  func wrongBehind(_ flight: Allowed) throws {
    for wrong in [[22, 3, 3, 0, 2, 1, 1], [23, 3, 3, 0, 17] + pattern(17)] {
      let visit = try visit(hasSessionID: flight.hasSessionID)
      try visit.begin()
      #expect(visit.play(flight.make(visit.peer) + wrong) == .done)
      guard case .failed(let error) = visit.collect().step else {
        Issue.record("taken")
        continue
      }
      #expect(error.kind == .protocolViolation)
      #expect(visit.hearAlert() == (wrong[0] == 22 ? 10 : 20))
      visit.close()
    }
  }

  @Test("Key updates are bounded as on every connection")
  func updatesMax() throws {
    let strict = try ReturnStage { $0.keyUpdatesMax = 2 }
    let visit = try ReturnVisit(strict)
    try visit.begin()
    #expect(visit.play(visit.peer.makeFlight()) == .done)
    for _ in 0..<2 {
      visit.send(visit.peer.sealData([24, 0, 0, 1, 0], as: 22))
      visit.peer.updateKeys()
    }
    visit.talk()
    visit.send(visit.peer.sealData([24, 0, 0, 1, 0], as: 22))
    #expect(visit.collect().step == .failed(TransportError(.limitExceeded)))
    #expect(visit.hearAlert() == 47)
    visit.close()
  }

  @Test("What has begun in place of the change is bounded with all that is held")
  func held() throws {
    let table = try #require(DetachedTable(limit: 1, heldBytesMax: 1))
    let visit = try ReturnVisit(stage, table: table)
    try visit.begin()
    let flight = visit.peer.seal(visit.peer.finished) + visit.peer.sealData([1])
    #expect(visit.play(flight) == .failed(TransportError(.limitExceeded)))
    #expect(visit.server.isShakingHands)
    visit.close()
    #expect(stage.context.resumedHandshakes == 0)
  }

  // MARK: Hellos

  @Test("A wrong binder is refused by OpenSSL, as if it had been asked first")
  func binder() throws {
    var ends: [(step: HandshakeStep, heard: [UInt8])] = []
    for maker in HandshakeMaker.allCases {
      let peer = try ReturnPeer(stage.grant())
      peer.binderFault = 1
      let visit = try ReturnVisit(stage, peer, maker)
      visit.send(peer.makeHello())
      let step = visit.server.handshake()
      guard case .failed(let error) = step else {
        Issue.record("\(step)")
        continue
      }
      #expect(error == TransportError(.protocolViolation, reason: SSL_R_BINDER_DOES_NOT_VERIFY))
      ends.append((step, visit.hear()))
      #expect(visit.table.count == 0)
      #expect(visit.table.alertsSent == 0)
      visit.close()
    }
    #expect(ends[0].step == ends[1].step)
    #expect(ends[0].heard == ends[1].heard)
    #expect(ends[0].heard == [21, 3, 3, 0, 2, 2, 47])
    // Each was judged once, as far as anybody counts.
    #expect(stage.desk.desk.accepted == 2)
    #expect(stage.context.resumedHandshakes == 0)
  }

  @Test("A share of low order is refused by OpenSSL")
  func share() throws {
    var ends: [HandshakeStep] = []
    for maker in HandshakeMaker.allCases {
      let peer = try ReturnPeer(stage.grant())
      peer.hello.extensions[3].content = [0, 36, 0, 29, 0, 32] + [UInt8](repeating: 0, count: 32)
      let visit = try ReturnVisit(stage, peer, maker)
      visit.send(peer.makeHello())
      ends.append(visit.server.handshake())
      visit.close()
    }
    guard case .failed = ends[1] else {
      Issue.record("\(ends)")
      return
    }
    #expect(ends[0] == ends[1])
  }

  @Test(
    "A hello in pieces is OpenSSL's, and the client comes back all the same", arguments: [1, 90])
  func helloInPieces(_ pieces: Int) throws {
    let visit = try visit()
    #expect(visit.play(visit.peer.makeHello(), pieces: pieces) == .wouldBlock(.readable))
    try visit.peer.hear(visit.hear())
    #expect(visit.play(visit.peer.makeFlight()) == .done)
    #expect(!visit.server.isDetached)
    #expect(visit.server.readProof() == .reconnect(stage.desk.client(7)))
    #expect(stage.desk.desk.accepted == 1)
    visit.close()
  }

  @Test("Where OpenSSL might agree on something else, all handshakes are its")
  func rules() throws {
    func isOurs(_ change: (inout TLSOptions) -> Void) throws -> Bool {
      try ReturnStage(change).context.returns != nil
    }
    #expect(try isOurs { _ in })
    #expect(try isOurs { $0.groups = "X25519" })
    #expect(try isOurs { $0.groups = "X25519:P-256" })
    #expect(try !isOurs { $0.groups = "P-256:X25519" })
    #expect(try isOurs { $0.cipherSuites = "TLS_CHACHA20_POLY1305_SHA256" })
    #expect(try !isOurs { $0.cipherSuites += ":TLS_AES_128_CCM_SHA256" })
    #expect(try !isOurs { $0.detaches = false })
    #expect(try !isOurs { $0.algorithms = .all })
    #expect(try stage.site.serverContext(stage.context.options).returns == nil)
  }

  @Test("What follows the hello at once is read behind the answer")
  func behindHello() throws {
    for (behind, end) in [
      (ReturnPeer.changeOfCiphers, HandshakeStep.done),
      (ReturnPeer.changeOfCiphers + ReturnPeer.changeOfCiphers, .done),
      (ReturnPeer.changeOfCiphers + [20, 3, 3, 0, 1, 2], nil),
      ([21, 3, 3, 0, 2, 2, 90], .failed(TransportError(.alertReceived, reason: 90))),
    ] as [([UInt8], HandshakeStep?)] {
      let visit = try visit()
      visit.send(visit.peer.makeHello() + behind)
      #expect(visit.server.handshake() == .wouldBlock(.readable))
      try visit.peer.hear(visit.hear())
      let step = visit.play(visit.peer.seal(visit.peer.finished))
      if let end {
        #expect(step == end)
      } else {
        #expect(visit.hearAlert() == 10)
      }
      if end == .done { visit.talk() }
      visit.close()
    }
  }

  @Test("An identity that is not taken is counted once", arguments: [false, true])
  func refused(_ isForged: Bool) throws {
    var grant = try stage.grant()
    if isForged {
      var identity = grant.identity
      identity[90] = identity[90] == 65 ? 66 : 65
      grant = try #require(
        ReconnectGrant(identity: identity, key: grant.key, lifeSeconds: grant.lifeSeconds))
    } else {
      stage.desk.desk.keys = try ReconnectKeys.fresh(now: 2)
    }
    let visit = try ReturnVisit(stage, ReturnPeer(grant))
    visit.send(visit.peer.makeHello())
    guard case .failed = visit.server.handshake() else {
      Issue.record("a handshake without certificates")
      return
    }
    #expect(stage.desk.desk.refused == [isForged ? .forged : .unknownKey: 1])
    #expect(stage.desk.desk.accepted == 0)
    visit.close()
  }
}
