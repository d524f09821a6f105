// Several processes and one file: writers at once, a locked file, the doorbell across processes, a
// kill in the middle of a write, a full disk. The child processes are this test program again, told
// by the environment which job to do.

import BGBModel
import GRDB
import Glibc
import SiteDatabase
import Testing

@testable import SiteDatabaseSQLite

/// This test program as a child process with a job.
struct Child {
  static let variable = "BGB_STORE_TEST_JOB"

  /// The job and its words, in a child; nil in the ordinary run.
  static var job: [String]? {
    guard let text = getenv(variable) else { return nil }
    return String(cString: text).split(separator: "\n").map(String.init)
  }

  let process: pid_t
  let output: String

  /// Starts a job; `tracer` is put before the program.
  init(_ job: [String], in directory: String, tracer: [String] = []) throws {
    output = "\(directory)/out-\(job.joined(separator: "-").filter { $0 != "/" })"
    let program = try #require(realpath("/proc/self/exe", nil))
    defer { free(program) }
    let words =
      tracer + [String(cString: program)] + CommandLine.arguments.dropFirst().filter(isPlain)
      + ["--testing-library", "swift-testing", "--filter", "childJob"]
    var environment = [Child.variable + "=" + job.joined(separator: "\n")]
    for name in ["PATH", "LD_LIBRARY_PATH", "SWIFT_BACKTRACE"] {
      if let value = getenv(name) { environment.append("\(name)=\(String(cString: value))") }
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let flags = O_WRONLY | O_CREAT | O_TRUNC
    posix_spawn_file_actions_addopen(&actions, 1, output + ".log", flags, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var started: pid_t = 0
    let result = withCStrings(words) { arguments in
      withCStrings(environment) { environment in
        posix_spawnp(&started, words[0], &actions, nil, arguments, environment)
      }
    }
    try #require(result == 0)
    process = started
  }

  /// Waits for its end: the exit status, or 128 and the signal.
  func wait() -> Int32 {
    var status: Int32 = 0
    while waitpid(process, &status, 0) == -1, errno == EINTR {}
    return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
  }

  /// In a child: tells the parent that something is done, past any buffer.
  static func acknowledge(_ line: String, to path: String) {
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    _ = Array((line + "\n").utf8).withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
    close(file)
  }
}

/// Arguments of the test program that a child needs too: the path of the test bundle, if any.
private func isPlain(_ argument: String) -> Bool { argument.hasSuffix(".xctest") }

private func withCStrings<Value>(
  _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Value
) -> Value {
  let copies = texts.map { strdup($0) }
  defer { for copy in copies { free(copy) } }
  return body(copies + [nil])
}

@Suite("SQLite: several processes", .timeLimit(.minutes(3))) struct SQLiteProcessTests {
  /// Not a test: the job of a child process.
  @Test(.enabled(if: Child.job != nil, "only in child processes")) func childJob() throws {
    guard let job = Child.job, job.count == 4 else { return }
    let (kind, path, output, number) = (job[0], job[1], job[2], Int(job[3]) ?? 0)
    if kind == "create" {
      let site = SiteRecord(code: siteCode, name: "child \(number)", taskKeys: [])
      _ = try SQLiteSiteStore.create(at: path, site: site)
      return
    }
    let store = try SQLiteSiteStore.open(at: path)
    switch kind {
    case "add":
      for count in 0..<60 {
        let client = number * 1_000 + count
        _ = try store.addClient(
          clientID(client), name: "pc-\(client)", tags: [], by: "child", at: time(0))
        Child.acknowledge("pc-\(client)", to: output)
      }
    case "open":
      for _ in 0..<40 {
        let another = try SQLiteSiteStore.open(at: path)
        _ = try another.site()
        try another.pool.close()
      }
    case "report": try reportJob(store, output)
    case "ring": store.bells.ring(ServerID(UInt32(1)))
    case "start":
      let fill = try StoreUnderTest(.memory)
      let request = fill.request()
      _ = try store.startOperation(request, at: time(0)) { (targets) throws(StoreError) in
        fill.signed(request, task: taskID(1), targets: targets.count)
      }
    default: Issue.record("no job \(kind)")
    }
  }

  /// Imports one outcome report after the other, each of ten targets.
  private func reportJob(_ store: SQLiteSiteStore, _ output: String) throws {
    let server = try store.servers()[0]
    let fill = try StoreUnderTest(.memory)
    for sequence in 1...10 {
      let header = ReportHeader(
        kind: .outcomes, site: siteCode, serverID: server.serverID, epoch: server.epoch,
        sequence: UInt64(sequence), scope: .delta, writtenAt: time(1))
      let records = (0..<10).map { offset in
        fill.outcome((sequence - 1) * 10 + offset + 1, taskID(1), .succeeded)
      }
      _ = try store.importOutcomes(header, records, at: time(2))
      Child.acknowledge("\(sequence)", to: output)
    }
  }

  @Test func twoProcessesWriteAtOnce() throws {
    let fill = try StoreUnderTest(.sqlite)
    let path = fill.directory.path + "/site.db"
    let output = fill.directory.path + "/acknowledged"
    let children = try (1...2).map { number in
      try Child(["add", path, output, "\(number)"], in: fill.directory.path)
    }
    // And this process with them, through a second connection.
    let store = try SQLiteSiteStore.open(at: path)
    for number in 1...60 {
      _ = try fill.store.addClient(
        clientID(number), name: "pc-\(number)", tags: [], by: "test", at: time(0))
      _ = try store.setTags(["x"], of: clientID(number), by: "test", at: time(0))
    }
    for child in children { #expect(child.wait() == 0) }
    let clients = try fill.store.clients(after: nil, limit: 999, onlyOnline: false)
    #expect(clients.count == 180)
    #expect(Set(clients.map(\.resourceID)).count == 180)
    #expect(try fill.store.auditRecords(before: nil, limit: 999).count == 240)
    try store.checkIntegrity()
  }

  @Test func manyComeAndGo() throws {
    let fill = try StoreUnderTest(.sqlite)
    let path = fill.directory.path + "/site.db"
    let children = try (1...3).map { number in
      try Child(["open", path, "-", "\(number)"], in: fill.directory.path)
    }
    for number in 1...40 {
      _ = try fill.store.addClient(
        clientID(number), name: "pc-\(number)", tags: [], by: "test", at: time(0))
    }
    for child in children { #expect(child.wait() == 0) }
    #expect(try fill.store.clients(after: nil, limit: 99, onlyOnline: false).count == 40)
  }

  @Test func threeMakeTheSameSite() throws {
    let directory = TemporaryDirectory()
    let path = directory.path + "/site.db"
    let children = try (1...3).map { number in
      try Child(["create", path, "-", "\(number)"], in: directory.path)
    }
    for child in children { #expect(child.wait() == 0) }
    let store = try SQLiteSiteStore.open(at: path)
    #expect(try store.site().name.hasPrefix("child"))
    #expect(try store.collections().count == 1)
  }

  @Test func aHeldFileIsUnavailable() throws {
    let fill = try StoreUnderTest(.sqlite)
    try fill.addClients(1)
    let path = fill.directory.path + "/site.db"
    let store = try SQLiteSiteStore.open(at: path, busySeconds: 0.05, backstop: .seconds(1))
    var configuration = Configuration()
    configuration.allowsUnsafeTransactions = true
    let holder = try DatabaseQueue(path: path, configuration: configuration)
    try holder.inDatabase { try $0.execute(sql: "BEGIN EXCLUSIVE") }
    let error = #expect(throws: StoreError.self) {
      try store.addClient(clientID(2), name: "pc-2", tags: [], by: "ann", at: time(0))
    }
    guard case .unavailable? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(try store.client(clientID(1)) != nil, "readers go on")
    try holder.inDatabase { try $0.execute(sql: "COMMIT") }
    _ = try store.addClient(clientID(2), name: "pc-2", tags: [], by: "ann", at: time(0))
  }

  @Test func anotherProcessRingsTheBell() async throws {
    let fill = try StoreUnderTest(.sqlite)
    try fill.addClients(1)
    let server = try fill.addServer()
    let path = fill.directory.path + "/site.db"
    // Without a ring this wait would sleep for an hour: there is no backstop to help.
    let store = try SQLiteSiteStore.open(at: path, busySeconds: 5, backstop: .seconds(3_600))
    async let waiting = waited { () throws(StoreError) in
      try store.messages(
        for: server.serverID, after: server.cursor, limit: 9, waitMilliseconds: 3_600_000)
    }
    // The waiter listens once its socket is there; from then on a commit cannot be missed.
    while access(fill.directory.path + "/run/server-1.bell", F_OK) != 0 { await Task.yield() }
    let child = try Child(["start", path, "-", "0"], in: fill.directory.path)
    #expect(try await waiting.map(\.content) == [.push(taskID(1))])
    #expect(child.wait() == 0)
  }

  @Test func aBellWithoutNewsWakesNobody() throws {
    let fill = try StoreUnderTest(.sqlite)
    let server = try fill.addServer()
    let store = try #require(fill.store as? SQLiteSiteStore)
    store.bells.listen(for: server.serverID)
    for _ in 0..<100 { store.bells.ring(server.serverID) }
    var status = stat()
    #expect(stat(fill.directory.path + "/run/server-1.bell", &status) == 0)
    #expect(status.st_mode & 0o777 == 0o660, "managers of the group may ring, others may not")
    let none = try store.messages(
      for: server.serverID, after: server.cursor, limit: 9, waitMilliseconds: 30)
    #expect(none.isEmpty)
  }

  @Test func aLostBellCostsTheBackstopOnly() async throws {
    let fill = try StoreUnderTest(.sqlite)
    try fill.addClients(1)
    let server = try fill.addServer()
    let path = fill.directory.path + "/site.db"
    let store = try SQLiteSiteStore.open(at: path, busySeconds: 5, backstop: .milliseconds(20))
    async let waiting = waited { () throws(StoreError) in
      try store.messages(
        for: server.serverID, after: server.cursor, limit: 9, waitMilliseconds: 3_600_000)
    }
    let bell = fill.directory.path + "/run/server-1.bell"
    while access(bell, F_OK) != 0 { await Task.yield() }
    #expect(unlink(bell) == 0)
    let operation = try fill.start(fill.request())
    #expect(try await waiting.map(\.content) == [.push(operation.taskID)])
  }

  /// FAULTS K2: killed at the n-th write or sync while reports are imported.
  ///
  /// What was acknowledged is
  /// there, what was not is there wholly or not at all, and the counters add up.
  @Test(arguments: [
    ("pwrite64", [1, 9, 17, 24, 31, 45, 70, 110]), ("fdatasync", [1, 2, 3, 4, 5, 7, 9, 11]),
  ])
  func aKillLosesNothing(_ call: String, _ moments: [Int]) throws {
    guard access("/usr/bin/strace", X_OK) == 0 else {
      print("aKillLosesNothing: skipped, there is no strace")
      return
    }
    var killed = 0
    for moment in moments {
      let fill = try StoreUnderTest(.sqlite)
      try fill.addClients(100)
      let server = try fill.addServer()
      let operation = try fill.start(fill.request())
      let path = fill.directory.path + "/site.db"
      let output = fill.directory.path + "/acknowledged"
      let child = try Child(
        ["report", path, output, "0"], in: fill.directory.path,
        tracer: [
          "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(call)", "-e",
          "inject=\(call):signal=SIGKILL:when=\(moment)",
        ])
      if child.wait() != 0 { killed += 1 }
      let acknowledged = try readFile(output).count { $0 == UInt8(ascii: "\n") }
      let store = try SQLiteSiteStore.open(at: path)
      try store.checkIntegrity()
      let counts = try fill.checkedCounts(operation.operationID)
      let done = counts[.succeeded]
      #expect(done == acknowledged * 10 || done == (acknowledged + 1) * 10, "kill at \(moment)")
      // The file that was cut short comes again, and counts once.
      for sequence in 1...10 {
        let header = ReportHeader(
          kind: .outcomes, site: siteCode, serverID: server.serverID, epoch: server.epoch,
          sequence: UInt64(sequence), scope: .delta, writtenAt: time(1))
        let records = (0..<10).map {
          fill.outcome((sequence - 1) * 10 + $0 + 1, taskID(1), .succeeded)
        }
        let result = try store.importOutcomes(header, records, at: time(2))
        #expect((result == .duplicate) == (sequence * 10 <= done), "kill at \(moment)")
      }
      #expect(try fill.checkedCounts(operation.operationID)[.succeeded] == 100)
    }
    #expect(killed == moments.count, "the kills happened")
  }

  @Test func aFullDiskLosesNothing() throws {
    let directory = TemporaryDirectory()
    guard mount("bgb-test", directory.path, "tmpfs", 0, "size=1m") == 0 else {
      print("aFullDiskLosesNothing: skipped, no tmpfs can be mounted here (errno \(errno))")
      return
    }
    defer { umount2(directory.path, Int32(MNT_DETACH)) }
    let site = SiteRecord(code: siteCode, name: "Test", taskKeys: [])
    let store = try SQLiteSiteStore.create(at: directory.path + "/site.db", site: site)
    var added = 0
    var failure: StoreError?
    while failure == nil, added < 20_000 {
      do throws(StoreError) {
        _ = try store.addClient(
          clientID(added), name: "pc-\(added)", tags: [], by: "ann", at: time(0))
        added += 1
      } catch {
        failure = error
      }
    }
    guard case .unavailable? = failure else {
      Issue.record("\(String(describing: failure)) after \(added)")
      return
    }
    #expect(try store.clients(after: nil, limit: 99_999, onlyOnline: false).count == added)
    #expect(mount("bgb-test", directory.path, "tmpfs", UInt(MS_REMOUNT), "size=16m") == 0)
    _ = try store.addClient(clientID(added), name: "last", tags: [], by: "ann", at: time(0))
    #expect(try store.clients(after: nil, limit: 99_999, onlyOnline: false).count == added + 1)
    try store.checkIntegrity()
    try store.pool.close()
  }
}
