// kill -9 between the steps of the main job: nothing is lost, nothing is done twice. Each test
// stops the line at one step (a stopped process, an inbox that is away), crashes a program there,
// starts it again and counts what really ran on the agents.

import Foundation
import Glibc
import Testing

@Suite(.serialized) struct CrashTests {
  private func stage(_ names: [String] = ["pc1"]) throws -> Stage {
    let stage = try Stage()
    try stage.startServer()
    try stage.addClients(names)
    for name in names { try stage.startAgent(name) }
    try stage.waitOnline(names.count)
    return stage
  }

  private func mark(_ stage: Stage) throws -> Int {
    try stage.start("site-defined", ["--collection", "All Systems", "--param", "name=mark"])
  }

  private func expectDone(_ stage: Stage, _ operation: Int, _ names: [String] = ["pc1"]) throws {
    try eventually("every outcome is in the database") {
      try stage.counts(operation)["succeeded"] == names.count
    }
    for name in names { #expect(stage.runCount(name) == 1) }
    try stage.verify(operation)
  }

  @Test func serverDiesBeforeItSeesTheTask() throws {
    let stage = try stage()
    stage.crashServer()
    let operation = try mark(stage)
    try stage.startServer()
    try expectDone(stage, operation)
  }

  @Test func serverDiesBetweenPushAndAcknowledgement() throws {
    let stage = try stage()
    stage.agent("pc1")?.signal(SIGSTOP)
    let operation = try mark(stage)
    try eventually("the push is written") { try stage.metric("pushes_total") == 1 }
    stage.crashServer()
    try stage.startServer()
    stage.agent("pc1")?.signal(SIGCONT)
    try expectDone(stage, operation)
  }

  @Test func serverDiesBetweenAcknowledgementAndReport() throws {
    let stage = try stage()
    let inbox = stage.path("inbox/bgb.box")
    try FileManager.default.moveItem(atPath: inbox, toPath: inbox + ".away")
    let operation = try mark(stage)
    // The final one: an agent under load says `started` first, and dies here with its end untold.
    try eventually("the outcome is confirmed") {
      try stage.metric("outcomes_final_total") >= 1 && stage.metric("outcomes_unstored") == 0
    }
    stage.crashServer()
    // The agent may forget now: only the server's journal knows.
    stage.agent("pc1")?.crash()
    try FileManager.default.moveItem(atPath: inbox + ".away", toPath: inbox)
    try stage.startServer()
    try expectDone(stage, operation)
  }

  @Test func serverDiesBetweenReportAndImport() throws {
    let stage = try stage()
    let operation = try mark(stage)
    try eventually("the action ran") { stage.runCount("pc1") == 1 }
    stage.crashManager()
    try eventually("a report may lie in the inbox") {
      try stage.metric("outcomes_unstored") == 0
    }
    stage.crashServer()
    try stage.startServer()
    try stage.startManager()
    try expectDone(stage, operation)
  }

  @Test func managerDiesAgainAndAgainWhileOutcomesComeIn() throws {
    let names = ["pc1", "pc2", "pc3", "pc4"]
    let stage = try stage(names)
    var operations: [Int] = []
    for _ in 0..<4 {
      operations.append(try mark(stage))
      stage.crashManager()
      try stage.startManager()
    }
    for operation in operations {
      try eventually("all outcomes of operation \(operation)") {
        try stage.counts(operation)["succeeded"] == names.count
      }
      try stage.verify(operation)
    }
    for name in names { #expect(stage.runCount(name) == operations.count) }
  }

  @Test func agentDiesBeforeItsOutcomeIsStored() throws {
    let stage = try stage()
    stage.server?.signal(SIGSTOP)
    let operation = try mark(stage)
    stage.server?.signal(SIGCONT)
    try eventually("the action ran") { stage.runCount("pc1") == 1 }
    stage.agent("pc1")?.crash()
    try stage.startAgent("pc1")
    // Killed between the action's last act and the journal's word for it, the agent cannot know.
    try eventually("an outcome is in the database") {
      let counts = try stage.counts(operation)
      return ["succeeded", "failed", "unknown"].reduce(0) { $0 + (counts[$1] ?? 0) } == 1
    }
    #expect(stage.runCount("pc1") == 1)
    try stage.verify(operation)
  }

  @Test func agentDiesWhileItIsDoingTheTask() throws {
    let stage = try stage()
    let operation = try stage.start(
      "site-defined", ["--collection", "All Systems", "--param", "name=slow"])
    try eventually("it began") { stage.runCount("pc1", "begun") == 1 }
    stage.agent("pc1")?.crash()
    try stage.startAgent("pc1")
    try eventually("the outcome says so") {
      let counts = try stage.counts(operation)
      return (counts["failed"] ?? 0) + (counts["unknown"] ?? 0) == 1
    }
    #expect(stage.runCount("pc1", "begun") == 1, "never begun again")
    try stage.verify(operation)
  }

  @Test func everythingDiesAtOnceAndComesBackInAnotherOrder() throws {
    let names = ["pc1", "pc2"]
    let stage = try stage(names)
    let operation = try mark(stage)
    stage.crashServer()
    stage.crashManager()
    for name in names { stage.agent(name)?.crash() }
    for name in names { try stage.startAgent(name) }
    try stage.startManager()
    try stage.startServer()
    try expectDone(stage, operation, names)
  }
}
