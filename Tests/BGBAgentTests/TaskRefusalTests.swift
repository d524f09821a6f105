// Forged, altered, re-targeted, expired, replayed, foreign and unsigned tasks: refused, reported,
// never begun, and never able to spoil a real task of the same id.

import BGBModel
import BGBSigning
import BGBWire
import Reactor
import Testing

@testable import BGBAgent

/// One way to lie.
struct Lie: Sendable, CustomTestStringConvertible {
  let name: String
  let rejection: TaskRejection?
  let make: @Sendable (SigningKey, SigningKey) -> PushTask
  var testDescription: String { name }

  init(
    _ name: String, _ rejection: TaskRejection?,
    _ make: @escaping @Sendable (SigningKey, SigningKey) -> PushTask
  ) {
    self.name = name
    self.rejection = rejection
    self.make = make
  }
}

private let realID = TaskID(Bits128(high: 0xAB, low: 1))

private func wish(_ change: (inout TaskWish) -> Void = { _ in }) -> TaskWish {
  var wish = TaskWish(taskID: realID, targets: [testClient, otherClient])
  change(&wish)
  return wish
}

/// Changes one byte of the statement after it was signed.
private func flipped(_ name: String, at position: Int) -> Lie {
  Lie("statement byte of \(name) flipped", nil) { key, _ in
    var push = key.push(wish())
    push.task.statement[position] ^= 0x01
    return push
  }
}

