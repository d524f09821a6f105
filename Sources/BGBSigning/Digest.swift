// SHA-256 in two shapes: one call for a few bytes, and a hasher that is used again and again for
// the hundred thousand nodes of a Merkle tree, where looking up the algorithm each time would cost
// most.

import COpenSSL

/// Digests of bytes.
public enum Digest {
  /// The SHA-256 of some bytes: 32 bytes.
  public static func sha256(_ bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    let done = unsafe EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil)
    precondition(done == 1, "SHA-256 needs no more than memory")
    return digest
  }
}

/// A SHA-256 context for many short inputs.
@safe
struct Hasher256: ~Copyable {
  private let context: OpaquePointer
  private let algorithm: OpaquePointer

  init() {
    guard let context = unsafe EVP_MD_CTX_new(),
      let algorithm = unsafe EVP_MD_fetch(nil, "SHA256", nil)
    else { preconditionFailure("SHA-256 needs no more than memory") }
    unsafe self.context = context
    unsafe self.algorithm = algorithm
  }

  deinit {
    unsafe EVP_MD_CTX_free(context)
    unsafe EVP_MD_free(algorithm)
  }

  /// Hashes one byte and then `input` into the 32 bytes at the start of `output`.
  func hash(
    prefix: UInt8, _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) {
    precondition(output.count >= 32, "a SHA-256 has 32 bytes")
    var prefix = prefix
    let begun = unsafe EVP_DigestInit_ex2(context, algorithm, nil)
    let first = unsafe EVP_DigestUpdate(context, &prefix, 1)
    let second = unsafe EVP_DigestUpdate(context, input.baseAddress, input.count)
    let target = unsafe output.baseAddress?.assumingMemoryBound(to: UInt8.self)
    let ended = unsafe EVP_DigestFinal_ex(context, target, nil)
    precondition(begun & first & second & ended == 1, "SHA-256 needs no more than memory")
  }
}
