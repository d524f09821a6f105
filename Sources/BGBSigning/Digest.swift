// SHA-256 in two shapes: one call for some bytes, and one into place for the hundred thousand nodes
// of a Merkle tree. Neither looks up the algorithm and makes a context each time, as EVP does: for
// so few bytes that would cost most.

import COpenSSL

/// Digests of bytes.
public enum Digest {
  /// The SHA-256 of some bytes: 32 bytes.
  public static func sha256(_ bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    guard let first = bytes.first else {
      let done = unsafe EVP_Digest(bytes, 0, &digest, nil, EVP_sha256(), nil)
      precondition(done == 1, "SHA-256 needs no more than memory")
      return digest
    }
    unsafe bytes.withUnsafeBytes { input in
      unsafe digest.withUnsafeMutableBytes { output in
        unsafe sha256(
          prefix: first, UnsafeRawBufferPointer(rebasing: input.dropFirst()), into: output)
      }
    }
    return digest
  }

  /// Hashes one byte and then `input` into the 32 bytes at the start of `output`.
  ///
  /// Allocates nothing, where EVP would for each: pushing makes two of these for each client.
  static func sha256(
    prefix: UInt8, _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) {
    precondition(output.count >= 32, "a SHA-256 has 32 bytes")
    let target = unsafe output.baseAddress?.assumingMemoryBound(to: UInt8.self)
    let done = unsafe copenssl_sha256_prefixed(prefix, input.baseAddress, input.count, target)
    precondition(done == 1, "SHA-256 needs no more than its bytes")
  }
}