private let lies: [Lie] =
  [
    Lie("no signature", .unsigned) { key, _ in
      var push = key.push(wish())
      push.task.signature = []
      return push
    },
    Lie("zero signature", .badSignature) { key, _ in
      var push = key.push(wish())
      push.task.signature = [UInt8](repeating: 0, count: 64)
      return push
    },
    Lie("first byte of signature flipped", .badSignature) { key, _ in
      var push = key.push(wish())
      push.task.signature[0] ^= 1
      return push
    },
    Lie("last byte of signature flipped", .badSignature) { key, _ in
      var push = key.push(wish())
      push.task.signature[63] ^= 0x80
      return push
    },
    Lie("signature of another task", .badSignature) { key, _ in
      var push = key.push(wish())
      push.task.signature = key.push(wish { $0.runSeconds = 1 }).task.signature
      return push
    },
    Lie("another key", .unknownKey) { _, other in other.push(wish()) },
    Lie("another key that claims our key's id", .badSignature) { key, other in
      var push = key.push(wish())
      push.task.signature = other.sign(push.task.statement)
      return push
    },
    Lie("empty statement", .malformed) { key, _ in
      var push = key.push(wish())
      push.task = SignedTask(statement: [], signature: key.sign([]))
      return push
    },
    Lie("statement cut short", .malformed) { key, _ in
      var push = key.push(wish())
      push.task.statement.removeLast()
      push.task.signature = key.sign(push.task.statement)
      return push
    },
    Lie("byte behind the statement", .malformed) { key, _ in
      var push = key.push(wish())
      push.task.statement.append(0)
      push.task.signature = key.sign(push.task.statement)
      return push
    },
    Lie("another domain", .malformed) { key, _ in
      var push = key.push(wish())
      push.task.statement[0] = UInt8(ascii: "X")
      push.task.signature = key.sign(push.task.statement)
      return push
    },
    Lie("another site", .foreignSite) { key, _ in
      key.push(wish { $0.site = SiteCode("S02") ?? TestSite.code })
    },
    Lie("not a target", .notTarget) { key, _ in key.push(wish { $0.targets = [otherClient] }) },
    Lie("another client's leaf", .notTarget) { key, _ in key.push(wish(), leaf: 1) },
    Lie("own path, another index", .notTarget) { key, _ in
      var push = key.push(wish())
      push.leafIndex = 1
      return push
    },
    Lie("index beyond the set", .notTarget) { key, _ in
      var push = key.push(wish())
      push.leafIndex = 2
      return push
    },
    Lie("greatest index", .notTarget) { key, _ in
      var push = key.push(wish())
      push.leafIndex = .max
      return push
    },
    Lie("no path", .notTarget) { key, _ in
      var push = key.push(wish())
      push.path = MerklePath(bytes: [])
      return push
    },
    Lie("path too long", .notTarget) { key, _ in
      var push = key.push(wish())
      push.path = MerklePath(bytes: push.path.bytes + [UInt8](repeating: 1, count: 32))
      return push
    },
    Lie("hash of a path flipped", .notTarget) { key, _ in
      var push = key.push(wish())
      var bytes = push.path.bytes
      bytes[31] ^= 1
      push.path = MerklePath(bytes: bytes)
      return push
    },
    Lie("expired at this very moment", .expired) { key, _ in
      key.push(wish { $0.deliverBefore = WallTime(milliseconds: 1_000_000) })
    },
    Lie("expired long ago", .expired) { key, _ in
      key.push(wish { $0.deliverBefore = WallTime(milliseconds: 1) })
    },
    Lie("start expired", .expired) { key, _ in
      key.push(wish { $0.startBefore = WallTime(milliseconds: 1_000_000) })
    },
    Lie("deadline before all time", .expired) { key, _ in
      key.push(wish { $0.deliverBefore = WallTime(milliseconds: .min) })
    },
    Lie("not yet valid", .notYetValid) { key, _ in
      key.push(wish { $0.notBefore = WallTime(milliseconds: 1_000_001) })
    },
    Lie("valid at the end of time", .notYetValid) { key, _ in
      key.push(
        wish {
          $0.notBefore = WallTime(milliseconds: .max)
          $0.deliverBefore = WallTime(milliseconds: .max)
        })
    },
    Lie("unknown action", .unknownAction) { key, _ in key.push(wish { $0.action = 4_711 }) },
    Lie("action zero", .unknownAction) { key, _ in key.push(wish { $0.action = 0 }) },
    Lie("parameter missing", .badParameters) { key, _ in
      key.push(wish { $0.action = ClientAction.excludePath.rawValue })
    },
    Lie("parameter nobody knows", .badParameters) { key, _ in
      key.push(
        wish { $0.parameters = ActionParameters([.init(name: "shell", text: "/bin/sh")]) })
    },
    Lie("relative path", .badParameters) { key, _ in
      key.push(exclude("etc/passwd"))
    },
    Lie("path with dots", .badParameters) { key, _ in key.push(exclude("/a/../etc")) },
    Lie("path with a line break", .badParameters) { key, _ in key.push(exclude("/a\nb")) },
    Lie("option in place of a threat", .badParameters) { key, _ in
      key.push(
        wish {
          $0.action = ClientAction.allowThreat.rawValue
          $0.parameters = ActionParameters([.init(name: "threat", text: "--remove")])
        })
    },
    Lie("shell in place of a threat", .badParameters) { key, _ in
      key.push(
        wish {
          $0.action = ClientAction.allowThreat.rawValue
          $0.parameters = ActionParameters([.init(name: "threat", text: "a;rm -rf $(x)")])
        })
    },
    Lie("delay beyond a day", .badParameters) { key, _ in
      key.push(
        wish {
          $0.action = ClientAction.restart.rawValue
          $0.parameters = ActionParameters([.init(name: "delay-seconds", text: "86401")])
        })
    },
    Lie("name that this computer does not map", .localPolicy) { key, _ in
      key.push(
        wish {
          $0.action = ClientAction.siteDefined.rawValue
          $0.parameters = ActionParameters([.init(name: "name", text: "wipe")])
        })
    },
  ]
  + [
    flipped("the domain", at: 3), flipped("the task id", at: 25), flipped("the site", at: 38),
    flipped("the key id", at: 42), flipped("the action", at: 50), flipped("not before", at: 58),
    flipped("deliver before", at: 66), flipped("start before", at: 74),
    flipped("run seconds", at: 78), flipped("spread", at: 82), flipped("the count", at: 86),
    flipped("the root", at: 100),
  ]

private func exclude(_ path: String) -> TaskWish {
  wish {
    $0.action = ClientAction.excludePath.rawValue
    $0.parameters = ActionParameters([.init(name: "path", text: path)])
  }
}

@Suite struct TaskRefusalTests {
  private static let key = try? SigningKey.generate()
  private static let other = try? SigningKey.generate()

