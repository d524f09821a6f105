// What a certificate of ours says, for lists and checks: never for deciding who a peer is, which is
// the transport's verified chain alone.

public import BGBModel
import COpenSSL
import Glibc

/// The facts of one certificate.
public struct CertificateFacts: Hashable, Sendable {
  /// The serial number, lower-case hexadecimal.
  public let serial: String
  /// The subject as `/CN=name`, for people; bytes that are not ASCII are escaped.
  public let subject: String
  /// The URIs among its alternative names.
  public let uris: [String]
  /// Valid from this moment.
  public let notBefore: WallTime
  /// Valid up to this moment.
  public let notAfter: WallTime
  /// The SHA-256 of the certificate, lower-case hexadecimal: what deny lists name.
  public let fingerprint: String

  /// The client that the certificate names, if its only URI is a client's.
  public var clientID: ClientID? {
    uris.count == 1 ? uris.first.flatMap { ClientID(uri: $0) } : nil
  }

  /// Reads the first certificate of a PEM text.
  public static func read(pem: String) throws(SigningError) -> CertificateFacts {
    guard let handle = CertificateHandle(pem: Array(pem.utf8)) else {
      ERR_clear_error()
      throw .notACertificate
    }
    defer { ERR_clear_error() }
    let pointer = unsafe handle.pointer
    var digest = [UInt8](repeating: 0, count: 32)
    guard unsafe X509_digest(pointer, EVP_sha256(), &digest, nil) == 1,
      let first = unsafe moment(X509_get0_notBefore(pointer)),
      let last = unsafe moment(X509_get0_notAfter(pointer))
    else { throw .openSSL() }
    return CertificateFacts(
      serial: unsafe serial(of: pointer), subject: unsafe subject(of: pointer),
      uris: unsafe uris(of: pointer), notBefore: first, notAfter: last,
      fingerprint: digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
  }

  private static func moment(_ time: UnsafePointer<ASN1_TIME>?) -> WallTime? {
    var parts = unsafe tm()
    guard let time = unsafe time, unsafe ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
    return WallTime(milliseconds: Int64(unsafe timegm(&parts)) * 1000)
  }

  private static func serial(of certificate: OpaquePointer) -> String {
    guard let number = unsafe ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nil) else {
      return ""
    }
    defer { unsafe BN_free(number) }
    guard let text = unsafe BN_bn2hex(number) else { return "" }
    defer { unsafe CRYPTO_free(text, nil, 0) }
    return unsafe String(cString: text).lowercased()
  }

  private static func subject(of certificate: OpaquePointer) -> String {
    var text = [CChar](repeating: 0, count: 512)
    guard
      unsafe X509_NAME_oneline(X509_get_subject_name(certificate), &text, Int32(text.count)) != nil
    else { return "" }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func uris(of certificate: OpaquePointer) -> [String] {
    guard let names = unsafe copenssl_X509_get_subject_alt_names(certificate) else { return [] }
    defer { unsafe copenssl_GENERAL_NAMES_free(names) }
    var uris: [String] = []
    for index in 0..<max(0, unsafe copenssl_sk_GENERAL_NAME_num(names)) {
      guard let name = unsafe copenssl_sk_GENERAL_NAME_value(names, index),
        let uri = unsafe copenssl_GENERAL_NAME_get0_uri(name)
      else { continue }
      let bytes = unsafe UnsafeBufferPointer(
        start: ASN1_STRING_get0_data(uri), count: max(0, Int(ASN1_STRING_length(uri))))
      uris.append(unsafe String(decoding: bytes, as: UTF8.self))
    }
    return uris
  }
}
