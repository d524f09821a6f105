// Several servers side by side under one supervisor, as real processes with real agents: who serves
// when one dies, when all are told to reload, when all are replaced, when the supervisor dies; and
// what is counted over all of them.

import Foundation
import Glibc
import Testing

@Suite(.serialized) struct WorkersTests {
  private static let names = ["pc1", "pc2", "pc3", "pc4", "pc5", "pc6"]

  private func stage(
    workers: Int = 3, _ names: [String] = names, pulse: String = "60s"
  ) throws -> Stage {
    let stage = try Stage()
    try stage.setServer(["workers": "\(workers)", "worker-pulse": pulse])
    try stage.startServer()
    try stage.addClients(names)
    for name in names { try stage.startAgent(name) }
    try eventually("all clients are online") {
      try stage.metric("online_clients") == names.count
    }
    return stage
  }

  @Test func agentsAreCountedOverAllWorkers() throws {
    let stage = try stage()
    #expect(try stage.metric("workers") == 3 && stage.metric("workers_ready") == 3)
    let each = (1...3).map { stage.workerMetric("worker_online_clients", $0) }
    #expect(each.reduce(0, +) == WorkersTests.names.count)
    for number in 1...3 {
      #expect(stage.workerMetric("worker_resident_bytes", number) > 1_000_000)
      #expect(stage.workerMetric("worker_cpu_milliseconds_total", number) > 0)
    }
    try eventually("the site counts everybody once") {
      try stage.onlineCount() == WorkersTests.names.count
    }
    // Rows stand in the order in which the workers registered, which is anybody's guess.
    let expected = Dictionary(uniqueKeysWithValues: zip(["mp1", "mp1#2", "mp1#3"], each))
    try eventually("every worker's row has its own") {
      let rows = try stage.serverRows()
      return rows.count == 3
        && rows.allSatisfy { row in expected[row.name] == row.online }
    }
    #expect(try stage.health("healthz") == "200 ok" && stage.health("readyz") == "200 ready")
    try stage.expectDone([try stage.mark()], WorkersTests.names)
    #expect(try stage.metric("pushes_total") == WorkersTests.names.count)
    #expect(stage.server?.stop() == 0)
    #expect(stage.workers().isEmpty)
  }

  @Test func theDeathOfAWorkerLosesNothing() throws {
    let stage = try stage()
    var operations = [try stage.mark("busy")]
    try eventually("somebody began") {
      WorkersTests.names.contains { stage.runCount($0, "begun") > 0 }
    }
    let victim = try #require(stage.workers().first { $0.number == 2 })
    let theirs = stage.workerMetric("worker_online_clients", 2)
    let signIns = try stage.metric("sign_ins_total")
    kill(victim.process, SIGKILL)
    operations.append(try stage.mark())
    try eventually("another process serves in its place") {
      try stage.metric("workers_ready") == 3
        && stage.workerMetric("worker_restarts_total", 2) == 1
    }
    #expect(stage.workers().first { $0.number == 2 }?.process != victim.process)
    try stage.expectDone(operations, WorkersTests.names)
    try eventually("all are back") {
      try stage.metric("online_clients") == WorkersTests.names.count
    }
    // Only those of the dead worker had to come back; the sum still knows the sign-ins that it had.
    #expect(try stage.metric("sign_ins_total") == signIns + theirs)
    #expect(stage.workerMetric("worker_restarts_total", 1) == 0)
    let said = try stage.bgb(["status", "messages"]).output
    #expect(said.contains("Worker 2 of notification server mp1 killed by signal 9"))
  }

