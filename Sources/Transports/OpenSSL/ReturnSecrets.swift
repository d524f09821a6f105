// The key schedule of a handshake that a reconnect identity's key begins (RFC 8446, 7.1 and 4.4.4),
// for a server: SHA-256 throughout, as such a key demands, and always with a key exchange. The
// digests, the HMACs and the exchange are OpenSSL's; what is put into them, and in which order, is
// here.
import COpenSSL

/// The secrets of one handshake, from the first to the traffic secrets of data.
///
/// `@safe`: the memory is made, wiped and freed here alone, and every place in it has one size.
@safe
final class ReturnSecrets {
  /// Bytes of every secret, digest and message code here.
  static let bytes = 32

  /// What lies in the memory.
  private enum Place: Int, CaseIterable {
    /// The early secret, the handshake's, the master secret: each makes the next.
    case stage
    /// Traffic secrets of the handshake.
    case client, server
    /// Traffic secrets of data.
    case clientData, serverData
    /// What a key, a digest or an exchange gave for a moment.
    case spare, digest
  }

  private let memory: UnsafeMutableRawBufferPointer

  /// Begins with the key of an identity; nil if OpenSSL fails.
  init?(key: [UInt8]) {
    unsafe memory = .allocate(byteCount: Place.allCases.count * Self.bytes, alignment: 8)
    unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
    guard unsafe extract(salt: place(.spare), key) else { return nil }
  }

  deinit {
    unsafe OPENSSL_cleanse(memory.baseAddress, memory.count)
    unsafe memory.deallocate()
  }

  private func place(_ place: Place) -> UnsafeMutableRawBufferPointer {
    let start = place.rawValue * Self.bytes
    return unsafe UnsafeMutableRawBufferPointer(rebasing: memory[start..<start + Self.bytes])
  }

  // MARK: The steps of the schedule

  /// Whether the client has the key: its binder over the hello's bytes is that of the key
  /// (RFC 8446, 4.2.11.2).
  func isProved(by binder: [UInt8], over hello: [UInt8]) -> Bool {
    guard digest([]),
      derive(.stage, "ext binder", into: .spare, with: .digest),
      derive(.spare, "finished", into: .spare, with: nil), digest(hello), code(.spare)
    else { return false }
    return equals(binder)
  }

  /// Answers the client's share of X25519; nil if no secret comes of it.
  func answer(share: [UInt8]) -> [UInt8]? {
    precondition(share.count == Self.bytes, "a share of X25519 has 32 bytes")
    var own = [UInt8](repeating: 0, count: Self.bytes)
    var agreed = [UInt8](repeating: 0, count: Self.bytes)
    defer { unsafe agreed.withUnsafeMutableBytes { unsafe OPENSSL_cleanse($0.baseAddress, 32) } }
    guard unsafe copenssl_x25519_answer(share, &own, &agreed) == 1, advance(agreed) else {
      return nil
    }
    return own
  }

  /// Derives the traffic secrets of the handshake; the transcript ends with the ServerHello.
  func beginHandshake(_ transcript: [UInt8]) -> Bool {
    digest(transcript) && derive(.stage, "c hs traffic", into: .client, with: .digest)
      && derive(.stage, "s hs traffic", into: .server, with: .digest)
  }

  /// What the server's Finished says; the transcript ends before it.
  func serverFinished(_ transcript: [UInt8]) -> [UInt8]? {
    guard derive(.server, "finished", into: .spare, with: nil), digest(transcript), code(.spare)
    else { return nil }
    return unsafe Array(place(.spare))
  }

  /// Derives the traffic secrets of data, and what the client's Finished has to say; the transcript
  /// ends with the server's Finished.
  func beginData(_ transcript: [UInt8]) -> Bool {
    let zeros = [UInt8](repeating: 0, count: Self.bytes)
    return advance(zeros) && digest(transcript)
      && derive(.stage, "c ap traffic", into: .clientData, with: .digest)
      && derive(.stage, "s ap traffic", into: .serverData, with: .digest)
      && derive(.client, "finished", into: .spare, with: nil) && code(.spare)
  }

  /// Whether the client's Finished says what it must, after ``beginData(_:)``.
  func isFinished(by data: ArraySlice<UInt8>) -> Bool { equals(Array(data)) }

  /// Which keys a slot gets.
  enum Keys {
    case handshake, data
  }

  /// Puts one way's keys into a slot, which counts from 0 then.
  func put(
    _ keys: Keys, into slots: DetachedSlots, _ name: SlotName, _ way: RecordWay
  ) -> Bool {
    let from: Place =
      switch (keys, way) {
      case (.handshake, .read): .client
      case (.handshake, .write): .server
      case (.data, .read): .clientData
      case (.data, .write): .serverData
      }
    let room = unsafe slots.secret(name, way)
    guard room.count == Self.bytes else { return false }
    unsafe room.copyMemory(from: UnsafeRawBufferPointer(place(from)))
    return slots.deriveKeys(name, way)
  }

  // MARK: What the steps are made of

  /// HKDF-Extract into the stage.
  private func extract(salt: UnsafeMutableRawBufferPointer, _ input: [UInt8]) -> Bool {
    unsafe copenssl_hmac(
      0, salt.baseAddress, salt.count, input, input.count, bytes(.stage)) == 1
  }

  /// Goes on to the next stage with what comes in there.
  private func advance(_ input: [UInt8]) -> Bool {
    guard digest([]), derive(.stage, "derived", into: .spare, with: .digest) else { return false }
    return unsafe extract(salt: place(.spare), input)
  }

  private func digest(_ transcript: [UInt8]) -> Bool {
    unsafe copenssl_sha256(transcript, transcript.count, bytes(.digest)) == 1
  }

  /// The code of the digest, with the key in a place and into that place.
  private func code(_ key: Place) -> Bool {
    let room = unsafe place(key)
    return unsafe copenssl_hmac(
      0, room.baseAddress, room.count, bytes(.digest), Self.bytes, bytes(key)) == 1
  }

  private func derive(
    _ from: Place, _ label: StaticString, into: Place, with context: Place?
  ) -> Bool {
    let digest = unsafe context.map { unsafe UnsafeRawBufferPointer(place($0)) }
    return unsafe KeySchedule.expand(
      .aes128, secret: UnsafeRawBufferPointer(place(from)), label: label, context: digest,
      into: place(into))
  }

  /// Whether the spare place holds these bytes, in a time that does not tell how many are equal.
  private func equals(_ bytes: [UInt8]) -> Bool {
    guard bytes.count == Self.bytes else { return false }
    return unsafe CRYPTO_memcmp(place(.spare).baseAddress, bytes, bytes.count) == 0
  }

  private func bytes(_ which: Place) -> UnsafeMutablePointer<UInt8>? {
    unsafe place(which).baseAddress?.assumingMemoryBound(to: UInt8.self)
  }
}

@available(*, unavailable)
extension ReturnSecrets: Sendable {}

/// Bytes from OpenSSL's random generator; nil if it gives none.
func randomBytes(_ count: Int) -> [UInt8]? {
  var bytes = [UInt8](repeating: 0, count: count)
  return unsafe RAND_bytes(&bytes, Int32(clamping: count)) == 1 ? bytes : nil
}
