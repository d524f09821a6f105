import BGBModel
import SiteDatabase
import Testing

@Suite struct Smoke {
  @Test(arguments: Backend.allCases) func line(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(10)
    let server = try site.addServer()
    let operation = try site.start(site.request())
    #expect(operation.counts[.queued] == 10)
    let messages = try site.store.messages(
      for: server.serverID, after: server.cursor, limit: 10, waitMilliseconds: 0)
    #expect(messages.map(\.content) == [.push(operation.taskID)])
    #expect(
      try site.report(
        server,
        [
          site.outcome(1, operation.taskID, .pushed), site.outcome(1, operation.taskID, .succeeded),
          site.outcome(99, operation.taskID, .succeeded),
        ]) == .imported(records: 2, operations: [operation.operationID]))
    let counts = try site.checkedCounts(operation.operationID)
    #expect(counts[.succeeded] == 1 && counts[.queued] == 9)
    _ = try site.store.importPresence(
      site.header(.presence, server, scope: .full), [site.presence(3)], at: time(10))
    #expect(try site.isOnline(3) == true)
  }
}
