// Each field at its limit, one beyond it, and with values that its type does not have.

import BGBModel
import Testing

@testable import BGBWire

/// A place in a message where a text of any length can be put.
struct TextField: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var kind: MessageKind
  var limit: Int
  /// The body with this block of bytes, behind its length, in the field.
  var body: @Sendable ([UInt8]) -> [UInt8]
}

private func block(_ bytes: [UInt8]) -> [UInt8] {
  [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes
}

private func zeros(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }

private let number1: [UInt8] = [0, 0, 0, 1]

private let textFields: [TextField] = [
  TextField(testDescription: "hostname", kind: .signIn, limit: 255) {
    zeros(50) + block($0) + zeros(2) + zeros(2) + [0]
  },
  TextField(testDescription: "operating system", kind: .signIn, limit: 255) {
    zeros(52) + block($0) + zeros(2) + [0]
  },
  TextField(testDescription: "agent version", kind: .signIn, limit: 255) {
    zeros(54) + block($0) + [0]
  },
  TextField(testDescription: "address", kind: .signIn, limit: 64) {
    zeros(56) + [2] + zeros(2) + block($0)
  },
  TextField(testDescription: "policy URL", kind: .welcome, limit: 1024) {
    zeros(22) + number1 + zeros(4) + block($0)
  },
  TextField(testDescription: "outcome text", kind: .taskOutcome, limit: 1024) {
    zeros(8) + zeros(7) + [1] + zeros(16) + [5] + zeros(12) + block($0)
  },
  TextField(testDescription: "name of live data", kind: .liveData, limit: 64) {
    [1] + block($0) + zeros(2)
  },
  TextField(testDescription: "value of live data", kind: .liveData, limit: 1024) {
    [1] + zeros(2) + block($0)
  },
  TextField(testDescription: "reason of goodbye", kind: .goodbye, limit: 255) { block($0) },
  TextField(testDescription: "address to reconnect to", kind: .reconnect, limit: 262) {
    block($0) + zeros(4) + zeros(2)
  },
  TextField(testDescription: "reason of reconnect", kind: .reconnect, limit: 255) {
    zeros(6) + block($0)
  },
  TextField(testDescription: "reason of refused", kind: .refused, limit: 255) {
    zeros(6) + block($0)
  },
]

private func decode(_ kind: MessageKind, _ body: [UInt8]) throws(WireError) -> Message {
  try MessageCodec.decode(kind: kind.rawValue, flags: 0, body: body[...])
}

@Suite struct FieldLimitTests {
  @Test(arguments: textFields) func textAtItsLimitIsRead(_ field: TextField) throws {
    let text = Array(repeating: UInt8(ascii: "x"), count: field.limit)
    let message = try decode(field.kind, field.body(text))
    #expect(MessageCodec.encode(message) == frame(field.kind.rawValue, field.body(text)))
  }

  @Test(arguments: textFields) func textBeyondItsLimitIsRefused(_ field: TextField) {
    let text = Array(repeating: UInt8(ascii: "x"), count: field.limit + 1)
    #expect(throws: WireError.malformed(.tooLong)) { try decode(field.kind, field.body(text)) }
    #expect(WireError.malformed(.tooLong).closeCode == .tooLong)
  }

  @Test(arguments: textFields) func lengthBeyondTheLimitIsRefusedBeforeItsBytes(
    _ field: TextField
  ) {
    let body = field.body(Array(repeating: UInt8(ascii: "x"), count: 60_000))
    let place = zip(body, field.body([])).prefix { $0 == $1 }.count
    #expect(throws: WireError.malformed(.tooLong)) {
      try decode(field.kind, Array(body[..<(place + 2)]))
    }
  }

  @Test(
    arguments: textFields,
    ["00", "61006200", "c0af", "eda080", "f4908080", "ff", "e282", "80"])
  func textThatIsNoneIsRefused(_ field: TextField, _ text: String) {
    #expect(throws: WireError.malformed(.badText)) {
      try decode(field.kind, field.body(bytes(text)))
    }
  }

  @Test func listsBeyondTheirLimitsAreRefused() {
    let addresses = zeros(56) + [17] + zeros(34)
    #expect(throws: WireError.malformed(.tooLong)) { try decode(.signIn, addresses) }
    let values = [33] + zeros(132)
    #expect(throws: WireError.malformed(.tooLong)) { try decode(.liveData, values) }
    let hashes = zeros(16) + zeros(2) + zeros(2) + zeros(4) + [33] + zeros(33 * 32)
    #expect(throws: WireError.malformed(.tooLong)) { try decode(.pushTask, hashes) }
  }

  @Test func listsAtTheirLimitsAreRead() throws {
    _ = try decode(.signIn, zeros(56) + [16] + zeros(32))
    _ = try decode(.liveData, [32] + zeros(128))
    _ = try decode(.pushTask, zeros(24) + [32] + zeros(32 * 32))
  }

  @Test(arguments: [1, 32, 63]) func signatureOfAnotherLengthIsRefused(_ count: Int) {
    let body = zeros(16) + zeros(2) + block(zeros(count)) + zeros(5)
    #expect(throws: WireError.malformed(.badValue)) { try decode(.pushTask, body) }
  }

  @Test func signatureIsAbsentOr64Bytes() throws {
    for count in [0, 64] {
      _ = try decode(.pushTask, zeros(16) + zeros(2) + block(zeros(count)) + zeros(5))
    }
    let long = zeros(16) + zeros(2) + block(zeros(65)) + zeros(5)
    #expect(throws: WireError.malformed(.tooLong)) { try decode(.pushTask, long) }
  }

  @Test func statementHasALimitThatEveryStatementKeeps() throws {
    let most = Limits.statementBytesMax
    _ = try decode(.pushTask, zeros(16) + block(zeros(most)) + zeros(2) + zeros(5))
    let beyond = zeros(16) + block(zeros(most + 1)) + zeros(2) + zeros(5)
    #expect(throws: WireError.malformed(.tooLong)) { try decode(.pushTask, beyond) }
    #expect(16 + 2 + most + 2 + 64 + 4 + 1 + 32 * 32 <= Limits.frameBodyBytesMax)
  }

  @Test func onlyStatesOfAgentsAreReadInOutcomes() throws {
    for raw in UInt8.min...UInt8.max {
      let body = zeros(15) + [1] + zeros(16) + [raw] + zeros(14)
      if (2...10).contains(raw) {
        guard case .taskOutcome(let report) = try decode(.taskOutcome, body) else {
          Issue.record("another kind")
          continue
        }
        #expect(report.outcome.state.rawValue == raw)
      } else {
        #expect(throws: WireError.malformed(.badValue)) { try decode(.taskOutcome, body) }
      }
    }
  }

  @Test func outcomesAreNumberedFromOne() {
    let body = zeros(32) + [5] + zeros(14)
    #expect(throws: WireError.malformed(.badValue)) { try decode(.taskOutcome, body) }
  }

  @Test func keepAliveOfNoSecondsIsRefused() {
    #expect(throws: WireError.malformed(.badValue)) { try decode(.welcome, zeros(32)) }
  }

  @Test func theGreatestSignInFitsBeforeIdentity() throws {
    let text = String(repeating: "x", count: 300)
    let facts = ClientFacts(
      hostname: text, operatingSystem: text, agentVersion: text,
      addresses: Array(repeating: text, count: 20))
    let frame = MessageCodec.encode(
      .signIn(
        SignIn(
          version: 1, clientID: client, incarnation: 1, previousSession: 1, outcomesStored: 1,
          clock: clock, facts: facts, fallback: .configured)))
    #expect(frame.count <= Limits.bytesBeforeIdentityMax)
  }
}

