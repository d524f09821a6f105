// The owners of OpenSSL's objects: each frees its own, none can be copied, and no pointer leaves
// this module. All are short-lived; what is kept longer (keys, certificates) is kept as bytes, so
// that the values of this module may cross threads without a promise that no compiler reads.

import COpenSSL

/// Owns an EVP_PKEY.
@safe
struct KeyHandle: ~Copyable {
  let pointer: OpaquePointer

  init?(owning pointer: OpaquePointer?) {
    guard let pointer = unsafe pointer else { return nil }
    unsafe self.pointer = pointer
  }

  deinit { unsafe EVP_PKEY_free(pointer) }

  /// Reads a private key; an encrypted one is refused, never asked for on the terminal.
  init?(privatePEM bytes: [UInt8]) {
    ERR_clear_error()
    guard let source = MemoryBIO(reading: bytes) else { return nil }
    unsafe self.init(
      owning: PEM_read_bio_PrivateKey(source.pointer, nil, { _, _, _, _ in 0 }, nil))
  }

  /// Reads a public key.
  init?(publicPEM bytes: [UInt8]) {
    ERR_clear_error()
    guard let source = MemoryBIO(reading: bytes) else { return nil }
    unsafe self.init(owning: PEM_read_bio_PUBKEY(source.pointer, nil, { _, _, _, _ in 0 }, nil))
  }

  /// The private key as PKCS #8 in PEM.
  func privatePEM() throws(SigningError) -> String {
    let target = try MemoryBIO.writing()
    guard unsafe PEM_write_bio_PKCS8PrivateKey(target.pointer, pointer, nil, nil, 0, nil, nil) == 1
    else { throw .openSSL() }
    return target.text
  }

  /// The public key in PEM.
  func publicPEM() throws(SigningError) -> String {
    let target = try MemoryBIO.writing()
    guard unsafe PEM_write_bio_PUBKEY(target.pointer, pointer) == 1 else { throw .openSSL() }
    return target.text
  }
}

/// Owns an X509.
@safe
struct CertificateHandle: ~Copyable {
  let pointer: OpaquePointer

  init?(owning pointer: OpaquePointer?) {
    guard let pointer = unsafe pointer else { return nil }
    unsafe self.pointer = pointer
  }

  deinit { unsafe X509_free(pointer) }

  init?(pem bytes: [UInt8]) {
    ERR_clear_error()
    guard let source = MemoryBIO(reading: bytes) else { return nil }
    unsafe self.init(owning: PEM_read_bio_X509(source.pointer, nil, { _, _, _, _ in 0 }, nil))
  }

  func pem() throws(SigningError) -> String {
    let target = try MemoryBIO.writing()
    guard unsafe PEM_write_bio_X509(target.pointer, pointer) == 1 else { throw .openSSL() }
    return target.text
  }
}

/// Owns an X509_REQ.
@safe
struct RequestHandle: ~Copyable {
  let pointer: OpaquePointer

  init?(owning pointer: OpaquePointer?) {
    guard let pointer = unsafe pointer else { return nil }
    unsafe self.pointer = pointer
  }

  deinit { unsafe X509_REQ_free(pointer) }

  init?(pem bytes: [UInt8]) {
    ERR_clear_error()
    guard let source = MemoryBIO(reading: bytes) else { return nil }
    unsafe self.init(owning: PEM_read_bio_X509_REQ(source.pointer, nil, { _, _, _, _ in 0 }, nil))
  }

  func pem() throws(SigningError) -> String {
    let target = try MemoryBIO.writing()
    guard unsafe PEM_write_bio_X509_REQ(target.pointer, pointer) == 1 else { throw .openSSL() }
    return target.text
  }
}

/// Owns a BIO over memory.
@safe
struct MemoryBIO: ~Copyable {
  let pointer: OpaquePointer

  private init(owning pointer: OpaquePointer) { unsafe self.pointer = pointer }

  deinit { unsafe BIO_free_all(pointer) }

  /// A BIO that holds a copy of the bytes, for the bytes of an array move when it likes.
  init?(reading bytes: [UInt8]) {
    guard bytes.count <= SecretFile.bytesMax, let pointer = unsafe BIO_new(BIO_s_mem()) else {
      return nil
    }
    guard unsafe BIO_write(pointer, bytes, Int32(bytes.count)) == Int32(bytes.count) else {
      unsafe BIO_free_all(pointer)
      return nil
    }
    unsafe self.init(owning: pointer)
  }

  /// An empty BIO to write to.
  static func writing() throws(SigningError) -> MemoryBIO {
    ERR_clear_error()
    guard let pointer = unsafe BIO_new(BIO_s_mem()) else { throw .openSSL() }
    return unsafe MemoryBIO(owning: pointer)
  }

  /// What was written.
  var text: String {
    var data: UnsafeMutablePointer<CChar>?
    let count = unsafe copenssl_BIO_get_mem_data(pointer, &data)
    guard let start = unsafe data, count > 0 else { return "" }
    let bytes = unsafe UnsafeRawBufferPointer(start: start, count: count)
    return unsafe String(decoding: bytes, as: UTF8.self)
  }
}

extension SigningError {
  /// The first entry of the thread's error queue, which is emptied.
  static func openSSL() -> SigningError {
    let code = ERR_get_error()
    ERR_clear_error()
    guard code != 0, let words = unsafe ERR_reason_error_string(code) else {
      return .library("no reason given")
    }
    return .library(unsafe String(cString: words))
  }
}
