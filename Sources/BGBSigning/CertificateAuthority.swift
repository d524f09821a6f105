// The site's certificate authority: a P-256 key and a self-signed certificate in a folder, and the
// two kinds of certificate it issues. A request contributes its public key and the proof that its
// maker holds the private half; every name, right and date comes from the caller and the template.

public import BGBModel
import COpenSSL
import Glibc

/// Issues the certificates of one site.
///
/// A value that holds the authority's private key: keep it where signing is done and nowhere else.
public struct CertificateAuthority: Sendable {
  /// The prefix of the URI that names a notification server: then `<site>:<name>`.
  public static let serverURIPrefix = "urn:bgb:server:"
  /// The prefix of the URI in the authority's own certificate: then `<site>`.
  public static let siteURIPrefix = "urn:bgb:site:"
  /// The file of the private key in the authority's folder.
  public static let keyFile = "ca.key"
  /// The file of the certificate in the authority's folder.
  public static let certificateFile = "ca.pem"

  /// The site whose certificates these are.
  public let site: SiteCode
  /// The authority's own certificate in PEM, which agents and servers trust.
  public let certificatePEM: String
  private let keyPEM: [UInt8]
  private let notAfter: WallTime

  /// Makes a key and a certificate of ten years in a folder, which is made when it is missing.
  public static func create(
    site: SiteCode, directory: String, now: WallTime
  ) throws(SigningError) -> CertificateAuthority {
    guard unsafe mkdir(directory, 0o700) == 0 || errno == EEXIST else {
      throw .file(operation: "create", path: directory, errno: errno)
    }
    ERR_clear_error()
    guard let key = unsafe KeyHandle(owning: copenssl_EVP_EC_gen("P-256")) else {
      throw .openSSL()
    }
    let template = CertificateTemplate(
      commonName: "BGB site \(site) CA", uri: siteURIPrefix + site.description, role: .authority,
      notBefore: now.adding(milliseconds: -CertificateTemplate.backdatingMilliseconds),
      notAfter: now.adding(milliseconds: 3_652 * 86_400_000))
    let certificatePEM = unsafe try template.certificate(
      for: key.pointer, issuer: nil, signedBy: key.pointer)
    let keyPEM = try key.privatePEM()
    try SecretFile.create("\(directory)/\(keyFile)", contents: keyPEM.utf8)
    try SecretFile.create(
      "\(directory)/\(certificateFile)", contents: certificatePEM.utf8, mode: 0o644)
    return CertificateAuthority(
      site: site, certificatePEM: certificatePEM, keyPEM: Array(keyPEM.utf8),
      notAfter: template.notAfter)
  }

  /// Reads what `create` wrote, and checks that key and certificate belong together.
  public static func load(directory: String) throws(SigningError) -> CertificateAuthority {
    let keyPath = "\(directory)/\(keyFile)"
    let keyPEM = try SecretFile.read(keyPath, secret: true)
    let certificate = try SecretFile.read("\(directory)/\(certificateFile)", secret: false)
    guard let key = KeyHandle(privatePEM: keyPEM) else {
      ERR_clear_error()
      throw .notAKey(keyPath)
    }
    guard let handle = CertificateHandle(pem: certificate) else {
      ERR_clear_error()
      throw .notACertificate
    }
    guard unsafe X509_check_private_key(handle.pointer, key.pointer) == 1 else {
      ERR_clear_error()
      throw .unusableAuthority("its key and its certificate do not belong together")
    }
    let text = String(decoding: certificate, as: UTF8.self)
    let facts = try CertificateFacts.read(pem: text)
    guard let uri = facts.uris.first, uri.hasPrefix(siteURIPrefix),
      let site = SiteCode(uri.dropFirst(siteURIPrefix.count))
    else { throw .unusableAuthority("its certificate names no site") }
    return CertificateAuthority(
      site: site, certificatePEM: text, keyPEM: keyPEM, notAfter: facts.notAfter)
  }

  /// A client's certificate for the key in a request: common name and URI are the client id.
  public func issueClient(
    _ clientID: ClientID, request: String, days: Int, now: WallTime
  ) throws(SigningError) -> String {
    try issuer().issueClient(clientID, request: request, days: days, now: now)
  }

  /// The authority ready to sign, for as long as one batch takes: reading key and certificate costs
  /// more than a signature.
  public func issuer() throws(SigningError) -> CertificateIssuer {
    guard let key = KeyHandle(privatePEM: keyPEM),
      let certificate = CertificateHandle(pem: Array(certificatePEM.utf8))
    else { throw .openSSL() }
    return CertificateIssuer(key: key, certificate: certificate, notAfter: notAfter)
  }

  /// A notification server's certificate for the key in a request, under these hosts.
  ///
  /// A name has lower-case letters, digits, `.` and `-`, for peers refuse a URI with two spellings;
  /// hosts are DNS names without wildcards, or addresses.
  public func issueServer(
    name: String, hosts: [String], request: String, days: Int, now: WallTime
  ) throws(SigningError) -> String {
    guard CertificateAuthority.isServerName(name) else { throw .badName(name) }
    for host in hosts where !CertificateTemplate.isHost(host) { throw .badName(host) }
    return try issuer().issue(
      commonName: name, uri: serverURI(name: name), role: .server(hosts: hosts), request: request,
      days: days, now: now)
  }

  private static func isServerName(_ name: String) -> Bool {
    let isPlain = name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "."), UInt8(ascii: "-"):
        true
      default: false
      }
    }
    return isPlain && ParameterKind.word(bytesMax: 64).admits(name)
  }

  /// The URI that the certificate of the server with this name bears.
  public func serverURI(name: String) -> String {
    "\(CertificateAuthority.serverURIPrefix)\(site):\(name)"
  }
}

/// An authority's key and certificate, read: lives as long as one request or one batch.
public struct CertificateIssuer: ~Copyable {
  private let key: KeyHandle
  private let certificate: CertificateHandle
  private let notAfter: WallTime

  init(key: consuming KeyHandle, certificate: consuming CertificateHandle, notAfter: WallTime) {
    self.key = key
    self.certificate = certificate
    self.notAfter = notAfter
  }

  /// A client's certificate for the key in a request: common name and URI are the client id.
  public borrowing func issueClient(
    _ clientID: ClientID, request: String, days: Int, now: WallTime
  ) throws(SigningError) -> String {
    try issue(
      commonName: clientID.description, uri: clientID.uri, role: .client, request: request,
      days: days, now: now)
  }

  borrowing func issue(
    commonName: String, uri: String, role: CertificateTemplate.Role, request: String, days: Int,
    now: WallTime
  ) throws(SigningError) -> String {
    guard (1...3_650).contains(days) else { throw .badTerm(days: days) }
    guard now < notAfter else { throw .unusableAuthority("its certificate has ended") }
    let requestHandle = try CertificateRequest.checked(request)
    guard let subjectKey = unsafe X509_REQ_get0_pubkey(requestHandle.pointer) else {
      throw .openSSL()
    }
    // A certificate that outlives its issuer would verify nowhere and only mislead.
    let end = min(now.adding(milliseconds: Int64(days) * 86_400_000), notAfter)
    let template = CertificateTemplate(
      commonName: commonName, uri: uri, role: role,
      notBefore: now.adding(milliseconds: -CertificateTemplate.backdatingMilliseconds),
      notAfter: end)
    return unsafe try template.certificate(
      for: subjectKey, issuer: certificate.pointer, signedBy: key.pointer)
  }
}
