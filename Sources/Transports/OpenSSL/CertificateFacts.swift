// From an X509 object to the plain values of PeerIdentity. What is read was written by a stranger:
// strings are taken by their length, never to a NUL, counts are bounded, and nothing traps.
import COpenSSL
import Glibc

extension PeerIdentity {
  /// Copies the facts out of a certificate; nil only if OpenSSL itself cannot digest it.
  init?(certificate: OpaquePointer) {
    guard let fingerprint = unsafe certificateFingerprint(certificate) else { return nil }
    let names = unsafe certificateURIs(certificate)
    self.init(
      uris: names.printable, uriCount: names.count,
      commonName: unsafe certificateCommonName(certificate),
      serial: unsafe certificateSerial(certificate), fingerprint: fingerprint,
      notBefore: unsafe secondsSince1970(X509_get0_notBefore(certificate)) ?? .max,
      notAfter: unsafe secondsSince1970(X509_get0_notAfter(certificate)) ?? .min,
      purposes: unsafe certificatePurposes(certificate),
      isAuthority: unsafe X509_check_ca(certificate) != 0)
  }
}

private func certificateFingerprint(_ certificate: OpaquePointer) -> CertificateFingerprint? {
  var digest = [UInt8](repeating: 0, count: 32)
  var length: UInt32 = 32
  guard unsafe X509_digest(certificate, EVP_sha256(), &digest, &length) == 1, length == 32 else {
    return nil
  }
  return CertificateFingerprint(digest.span)
}

private func certificateURIs(
  _ certificate: OpaquePointer
) -> (printable: [String], count: Int) {
  guard let names = unsafe copenssl_X509_get_subject_alt_names(certificate) else { return ([], 0) }
  defer { unsafe copenssl_GENERAL_NAMES_free(names) }
  var printable: [String] = []
  var count = 0
  for index in 0..<max(0, unsafe copenssl_sk_GENERAL_NAME_num(names)) {
    let name = unsafe copenssl_sk_GENERAL_NAME_value(names, index)
    guard let uri = unsafe copenssl_GENERAL_NAME_get0_uri(name) else { continue }
    count += 1
    if printable.count < PeerIdentity.urisMax, let text = unsafe printableASCII(uri) {
      printable.append(text)
    }
  }
  return (printable, count)
}

/// The bytes as text if all are visible ASCII: a NUL, a blank or a look-alike letter makes no name.
private func printableASCII(_ string: UnsafePointer<ASN1_STRING>) -> String? {
  let bytes = unsafe UnsafeBufferPointer(
    start: ASN1_STRING_get0_data(string), count: max(0, Int(ASN1_STRING_length(string))))
  guard unsafe bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
  return unsafe String(decoding: bytes, as: UTF8.self)
}

private func certificateCommonName(_ certificate: OpaquePointer) -> String {
  guard let subject = unsafe X509_get_subject_name(certificate) else { return "" }
  let index = unsafe X509_NAME_get_index_by_NID(subject, NID_commonName, -1)
  guard index >= 0, let entry = unsafe X509_NAME_get_entry(subject, index),
    let value = unsafe X509_NAME_ENTRY_get_data(entry)
  else { return "" }
  var utf8: UnsafeMutablePointer<UInt8>?
  let length = unsafe ASN1_STRING_to_UTF8(&utf8, value)
  guard length >= 0, let start = unsafe utf8 else { return "" }
  defer { unsafe CRYPTO_free(start, nil, 0) }
  let bytes = unsafe UnsafeBufferPointer(start: start, count: min(Int(length), 64))
  // It goes into logs: a control character there could forge a line.
  return unsafe String(decoding: bytes.map { $0 < 0x20 || $0 == 0x7F ? 0x3F : $0 }, as: UTF8.self)
}

private func certificateSerial(_ certificate: OpaquePointer) -> String {
  guard let serial = unsafe X509_get0_serialNumber(certificate),
    let number = unsafe ASN1_INTEGER_to_BN(serial, nil)
  else { return "" }
  defer { unsafe BN_free(number) }
  guard let text = unsafe BN_bn2hex(number) else { return "" }
  defer { unsafe CRYPTO_free(text, nil, 0) }
  return unsafe String(cString: text).lowercased()
}

private func secondsSince1970(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
  var parts = unsafe tm()
  guard let time = unsafe time, unsafe ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
  return Int64(unsafe timegm(&parts))
}

private func certificatePurposes(_ certificate: OpaquePointer) -> CertificatePurposes {
  let flags = unsafe X509_get_extended_key_usage(certificate)
  // All bits set is OpenSSL's way to say that the extension is absent: no purpose is stated.
  if flags == UInt32.max { return [] }
  var purposes: CertificatePurposes = []
  if flags & UInt32(XKU_SSL_CLIENT) != 0 { purposes.insert(.clientAuthentication) }
  if flags & UInt32(XKU_SSL_SERVER) != 0 { purposes.insert(.serverAuthentication) }
  return purposes
}
