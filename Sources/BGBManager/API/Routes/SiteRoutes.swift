// The site itself, who is online in it, and what can be done to clients.

import BGBModel
import SiteDatabase

extension SiteAdministration {
  var siteRoutes: [Route] {
    [
      Route(.get, "/v1/site") { _ throws(Refusal) in try showSite() },
      Route(.get, "/v1/actions") { _ throws(Refusal) in
        .json(200, .members(["items": .list(ClientAction.allCases.map(\.json)), "next": .null]))
      },
      Route(.get, "/v1/presence") { _ throws(Refusal) in try showPresence() },
    ]
  }

  private func showSite() throws(Refusal) -> Answer {
    let site = try asking { () throws(StoreError) in try store.site() }
    return .json(
      200,
      .members([
        "code": .text("\(site.code)"), "name": .text(site.name),
        "taskKeys": .texts(site.taskKeys.map { Base64.encode($0) }),
        "version": .text(SiteAdministration.version),
      ]))
  }

  private func showPresence() throws(Refusal) -> Answer {
    let now = clock.now()
    let everybody = OperationRequest.Target.collection(CollectionRecord.allSystems)
    let total = try asking { () throws(StoreError) in try store.onlineCount(among: everybody) }
    let servers = try asking { () throws(StoreError) in try store.servers() }
    let counts = try asking { () throws(StoreError) in try store.onlineByChannel() }
    let channels = ChannelKind.allCases.map { channel in
      JSONValue.Member(
        name: channel.name,
        value: .count(counts.filter { $0.channel == channel }.reduce(0) { $0 + $1.online }))
    }
    let shown = servers.map { server -> JSONValue in
      .members([
        "serverID": .count(server.serverID.rawValue), "name": .text(server.name),
        "online": .count(server.onlineCount), "lastReport": .moment(server.lastReport),
        "ageSeconds": server.lastReport.map { .count(max(0, now.since($0)) / 1000) } ?? .null,
      ])
    }
    return .json(
      200,
      .members([
        "online": .count(total.online), "total": .count(total.targets),
        "channels": .object(channels),
        "fallbacks": .object(
          counts.filter { $0.channel == .https }.map {
            .init(name: $0.fallback.name, value: .count($0.online))
          }),
        "servers": .list(shown),
      ]))
  }
}
