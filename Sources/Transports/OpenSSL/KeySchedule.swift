// The step of TLS 1.3's key schedule (RFC 8446, 7.1 and 7.3) that all others are made of: from a
// secret to the next one, to a key or a vector. Every output fits into one digest, so HKDF-Expand
// is a single HMAC of the label with a counter of one behind it.
import COpenSSL

enum KeySchedule {
  /// The most bytes of label text that we use: `c hs traffic`, and some to spare.
  private static let labelBytesMax = 16

  /// HKDF-Expand-Label, with an empty context or that of a digest.
  ///
  /// - Precondition: `output` and `context` are no longer than the digest of the suite's hash.
  static func expand(
    _ suite: CipherSuite, secret: UnsafeRawBufferPointer, label: StaticString,
    context: UnsafeRawBufferPointer? = nil, into output: UnsafeMutableRawBufferPointer
  ) -> Bool {
    let prefix: StaticString = "tls13 "
    precondition(label.utf8CodeUnitCount <= labelBytesMax, "a label of ours is short")
    precondition(output.count <= suite.secretBytes, "one block of HKDF gives one digest")
    let contextCount = unsafe context?.count ?? 0
    precondition(contextCount <= suite.secretBytes, "a context is a digest")
    let labelCount = prefix.utf8CodeUnitCount + label.utf8CodeUnitCount
    let count = 2 + 1 + labelCount + 1 + contextCount + 1
    return unsafe withUnsafeTemporaryAllocation(byteCount: 192, alignment: 8) { room in
      unsafe room[0] = UInt8(output.count >> 8)
      unsafe room[1] = UInt8(truncatingIfNeeded: output.count)
      unsafe room[2] = UInt8(labelCount)
      var end = 3
      for text in [prefix, label] {
        for offset in 0..<text.utf8CodeUnitCount {
          unsafe room[end] = text.utf8Start[offset]
          end += 1
        }
      }
      unsafe room[end] = UInt8(contextCount)
      if let context = unsafe context {
        for offset in 0..<contextCount { unsafe room[end + 1 + offset] = context[offset] }
      }
      unsafe room[end + 1 + contextCount] = 1
      let block = unsafe UnsafeMutableRawBufferPointer(rebasing: room[128..<192])
      defer { unsafe OPENSSL_cleanse(block.baseAddress, block.count) }
      guard
        unsafe copenssl_hmac(
          suite == .aes256 ? 1 : 0, secret.baseAddress, secret.count, room.baseAddress, count,
          block.baseAddress?.assumingMemoryBound(to: UInt8.self)) == 1
      else { return false }
      unsafe output.copyMemory(from: UnsafeRawBufferPointer(rebasing: block[..<output.count]))
      return true
    }
  }
}
