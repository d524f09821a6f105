// Sealing and opening of single records with OpenSSL's AEADs (RecordCipher.c says how they are
// called). One context for each suite and way serves all connections of a table: it is keyed anew
// for each record, from the slot, unless the record before was of the same slot under the same key.
//
// The algorithms are OpenSSL's; ours are the nonce, the header as associated data, and the content
// type behind the content (RFC 8446, 5.2 to 5.4).
import COpenSSL

/// What a record turned out to hold.
enum OpenedRecord: Equatable {
  /// So many bytes of this content type at the start of the room; padding is gone.
  case content(type: UInt8, count: Int)
  /// It was not sealed by the peer, or was altered.
  case forged
  /// Nothing but padding.
  case untyped
}

/// The cipher contexts of one table.
///
/// `@safe`: each context is made and freed here alone, and every length is checked before a call.
@safe
final class RecordCiphers {
  /// One context and whose key it has.
  @safe private struct Machine {
    var cipher: OpaquePointer?
    /// The slot whose key the context has; nil after that key has changed or gone.
    var keyedFor: SlotName?
  }

  // Fixed places of our own: an array in a class is asked for overlapping accesses each time.
  private let machines: UnsafeMutableBufferPointer<Machine>

  /// Fetches the algorithms once; nil if OpenSSL does not have one of them.
  init?() {
    unsafe machines = .allocate(capacity: CipherSuite.allCases.count * 2)
    // All at once: what is freed after a failure below must have been set.
    unsafe machines.initialize(repeating: Machine())
    for suite in CipherSuite.allCases {
      let algorithm =
        switch suite {
        case .aes128: "AES-128-GCM"
        case .aes256: "AES-256-GCM"
        case .chacha20: "ChaCha20-Poly1305"
        }
      for way in [RecordWay.read, .write] {
        guard let cipher = unsafe copenssl_record_cipher_new(algorithm, Int32(way.rawValue))
        else { return nil }
        unsafe machines[Self.index(suite, way)].cipher = cipher
        guard unsafe copenssl_record_cipher_key_bytes(cipher) == suite.keyBytes else { return nil }
      }
    }
  }

  deinit {
    for index in unsafe machines.indices {
      unsafe copenssl_record_cipher_free(machines[index].cipher)
    }
    unsafe machines.deallocate()
  }

  private static func index(_ suite: CipherSuite, _ way: RecordWay) -> Int {
    Int(suite.rawValue) * 2 + way.rawValue
  }

  /// Forgets the key of a slot, whose keys have changed or go.
  func forget(_ name: SlotName) {
    for way in [RecordWay.read, .write] {
      let index = Self.index(name.suite, way)
      guard unsafe machines[index].keyedFor == name else { continue }
      unsafe machines[index].keyedFor = nil
      // An empty key takes the place of the real one, whose schedule would else stay in memory.
      let nothing = [UInt8](repeating: 0, count: 32)
      _ = unsafe copenssl_record_cipher_begin(machines[index].cipher, nothing, nothing)
    }
  }

  /// Readies the context for the slot's next record, and counts the record.
  private func begin(_ slots: DetachedSlots, _ name: SlotName, _ way: RecordWay) -> OpaquePointer? {
    let index = Self.index(name.suite, way)
    let sequence = slots.sequence(name, way)
    guard sequence < .max else { return nil }
    let vector = unsafe slots.vector(name, way)
    var nonce:
      (
        UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8
      ) = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    let done = unsafe withUnsafeMutableBytes(of: &nonce) { nonce in
      unsafe nonce.copyMemory(from: UnsafeRawBufferPointer(vector))
      for place in 0..<4 {
        unsafe nonce[11 - place] ^= UInt8(truncatingIfNeeded: sequence >> (8 * UInt32(place)))
      }
      let machine = unsafe machines[index]
      let isKeyed = machine.keyedFor == name
      let key = unsafe slots.key(name, way).baseAddress?.assumingMemoryBound(to: UInt8.self)
      return unsafe copenssl_record_cipher_begin(
        machine.cipher, isKeyed ? nil : key,
        nonce.baseAddress?.assumingMemoryBound(to: UInt8.self))
    }
    guard done == 1 else {
      unsafe machines[index].keyedFor = nil
      return nil
    }
    unsafe machines[index].keyedFor = name
    slots.setSequence(name, way, sequence + 1)
    return unsafe machines[index].cipher
  }