  @Test func aWorkerThatHangsIsKilledAndStartedAnew() throws {
    let stage = try stage(workers: 2, ["pc1", "pc2", "pc3"], pulse: "1s")
    let victim = try #require(stage.workers().first { $0.number == 2 })
    let other = try #require(stage.workers().first { $0.number == 1 })
    // Its sockets stay open, its kernel acknowledges what agents send: nobody else would notice.
    kill(victim.process, SIGSTOP)
    let operation = try stage.mark()
    try eventually("another process serves in its place") {
      try stage.metric("workers_ready") == 2
        && stage.workerMetric("worker_restarts_total", 2) == 1
    }
    #expect(stage.workerMetric("worker_hangs_total", 2) == 1)
    #expect(stage.workerMetric("worker_hangs_total", 1) == 0)
    #expect(stage.workers().first { $0.number == 1 }?.process == other.process)
    #expect(stage.workers().first { $0.number == 2 }?.process != victim.process)
    try stage.expectDone([operation], ["pc1", "pc2", "pc3"])
    #expect(try stage.serverLog().contains("worker hangs and is killed"))
    let said = try stage.bgb(["status", "messages"]).output
    #expect(
      said.contains(
        "Worker 2 of notification server mp1 answered nothing any more, was killed by signal 9"))
  }

  @Test func reloadGoesOneByOneAndDropsNobody() throws {
    let stage = try stage(workers: 2, ["pc1", "pc2"])
    let before = stage.workers().map(\.process)
    try stage.setServer(["keep-alive": "7m"])
    stage.server?.signal(SIGHUP)
    try eventually("the errand is done") { try stage.serverLog().contains("errand done") }
    let log = try stage.serverLog()
    #expect(log.components(separatedBy: "reloaded").count == 3)
    #expect(stage.workers().map(\.process) == before)
    #expect(try stage.metric("sign_ins_total") == 2)
    // What cannot be read changes nothing, and the second worker is not asked any more.
    try stage.setServer(["keep-alive": "soon"])
    stage.server?.signal(SIGHUP)
    try eventually("the errand is given up") {
      try stage.serverLog().contains("errand given up")
    }
    #expect(try stage.serverLog().components(separatedBy: "reload refused").count == 2)
    #expect(try stage.health("readyz") == "200 ready")
  }

  @Test func rollingReplacementLosesNoOperation() throws {
    let stage = try stage()
    let before = stage.workers()
    stage.server?.signal(SIGUSR2)
    var operations: [Int] = []
    try eventually("all workers were replaced", within: 120) {
      operations.append(try stage.mark())
      return try stage.serverLog().contains("errand done")
    }
    let after = stage.workers()
    #expect(Set(before.map(\.process)).isDisjoint(with: after.map(\.process)))
    #expect(after.map(\.number) == [1, 2, 3])
    try stage.expectDone(operations, WorkersTests.names, within: 120)
    for number in 1...3 { #expect(stage.workerMetric("worker_restarts_total", number) == 0) }
  }

  @Test func workersDoNotOutliveTheirSupervisor() throws {
    let stage = try stage(workers: 2, ["pc1"])
    let workers = stage.workers()
    #expect(workers.count == 2)
    stage.crashServer()
    // Their journals are locked until they are gone: the next ones wait for them.
    try stage.startServer()
    for worker in workers {
      try eventually("the old worker has ended") { kill(worker.process, 0) == -1 }
    }
    try stage.expectDone([try stage.mark()], ["pc1"])
  }

  @Test func aServerThatCannotStartSaysWhy() throws {
    let stage = try Stage()
    try stage.setServer(["workers": "3", "ca": "nothing.pem"])
    let ended = try run("bgb-server", ["--config", stage.path("servers/mp1/server.yaml")])
    #expect(ended.status == 1)
    #expect(ended.talk.contains("worker 1 cannot start (status 1)"))
    try stage.setServer(["workers": "100"])
    let refused = try run("bgb-server", ["--config", stage.path("servers/mp1/server.yaml")])
    #expect(refused.status == 2 && refused.talk.contains("not between 1 and 64"))
  }

  @Test func aForeignReportKeyGetsNoWorker() throws {
    let stage = try Stage()
    try stage.bgb([
      "server", "add", "mp2", "--port", "\(stage.port)", "--https-port", "\(stage.httpsPort)",
      "--workers", "2",
    ])
    #expect(try stage.serverRows().map(\.name) == ["mp1", "mp2", "mp2#2"])
    // The second worker of mp2 asks under the name of mp1, with the key of mp2.
    let settings = stage.path("servers/mp2/server.yaml")
    let text = try String(contentsOfFile: settings, encoding: .utf8)
    #expect(text.contains("workers: 2"))
    try text.replacingOccurrences(of: "name: \"mp2\"", with: "name: \"mp1\"").write(
      toFile: settings, atomically: true, encoding: .utf8)
    let ended = try run("bgb-server", ["--config", settings])
    #expect(ended.status == 1)
    #expect(ended.talk.contains("the report key is not the one of server"))
  }

  // MARK: Drain

  @Test func aDrainedWorkerGivesItsAgentsToTheOthers() throws {
    let stage = try stage(workers: 2)
    let names = WorkersTests.names
    var operations = [try stage.mark("busy")]
    try eventually("all began") { names.allSatisfy { stage.runCount($0, "begun") == 1 } }
    let begun = Date()
    let said = try stage.bgb(["server", "drain", "mp1#2", "--within", "3s"]).talk
    #expect(said.contains("mp1#2 is empty"))
    #expect(Date().timeIntervalSince(begun) < 30)
    operations.append(try stage.mark())
    try stage.expectDone(operations, names)
    #expect(stage.workerMetric("worker_online_clients", 1) == names.count)
    #expect(stage.workerMetric("worker_online_clients", 2) == 0)
    #expect(try stage.serverRows().map(\.state) == ["serving", "drained"])
    #expect(try stage.health("readyz") == "503 worker 2 is drained")
    // Whoever comes now comes to the first one.
    stage.agent("pc1")?.crash()
    try stage.startAgent("pc1")
    try eventually("it is back") {
      stage.workerMetric("worker_online_clients", 1) == names.count
    }
    try stage.bgb(["server", "undrain", "mp1#2"])
    try eventually("the worker serves again") {
      try stage.health("readyz") == "200 ready"
    }
    // And back again: the other one goes, everybody comes to this one.
    try stage.bgb(["server", "drain", "mp1#1", "--rate", "10/s"])
    try eventually("all came over") {
      stage.workerMetric("worker_online_clients", 2) == names.count
    }
    try stage.expectDone(operations + [try stage.mark()], names)
  }

  @Test func aServerThatIsDrainedToStopEnds() throws {
    let stage = try stage(workers: 2, ["pc1", "pc2"])
    try stage.bgb(["server", "drain", "mp1", "--within", "1s", "--stop"])
    try eventually("the supervisor ends") { stage.server?.isRunning == false }
    #expect(stage.server?.process.terminationStatus == 0)
    #expect(try stage.serverRows().map(\.state) == ["drained", "drained"])
    try eventually("the site knows that nobody is there") { try stage.onlineCount() == 0 }
    // Its next start serves again.
    try stage.startServer()
    try stage.waitOnline(2)
    #expect(try stage.serverRows().map(\.state) == ["serving", "serving"])
  }

  @Test func aServerOfOneProcessDrainsAsWell() throws {
    let stage = try stage(workers: 1, ["pc1"])
    try stage.bgb(["server", "drain", "mp1", "--within", "1s"])
    #expect(try stage.health("readyz") == "503 draining")
    #expect(try stage.metric("online_clients") == 0)
    let operation = try stage.mark()
    try stage.bgb(["server", "undrain", "mp1"])
    try stage.expectDone([operation], ["pc1"])
  }
}
