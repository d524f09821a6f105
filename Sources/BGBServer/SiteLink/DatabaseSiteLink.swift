// The way to the site through its database and its inbox folder on the same host.

import BGBModel
import BGBReport
import SiteDatabase
import Synchronization

/// A link of a server that opens the site database itself.
final class DatabaseSiteLink: SiteLink {
  private let store: any SiteStore
  private let inbox: DropBox
  private let serverID = Mutex<ServerID?>(nil)

  /// Joins the database and the inbox.
  init(store: any SiteStore, inbox: DropBox) {
    self.store = store
    self.inbox = inbox
  }

  func register(named name: String, at: WallTime) throws(SiteLinkError) -> SiteRegistration {
    let (site, server) = try ask { () throws(StoreError) in
      (try store.site(), try store.registerServer(named: name, at: at))
    }
    serverID.withLock { $0 = server.serverID }
    return SiteRegistration(
      serverID: server.serverID, epoch: server.epoch, cursor: server.cursor, site: site.code)
  }

  func registerWorker(
    _ number: Int, of server: String, reportKey: [UInt8], at: WallTime
  ) throws(SiteLinkError) -> SiteRegistration {
    let name = ServerRecord.workerName(server, number)
    try ask { () throws(StoreError) in
      let known = try store.servers()
      // Whoever has the server's report key is the server: a worker brings no trust of its own.
      guard let first = known.first(where: { $0.name == server }) else {
        throw .notFound("server '\(server)'")
      }
      guard first.reportKey == reportKey else {
        throw .conflict("the report key is not the one of server '\(server)'")
      }
      guard let mine = known.first(where: { $0.name == name }) else {
        _ = try store.addServer(named: name, reportKey: reportKey, by: "server:\(server)", at: at)
        return
      }
      guard mine.reportKey == reportKey else {
        throw .conflict("the site knows '\(name)' with another report key")
      }
    }
    return try register(named: name, at: at)
  }

  func messages(after cursor: Int64, waitMilliseconds: Int) throws(SiteLinkError)
    -> [BrokerMessage]
  {
    let server = try registered()
    return try ask { () throws(StoreError) in
      try store.messages(
        for: server, after: cursor, limit: 1000, waitMilliseconds: waitMilliseconds)
    }
  }

  func interrupt() {
    if let server = serverID.withLock({ $0 }) { store.interruptWait(of: server) }
  }

  func advance(to cursor: Int64) throws(SiteLinkError) {
    let server = try registered()
    try ask { () throws(StoreError) in try store.advanceCursor(of: server, to: cursor) }
  }

  func task(_ taskID: TaskID) throws(SiteLinkError) -> TaskRecord? {
    try ask { () throws(StoreError) in try store.task(taskID) }
  }

  func targets(of taskID: TaskID) throws(SiteLinkError) -> [TargetRecord] {
    try ask { () throws(StoreError) in try store.targets(ofTask: taskID) }
  }

  func answered(of taskID: TaskID) throws(SiteLinkError) -> [ResourceID] {
    try ask { () throws(StoreError) in try store.answeredTargets(ofTask: taskID) }
  }

  func unexpiredTasks(at: WallTime) throws(SiteLinkError) -> [TaskRecord] {
    try ask { () throws(StoreError) in try store.unexpiredTasks(at: at) }
  }

  func denyList() throws(SiteLinkError) -> Set<ClientID> {
    Set(try ask { () throws(StoreError) in try store.denyList() })
  }

  func policy(of clientID: ClientID, at: WallTime) throws(SiteLinkError) -> PolicyBundle {
    try ask { () throws(StoreError) in
      let policy = try store.effectivePolicy(of: clientID)
      var tasks: [(record: TaskRecord, targets: [TargetRecord])] = []
      for record in try store.policyTasks(of: clientID, at: at) {
        tasks.append((record, try store.targets(ofTask: record.taskID)))
      }
      return PolicyBundle(policy: policy, tasks: tasks)
    }
  }

  func deliver(_ header: ReportHeader, bytes: [UInt8]) throws(SiteLinkError) {
    do {
      try inbox.drop(ReportName(header), bytes)
    } catch {
      throw .away("the inbox does not take the report: \(error)")
    }
  }

  func note(_ drain: ServerDrain) throws(SiteLinkError) {
    let server = try registered()
    try ask { () throws(StoreError) in try store.noteDrain(drain, of: server) }
  }

  func report(_ message: StatusMessage) throws(SiteLinkError) {
    try ask { () throws(StoreError) in try store.addStatusMessage(message) }
  }

  private func registered() throws(SiteLinkError) -> ServerID {
    guard let server = serverID.withLock({ $0 }) else { throw .refused("not registered") }
    return server
  }

  /// Sorts the database's errors into what a server does next.
  private func ask<Answer>(_ question: () throws(StoreError) -> Answer) throws(SiteLinkError)
    -> Answer
  {
    do {
      return try question()
    } catch {
      switch error {
      case .unavailable: throw .away(error.description)
      case .notFound, .conflict, .invalid, .damaged: throw .refused(error.description)
      }
    }
  }
}
