// Contract: operations. Snapshots stand, counters add up, and every target ends.

import BGBModel
import SiteDatabase
import Testing

@Suite("Contract: operations") struct OperationContractTests {
  @Test(arguments: Backend.allCases) func theSnapshotStands(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(4)
    try site.store.setBlocked(true, clientID(3), by: "ann", at: time(0))
    var calls = 0
    var seen: [TargetRecord] = []
    let request = site.request()
    let operation = try site.store.startOperation(request, at: time(0)) {
      (targets) throws(StoreError) in
      calls += 1
      seen = targets
      return site.signed(request, task: taskID(9), targets: targets.count)
    }
    #expect(calls == 1)
    #expect(seen.map(\.clientID) == [clientID(1), clientID(2), clientID(4)])
    #expect(operation.taskID == taskID(9) && operation.targetName == "All Systems")
    #expect(operation.requestedBy == "local:ann" && operation.createdAt == time(0))
    #expect(operation.expiresAt == time(3600) && operation.state == .active)
    try site.store.setBlocked(false, clientID(3), by: "ann", at: time(1))
    _ = try site.store.addClient(clientID(5), name: "pc-5", tags: [], by: "ann", at: time(1))
    #expect(try site.store.targets(ofTask: taskID(9)) == seen)
    #expect(try site.checkedCounts(operation.operationID) == OutcomeCounts(queued: 3))
    #expect(try site.store.operation(operation.operationID) == operation)
    #expect(try site.store.operation(ofTask: taskID(9)) == operation)
    let task = try site.store.task(taskID(9))
    #expect(task?.signed == site.signed(request, task: taskID(9), targets: 3))
    #expect(task?.deliverBefore == time(3600) && task?.isCancelled == false)
    let audit = try site.store.auditRecords(before: nil, limit: 9)
    #expect(audit.contains { $0.action == "operation.start" && $0.actor == "local:ann" })
  }

