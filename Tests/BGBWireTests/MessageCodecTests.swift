// Every kind of message: golden bytes both ways, every truncation, every kind of surplus, every
// limit.

import BGBModel
import Testing

@testable import BGBWire

@Suite struct MessageCodecTests {
  @Test func everyKindHasOneSample() {
    #expect(samples.map(\.message.kind) == MessageKind.allCases)
  }

  @Test(arguments: samples) func encodesToGoldenBytes(_ sample: WireSample) {
    #expect(hex(MessageCodec.encode(sample.message)) == sample.hex)
  }

  @Test(arguments: samples) func decodesFromGoldenBytes(_ sample: WireSample) throws {
    let decoded = try MessageCodec.decode(kind: sample.frame[0], flags: 0, body: sample.body[...])
    #expect(decoded == sample.message)
  }

  @Test(arguments: samples) func appendsToWhatIsThere(_ sample: WireSample) {
    var writer = ByteWriter()
    writer.raw([1, 2, 3])
    MessageCodec.encode(sample.message, into: &writer)
    #expect(writer.bytes == [1, 2, 3] + sample.frame)
  }

  @Test(arguments: samples) func everyTruncationIsRefused(_ sample: WireSample) {
    for count in 0..<sample.body.count {
      #expect(throws: WireError.malformed(.truncated), "\(count) bytes") {
        try MessageCodec.decode(kind: sample.frame[0], flags: 0, body: sample.body[..<count])
      }
    }
  }

  @Test(arguments: samples) func everyFlagIsRefused(_ sample: WireSample) {
    for bit in 0..<8 {
      #expect(throws: WireError.malformed(.badValue)) {
        try MessageCodec.decode(kind: sample.frame[0], flags: 1 << bit, body: sample.body[...])
      }
    }
  }

  /// What follows the last field, and what must come of it.
  static let tails: [(tail: String, fault: CodingError?)] = [
    ("", nil), ("00120000", nil), ("00120003aabbcc", nil), ("00120000001300017f", nil),
    ("7fff0000", nil), ("00", .truncated), ("0012", .truncated), ("001200", .truncated),
    ("00120001", .truncated), ("0012000000", .truncated), ("80000000", .badValue),
    ("80010003aabbcc", .badValue), ("ffff0000", .badValue), ("0012000080010000", .badValue),
    ("0012000000120000", .badValue), ("0013000000120000", .badValue),
  ]

  @Test(arguments: samples, tails.indices)
  func optionalTailIsSkippedAndNothingElse(_ sample: WireSample, _ index: Int) throws {
    let (tail, fault) = MessageCodecTests.tails[index]
    let body = sample.body + bytes(tail)
    if let fault {
      #expect(throws: WireError.malformed(fault)) {
        try MessageCodec.decode(kind: sample.frame[0], flags: 0, body: body[...])
      }
    } else {
      let decoded = try MessageCodec.decode(kind: sample.frame[0], flags: 0, body: body[...])
      #expect(decoded == sample.message)
    }
  }

  @Test func theFallbackReasonTravelsInTheTail() throws {
    #expect(hex(MessageCodec.encode(signInOverHTTPS.message)) == signInOverHTTPS.hex)
    #expect(try fallback("") == FallbackReason.none)
    for raw in UInt8.min...UInt8.max {
      // One of a later version is no reason to end the session.
      let expected = FallbackReason(rawValue: raw) ?? FallbackReason.none
      #expect(try fallback("00010001" + hex([raw])) == expected)
      #expect(try fallback("00010001" + hex([raw]) + "00020001ff") == expected)
    }
  }

  @Test func whetherIdentitiesAreTakenTravelsInTheTail() throws {
    #expect(
      hex(MessageCodec.encode(signInTakingIdentities.message)) == signInTakingIdentities.hex)
    for raw in UInt8.min...UInt8.max {
      for before in ["", "0001000101"] {
        let body = samples[0].body + bytes(before + "00020001" + hex([raw]))
        guard case .signIn(let signIn) = try MessageCodec.decode(kind: 1, flags: 0, body: body[...])
        else { return }
        #expect(signIn.takesReconnect == (raw == 1))
      }
    }
  }

  @Test func whatIsOverTravelsInTheTail() throws {
    #expect(hex(MessageCodec.encode(signInAfterTasks.message)) == signInAfterTasks.hex)
    let frame = signInAfterTasks.frame
    #expect(
      try MessageCodec.decode(kind: 1, flags: 0, body: frame[4...]) == signInAfterTasks.message)
  }

  @Test(
    arguments: [
      ("0001", .truncated), ("000100", .truncated), ("00010001", .truncated),
      ("00010000", .badValue), ("000100020101", .badValue), ("00010001010001000101", .badValue),
      ("000200000001000101", .badValue), ("000100010180010000", .badValue),
      ("8001000101", .badValue),
      ("00020000", .badValue), ("000200020101", .badValue), ("00020001010001000101", .badValue),
      ("000100010100", .truncated),
      ("00030000", .badValue), ("0003000101", .badValue),
      ("00030110" + String(repeating: "07", count: 272), .badValue),
    ] as [(String, CodingError)])
  func otherTailsOfASignInAreRefused(_ tail: String, _ fault: CodingError) {
    #expect(throws: WireError.malformed(fault)) { try fallback(tail) }
    #expect(WireError.malformed(fault).closeCode == .malformed)
  }

  /// The fallback reason of the sample's sign-in with this tail.
  private func fallback(_ tail: String) throws -> FallbackReason? {
    let body = samples[0].body + bytes(tail)
    guard case .signIn(let signIn) = try MessageCodec.decode(kind: 1, flags: 0, body: body[...])
    else { return nil }
    return signIn.fallback
  }

  @Test func everyUnknownKindIsRefused() {
    var unknown = 0
    for kind in UInt8.min...UInt8.max where MessageKind(rawValue: kind) == nil {
      unknown += 1
      #expect(throws: WireError.unknownKind(kind)) {
        try MessageCodec.decode(kind: kind, flags: 0, body: [])
      }
    }
    #expect(unknown == 256 - MessageKind.allCases.count)
  }

  @Test func randomMessagesComeBackAsTheyWere() throws {
    var generator = Seeded(0xB6B)
    for round in 0..<3_000 {
      let message = randomMessage(round % samples.count, &generator)
      let frame = MessageCodec.encode(message)
      #expect(frame.count <= 4 + Limits.frameBodyBytesMax)
      let decoded = try MessageCodec.decode(kind: frame[0], flags: frame[1], body: frame[4...])
      #expect(decoded == message)
    }
  }

  @Test func randomChangesNeverTrap() {
    var generator = Seeded(7)
    var refused = 0
    for round in 0..<20_000 {
      var body = samples[round % samples.count].body
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let place = Int.random(in: 0..<body.count, using: &generator)
        body[place] = UInt8.random(in: 0...255, using: &generator)
      }
      let kind = samples[round % samples.count].frame[0]
      if (try? MessageCodec.decode(kind: kind, flags: 0, body: body[...])) == nil { refused += 1 }
    }
    #expect(refused > 1_000)
  }
}

