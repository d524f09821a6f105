// The slot of a detached connection: its size, its keys, and that nothing of it stays.
import Reactor
import Testing

@testable import Transports

@Suite("Detached TLS: slots and keys")
struct DetachedBasicsTests {
  @Test("A transport is small, a slot smaller than 256 bytes")
  func sizes() {
    #expect(MemoryLayout<Transport>.size == 16)
    #expect(MemoryLayout<DetachedTransport>.size == 16)
    #expect(MemoryLayout<SlotHead>.size == DetachedSlots.headBytes)
    #expect(DetachedSlots.slotBytes(.aes128) == 144)
    #expect(DetachedSlots.slotBytes(.chacha20) == 176)
    #expect(DetachedSlots.slotBytes(.aes256) == 208)
  }

  // RFC 8448, section 3: the application traffic secrets of a real handshake, what is derived from
  // them, and the records sealed with it.
  static let clientSecret = hex(
    "9e40646ce79a7f9dc05af8889bce6552 875afa0b06df0087f792ebb7c17504a5")
  static let serverSecret = hex(
    "a11af9f05531f856ad47116b45a95032 8204b4f44bfb6b3a4b4f1f3fcb631643")

  @Test("Keys and vectors are those of RFC 8448")
  func goldenKeys() throws {
    let slots = DetachedSlots()
    let name = try #require(slots.take(.aes128))
    slots.secret(name, .read).copyBytes(from: Self.clientSecret)
    slots.secret(name, .write).copyBytes(from: Self.serverSecret)
    #expect(slots.deriveKeys(name, .read))
    #expect(slots.deriveKeys(name, .write))
    #expect(Array(slots.key(name, .read)) == hex("17422dda596ed5d9acd890e3c63f5051"))
    #expect(Array(slots.vector(name, .read)) == hex("5b78923dee08579033e523d9"))
    #expect(Array(slots.key(name, .write)) == hex("9f02283b6c9c07efc26bb9f2ac92e356"))
    #expect(Array(slots.vector(name, .write)) == hex("cf782b88dd83549aadf1e984"))
    // The label alone decides: the same secret gives another value for another use.
    var vector = [UInt8](repeating: 0, count: 12)
    let isDone = vector.withUnsafeMutableBytes { room in
      Self.clientSecret.withUnsafeBytes {
        KeySchedule.expand(.aes128, secret: $0, label: "iv", into: room)
      }
    }
    #expect(isDone)
    #expect(vector == hex("5b78923dee08579033e523d9"))
  }