  @Test(arguments: Backend.allCases) func nothingHappensWhenSigningFails(_ backend: Backend) throws
  {
    let site = try StoreUnderTest(backend)
    try site.addClients(1)
    let server = try site.addServer()
    let lines = try site.store.auditRecords(before: nil, limit: 99).count
    let request = site.request(key: "k")
    #expect(throws: StoreError.invalid("no key")) {
      try site.store.startOperation(request, at: time(0)) { _ throws(StoreError) in
        throw .invalid("no key")
      }
    }
    #expect(try site.store.operations(before: nil, limit: 9).isEmpty)
    #expect(try site.store.auditRecords(before: nil, limit: 99).count == lines)
    let messages = try site.store.messages(
      for: server.serverID, after: 0, limit: 9, waitMilliseconds: 0)
    #expect(messages.isEmpty)
    try site.start(request)
  }

  @Test(arguments: Backend.allCases) func wrongStatementsAreRefused(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(2)
    func start(_ signed: SignedTask) throws {
      _ = try site.store.startOperation(site.request(), at: time(0)) { _ throws(StoreError) in
        signed
      }
    }
    #expect(throws: StoreError.self) { try start(SignedTask(statement: [1, 2], signature: [])) }
    #expect(throws: StoreError.self) {
      try start(site.signed(site.request(), task: taskID(1), targets: 3))
    }
    #expect(throws: StoreError.self) {
      try start(site.signed(site.request(.fullScan), task: taskID(1), targets: 2))
    }
    try start(site.signed(site.request(), task: taskID(1), targets: 2))
    #expect(throws: StoreError.conflict("there is a task \(taskID(1)) already")) {
      try start(site.signed(site.request(), task: taskID(1), targets: 2))
    }
    #expect(try site.store.operations(before: nil, limit: 9).count == 1)
  }

  @Test(arguments: Backend.allCases) func anEmptyTargetIsRefused(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    #expect(throws: StoreError.invalid("nobody is a target of the operation")) {
      try site.start(site.request())
    }
    try site.addClients(1)
    try site.store.setBlocked(true, clientID(1), by: "ann", at: time(0))
    #expect(throws: StoreError.invalid("nobody is a target of the operation")) {
      try site.start(site.request(on: .clients([clientID(1)])))
    }
    #expect(throws: StoreError.notFound("collection 'nope'")) {
      try site.start(site.request(on: .collection("nope")))
    }
    #expect(throws: StoreError.notFound("client \(clientID(2))")) {
      try site.start(site.request(on: .clients([clientID(2)])))
    }
  }

  @Test(arguments: Backend.allCases) func aRepeatedKeyBeginsNothing(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(3)
    let first = try site.start(site.request(key: "click-1"))
    _ = try site.store.addClient(clientID(9), name: "new", tags: [], by: "ann", at: time(1))
    #expect(try site.start(site.request(key: "click-1"), at: time(5)) == first)
    #expect(try site.store.operations(before: nil, limit: 9).count == 1)
    #expect(throws: StoreError.conflict("the idempotency key was used for another operation")) {
      try site.start(site.request(.fullScan, key: "click-1"))
    }
    #expect(try site.start(site.request(key: "click-2")).operationID != first.operationID)
    try site.start(site.request())
    try site.start(site.request())
    #expect(try site.store.operations(before: nil, limit: 9).count == 4)
  }

  @Test(arguments: Backend.allCases) func pagesOfOperations(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(1)
    let all = try (0..<5).map { _ in try site.start(site.request()) }
    let newest = try site.store.operations(before: nil, limit: 2)
    #expect(newest == [all[4], all[3]])
    let older = try site.store.operations(before: newest.last?.operationID, limit: 9)
    #expect(older == [all[2], all[1], all[0]])
    #expect(try site.store.operation(OperationID(99)) == nil)
    #expect(try site.store.operation(ofTask: taskID(99)) == nil)
    #expect(try site.store.task(taskID(99)) == nil)
    #expect(throws: StoreError.notFound("task \(taskID(99))")) {
      try site.store.targets(ofTask: taskID(99))
    }
    #expect(throws: StoreError.notFound("operation 99")) {
      try site.store.targets(of: OperationID(99), in: nil, after: nil, limit: 1)
    }
  }

  @Test(arguments: Backend.allCases) func newsMovesTheCounters(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(6)
    let server = try site.addServer()
    let operation = try site.start(site.request())
    let task = operation.taskID
    try site.report(
      server,
      [
        site.outcome(1, task, .pushed), site.outcome(2, task, .delivered, at: time(6)),
        site.outcome(3, task, .started), site.outcome(4, task, .failed, code: -7, text: "no disk"),
        site.outcome(5, task, .rejected, code: 4),
      ])
    var counts = try site.checkedCounts(operation.operationID)
    #expect(counts[.queued] == 1 && counts[.pushed] == 1 && counts.final == 2)
    #expect(counts.delivered == 4)
    // Late and repeated news change nothing.
    try site.report(
      server,
      [
        site.outcome(2, task, .pushed, pushes: 4), site.outcome(4, task, .succeeded),
        site.outcome(3, task, .started, at: time(9)),
      ])
    #expect(try site.checkedCounts(operation.operationID) == counts)
    let page = try site.store.targets(of: operation.operationID, in: nil, after: nil, limit: 99)
    #expect(page[1].outcome.state == .delivered && page[1].pushes == 4)
    #expect(page[1].outcome.at == time(6) && page[1].name == "pc-2")
    #expect(page[3].outcome.code == -7 && page[3].outcome.text == "no disk")
    #expect(page[5].outcome.state == .queued && page[5].outcome.at == time(0))
    #expect(
      try site.store.answeredTargets(ofTask: task)
        == [page[1], page[2], page[3], page[4]].map(\.resourceID))
    try site.report(
      server,
      [1, 2, 3, 6].map { site.outcome($0, task, .succeeded) })
    counts = try site.checkedCounts(operation.operationID)
    #expect(counts[.succeeded] == 4 && counts.final == 6)
    #expect(try site.store.operation(operation.operationID)?.state == .completed)
  }

  @Test(arguments: Backend.allCases) func timeEndsTheUndelivered(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(5)
    let server = try site.addServer()
    let operation = try site.start(site.request())
    let (task, id) = (operation.taskID, operation.operationID)
    try site.report(
      server,
      [
        site.outcome(1, task, .pushed), site.outcome(2, task, .delivered),
        site.outcome(3, task, .started), site.outcome(4, task, .succeeded),
      ])
    #expect(try site.store.unexpiredTasks(at: time(3599.999)).map(\.taskID) == [task])
    #expect(try site.store.unexpiredTasks(at: time(3600)).isEmpty)
    #expect(try site.store.closeOverdue(at: time(3599.999)) == [])
    #expect(try site.store.closeOverdue(at: time(3600)) == [id])
    var counts = try site.checkedCounts(id)
    #expect(counts[.expired] == 2 && counts[.delivered] == 1 && counts[.started] == 1)
    #expect(try site.store.closeOverdue(at: time(3600)) == [], "it is idempotent")
    #expect(try site.store.answeredTargets(ofTask: task).count == 5)
    let close = site.closeAt(site.request())
    #expect(try site.store.closeOverdue(at: close.adding(milliseconds: -1)) == [])
    #expect(try site.store.operation(id)?.state == .active)
    #expect(try site.store.closeOverdue(at: close) == [id])
    counts = try site.checkedCounts(id)
    #expect(counts[.unknown] == 2 && counts.final == 5)
    #expect(try site.store.operation(id)?.state == .completed)
    #expect(try site.store.closeOverdue(at: WallTime(milliseconds: .max)) == [])
    // A real result replaces what the site assumed; nothing else does.
    try site.report(
      server,
      [
        site.outcome(1, task, .delivered), site.outcome(2, task, .succeeded),
        site.outcome(5, task, .failed, code: 1), site.outcome(3, task, .started),
      ])
    counts = try site.checkedCounts(id)
    #expect(counts[.succeeded] == 2 && counts[.failed] == 1)
    #expect(counts[.expired] == 1 && counts[.unknown] == 1)
  }

  @Test(arguments: Backend.allCases) func oneLateCallEndsEverything(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(3)
    let server = try site.addServer()
    let operation = try site.start(site.request())
    try site.report(server, [site.outcome(1, operation.taskID, .deferred)])
    #expect(
      try site.store.closeOverdue(at: WallTime(milliseconds: .max)) == [operation.operationID])
    let counts = try site.checkedCounts(operation.operationID)
    #expect(counts[.expired] == 2 && counts[.unknown] == 1)
    #expect(try site.store.closeOverdue(at: WallTime(milliseconds: .min)) == [])
  }

  @Test(arguments: Backend.allCases) func cancelIsHonest(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(4)
    let server = try site.addServer()
    let operation = try site.start(site.request())
    let (task, id) = (operation.taskID, operation.operationID)
    try site.report(server, [site.outcome(1, task, .started), site.outcome(2, task, .pushed)])
    let cancelled = try site.store.cancelOperation(id, by: "ann", at: time(20))
    #expect(cancelled.state == .cancelled && cancelled.counts[.cancelled] == 3)
    #expect(try site.checkedCounts(id)[.started] == 1)
    #expect(try site.store.cancelOperation(id, by: "ann", at: time(21)) == cancelled)
    #expect(try site.store.unexpiredTasks(at: time(22)).isEmpty)
    #expect(try site.store.task(task)?.isCancelled == true)
    let messages = try site.store.messages(
      for: server.serverID, after: server.cursor, limit: 9, waitMilliseconds: 0)
    #expect(messages.map(\.content) == [.push(task), .cancel(task)])
    // Its start was under way when the operator cancelled: the result is told, not hidden.
    try site.report(
      server,
      [
        site.outcome(1, task, .succeeded), site.outcome(2, task, .failed, code: 1),
        site.outcome(3, task, .delivered), site.outcome(4, task, .cancelled),
      ])
    let counts = try site.checkedCounts(id)
    #expect(counts[.succeeded] == 1 && counts[.failed] == 1 && counts[.cancelled] == 2)
    #expect(try site.store.operation(id)?.state == .cancelled)
    #expect(throws: StoreError.notFound("operation 9")) {
      try site.store.cancelOperation(OperationID(9), by: "ann", at: time(0))
    }
    let ended = try site.start(site.request())
    _ = try site.store.closeOverdue(at: WallTime(milliseconds: .max))
    #expect(throws: StoreError.conflict("operation \(ended.operationID) has ended")) {
      try site.store.cancelOperation(ended.operationID, by: "ann", at: time(9999))
    }
  }

  @Test(arguments: Backend.allCases) func historyTellsEachStateOnce(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(3)
    let server = try site.addServer()
    let operation = try site.start(site.request(on: .clients([clientID(1), clientID(2)])))
    let task = operation.taskID
    try site.report(server, [site.outcome(1, task, .pushed, at: time(2))], at: time(10))
    try site.report(
      server,
      [
        site.outcome(1, task, .delivered, at: time(3)), site.outcome(1, task, .pushed, at: time(4)),
        site.outcome(1, task, .succeeded, text: "done", at: time(8)),
      ], at: time(20))
    let steps = try site.store.history(ofTask: task, client: clientID(1))
    #expect(steps.map(\.outcome.state) == [.pushed, .delivered, .succeeded])
    #expect(steps.map(\.outcome.at) == [time(2), time(3), time(8)])
    #expect(steps.map(\.importedAt) == [time(10), time(20), time(20)])
    #expect(steps.allSatisfy { $0.serverID == server.serverID })
    #expect(steps.last?.outcome.text == "done")
    #expect(try site.store.history(ofTask: task, client: clientID(2)) == [])
    _ = try site.store.closeOverdue(at: time(4000))
    let expired = try site.store.history(ofTask: task, client: clientID(2))
    #expect(expired.map(\.outcome.state) == [.expired] && expired[0].serverID == nil)
    #expect(expired[0].outcome.at == time(3600))
    #expect(try site.store.history(ofTask: task, client: clientID(3)) == [], "no target")
  }
}