/// A message of the kind of `samples[index]` with random contents within the limits.
func randomMessage(_ index: Int, _ generator: inout Seeded) -> Message {
  func number<Value: FixedWidthInteger>(_: Value.Type = Value.self) -> Value {
    Value(truncatingIfNeeded: generator.next())
  }
  func text(_ limit: Int) -> String {
    let letters: [Character] = ["a", "Z", "0", " ", "ß", "漢", "🟢", "\u{301}", "\n", "%"]
    var text = ""
    while Bool.random(using: &generator) || text.utf8.count < limit / 4 {
      let letter = letters[Int.random(in: letters.indices, using: &generator)]
      guard text.utf8.count + letter.utf8.count <= limit else { break }
      text.append(letter)
    }
    return text
  }
  let moment = WallTime(milliseconds: number())
  let taskID = TaskID(Bits128(high: number(), low: number()))
  switch MessageKind.allCases[index] {
  case .signIn:
    let facts = ClientFacts(
      hostname: text(255), operatingSystem: text(255), agentVersion: text(255),
      addresses: (0..<Int.random(in: 0...16, using: &generator)).map { _ in text(64) })
    return .signIn(
      SignIn(
        version: number(), clientID: ClientID(taskID.bits), incarnation: number(),
        previousSession: number(), outcomesStored: number(), clock: moment, facts: facts,
        fallback: FallbackReason.allCases.randomElement(using: &generator) ?? .reset,
        takesReconnect: Bool.random(using: &generator),
        endedTasks: Array(repeating: taskID, count: Int.random(in: 0...16, using: &generator))))
  case .welcome:
    return .welcome(
      Welcome(
        version: number(), serverID: ServerID(number()), session: number(), serverTime: moment,
        keepAliveSeconds: max(1, number()), crashWindowSeconds: number(), policyURL: text(1024)))
  case .keepAlive: return .keepAlive(KeepAlive(clock: moment))
  case .reconnectIdentity:
    return .reconnectIdentity(
      ReconnectIdentity(
        identity: (0..<Int.random(in: 1...255, using: &generator)).map { _ in number() },
        key: (0..<32).map { _ in number() }, lifeSeconds: number()))
  case .pushTask:
    let signed = SignedTask(
      statement: (0..<Int.random(in: 0...400, using: &generator)).map { _ in number() },
      signature: (0..<64).map { _ in number() })
    let hashes = Int.random(in: 0...32, using: &generator)
    return .pushTask(
      PushTask(
        pushID: number(), serverTime: moment, task: signed, leafIndex: number(),
        path: MerklePath(bytes: (0..<hashes * 32).map { _ in number() })))
  case .taskAck: return .taskAck(TaskAck(pushID: number(), taskID: taskID))
  case .taskOutcome:
    let state = TaskState.allCases[Int.random(in: 2..<11, using: &generator)]
    return .taskOutcome(
      OutcomeReport(
        pushID: number(), sequence: max(1, number()),
        outcome: TaskOutcome(
          taskID: taskID, state: state, code: number(), text: text(1024), at: moment)))
  case .outcomeStored: return .outcomeStored(OutcomeStored(upTo: number()))
  case .cancelTask: return .cancelTask(CancelTask(taskID: taskID))
  case .liveData:
    let count = Int.random(in: 0...32, using: &generator)
    return .liveData(
      LiveData((0..<count).map { _ in LiveData.Value(name: text(64), text: text(1024)) }))
  case .goodbye: return .goodbye(Goodbye(reason: text(255)))
  case .reconnect:
    return .reconnect(
      Reconnect(address: text(262), afterMilliseconds: number(), reason: text(255)))
  case .refused:
    return .refused(Refused(code: number(), retryAfterMilliseconds: number(), reason: text(255)))
  }
}
