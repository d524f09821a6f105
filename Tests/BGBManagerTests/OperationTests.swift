// Starting, signing, verifying, telling the story: the parts of an operation without a socket.

import BGBModel
import BGBSigning
import SiteDatabase
import Testing

@testable import BGBManager

@Suite("Operations")
struct OperationTests {
  let site: TestSite
  let office: TaskOffice

  init() throws {
    site = try TestSite()
    office = TaskOffice(
      store: site.store, site: site.code, key: site.key, clock: site.clock.hand)
  }

  private func request(
    _ action: ClientAction = .quickScan, parameters: [(String, String)] = [], spread: UInt32 = 0,
    key: String? = nil
  ) -> OperationRequest {
    OperationRequest(
      action: action,
      parameters: ActionParameters(
        parameters.map { ActionParameters.Value(name: $0.0, text: $0.1) }),
      target: .collection(CollectionRecord.allSystems), validityMilliseconds: 3_600_000,
      spreadSeconds: spread, ratePerSecond: 0, requestedBy: "local:root", idempotencyKey: key)
  }

  @Test("What is signed is exactly what was chosen: every target proves itself, nobody else can")
  func signedTargets() throws {
    let clients = try site.addClients(5)
    try site.store.setBlocked(true, clients[2], by: "test", at: site.clock.now)
    let summary = try office.start(request(spread: 600)).summary
    #expect(summary.counts.total == 4 && summary.counts[.queued] == 4)
    let task = try #require(try site.store.task(summary.taskID))
    let statement = try TaskSignature.verify(task.signed, keys: [site.key.publicKey])
    let targets = try site.store.targets(ofTask: summary.taskID)
    #expect(Int(statement.targetCount) == 4 && !targets.map(\.clientID).contains(clients[2]))
    let tree = MerkleTree(leaves: targets.map(\.clientID))
    for (index, target) in targets.enumerated() {
      func admit(_ client: ClientID) throws -> TaskStatement {
        try TaskCheck.admit(
          task: task.signed, leafIndex: UInt32(index), path: tree.path(at: index),
          keys: [site.key.publicKey], site: site.code, client: client, now: site.clock.now)
      }
      #expect(try admit(target.clientID).taskID == summary.taskID)
      #expect(throws: TaskRejection.notTarget) { try admit(clients[2]) }
    }
  }

  @Test("Deadlines: delivery ends with the validity, starting after the spread")
  func deadlines() throws {
    _ = try site.addClients(1)
    let summary = try office.start(request(spread: 600)).summary
    let task = try #require(try site.store.task(summary.taskID))
    let statement = try TaskStatement(decoding: task.signed.statement)
    #expect(statement.notBefore == site.clock.now)
    #expect(statement.deliverBefore.since(site.clock.now) == 3_600_000)
    #expect(statement.startBefore.since(statement.deliverBefore) == 600_000)
    #expect(summary.expiresAt == statement.deliverBefore)
  }

