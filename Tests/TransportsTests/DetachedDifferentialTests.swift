// The same dialogue through OpenSSL's transport and through the detached one: random writes, torn
// and merged delivery, small receive buffers, key updates, ends and cuts, all from one seed. What
// arrives and how it ends must be equal, whoever holds the keys.
import COpenSSL
import Reactor
import Testing

@testable import Transports

@Suite("Detached TLS: differential with OpenSSL")
struct DetachedDifferentialTests {
  /// Random numbers that a seed repeats (SplitMix64).
  struct Dice {
    var state: UInt64

    mutating func roll(_ below: Int) -> Int {
      state &+= 0x9E37_79B9_7F4A_7C15
      var value = state
      value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
      value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
      return Int((value ^ value >> 31) % UInt64(below))
    }

    /// Small sizes mostly, sometimes a record and more.
    mutating func size() -> Int {
      switch roll(10) {
      case 0: 1
      case 1: 16_383 + roll(4)
      case 2: roll(70_000)
      default: 1 + roll(900)
      }
    }
  }

  /// What one end saw.
  struct View: Equatable {
    var arrived: [UInt8] = []
    var ending: IOStep?
  }

  /// How a dialogue ends.
  enum Closing: Int, CaseIterable { case clientEnds, serverEnds, bothEnd, cut }

  private func play(_ kind: TransportKind, seed: UInt64) throws -> [View] {
    var dice = Dice(state: seed)
    let room = [65536, 65536, 20_000, 700, 16][dice.roll(5)]
    let duet = try Duet(kind, receiveBytes: room)
    try duet.shakeHands()
    var views = [View(), View()]
    let ends = [duet.client, duet.server]
    let closing = Closing(rawValue: dice.roll(4)) ?? .cut
    var sent = [0, 0]
    for _ in 0..<60 {
      let who = dice.roll(2)
      switch dice.roll(6) {
      case 0, 1:
        let bytes = pattern(dice.size())
        if ends[who].enqueue(bytes.span, now: duet.now) == .stored { sent[who] += bytes.count }
      case 2: _ = ends[who].flush(now: duet.now, bytesMax: 1 + dice.roll(100_000))
      case 3: duet.wire.carry(who == 0 ? .toServer : .toClient, atMost: 1 + dice.roll(30_000))
      case 4: duet.wire.carry(who == 0 ? .toServer : .toClient, atMost: 1 + dice.roll(40))
      default: _ = duet.receive(on: ends[who], appendingTo: &views[who].arrived)
      }
    }
    // All that was written before the end arrives before it.
    func settle() {
      for _ in 0..<20_000 {
        for (who, end) in ends.enumerated() {
          _ = end.flush(now: duet.now)
          duet.wire.carry(who == 0 ? .toServer : .toClient)
          if views[who].ending == nil {
            let step = duet.receive(on: end, appendingTo: &views[who].arrived)
            if step == .ended { views[who].ending = step }
            if case .failed = step { views[who].ending = step }
          }
        }
        let isAllThere =
          views[0].arrived.count >= sent[1] && views[1].arrived.count >= sent[0]
        if isAllThere && views.allSatisfy({ $0.ending != nil || closing == .cut }) { return }
        if isAllThere && ends.allSatisfy({ $0.outboundCount == 0 }) { return }
      }
    }
    settle()
    switch closing {
    case .clientEnds: _ = ends[0].finishSending()
    case .serverEnds: _ = ends[1].finishSending()
    case .bothEnd:
      _ = ends[0].finishSending()
      _ = ends[1].finishSending()
    case .cut:
      duet.wire.cutServer()
      duet.wire.cutClient()
    }
    duet.wire.carry(.toServer)
    duet.wire.carry(.toClient)
    for (who, end) in ends.enumerated() {
      for _ in 0..<4 { views[who].ending = duet.receive(on: end, appendingTo: &views[who].arrived) }
      #expect(!end.hasLeftovers)
    }
    #expect(views[0].arrived.count == sent[1])
    #expect(views[1].arrived.count == sent[0])
    return views
  }

  @Test("Same plaintext, same closing", arguments: UInt64(1)...24)
  func sameDialogue(_ seed: UInt64) throws {
    let reference = try play(.tls, seed: seed)
    for kind in TransportKind.allCases where kind.detachesServer || kind.detachesClient {
      #expect(try play(kind, seed: seed) == reference)
    }
  }

  /// A server of ours and a raw client that also updates keys; the same with and without detaching.
  private func converse(detached: Bool, seed: UInt64) throws -> (heard: [UInt8], asked: [UInt8]) {
    var dice = Dice(state: seed)
    let stage = try DetachedTLSTests.Stage()
    stage.shakeHands()
    var heard: [UInt8] = []
    var asked: [UInt8] = []
    let moment = dice.roll(30)
    for turn in 0..<60 {
      if turn == moment && detached {
        #expect(stage.server.detach(into: stage.table) == .detached)
      }
      switch dice.roll(5) {
      case 0 where turn % 3 == 0: #expect(stage.client.demandKeyUpdate())
      case 0, 1: asked += stage.ask(pattern(1 + dice.roll(5000)))
      case 2: heard += stage.tell(pattern(1 + dice.roll(5000)))
      case 3:
        #expect(SSL_key_update(stage.client.ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1)
        asked += stage.ask([1])
      default: heard += stage.tell([UInt8(turn)])
      }
    }
    return (heard, asked)
  }

  @Test("Same answers while keys are updated, detached at any moment", arguments: UInt64(1)...20)
  func sameUpdates(_ seed: UInt64) throws {
    let reference = try converse(detached: false, seed: seed)
    let ours = try converse(detached: true, seed: seed)
    #expect(ours == reference)
    #expect(!reference.heard.isEmpty)
  }

  @Test(
    "Any bytes after the handshake end in a failure and never in data", arguments: UInt64(1)...40)
  func noise(_ seed: UInt64) throws {
    var dice = Dice(state: seed)
    let room = [65536, 50][dice.roll(2)]
    let peer = try HostilePeer(against: dice.roll(2) == 0 ? .server : .client, receiveBytes: room)
    // Good records, and one that was damaged somewhere, delivered in random pieces.
    var good: [UInt8] = []
    var stream: [UInt8] = []
    for _ in 0..<dice.roll(5) {
      let content = pattern(1 + dice.roll(2000))
      good += content
      stream += peer.seal(inner: content + [23])
    }
    var bad = peer.seal(inner: pattern(1 + dice.roll(300)) + [23])
    bad[dice.roll(bad.count)] ^= UInt8(1 << dice.roll(8))
    stream += bad + (0..<17_000).map { _ in UInt8(dice.roll(256)) }
    var arrived: [UInt8] = []
    var step = IOStep.progressed(0)
    while !stream.isEmpty {
      let piece = Array(stream.prefix(1 + dice.roll(4000)))
      stream.removeFirst(piece.count)
      peer.send(piece)
      let (last, bytes) = peer.settle()
      arrived += bytes
      step = last
    }
    guard case .failed(let error) = step else {
      Issue.record("noise was taken: \(step)")
      return
    }
    #expect(error.kind == .protocolViolation)
    #expect(arrived == good)
    #expect(peer.duet.tables.server.heldBytes + peer.duet.tables.client.heldBytes == 0)
  }
}
