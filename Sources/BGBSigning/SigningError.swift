// What can go wrong with keys and certificates, each with a sentence that tells an operator what to
// do.

/// Why a key, a request or a certificate could not be made or used.
public enum SigningError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A file could not be read or written.
  case file(operation: String, path: String, errno: Int32)
  /// A file that holds a secret may be read by others than its owner.
  case openToOthers(path: String)
  /// The text holds no key of the kind that is needed.
  case notAKey(String)
  /// The text holds no certificate.
  case notACertificate
  /// A certificate request is refused.
  case request(RequestFault)
  /// A name or host that must not stand in a certificate.
  case badName(String)
  /// A term of no or too many days.
  case badTerm(days: Int)
  /// The authority's certificate does not belong to its key, or has ended.
  case unusableAuthority(String)
  /// OpenSSL refused, in its own words.
  case library(String)

  /// A sentence for operators.
  public var description: String {
    switch self {
    case .file(let operation, let path, let errno):
      "cannot \(operation) \(path): \(SecretFile.words(for: errno))"
    case .openToOthers(let path):
      "\(path) holds a secret but others may read it; allow its owner only (chmod 600)"
    case .notAKey(let what): "\(what) holds no key of the kind that is needed here"
    case .notACertificate: "this is not a certificate in PEM form"
    case .request(let fault): "the certificate request is refused: \(fault.description)"
    case .badName(let name): "'\(name)' cannot be a name in a certificate"
    case .badTerm(let days): "\(days) days is not a term for a certificate; give 1 to 3650"
    case .unusableAuthority(let why): "the certificate authority cannot be used: \(why)"
    case .library(let words): "OpenSSL: \(words)"
    }
  }
}

/// Why a certificate request is refused.
public enum RequestFault: Equatable, Sendable, CustomStringConvertible {
  /// Not one PEM certificate request.
  case unreadable
  /// More bytes than any honest request has.
  case tooLong
  /// Its signature was not made with the key in it: no proof of possession.
  case badSelfSignature
  /// A key that is neither P-256 (by name) nor Ed25519.
  case forbiddenKey

  /// A phrase for operators.
  public var description: String {
    switch self {
    case .unreadable: "it is not a certificate request in PEM form"
    case .tooLong: "it is too long"
    case .badSelfSignature: "it is not signed with its own key"
    case .forbiddenKey: "its key is neither P-256 nor Ed25519"
    }
  }
}
