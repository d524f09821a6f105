// Fields, base64 and checksums: what is written is read, and nothing else is.

import BGBModel
import Testing

@Suite struct ByteCodingTests {
  @Test func fieldsAreBigEndian() {
    var writer = ByteWriter()
    writer.integer(UInt8(1))
    writer.integer(UInt16(0x0203))
    writer.integer(UInt32(0x0405_0607))
    writer.integer(UInt64(0x0809_0A0B_0C0D_0E0F))
    writer.signed32(-2)
    writer.signed64(-3)
    let expected: [UInt8] =
      Array(1...15) + [255, 255, 255, 254] + Array(repeating: 255, count: 7) + [253]
    #expect(writer.bytes == expected)
  }

  @Test func readsWhatWasWritten() throws {
    var writer = ByteWriter()
    writer.integer(UInt32.max)
    writer.signed32(.min)
    writer.signed64(.min)
    writer.wallTime(WallTime(milliseconds: 77))
    writer.bits128(Bits128(high: 1, low: 2))
    writer.text("größer", limit: 100)
    writer.block([9, 8])
    var reader = ByteReader(writer.bytes)
    #expect(try reader.integer(UInt32.self) == .max)
    #expect(try reader.signed32() == .min)
    #expect(try reader.signed64() == .min)
    #expect(try reader.wallTime() == WallTime(milliseconds: 77))
    #expect(try reader.bits128() == Bits128(high: 1, low: 2))
    #expect(try reader.text(limit: 8) == "größer")
    #expect(throws: CodingError.trailingBytes) { try reader.end() }
    #expect(try Array(reader.block(limit: 2)) == [9, 8])
    try reader.end()
  }

  @Test func nothingIsReadBeyondTheEnd() throws {
    var reader = ByteReader([1, 2, 3])
    #expect(throws: CodingError.truncated) { try reader.integer(UInt32.self) }
    #expect(throws: CodingError.truncated) { try reader.raw(-1) }
    #expect(throws: CodingError.truncated) { try reader.raw(.max) }
    #expect(try reader.integer(UInt16.self) == 0x0102)
    #expect(reader.remaining == 1)
  }

  @Test func slicesAreReadFromTheirOwnStart() throws {
    var reader = ByteReader([0, 0, 0xAB, 0xCD][2...])
    #expect(try reader.integer(UInt16.self) == 0xABCD)
  }

  @Test func textsHaveLimitsAndNoNUL() {
    var long = ByteReader([0, 3, 97, 98, 99])
    #expect(throws: CodingError.tooLong) { try long.text(limit: 2) }
    var nul = ByteReader([0, 1, 0])
    #expect(throws: CodingError.badText) { try nul.text(limit: 2) }
    var torn = ByteReader([0, 1, 0xC3])
    #expect(throws: CodingError.badText) { try torn.text(limit: 2) }
  }

  @Test func patchesOnlyWhatWasWritten() {
    var writer = ByteWriter()
    writer.raw([1, 2, 3])
    writer.patch(0xABCD, at: 1)
    writer.patch(0xFFFF, at: 2)
    writer.patch(0xFFFF, at: -1)
    #expect(writer.bytes == [1, 0xAB, 0xCD])
    writer.patch32(0x0102_0304, at: 0)
    #expect(writer.bytes == [1, 0xAB, 0xCD])
    writer.raw([9, 9])
    writer.patch32(0x0102_0304, at: 1)
    #expect(writer.bytes == [1, 1, 2, 3, 4])
    writer.clear()
    #expect(writer.bytes.isEmpty)
  }

  @Test func cutsBetweenScalars() {
    #expect("aßb".cut(toBytes: 0) == "")
    #expect("aßb".cut(toBytes: 1) == "a")
    #expect("aßb".cut(toBytes: 2) == "a")
    #expect("aßb".cut(toBytes: 3) == "aß")
    #expect("aßb".cut(toBytes: 99) == "aßb")
  }
}

@Suite struct Base64Tests {
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
    ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
  ])
  func vectorsOfRFC4648(_ plain: String, _ text: String) {
    #expect(Base64.encode(Array(plain.utf8)) == text)
    #expect(Base64.decode(text) == Array(plain.utf8))
  }

  @Test func randomBytesComeBack() {
    var generator = Seeded(3)
    for count in 0..<200 {
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
      #expect(Base64.decode(Base64.encode(bytes)) == bytes)
    }
  }

  @Test(arguments: [
    "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "=", "====", "Zm8=Zm8=", "Zm8= ", "Zm 8=", "Zm-_",
    "Zm8=\n", "Zg==Zg==", "Z===", "é===",
  ])
  func otherSpellingsAreRefused(_ text: String) { #expect(Base64.decode(text) == nil) }
}

@Suite struct CRC32CTests {
  @Test func checkValue() {
    #expect(CRC32C.checksum("123456789".utf8) == 0xE306_9283)
    #expect(CRC32C.checksum([]) == 0)
  }

  /// The four vectors of RFC 3720, appendix B.4.
  @Test func vectorsOfRFC3720() {
    let zeros = [UInt8](repeating: 0, count: 32)
    #expect(CRC32C.checksum(zeros) == 0x8A91_36AA)
    #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.checksum([UInt8](0..<32)) == 0x46DD_794E)
    #expect(CRC32C.checksum([UInt8](0..<32).reversed()) == 0x113F_DB5C)
  }

  /// Eight bytes a step and one byte a step, for every rest and every place to begin.
  @Test(arguments: 0..<8) func stepsOfEightGiveTheSameValue(_ start: Int) {
    let bytes = (0..<48).map { UInt8(truncatingIfNeeded: $0 * 151 + 7) }
    for end in start...bytes.count {
      let slice = bytes[start..<end]
      #expect(CRC32C.checksum(slice) == CRC32C.checksum(slice.lazy.map { $0 }), "\(start)..<\(end)")
    }
  }

  @Test func piecesGiveTheSameValue() {
    var sum = CRC32C()
    sum.update("1234".utf8)
    sum.update("56789".utf8)
    #expect(sum.value == 0xE306_9283)
  }
}
