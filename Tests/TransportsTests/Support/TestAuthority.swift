// Certificates for the tests, good and bad, made afresh in each run: a certificate in the tree
// would expire one day, and its key would be everybody's. OpenSSL's own X.509 functions make them,
// since the point of half of them is to be what no decent tool would issue.
import COpenSSL
import Glibc

/// What a certificate is to contain; the defaults make a good client's.
struct CertificateWish {
  enum Key { case p256, rsa1024 }
  enum Digest { case sha256, sha1 }
  enum AltName {
    case uri([UInt8])
    case dns(String)
    case address([UInt8])

    static func uri(_ text: String) -> AltName { .uri(Array(text.utf8)) }
  }

  var commonName = "client-1"
  var altNames: [AltName] = [.uri("urn:test:client:8c1f0a52-0000-4000-8000-000000000001")]
  /// In OpenSSL's configuration words; nil leaves the extension out.
  var purposes: String? = "clientAuth"
  var validFrom = -3600
  var validUntil = 30 * 86400
  var key = Key.p256
  var digest = Digest.sha256
  var isAuthority = false
  /// In OpenSSL's configuration words; nil follows `isAuthority`.
  var basicConstraints: String?
  /// Further extensions in OpenSSL's configuration words.
  var extensions: [(nid: Int32, value: String)] = []
  /// Bytes of a comment that only makes it large.
  var commentBytes = 0
  /// A critical extension that nobody knows.
  var hasUnknownCriticalExtension = false
  /// Whether one bit of the signature is turned over.
  var hasDamagedSignature = false

  static var server: CertificateWish {
    var wish = CertificateWish()
    wish.commonName = "server-1"
    wish.altNames = [
      .dns("mp.test"), .address([127, 0, 0, 1]), .uri("urn:test:server:mp-1"),
    ]
    wish.purposes = "serverAuth"
    return wish
  }

  static var authority: CertificateWish {
    var wish = CertificateWish()
    wish.commonName = "test authority"
    wish.altNames = []
    wish.purposes = nil
    wish.validFrom = -30 * 86400
    wish.isAuthority = true
    return wish
  }
}

/// A certificate with its key; an authority if it may sign others.
final class TestCertificate {
  let certificate: OpaquePointer
  let key: OpaquePointer
  private let issuer: TestCertificate?

