// Notification servers: listing, and enrolment by command.

import BGBModel
import SiteDatabase

extension SiteAdministration {
  /// Host names of one server at most.
  static let hostsMax = 32

  var serverRoutes: [Route] {
    [
      Route(.get, "/v1/servers") { _ throws(Refusal) in
        let servers = try asking { () throws(StoreError) in try store.servers() }
        return .json(200, .members(["items": .list(servers.map(\.json)), "next": .null]))
      },
      Route(.post, "/v1/servers") { call throws(Refusal) in try addServer(call) },
    ]
  }

  private func addServer(_ call: Call) throws(Refusal) -> Answer {
    let fields = try RequestFields(
      call.body, known: ["name", "hosts", "csr", "reportKey", "workers"])
    let keyText = try fields.text("reportKey", bytesMax: 64)
    guard let key = Base64.decode(keyText) else {
      throw .outOfBounds("reportKey", bounds: "the 32 bytes of an Ed25519 key in base64")
    }
    let application = ServerApplication(
      name: try fields.text("name", bytesMax: 255),
      hosts: try fields.texts("hosts", countMax: SiteAdministration.hostsMax, bytesMax: 253),
      request: try fields.text("csr", bytesMax: SiteAdministration.requestBytesMax),
      reportKey: key,
      workers: Int(
        try fields.number("workers", in: 1...Int64(Limits.workersMax), default: 1)))
    guard !application.hosts.isEmpty else { throw .missingField("hosts") }
    return .json(201, try enrolment.admit(application, by: call.actor))
  }
}
