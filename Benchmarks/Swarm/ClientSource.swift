// Where a swarm's clients come from: the folders that `bgb client add --count` made, or the one file
// of `--packed`. Either way a client's credentials are read when it connects and held by nobody.

import BGBAgent
import BGBModel
import BGBSigning
import Reactor

/// Clients by number.
enum ClientSource: Sendable {
  /// A folder for each, in the order of their names.
  case folders(String, [String])
  /// One file, with `ca.pem` and `task.pub` beside it.
  case fleet(FleetFile, folder: String)

  /// Opens a fleet's file.
  static func fleet(path: String) throws(SwarmError) -> ClientSource {
    let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    do throws(SigningError) {
      return .fleet(try FleetFile(path: path), folder: folder)
    } catch {
      throw SwarmError(description: "\(error)")
    }
  }

  /// Looks for clients in a folder.
  static func folders(path: String) throws(SwarmError) -> ClientSource {
    do throws(Errno) {
      let names = try Folder.names(in: path).filter { name in
        (try? Folder.read("\(path)/\(name)/client.crt", limit: 1 << 16)) != nil
      }
      return .folders(path, names)
    } catch {
      throw SwarmError(description: "\(path): \(error)")
    }
  }

  /// How many there are.
  var count: Int {
    switch self {
    case .folders(_, let names): names.count
    case .fleet(let file, _): file.count
    }
  }

  /// The place of things that belong to all clients.
  var folder: String {
    switch self {
    case .folders(let path, _): path
    case .fleet(_, let folder): folder
    }
  }

  /// Which client a number is, and its name.
  func client(_ number: Int) throws(SwarmError) -> (clientID: ClientID, name: String) {
    switch self {
    case .folders(let path, let names):
      guard let pem = ClientSource.text("\(path)/\(names[number])/client.crt"),
        let facts = try? CertificateFacts.read(pem: pem), let client = facts.clientID
      else { throw SwarmError(description: "\(names[number])/client.crt names no client") }
      return (client, names[number])
    case .fleet(let file, _):
      guard let member = file.member(number) else {
        throw SwarmError(description: "the fleet's client \(number) cannot be read")
      }
      return (member.clientID, member.name)
    }
  }

  /// What the loop reads credentials by.
  func agentFleet() -> AgentFleet {
    let source = self
    return AgentFleet(authorityFile: companion("ca.pem")) { number in
      source.credentials(Int(number))
    }
  }

  private func credentials(_ number: Int) -> (certificate: [UInt8], key: [UInt8])? {
    switch self {
    case .folders(let path, let names):
      guard
        let certificate = try? Folder.read("\(path)/\(names[number])/client.crt", limit: 65_536),
        let key = try? Folder.read("\(path)/\(names[number])/client.key", limit: 65_536)
      else { return nil }
      return (certificate, key)
    case .fleet(let file, _):
      return file.member(number).map { ($0.certificate, $0.key) }
    }
  }

  private func companion(_ name: String) -> String {
    switch self {
    case .folders(let path, let names): "\(path)/\(names.first ?? "")/\(name)"
    case .fleet(_, let folder): "\(folder)/\(name)"
    }
  }

  /// The site and the keys that sign its tasks.
  func site() throws(SwarmError) -> (site: SiteCode, key: PublicKey) {
    let authority = companion("ca.pem")
    guard let ca = ClientSource.text(authority), let facts = try? CertificateFacts.read(pem: ca),
      let site = facts.uris.first.flatMap({ SiteCode($0.split(separator: ":").last ?? "") })
    else { throw SwarmError(description: "\(authority) names no site") }
    guard let key = try? PublicKey(pemFile: companion("task.pub")) else {
      throw SwarmError(description: "\(companion("task.pub")) is no public key")
    }
    return (site, key)
  }

  private static func text(_ path: String) -> String? {
    (try? Folder.read(path, limit: 1 << 20)).flatMap { String(validating: $0, as: UTF8.self) }
  }
}
