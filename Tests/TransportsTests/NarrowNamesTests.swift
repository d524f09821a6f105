// A process that knows only the names of TLS (NarrowNames) shakes hands as any other, and reads
// certificates of every kind of key and digest that is allowed. Each test is a process of its own,
// because it must be the first that uses OpenSSL in it.
import COpenSSL
import Glibc
import Testing

@testable import Transports

@Suite struct NarrowNamesTests {
  @Test func otherNamesAreLeftOut() async {
    await #expect(processExitsWith: .success) {
      try #require(NarrowNames.prepare())
      for name in ["SHA256", "SHA384", "SHA512"] {
        try #require(EVP_get_digestbyname(name) != nil, "\(name)")
      }
      for name in ["RIPEMD160", "SM3", "BLAKE2b512"] {
        try #require(EVP_get_digestbyname(name) == nil, "\(name)")
      }
      try #require(EVP_get_cipherbyname("AES-256-GCM") != nil)
      try #require(EVP_get_cipherbyname("DES-EDE3-CBC") == nil)
    }
  }

  @Test func handshakesOfBothLibrariesGoOn() async {
    await #expect(processExitsWith: .success) {
      try #require(NarrowNames.prepare())
      for (ofServer, ofClient) in [(TLSAlgorithms.narrow, TLSAlgorithms.narrow), (.narrow, .all)] {
        var server = TLSOptions()
        server.algorithms = ofServer
        var client = TLSOptions()
        client.algorithms = ofClient
        let duet = try Duet(.detached, serverOptions: server, clientOptions: client)
        try duet.shakeHands()
        try #require(duet.send(pattern(40_000), from: duet.client) == pattern(40_000))
        try #require(duet.server.peer?.commonName == "client-1")
      }
    }
  }

  @Test func everyKindOfCertificateIsVerified() async {
    await #expect(processExitsWith: .success) {
      try #require(NarrowNames.prepare())
      let narrow = try #require(copenssl_narrow_library())
      let digests = [EVP_sha256(), EVP_sha384(), EVP_sha512()]
      let keys = [
        copenssl_EVP_EC_gen("P-256"), copenssl_EVP_EC_gen("P-384"), copenssl_EVP_RSA_gen(2_048),
      ]
      for key in keys {
        for digest in digests {
          try NarrowNamesTests.verify(key, in: narrow) {
            EVP_DigestSignInit($0, $1, digest, nil, key)
          }
        }
      }
      let edwards = copenssl_EVP_PKEY_Q_keygen_ED25519()
      try NarrowNamesTests.verify(edwards, in: narrow) {
        EVP_DigestSignInit($0, $1, nil, nil, edwards)
      }
      for digest in digests {
        try NarrowNamesTests.verify(keys[2], in: narrow) { context, parameters in
          guard EVP_DigestSignInit(context, parameters, digest, nil, keys[2]) == 1 else { return 0 }
          return EVP_PKEY_CTX_set_rsa_padding(parameters.pointee, RSA_PKCS1_PSS_PADDING)
        }
      }
    }
  }

  /// Signs a certificate by a key of its own, and verifies it as libssl would read it.
  private static func verify(
    _ key: OpaquePointer?, in library: OpaquePointer,
    begin: (OpaquePointer?, UnsafeMutablePointer<OpaquePointer?>) -> Int32
  ) throws {
    let certificate = try #require(X509_new())
    defer { X509_free(certificate) }
    try #require(X509_set_version(certificate, 2) == 1)
    try #require(X509_set_pubkey(certificate, key) == 1)
    try #require(X509_gmtime_adj(X509_getm_notBefore(certificate), 0) != nil)
    try #require(X509_gmtime_adj(X509_getm_notAfter(certificate), 3_600) != nil)
    let context = try #require(EVP_MD_CTX_new())
    defer { EVP_MD_CTX_free(context) }
    var parameters: OpaquePointer?
    try #require(begin(context, &parameters) == 1)
    try #require(X509_sign_ctx(certificate, context) > 0)
    var bytes: UnsafeMutablePointer<UInt8>?
    let count = i2d_X509(certificate, &bytes)
    defer { CRYPTO_free(bytes, nil, 0) }
    var copy = X509_new_ex(library, nil)
    defer { X509_free(copy) }
    var start = bytes.map { UnsafePointer($0) }
    try #require(d2i_X509(&copy, &start, Int(count)) != nil)
    try #require(X509_verify(copy, X509_get0_pubkey(copy)) == 1)
  }
}