  @Test("Parameters outside the table never reach a signature")
  func parameters() throws {
    _ = try site.addClients(1)
    let wrong: [(ClientAction, [(String, String)])] = [
      (.quickScan, [("path", "/tmp")]), (.excludePath, []), (.excludePath, [("path", "tmp")]),
      (.excludePath, [("path", "/a/../b")]), (.allowThreat, [("threat", "a b")]),
      (.restart, [("delay-seconds", "86401")]), (.siteDefined, [("name", "-rf")]),
    ]
    for (action, values) in wrong {
      let refusal = #expect(throws: Refusal.self) {
        try office.start(request(action, parameters: values))
      }
      #expect(refusal?.number == 2006, "\(action) \(values)")
    }
    #expect(try site.store.operations(before: nil, limit: 10).isEmpty)
    #expect(try office.start(request(.excludePath, parameters: [("path", "/srv/x")])).isNew)
  }

  @Test("No targets, no operation")
  func empty() throws {
    let refusal = #expect(throws: Refusal.self) { try office.start(request()) }
    #expect(refusal?.status == 400)
  }

  @Test("Twice with one key is one operation, and says which of the two began it")
  func idempotent() throws {
    _ = try site.addClients(1)
    let (first, second) = (
      try office.start(request(key: "k")), try office.start(request(key: "k"))
    )
    #expect(first.isNew && !second.isNew && first.summary == second.summary)
  }

  @Test("Every action has a run time that an agent can keep")
  func runTimes() {
    for action in ClientAction.allCases {
      #expect((60...86_400).contains(action.runSeconds(with: .none)), "\(action)")
    }
    let delayed = ActionParameters([.init(name: "delay-seconds", text: "86400")])
    #expect(ClientAction.restart.runSeconds(with: delayed) == 87_000)
  }

  // MARK: Verification

  private func checks(_ operationID: OperationID) throws -> [String: Bool] {
    let checks = try OperationVerification(store: site.store, clock: site.clock.hand)
      .checks(of: operationID)
    return Dictionary(
      uniqueKeysWithValues: try #require(checks).map { ($0.name, $0.isRight) })
  }

  @Test("A sound operation passes every check, before and after its deadline")
  func sound() throws {
    let clients = try site.addClients(7)
    let summary = try site.start()
    let server = try site.addServer()
    _ = try site.store.importOutcomes(
      server.header(.outcomes, sequence: 1),
      [
        OutcomeRecord(
          clientID: clients[0], pushes: 1,
          outcome: TaskOutcome(taskID: summary.taskID, state: .succeeded, at: site.clock.now))
      ], at: site.clock.now)
    #expect(try !checks(summary.operationID).values.contains(false))
    site.clock.advance(milliseconds: 3_600_000 + Limits.outcomeGraceMilliseconds)
    // Nobody has swept yet: that is what the check must see.
    #expect(try checks(summary.operationID)["final-by-deadline"] == false)
    _ = try site.store.closeOverdue(at: site.clock.now)
    let after = try checks(summary.operationID)
    #expect(!after.values.contains(false), "\(after)")
    let counts = try #require(try site.store.operation(summary.operationID)).counts
    #expect(counts[.expired] == 6 && counts[.succeeded] == 1 && counts.total == 7)
  }

  @Test("A signature by a key that is not the site's is found")
  func wrongKey() throws {
    _ = try site.addClients(2)
    let other = TaskOffice(
      store: site.store, site: site.code, key: try SigningKey.generate(),
      clock: site.clock.hand)
    let summary = try other.start(request()).summary
    #expect(try checks(summary.operationID)["signature"] == false)
  }

  // MARK: The story

  @Test("A story is in the order of time, names who said what, and counts each report once")
  func story() throws {
    let clients = try site.addClients(1)
    let summary = try site.start()
    let server = try site.addServer("mp7")
    let begin = site.clock.now
    let states: [TaskState] = [.pushed, .delivered, .succeeded]
    let records = states.enumerated().map { index, state in
      OutcomeRecord(
        clientID: clients[0], pushes: 1,
        outcome: TaskOutcome(
          taskID: summary.taskID, state: state,
          at: begin.adding(milliseconds: Int64(index + 1) * 10)))
    }
    site.clock.advance(milliseconds: 100)
    let header = server.header(.outcomes, sequence: 1)
    site.clock.advance(milliseconds: 5)
    _ = try site.store.importOutcomes(header, records, at: site.clock.now)
    let steps = TaskStory.steps(
      of: summary,
      history: try site.store.history(ofTask: summary.taskID, client: clients[0]),
      serverNames: [server.record.serverID: "mp7"])
    #expect(
      steps.map(\.what) == [
        "created", "pushed", "delivered", "succeeded", "reported", "imported",
      ])
    #expect(
      steps.map(\.component) == ["site", "mp7", "agent", "agent", "mp7", "manager"])
    let pauses = TaskStory.json(steps).compactMap {
      $0["sincePreviousMilliseconds"]?.integerValue
    }
    #expect(pauses == [0, 10, 10, 10, 70, 5])
  }
}
