// Enrolment by command: an administrator brings a name and a certificate request, and gets a
// certificate and what an agent or a server must know of the site. Every right in a certificate
// comes from our own template; of the request only the key and the proof of its possession count.

import BGBModel
import BGBSigning
import SiteDatabase

/// A client to be added.
struct ClientApplication: Hashable, Sendable {
  var name: String
  var tags: [String]
  var request: String
}

/// A server to be added.
struct ServerApplication: Hashable, Sendable {
  var name: String
  var hosts: [String]
  var request: String
  var reportKey: [UInt8]
  /// Its processes; each is a server of its own to the database.
  var workers = 1
}

/// Adds clients and servers and issues their certificates.
struct EnrolmentOffice: Sendable {
  /// The longest name of a client or server: it becomes a folder and a certificate's subject.
  static let nameBytesMax = 64

  let store: any SiteStore
  let authority: CertificateAuthority
  /// The site's public task keys as PEM, for agents.
  let taskKeysPEM: String
  let settings: LiveSettings
  let clock: SiteClock
  let gauges: ManagerGauges

  /// Adds clients, all or none, with a certificate for each.
  func admit(
    _ applications: [ClientApplication], by actor: String
  ) throws(Refusal) -> [JSONValue] {
    var prepared: [(ClientApplication, ClientID, String)] = []
    var names: Set<String> = []
    let now = clock.now()
    var randomness = SystemRandomNumberGenerator()
    let issuer: CertificateIssuer
    do { issuer = try authority.issuer() } catch {
      throw .internal("the authority cannot be used: \(error)")
    }
    for application in applications {
      try EnrolmentOffice.check(name: application.name)
      guard names.insert(application.name).inserted else {
        throw .conflict("the name '\(application.name)' is given twice")
      }
      if try asking({ () throws(StoreError) in try store.client(named: application.name) }) != nil {
        throw .conflict("there is a client '\(application.name)' already")
      }
      let clientID = ClientID(Bits128(random: &randomness))
      let certificate: String
      do {
        certificate = try issuer.issueClient(
          clientID, request: application.request, days: settings.current.clientCertificateDays,
          now: now)
      } catch { throw EnrolmentOffice.refusal(error, name: application.name) }
      prepared.append((application, clientID, certificate))
    }
    let clients = try asking { () throws(StoreError) in
      try store.addClients(
        prepared.map { NewClient(clientID: $0.1, name: $0.0.name, tags: $0.0.tags) },
        by: actor, at: now)
    }
    gauges.add(.certificatesIssued, clients.count)
    return zip(clients, prepared).map { client, application in
      .members([
        "client": client.json, "certificate": .text(application.2),
        "ca": .text(authority.certificatePEM), "taskKeys": .text(taskKeysPEM),
        "siteCode": .text("\(authority.site)"),
      ])
    }
  }

  /// Adds a notification server.
  func admit(_ application: ServerApplication, by actor: String) throws(Refusal) -> JSONValue {
    try EnrolmentOffice.check(name: application.name)
    guard PublicKey(rawValue: application.reportKey) != nil else {
      throw .outOfBounds("reportKey", bounds: "the 32 bytes of an Ed25519 key in base64")
    }
    let servers = try asking { () throws(StoreError) in try store.servers() }
    let names = (1...max(1, application.workers)).map {
      ServerRecord.workerName(application.name, $0)
    }
    for name in names where servers.contains(where: { $0.name == name }) {
      throw .conflict("there is a server '\(name)' already")
    }
    let now = clock.now()
    let certificate: String
    do {
      certificate = try authority.issueServer(
        name: application.name, hosts: application.hosts, request: application.request,
        days: settings.current.serverCertificateDays, now: now)
    } catch { throw EnrolmentOffice.refusal(error, name: application.name) }
    let server = try asking { () throws(StoreError) in
      let first = try store.addServer(
        named: application.name, reportKey: application.reportKey, by: actor, at: now)
      // What is missing after a failure in between, the workers add themselves when they start.
      for name in names.dropFirst() {
        _ = try store.addServer(named: name, reportKey: application.reportKey, by: actor, at: now)
      }
      return first
    }
    gauges.add(.certificatesIssued, 1)
    return .members([
      "server": server.json, "certificate": .text(certificate),
      "ca": .text(authority.certificatePEM), "siteCode": .text("\(authority.site)"),
    ])
  }

  /// A name becomes a folder, and must not be taken for an identity where either may stand.
  private static func check(name: String) throws(Refusal) {
    let isWord = ParameterKind.word(bytesMax: nameBytesMax).admits(name)
    guard isWord, ClientID(name.lowercased()) == nil else {
      throw .badName(
        name,
        hint: "Use letters, digits, '.', '_' and '-', at most \(nameBytesMax), not a UUID.")
    }
  }

  private static func refusal(_ error: SigningError, name: String) -> Refusal {
    switch error {
    case .request: .badCertificateRequest("\(name): \(error)")
    case .badName: .badName(name, hint: "\(error)")
    case .file, .openToOthers, .notAKey, .notACertificate, .badTerm, .unusableAuthority, .library:
      .internal("the certificate for \(name) cannot be issued: \(error)")
    }
  }
}