  /// Seals one record at `offset` of the room.
  ///
  /// - Returns: the bytes of the whole record; nil if OpenSSL or the counter refuses, after which
  ///   the connection is lost.
  /// - Precondition: the content is at most 2^14 bytes, and the record fits.
  func seal(
    _ slots: DetachedSlots, _ name: SlotName, type: UInt8, _ content: Span<UInt8>,
    into room: inout [UInt8], at offset: Int
  ) -> Int? {
    let inner = content.count + 1
    let size = RecordLimits.headerBytes + inner + CipherSuite.tagBytes
    precondition(content.count <= RecordLimits.contentBytesMax, "content of one record")
    precondition(offset >= 0, "an offset is not negative")
    precondition(room.count - offset >= size, "room for the record")
    guard let cipher = unsafe begin(slots, name, .write) else { return nil }
    let sealed = unsafe room.withUnsafeMutableBytes { room -> Bool in
      guard let start = room.baseAddress else { return false }
      let record = unsafe (start + offset).assumingMemoryBound(to: UInt8.self)
      RecordHeader.write(bodyBytes: inner + CipherSuite.tagBytes) { unsafe record[$0] = $1 }
      let body = unsafe record + RecordLimits.headerBytes
      unsafe content.withUnsafeBufferPointer { content in
        guard let from = content.baseAddress else { return }
        unsafe body.update(from: from, count: content.count)
      }
      unsafe body[content.count] = type
      return unsafe copenssl_record_cipher_seal(cipher, record, body, inner) == 1
    }
    return sealed ? size : nil
  }

  /// Opens one whole record in `bytes`, its header included, into the start of the room.
  ///
  /// The room holds nothing of worth unless the answer is content.
  /// - Precondition: the body is a tag at least, and the room takes all of it but the tag.
  func open(
    _ slots: DetachedSlots, _ name: SlotName, _ bytes: [UInt8], _ record: Range<Int>,
    into room: inout MutableSpan<UInt8>
  ) -> OpenedRecord {
    let inner = record.count - RecordLimits.headerBytes - CipherSuite.tagBytes
    precondition(inner >= 0, "a record has a header and a tag")
    precondition(record.upperBound <= bytes.count, "the record lies in the bytes")
    precondition(room.count >= inner, "room for the content and its type")
    guard let cipher = unsafe begin(slots, name, .read) else { return .forged }
    return unsafe bytes.withUnsafeBufferPointer { bytes -> OpenedRecord in
      unsafe room.withUnsafeMutableBufferPointer { room -> OpenedRecord in
        guard let start = bytes.baseAddress else { return .forged }
        let record = unsafe start + record.lowerBound
        let body = unsafe record + RecordLimits.headerBytes
        let isGenuine =
          unsafe copenssl_record_cipher_open(cipher, record, body, inner, room.baseAddress) == 1
        guard isGenuine else {
          ERR_clear_error()
          return .forged
        }
        var end = inner
        while unsafe end > 0 && room[end - 1] == 0 { end -= 1 }
        guard end > 0 else { return .untyped }
        return .content(type: unsafe room[end - 1], count: end - 1)
      }
    }
  }

  /// Opens one whole record as above into an array's elements.
  func open(
    _ slots: DetachedSlots, _ name: SlotName, _ bytes: [UInt8], _ record: Range<Int>,
    into room: inout [UInt8]
  ) -> OpenedRecord {
    var span = room.mutableSpan
    return open(slots, name, bytes, record, into: &span)
  }
}

@available(*, unavailable)
extension RecordCiphers: Sendable {}