@Suite struct EncoderCutsTests {
  private func reread(_ message: Message) throws -> Message {
    let frame = MessageCodec.encode(message)
    return try MessageCodec.decode(kind: frame[0], flags: frame[1], body: frame[4...])
  }

  @Test func longTextsAreCutAtWholeCharacters() throws {
    let reason = String(repeating: "é", count: 200)
    guard case .goodbye(let goodbye) = try reread(.goodbye(Goodbye(reason: reason))) else {
      Issue.record("another kind")
      return
    }
    #expect(goodbye.reason == String(repeating: "é", count: 127))
  }

  @Test func nulNeverLeaves() throws {
    let message = try reread(.goodbye(Goodbye(reason: "a\0b")))
    #expect(message == .goodbye(Goodbye(reason: "ab")))
  }

  @Test func listsAreCut() throws {
    let value = LiveData.Value(
      name: String(repeating: "n", count: 5_000), text: String(repeating: "v", count: 5_000))
    let message = try reread(.liveData(LiveData(Array(repeating: value, count: 100))))
    guard case .liveData(let data) = message else {
      Issue.record("another kind")
      return
    }
    #expect(data.values.count == 32)
    #expect(data.values.allSatisfy { $0.name.utf8.count == 64 && $0.text.utf8.count == 1024 })
  }

  @Test func signatureOfAnotherLengthIsSentAsNone() throws {
    var push = pushed
    push.task.signature = [1, 2, 3]
    guard case .pushTask(let reread) = try reread(.pushTask(push)) else {
      Issue.record("another kind")
      return
    }
    #expect(reread.task.signature.isEmpty)
  }
}