  /// Makes a certificate that `issuer` signed, or that signed itself.
  init(_ wish: CertificateWish, issuer: TestCertificate? = nil) {
    key = made(wish.key == .p256 ? copenssl_EVP_EC_gen("P-256") : copenssl_EVP_RSA_gen(1024))
    certificate = made(X509_new())
    self.issuer = issuer
    X509_set_version(certificate, 2)
    var serial: [UInt8] = Array(repeating: 0, count: 12)
    RAND_bytes(&serial, 12)
    serial[0] = 0x4A
    let number = made(BN_bin2bn(serial, 12, nil))
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate))
    BN_free(number)
    X509_gmtime_adj(X509_getm_notBefore(certificate), wish.validFrom)
    X509_gmtime_adj(X509_getm_notAfter(certificate), wish.validUntil)
    let name = Array(wish.commonName.utf8)
    copenssl_X509_NAME_add_CN(X509_get_subject_name(certificate), name, Int32(name.count))
    X509_set_issuer_name(
      certificate, X509_get_subject_name(issuer?.certificate ?? certificate))
    X509_set_pubkey(certificate, key)
    addExtensions(wish)
    let digest = wish.digest == .sha256 ? EVP_sha256() : EVP_sha1()
    precondition(X509_sign(certificate, issuer?.key ?? key, digest) > 0)
    if wish.hasDamagedSignature { damageSignature() }
  }

  deinit {
    X509_free(certificate)
    EVP_PKEY_free(key)
  }

  /// Makes a certificate that this one signs.
  func issue(_ wish: CertificateWish = CertificateWish()) -> TestCertificate {
    TestCertificate(wish, issuer: self)
  }

  private func addExtensions(_ wish: CertificateWish) {
    let constraints = wish.isAuthority ? "critical,CA:TRUE" : "critical,CA:FALSE"
    add(NID_basic_constraints, wish.basicConstraints ?? constraints)
    add(NID_subject_key_identifier, "hash")
    if issuer != nil { add(NID_authority_key_identifier, "keyid:always") }
    if wish.isAuthority { add(NID_key_usage, "critical,digitalSignature,keyCertSign,cRLSign") }
    if let purposes = wish.purposes { add(NID_ext_key_usage, purposes) }
    for more in wish.extensions { add(more.nid, more.value) }
    if wish.commentBytes > 0 {
      add(NID_netscape_comment, String(repeating: "x", count: wish.commentBytes))
    }
    if wish.hasUnknownCriticalExtension {
      let nid = OBJ_create("1.3.6.1.4.1.55555.1", "testUnknown", "testUnknown")
      let known = nid == NID_undef ? OBJ_txt2nid("1.3.6.1.4.1.55555.1") : nid
      let value = made(ASN1_OCTET_STRING_new())
      ASN1_OCTET_STRING_set(value, [0x05, 0x00], 2)
      let ext = made(X509_EXTENSION_create_by_NID(nil, known, 1, value))
      X509_add_ext(certificate, ext, -1)
      X509_EXTENSION_free(ext)
      ASN1_OCTET_STRING_free(value)
    }
    if !wish.altNames.isEmpty { addAltNames(wish.altNames) }
  }

  private func add(_ nid: Int32, _ value: String) {
    var context = X509V3_CTX()
    copenssl_X509V3_set_ctx_nodb(&context)
    X509V3_set_ctx(&context, issuer?.certificate ?? certificate, certificate, nil, nil, 0)
    let ext = made(X509V3_EXT_conf_nid(nil, &context, nid, value))
    X509_add_ext(certificate, ext, -1)
    X509_EXTENSION_free(ext)
  }

  private func addAltNames(_ names: [CertificateWish.AltName]) {
    let list = made(OPENSSL_sk_new_null())
    for name in names {
      let entry = made(GENERAL_NAME_new())
      let text = made(ASN1_STRING_type_new(V_ASN1_IA5STRING))
      switch name {
      case .uri(let bytes):
        ASN1_STRING_set(text, bytes, Int32(bytes.count))
        GENERAL_NAME_set0_value(entry, GEN_URI, text)
      case .dns(let host):
        ASN1_STRING_set(text, host, Int32(host.utf8.count))
        GENERAL_NAME_set0_value(entry, GEN_DNS, text)
      case .address(let bytes):
        ASN1_STRING_set(text, bytes, Int32(bytes.count))
        GENERAL_NAME_set0_value(entry, GEN_IPADD, text)
      }
      OPENSSL_sk_push(list, entry)
    }
    precondition(
      X509_add1_ext_i2d(certificate, NID_subject_alt_name, UnsafeMutableRawPointer(list), 0, 0) == 1
    )
    copenssl_GENERAL_NAMES_free(list)
  }

  private func damageSignature() {
    var signature: UnsafePointer<ASN1_BIT_STRING>?
    X509_get0_signature(&signature, nil, certificate)
    guard let data = signature?.pointee.data, let length = signature?.pointee.length else { return }
    // In the middle of the second number: still a signature in form.
    data[Int(length) - 8] ^= 1
  }

  /// The certificate in PEM.
  var certificatePEM: String { pem { PEM_write_bio_X509($0, certificate) } }

  /// The key in PEM.
  var keyPEM: String { pem { PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) } }

  /// The key in PEM, sealed with a pass phrase.
  func encryptedKeyPEM(_ passPhrase: String) -> String {
    pem {
      PEM_write_bio_PKCS8PrivateKey(
        $0, key, EVP_aes_128_cbc(), passPhrase, Int32(passPhrase.utf8.count), nil, nil)
    }
  }

  private func pem(_ write: (OpaquePointer) -> Int32) -> String {
    let bio = made(BIO_new(BIO_s_mem()))
    defer { BIO_free(bio) }
    precondition(write(bio) == 1)
    var data: UnsafeMutablePointer<CChar>?
    let count = copenssl_BIO_get_mem_data(bio, &data)
    return String(
      decoding: UnsafeRawBufferPointer(start: data, count: count), as: UTF8.self)
  }
}

/// The object that OpenSSL made; a test without memory may well stop here.
func made<Object>(_ object: Object?) -> Object {
  guard let object else { preconditionFailure("OpenSSL made nothing") }
  return object
}

/// A folder of a test's own, removed with all in it.
final class TemporaryFolder {
  let path: String

  init() {
    var template = Array("/tmp/transports-test-XXXXXX".utf8CString)
    precondition(mkdtemp(&template) != nil)
    path = template.withUnsafeBufferPointer { String(cString: made($0.baseAddress)) }
  }

  deinit {
    guard let folder = opendir(path) else { return }
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      unlink("\(path)/\(name)")
    }
    closedir(folder)
    rmdir(path)
  }

  /// Writes a file and returns its path.
  @discardableResult
  func write(_ name: String, _ text: String, mode: mode_t = 0o600) -> String {
    let file = "\(path)/\(name)"
    let fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, mode)
    precondition(fd >= 0)
    let bytes = Array(text.utf8)
    precondition(Glibc.write(fd, bytes, bytes.count) == bytes.count)
    close(fd)
    return file
  }
}

/// The files of one party: its certificate with what lies above it, its key, whom it trusts.
struct Credentials {
  let chainFile: String?
  let keyFile: String?
  let caFile: String

  init(
    _ certificate: TestCertificate?, above intermediates: [TestCertificate] = [],
    trusting authorities: [TestCertificate], in folder: TemporaryFolder, name: String
  ) {
    if let certificate {
      let chain = ([certificate] + intermediates).map(\.certificatePEM).joined()
      chainFile = folder.write("\(name).pem", chain)
      keyFile = folder.write("\(name).key", certificate.keyPEM)
    } else {
      chainFile = nil
      keyFile = nil
    }
    caFile = folder.write(
      "\(name)-trusts.pem", authorities.map(\.certificatePEM).joined())
  }
}
