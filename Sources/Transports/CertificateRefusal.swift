// Why a peer was not let in, in the words of an audit line. OpenSSL knows a hundred codes for this;
// an administrator acts in one of the ways below. Three sources meet here: the verification of the
// chain, the handshake itself, and the names in a certificate that is otherwise good
// (PeerIdentity+Admission.swift).
import COpenSSL

/// The reason for which a peer was not admitted; one audit word each.
public enum CertificateRefusal: Error, Hashable, Sendable {
  /// What is wrong with the name in a certificate.
  public enum NameFault: String, Hashable, Sendable, CaseIterable {
    /// No URI among the subject's alternative names.
    case none
    /// More than one URI: which of them is the peer?
    case several
    /// One URI that is not of the expected form.
    case malformed
  }

  /// The peer sent no certificate.
  case noCertificate
  /// No authority of ours signed it, directly or through the chain that was sent.
  case unknownAuthority
  /// It signed itself.
  case selfSigned
  /// Its time is over.
  case expired
  /// Its time has not come.
  case notYetValid
  /// It is not for this use (extended key usage).
  case wrongPurpose
  /// A key of the chain is too small.
  case weakKey
  /// A signature of the chain uses a broken digest.
  case weakSignature
  /// A signature of the chain, or the peer's proof that it holds the key, is wrong.
  case badSignature
  /// The chain is longer than we follow.
  case chainTooLong
  /// The certificates are larger than we take.
  case tooLarge
  /// It is an authority's certificate, which must never be used to connect.
  case authorityAsPeer
  /// A certificate of the chain that signed another is not an authority's.
  case invalidAuthority
  /// The authority may not give out this name (name constraints).
  case nameNotPermitted
  /// The server's certificate is for another host.
  case nameMismatch
  /// The URI that names the peer is missing, doubled or malformed.
  case badName(NameFault)
  /// It was revoked.
  case revoked
  /// It carries a critical extension that we do not know.
  case unknownCriticalExtension
  /// It cannot be read.
  case unreadable
  /// The peer does not offer a protocol version that we accept.
  case protocolVersion
  /// No cipher suite or group in common.
  case noSharedCipher
  /// The peer does not speak TLS at all.
  case notTLS
  /// Anything else, with OpenSSL's code.
  case other(Int32)

  /// The reason in a failed handshake; nil when the peer was not refused but lost, or refused us.
  public init?(_ error: TransportError) {
    switch error.kind {
    case .certificateRefused:
      self.init(verifyCode: error.verifyCode)
    case .protocolViolation:
      self.init(reason: error.reason)
    case .connectionReset, .system, .truncated, .alertReceived, .limitExceeded, .setup, .closed,
      .keyChange:
      return nil
    }
  }

  /// The reason for an X.509 verification code (`X509_V_ERR_…`).
  public init(verifyCode: Int32) {
    switch verifyCode {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
      X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
      X509_V_ERR_CERT_UNTRUSTED, X509_V_ERR_AKID_SKID_MISMATCH,
      X509_V_ERR_AKID_ISSUER_SERIAL_MISMATCH, X509_V_ERR_SUBJECT_ISSUER_MISMATCH:
      self = .unknownAuthority
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: self = .selfSigned
    case X509_V_ERR_CERT_HAS_EXPIRED: self = .expired
    case X509_V_ERR_CERT_NOT_YET_VALID: self = .notYetValid
    case X509_V_ERR_INVALID_PURPOSE, X509_V_ERR_CERT_REJECTED: self = .wrongPurpose
    case X509_V_ERR_EE_KEY_TOO_SMALL, X509_V_ERR_CA_KEY_TOO_SMALL: self = .weakKey
    case X509_V_ERR_CA_MD_TOO_WEAK: self = .weakSignature
    case X509_V_ERR_CERT_SIGNATURE_FAILURE, X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE:
      self = .badSignature
    case X509_V_ERR_CERT_CHAIN_TOO_LONG, X509_V_ERR_PATH_LENGTH_EXCEEDED: self = .chainTooLong
    case X509_V_ERR_INVALID_CA, X509_V_ERR_KEYUSAGE_NO_CERTSIGN, X509_V_ERR_INVALID_NON_CA:
      self = .invalidAuthority
    case X509_V_ERR_PERMITTED_VIOLATION, X509_V_ERR_EXCLUDED_VIOLATION: self = .nameNotPermitted
    case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: self = .nameMismatch
    case X509_V_ERR_CERT_REVOKED: self = .revoked
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION: self = .unknownCriticalExtension
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD, X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD,
      X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY, X509_V_ERR_INVALID_EXTENSION:
      self = .unreadable
    default: self = .other(verifyCode)
    }
  }

  /// The reason for an error of the handshake (`SSL_R_…`).
  public init(reason: Int32) {
    switch reason {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: self = .noCertificate
    case SSL_R_EXCESSIVE_MESSAGE_SIZE: self = .tooLarge
    case SSL_R_BAD_SIGNATURE, SSL_R_WRONG_SIGNATURE_TYPE: self = .badSignature
    case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_VERSION_TOO_HIGH,
      SSL_R_INAPPROPRIATE_FALLBACK:
      self = .protocolVersion
    case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SHARED_GROUPS,
      SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
      self = .noSharedCipher
    case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST, SSL_R_WRONG_VERSION_NUMBER,
      SSL_R_UNKNOWN_PROTOCOL, SSL_R_BAD_RECORD_TYPE:
      self = .notTLS
    default: self = .other(reason)
    }
  }
}

extension CertificateRefusal: CustomStringConvertible {
  /// The audit word, stable across releases.
  public var description: String {
    switch self {
    case .noCertificate: "no-certificate"
    case .unknownAuthority: "unknown-authority"
    case .selfSigned: "self-signed"
    case .expired: "expired"
    case .notYetValid: "not-yet-valid"
    case .wrongPurpose: "wrong-purpose"
    case .weakKey: "weak-key"
    case .weakSignature: "weak-signature"
    case .badSignature: "bad-signature"
    case .chainTooLong: "chain-too-long"
    case .tooLarge: "too-large"
    case .authorityAsPeer: "authority-as-peer"
    case .invalidAuthority: "invalid-authority"
    case .nameNotPermitted: "name-not-permitted"
    case .nameMismatch: "name-mismatch"
    case .badName(.none): "name-missing"
    case .badName(.several): "name-doubled"
    case .badName(.malformed): "name-malformed"
    case .revoked: "revoked"
    case .unknownCriticalExtension: "unknown-critical-extension"
    case .unreadable: "unreadable"
    case .protocolVersion: "protocol-version"
    case .noSharedCipher: "no-shared-cipher"
    case .notTLS: "not-tls"
    case .other(let code): "other-\(code)"
    }
  }
}