  @Test(arguments: lies)
  func `a lie is refused, reported and never begun`(_ lie: Lie) throws {
    let key = try #require(Self.key)
    let other = try #require(Self.other)
    let desk = TestDesk(key: key) { $0.permits = { action, _ in action != .siteDefined } }
    desk.welcome()
    var push = lie.make(key, other)
    push.pushID = 31
    desk.desk.push(testClient, push, at: desk.now)
    desk.sync()
    #expect(desk.begun.isEmpty)
    #expect(desk.acks.isEmpty)
    let refusals = desk.told.compactMap { event in
      if case .refused(_, let rejection) = event { rejection } else { nil }
    }
    #expect(refusals.count == 1)
    if let rejection = lie.rejection { #expect(refusals == [rejection]) }
    if (try? TaskStatement(decoding: push.task.statement)) != nil {
      let report = try #require(desk.outcomes.first)
      #expect(report.pushID == 31)
      #expect(report.outcome.state == .rejected)
      #expect(report.outcome.code == refusals[0].rawValue)
      #expect(!report.outcome.text.isEmpty)
    } else {
      #expect(desk.sent.contains { $0.kind == .liveData })
    }
    guard refusals != [.unknownAction], refusals != [.badParameters], refusals != [.localPolicy]
    else { return }  // Those the site itself signed so: the task is over, not forged.
    // The lie told nothing about the real task.
    desk.desk.push(testClient, key.push(wish(), pushID: 32), at: desk.now)
    desk.sync()
    #expect(desk.begun.map(\.key.task) == [realID])
  }

  @Test func `there are forty of them`() { #expect(lies.count >= 40) }

  @Test func `a liar cannot fill the disk`() throws {
    let key = try #require(Self.key)
    let desk = TestDesk(key: key)
    desk.welcome()
    let before = desk.durableBytes
    for number in 0..<2_000 {
      var push = key.push(wish { $0.taskID = TaskID(Bits128(high: 9, low: UInt64(number))) })
      push.task.signature = []
      desk.desk.push(testClient, push, at: desk.now)
    }
    desk.sync()
    #expect(desk.outcomes.count == 2_000, "each push is answered")
    #expect(desk.durableBytes == before, "and nothing is written")
    #expect(desk.desk.book[testClient].tasks.isEmpty)
  }

  @Test func `a refusal is told to the liar and not to the next server`() throws {
    let key = try #require(Self.key)
    let desk = TestDesk(key: key)
    desk.welcome()
    desk.push(wish { $0.targets = [otherClient] })
    desk.sync()
    #expect(desk.outcomes.map(\.outcome.code) == [TaskRejection.notTarget.rawValue])
    desk.desk.disconnected(testClient)
    desk.welcome()
    desk.sync()
    #expect(desk.outcomes.count == 1)
    // Its sequence confirms nothing that was not sent in this session.
    desk.push(wish { $0.taskID = TaskID(Bits128(high: 5, low: 5)) })
    desk.sync()
    desk.desk.finished(desk.begun[0].key, .succeeded("ok"), at: desk.now)
    desk.push(wish { $0.targets = [otherClient] })
    let refusal = try #require(desk.outcomes.last)
    desk.desk.stored(testClient, upTo: refusal.sequence)
    desk.sync()
    #expect(desk.outcomes.last?.outcome.state == .succeeded)
  }

  @Test func `a server that lies about the time cannot go back behind a signed moment`() throws {
    let key = try #require(Self.key)
    let desk = TestDesk(key: key)
    desk.welcome()
    desk.push(
      TaskWish(
        notBefore: WallTime(milliseconds: 1_000_000),
        deliverBefore: WallTime(milliseconds: 2_000_000)
      ))
    desk.sync()
    let next = desk.crashed()
    // The old task ended at 900,000; the server says it is 500,000.
    next.welcome(500_000)
    next.push(
      TaskWish(
        notBefore: WallTime(milliseconds: 1), deliverBefore: WallTime(milliseconds: 900_000)))
    next.sync()
    #expect(next.begun.isEmpty)
    #expect(next.outcomes.last?.outcome.code == TaskRejection.expired.rawValue)
  }
}
