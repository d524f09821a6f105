// The certificates this site issues, as values: nothing in them comes from a request but its key.
// What a template cannot say (another name, a right to sign, a wildcard) no request can obtain.

import BGBModel
import COpenSSL
import Glibc

/// What a certificate says, before it is signed.
struct CertificateTemplate {
  /// What its holder may do with it.
  enum Role {
    /// Sign certificates of this site.
    case authority
    /// Be a client of TLS.
    case client
    /// Be a server of TLS under these hosts.
    case server(hosts: [String])
  }

  /// The subject's common name, at most 64 bytes.
  var commonName: String
  /// The URI that is its identity.
  var uri: String
  /// What it is for.
  var role: Role
  /// Valid from this moment.
  var notBefore: WallTime
  /// Valid up to this moment.
  var notAfter: WallTime

  /// Clocks of clients may be behind by this much and still accept a new certificate.
  static let backdatingMilliseconds: Int64 = 3_600_000

  /// Each extension's number with its value in OpenSSL's configuration language.
  ///
  /// Hosts and URIs were checked to hold nothing that means something in that language.
  private var extensions: [(Int32, String)] {
    switch role {
    case .authority:
      [
        (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"),
        (NID_key_usage, "critical,keyCertSign,cRLSign"),
        (NID_subject_key_identifier, "hash"), (NID_subject_alt_name, "URI:\(uri)"),
      ]
    case .client:
      CertificateTemplate.leafExtensions + [
        (NID_ext_key_usage, "clientAuth"), (NID_subject_alt_name, "URI:\(uri)"),
      ]
    case .server(let hosts):
      CertificateTemplate.leafExtensions + [
        (NID_ext_key_usage, "serverAuth"),
        (
          NID_subject_alt_name,
          (["URI:\(uri)"] + hosts.map(CertificateTemplate.generalName)).joined(separator: ",")
        ),
      ]
    }
  }

  private static var leafExtensions: [(Int32, String)] {
    [
      (NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, "critical,digitalSignature"),
      (NID_subject_key_identifier, "hash"), (NID_authority_key_identifier, "keyid:always"),
    ]
  }

  /// Makes and signs the certificate; `issuer` is nil for one that signs itself.
  func certificate(
    for subjectKey: OpaquePointer, issuer: OpaquePointer?, signedBy key: OpaquePointer
  ) throws(SigningError) -> String {
    ERR_clear_error()
    guard let certificate = unsafe CertificateHandle(owning: X509_new()) else { throw .openSSL() }
    let pointer = unsafe certificate.pointer
    guard unsafe X509_set_version(pointer, 2) == 1, unsafe setSerial(of: pointer),
      unsafe setTimes(of: pointer), unsafe setSubject(of: pointer),
      unsafe X509_set_issuer_name(pointer, X509_get_subject_name(issuer ?? pointer)) == 1,
      unsafe X509_set_pubkey(pointer, subjectKey) == 1
    else { throw .openSSL() }
    for (number, value) in extensions {
      let added = unsafe CertificateTemplate.add(
        number, value, to: pointer, issuer: issuer ?? pointer)
      guard added else { throw .openSSL() }
    }
    guard unsafe X509_sign(pointer, key, EVP_sha256()) > 0 else { throw .openSSL() }
    return try certificate.pem()
  }

  /// A random positive number of 127 bits, so that nobody can foresee a certificate's bytes.
  private func setSerial(of certificate: OpaquePointer) -> Bool {
    var generator = SystemRandomNumberGenerator()
    let bits = Bits128(
      high: generator.next() & 0x7FFF_FFFF_FFFF_FFFF | 0x4000_0000_0000_0000,
      low: generator.next())
    let bytes = bits.bytes
    guard let number = unsafe BN_bin2bn(bytes, Int32(bytes.count), nil) else { return false }
    defer { unsafe BN_free(number) }
    return unsafe BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nil
  }

  private func setTimes(of certificate: OpaquePointer) -> Bool {
    let first = time_t(notBefore.milliseconds / 1000)
    let last = time_t(notAfter.milliseconds / 1000)
    guard unsafe ASN1_TIME_set(X509_getm_notBefore(certificate), first) != nil else {
      return false
    }
    return unsafe ASN1_TIME_set(X509_getm_notAfter(certificate), last) != nil
  }

  private func setSubject(of certificate: OpaquePointer) -> Bool {
    let name = Array(commonName.utf8)
    return unsafe copenssl_X509_NAME_add_CN(
      X509_get_subject_name(certificate), name, Int32(name.count)) == 1
  }

  private static func add(
    _ number: Int32, _ value: String, to certificate: OpaquePointer, issuer: OpaquePointer
  ) -> Bool {
    var context = unsafe X509V3_CTX()
    unsafe copenssl_X509V3_set_ctx_nodb(&context)
    unsafe X509V3_set_ctx(&context, issuer, certificate, nil, nil, 0)
    guard let made = unsafe X509V3_EXT_nconf_nid(nil, &context, number, value) else {
      return false
    }
    defer { unsafe X509_EXTENSION_free(made) }
    return unsafe X509_add_ext(certificate, made, -1) == 1
  }

  /// A host as OpenSSL's configuration language names it.
  private static func generalName(_ host: String) -> String {
    isAddress(host) ? "IP:\(host)" : "DNS:\(host)"
  }

  /// Whether a text is an IPv4 or IPv6 address.
  static func isAddress(_ host: String) -> Bool {
    var address = in6_addr()
    let isVersion4 = unsafe inet_pton(AF_INET, host, &address) == 1
    return unsafe isVersion4 || inet_pton(AF_INET6, host, &address) == 1
  }

  /// Whether a text is a host name (RFC 1123) without wildcards, or an address.
  static func isHost(_ host: String) -> Bool {
    guard !host.isEmpty, host.utf8.count <= 253 else { return false }
    if host.contains(":") {
      // A zone ("%eth0") has no place in a certificate.
      return !host.contains("%") && isAddress(host)
    }
    return host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
      let isPlain = label.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
          true
        default: false
        }
      }
      return (1...63).contains(label.utf8.count) && isPlain && !label.hasPrefix("-")
        && !label.hasSuffix("-")
    }
  }
}
