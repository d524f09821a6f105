// Detached connections as the record layer sees them: pairs of slots, what one seals the other
// opens.

/// Pairs of slots that take turns.
final class SlotPairs {
  private let slots = DetachedSlots()
  private let ciphers: RecordCiphers
  private var near: [SlotName] = []
  private var far: [SlotName] = []
  private let plain: [UInt8]
  private var records: [UInt8]
  private var opened: [UInt8]

  /// Room of one sealed record.
  private let size: Int

  init?(_ suite: CipherSuite, count: Int, bytes: Int) {
    guard let ciphers = RecordCiphers() else { return nil }
    self.ciphers = ciphers
    plain = content(bytes)
    size = bytes + 1 + RecordLimits.headerBytes + CipherSuite.tagBytes
    records = [UInt8](repeating: 0, count: size * batch)
    opened = [UInt8](repeating: 0, count: bytes + 1)
    for number in 0..<count {
      guard let one = slots.take(suite), let other = slots.take(suite) else { return nil }
      let secret = (0..<suite.secretBytes).map { UInt8(truncatingIfNeeded: $0 &+ number) }
      unsafe slots.secret(one, .write).copyBytes(from: secret)
      unsafe slots.secret(other, .read).copyBytes(from: secret)
      guard slots.deriveKeys(one, .write), slots.deriveKeys(other, .read) else { return nil }
      near.append(one)
      far.append(other)
    }
  }

  /// Both ends count from 0 again.
  func rewind() {
    for name in near { slots.setSequence(name, .write, 0) }
    for name in far { slots.setSequence(name, .read, 0) }
  }

  func seal() {
    let plain = plain
    for number in 0..<batch {
      let sealed = ciphers.seal(
        slots, near[number % near.count], type: ContentType.applicationData, plain.span,
        into: &records, at: number * size)
      precondition(sealed == size, "a record is sealed")
    }
  }

  func open() {
    for number in 0..<batch {
      var room = opened.mutableSpan
      let record = number * size..<(number + 1) * size
      let found = ciphers.open(slots, far[number % far.count], records, record, into: &room)
      precondition(
        found == .content(type: ContentType.applicationData, count: plain.count),
        "a record is opened")
    }
  }
}
