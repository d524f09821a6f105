// A slot's key as Linux wants it: `tls12_crypto_info_aes_gcm_128`, `tls12_crypto_info_aes_gcm_256`
// or `tls12_crypto_info_chacha20_poly1305` of <linux/tls.h>. CEpollShim.c asserts that the fields
// lie where this file puts them.
//
// TLS 1.3's vector has twelve bytes. For AES-GCM the kernel calls the first four salt and keeps
// them behind the key, as TLS 1.2 did; for ChaCha20-Poly1305 it takes the vector whole.
import COpenSSL

extension DetachedSlots {
  private static let versionOfTLS13: UInt16 = 0x0304
  private static let saltBytes = 4

  /// The kernel's number of a cipher.
  private static func kernelCipher(_ suite: CipherSuite) -> UInt16 {
    switch suite {
    case .aes128: 51
    case .aes256: 52
    case .chacha20: 54
    }
  }

  /// Shows key, vector and the number of the next record in the kernel's structure, which is wiped
  /// afterwards.
  func withKernelKey<Result>(
    _ name: SlotName, _ way: RecordWay, _ body: (Span<UInt8>) -> Result
  ) -> Result {
    var info: [UInt8] = []
    // Grown beyond this, the array would leave a copy of the key behind.
    info.reserveCapacity(64)
    for field in [Self.versionOfTLS13, Self.kernelCipher(name.suite)] {
      // Numbers of the kernel's structures are in the machine's order.
      unsafe withUnsafeBytes(of: field) { unsafe info.append(contentsOf: $0) }
    }
    let vector = unsafe vector(name, way)
    let salt = name.suite == .chacha20 ? 0 : Self.saltBytes
    for place in salt..<CipherSuite.vectorBytes { unsafe info.append(vector[place]) }
    unsafe info.append(contentsOf: key(name, way))
    for place in 0..<salt { unsafe info.append(vector[place]) }
    for place in 0..<8 {
      info.append(UInt8(truncatingIfNeeded: UInt64(sequence(name, way)) >> (8 * UInt64(7 - place))))
    }
    let result = body(info.span)
    unsafe info.withUnsafeMutableBytes { unsafe OPENSSL_cleanse($0.baseAddress, $0.count) }
    return result
  }
}