  @Test("Records are opened and sealed as in RFC 8448")
  func goldenRecords() throws {
    let slots = DetachedSlots()
    let ciphers = try #require(RecordCiphers())
    let name = try #require(slots.take(.aes128))
    slots.secret(name, .read).copyBytes(from: Self.clientSecret)
    slots.secret(name, .write).copyBytes(from: Self.serverSecret)
    #expect(slots.deriveKeys(name, .read))
    #expect(slots.deriveKeys(name, .write))
    let payload = [UInt8](0..<50)
    let record = hex(
      """
      1703030043a23f7054b62c94d0affafe 8228ba55cbefacea42f914aa66bcab3f
      2b9819a8a5b46b395bd54a9a20441e2b 62974e1f5a6292a2977014bd1e3deae6
      3aeebb21694915e4
      """)
    var room = [UInt8](repeating: 0, count: 51)
    var span = room.mutableSpan
    let opened = ciphers.open(slots, name, record, 0..<record.count, into: &span)
    #expect(opened == .content(type: 23, count: 50))
    #expect(Array(room[..<50]) == payload)
    // The server had sent a ticket before: its data is its second record.
    slots.setSequence(name, .write, 1)
    var sealed = [UInt8](repeating: 0, count: 80)
    let size = ciphers.seal(slots, name, type: 23, payload.span, into: &sealed, at: 3)
    #expect(size == 72)
    #expect(
      Array(sealed[3..<75])
        == hex(
          """
          17030300432e937e11ef4ac740e538ad 36005fc4a46932fc3225d05f82aa1b36
          e30efaf97d90e6dffc602dcb501a59a8 fcc49c4bf2e5f0a21c0047c2abf33254
          0dd032e167c2955d
          """))
    #expect(slots.sequence(name, .write) == 2)
  }

  @Test(
    "Every suite opens what it sealed, and nothing that was altered",
    arguments: CipherSuite.allCases)
  func suites(_ suite: CipherSuite) throws {
    let slots = DetachedSlots()
    let ciphers = try #require(RecordCiphers())
    let near = try #require(slots.take(suite))
    let far = try #require(slots.take(suite))
    let secret = pattern(suite.secretBytes)
    slots.secret(near, .write).copyBytes(from: secret)
    slots.secret(far, .read).copyBytes(from: secret)
    #expect(slots.deriveKeys(near, .write))
    #expect(slots.deriveKeys(far, .read))
    var room = [UInt8](repeating: 0, count: RecordLimits.recordBytesMax)
    for count in [0, 1, 15, 16, 17, 700, RecordLimits.contentBytesMax] {
      let size = try #require(
        ciphers.seal(slots, near, type: 23, pattern(count).span, into: &room, at: 0))
      #expect(size == count + 22)
      var content = [UInt8](repeating: 0, count: count + 1)
      var span = content.mutableSpan
      let opened = ciphers.open(slots, far, room, 0..<size, into: &span)
      #expect(opened == .content(type: 23, count: count))
      #expect(Array(content[..<count]) == pattern(count))
    }
    // The next key, on both sides, and a bit turned over.
    ciphers.forget(near)
    ciphers.forget(far)
    #expect(slots.advanceKeys(near, .write))
    #expect(slots.advanceKeys(far, .read))
    for place in [0, 4, 5, 20, 26] {
      let sequence = slots.sequence(near, .write)
      slots.setSequence(far, .read, sequence)
      #expect(ciphers.seal(slots, near, type: 23, [1, 2, 3, 4, 5].span, into: &room, at: 0) == 27)
      var content = [UInt8](repeating: 0, count: 6)
      var span = content.mutableSpan
      room[place] ^= 1
      #expect(ciphers.open(slots, far, room, 0..<27, into: &span) == .forged)
      room[place] ^= 1
      slots.setSequence(far, .read, sequence)
      #expect(ciphers.open(slots, far, room, 0..<27, into: &span) == .content(type: 23, count: 5))
    }
  }

  @Test("Slots are found again, and wiped when they are freed")
  func wiped() throws {
    let slots = DetachedSlots()
    var taken: [SlotName] = []
    for index in 0..<3000 {
      let suite = CipherSuite.allCases[index % 3]
      let name = try #require(slots.take(suite))
      #expect(slots.bytes(name).allSatisfy { $0 == 0 })
      slots.secret(name, .read).copyBytes(from: pattern(suite.secretBytes))
      slots.setSequence(name, .write, UInt32(index))
      taken.append(name)
    }
    #expect(Set(taken).count == 3000)
    #expect(slots.inUse == 3000)
    for (index, name) in taken.enumerated() {
      #expect(slots.sequence(name, .write) == UInt32(index))
      #expect(Array(slots.secret(name, .read)) == pattern(name.suite.secretBytes))
    }
    for name in taken { slots.giveBack(name) }
    #expect(slots.inUse == 0)
    for name in taken {
      // Behind the head, where the free list is, there is nothing.
      #expect(slots.bytes(name).dropFirst(DetachedSlots.headBytes).allSatisfy { $0 == 0 })
    }
    let again = try #require(slots.take(.aes128))
    #expect(taken.contains(again))
  }
}

/// Bytes of hexadecimal digits; white space does not count.
func hex(_ text: String) -> [UInt8] {
  let digits = text.compactMap(\.hexDigitValue).map { UInt8($0) }
  return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}
