// A client's folder and the servers that its settings name, for the doctor's probes.

import BGBModel
import BGBSigning
import Glibc
import Reactor
import Testing

@testable import BGBAgent

final class DoctorStage {
  let site: TestSite
  let client: (certificate: String, key: String)
  private var peers: [ScriptedPeer] = []
  private var files = 0
  /// Made once: to make them again would change them under a server that is just reading them.
  private var ownFiles: (certificate: String, key: String)?

  init(_ site: TestSite? = nil) throws {
    self.site = try site ?? TestSite()
    client = try self.site.client(testClient)
  }

  deinit { for peer in peers { peer.stop() } }

  func peer(_ script: ScriptedPeer.Script) throws -> ScriptedPeer {
    let peer = try ScriptedPeer(script)
    peers.append(peer)
    return peer
  }

  /// A server of the site, or of another one.
  func server(
    of other: TestSite? = nil, files: (certificate: String, key: String)? = nil,
    _ answers: @escaping ScriptedPeer.Answers = { path in
      .bytes(
        httpAnswer(DoctorStage.view()), afterMilliseconds: path.contains("hold=1") ? 1_000 : 0)
    }
  ) throws -> ScriptedPeer {
    let files = try files ?? (other.map { try $0.server("mp1") } ?? serverFiles())
    return try peer(
      .tls(
        certificate: files.certificate, key: files.key,
        authority: (other ?? site).authorityFile, answers))
  }

  private func serverFiles() throws -> (certificate: String, key: String) {
    if let ownFiles { return ownFiles }
    let made = try site.server("mp1")
    ownFiles = made
    return made
  }

  /// A port where nobody listens.
  func closedPort() throws -> String {
    let listener = try Listener(.loopback(port: 0))
    return listener.boundAddress.description
  }

  /// What a server says of the client.
  static func view(
    blocked: Bool = false, online: Bool = true, aheadMilliseconds: Int64 = 0,
    clientID: ClientID = testClient, site: String = "S01"
  ) -> String {
    let time = WallTime(milliseconds: WallClock.nowMilliseconds() + aheadMilliseconds)
    return
      #"{"clientID":"\#(clientID)","blocked":\#(blocked),"seenFrom":"127.0.0.1","serverID":"1","#
      + #""site":"\#(site)","serverTime":"\#(time)","pollSeconds":300,"online":\#(online),"#
      + #""channel":"tcp","since":"2026-10-01T08:00:00.000Z","reason":"signedIn","session":7,"#
      + #""fallback":"none","channelSince":"2026-10-01T08:00:00.000Z"}"#
  }

  func settings(
    tcp: [String], https: [String], _ more: String = "", code: String = "S01"
  ) -> String {
    let keys = site.folder.write("task.pub", (try? site.key.publicKey.pem()) ?? "")
    files += 1
    return site.folder.write(
      "agent-\(files).yaml",
      """
      management-points: [\(tcp.joined(separator: ", "))]
      https-management-points: [\(https.joined(separator: ", "))]
      certificate: \(client.certificate)
      key: \(client.key)
      ca: \(site.authorityFile)
      task-keys: \(keys)
      site: \(code)
      \(more)
      """)
  }

  /// Runs the doctor.
  func examine(
    _ file: String, hold: UInt32 = 0, timeout: UInt64 = 5_000, environment: [String: String] = [:],
    wall: (@Sendable () -> Int64)? = nil
  ) -> DoctorReport {
    Doctor(
      settingsFile: file,
      options: DoctorOptions(holdSeconds: hold, timeoutMilliseconds: timeout),
      environment: environment, wall: wall ?? TimeSource.system.wall
    ).examine()
  }
}

extension DoctorReport {
  /// The verdicts of a kind of way at a hop.
  func verdicts(_ kind: String, _ hop: DoctorHop) -> [DoctorVerdict] {
    checks.filter { $0.place.kind == kind && $0.hop == hop }.map(\.verdict)
  }

  /// Status words of a kind of way, hop by hop.
  func words(_ kind: String) -> [String] {
    checks.filter { $0.place.kind == kind }.map { "\($0.hop.rawValue) \($0.verdict.word)" }
  }
}
