// The bytes that are signed: golden, and nothing but them is read. And the compact set of targets.

import BGBModel
import Testing

func hex(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

/// The statement whose bytes stand in docs/PROTOCOL.md.
func sampleStatement() throws -> TaskStatement {
  let moment = WallTime(milliseconds: 1_795_456_800_000)
  return TaskStatement(
    taskID: try #require(TaskID("fedcba98-7654-4321-8fed-cba987654321")),
    site: try #require(SiteCode("S01")), keyID: KeyID(0x0102_0304_0506_0708),
    actionCode: ClientAction.restart.rawValue,
    parameters: ActionParameters([
      .init(name: "message", text: "Updates"), .init(name: "delay-seconds", text: "600"),
    ]),
    notBefore: moment, deliverBefore: moment.adding(milliseconds: 3_600_000),
    startBefore: moment.adding(milliseconds: 3_600_000), runSeconds: 1800, spreadSeconds: 60,
    targetCount: 3, targetRoot: [UInt8](repeating: 0xCD, count: 32))
}

@Suite struct TaskStatementTests {
  static let golden =
    "424742207461736b2073746174656d656e74203100" + "fedcba98765443218fedcba987654321"
    + "533031" + "0102030405060708" + "0011" + "000001a209909500" + "000001a209c78380"
    + "000001a209c78380" + "00000708" + "0000003c" + "00000003"
    + "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd" + "02"
    + "000d64656c61792d7365636f6e64730003363030" + "00076d6573736167650007557064617465" + "73"

  @Test func goldenBytes() throws {
    let statement = try sampleStatement()
    #expect(hex(statement.encoded()) == TaskStatementTests.golden)
    #expect(try TaskStatement(decoding: statement.encoded()) == statement)
  }

  @Test func everyPrefixAndEveryFurtherByteIsRefused() throws {
    let bytes = try sampleStatement().encoded()
    for count in bytes.indices {
      #expect(throws: CodingError.self) { try TaskStatement(decoding: Array(bytes[..<count])) }
    }
    #expect(throws: CodingError.trailingBytes) { try TaskStatement(decoding: bytes + [0]) }
  }

  @Test func whatIsReadIsWrittenAgain() throws {
    var generator = Seeded(4)
    let bytes = try sampleStatement().encoded()
    var read = 0
    for _ in 0..<20_000 {
      var changed = bytes
      let place = Int.random(in: changed.indices, using: &generator)
      changed[place] ^= 1 << UInt8.random(in: 0...7, using: &generator)
      guard let statement = try? TaskStatement(decoding: changed) else { continue }
      read += 1
      #expect(statement.encoded() == changed)
    }
    #expect(read > 1_000)
  }

  @Test func theLongestStatementFitsItsLimit() throws {
    var statement = try sampleStatement()
    statement.parameters = ActionParameters(
      (0..<20).map { index in
        .init(
          name: String(repeating: "a", count: 40 + index), text: String(repeating: "x", count: 5000)
        )
      })
    #expect(statement.encoded().count == Limits.statementBytesMax)
  }

  @Test func parametersOutOfOrderAreRefused() throws {
    var writer = ByteWriter()
    writer.integer(UInt8(2))
    for name in ["b", "a"] {
      writer.text(name, limit: 32)
      writer.text("", limit: 32)
    }
    var reader = ByteReader(writer.bytes)
    #expect(throws: CodingError.badValue) { try ActionParameters(from: &reader) }
  }

  @Test func tooManyParametersAreRefused() {
    var reader = ByteReader([9])
    #expect(throws: CodingError.tooLong) { try ActionParameters(from: &reader) }
  }
}

@Suite struct TargetSetTests {
  private func set(_ numbers: [UInt32]) -> TargetSet { TargetSet(numbers.map { ResourceID($0) }) }

  @Test func isSortedWithoutRepetition() {
    #expect(set([7, 3, 7, 1, 3]).members.map(\.rawValue) == [1, 3, 7])
  }

  @Test func goldenBytes() throws {
    let targets = set([1, 2, 3, 130, 131, 20_000, .max])
    #expect(hex(targets.encoded()) == "0101017f019d9b01dfe3feff0f")
    #expect(try TargetSet(decoding: targets.encoded()) == targets)
    #expect(try TargetSet(decoding: []) == set([]))
  }

  @Test func aHundredThousandInADenseSiteTakeAByteEach() throws {
    let targets = set(Array(1...100_000))
    #expect(targets.encoded().count == 100_000)
    #expect(try TargetSet(decoding: targets.encoded()) == targets)
  }

  @Test func membersAreFoundAtTheirPlace() {
    var generator = Seeded(5)
    let numbers = Set((0..<500).map { _ in UInt32.random(in: 1...5_000, using: &generator) })
    let targets = set(Array(numbers))
    for number in UInt32(0)...5_001 {
      let index = targets.index(of: ResourceID(number))
      #expect(index == targets.members.firstIndex(of: ResourceID(number)))
    }
    #expect(set([]).index(of: ResourceID(1)) == nil)
  }

  @Test(
    arguments: [
      [0], [1, 0], [0x80], [0x81, 0x00], [0x80, 0x80, 0x80, 0x80, 0x10],
      [0x80, 0x80, 0x80, 0x80, 0x80, 0x01], [0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x01],
    ] as [[UInt8]])
  func otherBytesAreRefused(_ bytes: [UInt8]) {
    #expect(throws: CodingError.self) { try TargetSet(decoding: bytes) }
  }

  @Test func whatIsReadIsWrittenAgain() {
    var generator = Seeded(6)
    var read = 0
    for _ in 0..<20_000 {
      let bytes = (0..<Int.random(in: 0...8, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      guard let targets = try? TargetSet(decoding: bytes) else { continue }
      read += 1
      #expect(targets.encoded() == bytes)
    }
    #expect(read > 1_000)
  }
}
