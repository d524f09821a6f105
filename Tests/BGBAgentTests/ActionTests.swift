// The other actions, for real on this computer, and the policy store.

import BGBModel
import Glibc
import Synchronization
import Testing

@testable import BGBAgent

@Suite struct ActionTests {
  let folder = TestFolder()
  let verbose = VerboseSwitch()

  final class VerboseSwitch: Sendable {
    let told = Mutex<[Bool]>([])
  }

  private func performer(restart: [String] = []) -> ActionPerformer {
    let verbose = verbose
    let settings = ActionSettings(
      policy: PolicySettings(
        certificateFile: "", keyFile: "", authorityFile: "", folder: "\(folder.path)/policy"),
      scanner: nil, stateFolder: folder.path, logFolder: "\(folder.path)/logs",
      restartCommand: restart, siteActions: ["greet": ["/bin/echo", "hello; id"]],
      setVerbose: { value in verbose.told.withLock { $0.append(value) } })
    return ActionPerformer(settings, locations: PolicyLocations())
  }

  private func perform(
    _ action: ClientAction, _ values: [ActionParameters.Value] = [], restart: [String] = []
  ) -> ActionResult {
    let order = ActionOrder(
      key: TaskKey(client: testClient, task: TaskID(Bits128(high: 0, low: 1))), action: action,
      parameters: ActionParameters(values), runMilliseconds: 30_000)
    return performer(restart: restart).perform(order, stop: StopFlag())
  }

  @Test func `discovery tells name, system and addresses`() {
    let result = perform(.collectDiscoveryData)
    #expect(result.state == .succeeded)
    #expect(result.live.map(\.name) == ["hostname", "os", "agent", "addresses"])
    #expect(result.live.allSatisfy { $0.name == "addresses" || !$0.text.isEmpty })
  }

  @Test func `hardware is stored and summed up`() throws {
    let result = perform(.collectHardwareInventory)
    #expect(result.state == .succeeded, "\(result.text)")
    let report = try #require(AgentFile.text("\(folder.path)/inventory/hardware.txt"))
    #expect(report.contains("processors: \(sysconf(Int32(_SC_NPROCESSORS_ONLN)))"))
    #expect(report.contains("memory: "))
  }

  @Test func `packages are listed`() throws {
    let result = perform(.collectSoftwareInventory)
    #expect(result.state == .succeeded, "\(result.text)")
    let report = try #require(AgentFile.text("\(folder.path)/inventory/software.txt"))
    #expect(report.contains("libc6\t") || report.contains("glibc\t"))
    let count = report.split(separator: "\n").count
    #expect(result.text == "\(count) packages")
  }

  @Test func `the level of the log is set`() {
    _ = perform(.enableVerboseLogging)
    _ = perform(.disableVerboseLogging)
    #expect(verbose.told.withLock { $0 } == [true, false])
  }

  @Test func `logs are packed`() throws {
    #expect(perform(.collectClientLogs).state == .failed, "there are none yet")
    try AgentFile.makeFolder("\(folder.path)/logs")
    try AgentFile.replace("\(folder.path)/logs/a.log", with: Array("one".utf8))
    try AgentFile.replace("\(folder.path)/logs/--to-stdout.log", with: Array("two".utf8))
    try AgentFile.replace("\(folder.path)/logs/secret.key", with: Array("three".utf8))
    let result = perform(.collectClientLogs)
    #expect(result.state == .succeeded, "\(result.text)")
    let archive = String(result.text.split(separator: ",")[0])
    let list = ProcessRun.run(ProcessOrder(["/bin/tar", "--list", "--gzip", "--file", archive]))
    #expect(list.text.split(separator: "\n").sorted() == ["--to-stdout.log", "a.log"])
  }

  @Test func `a restart runs the command with its message`() {
    let witness = "\(folder.path)/witness"
    let command = ["/bin/sh", "-c", "printf %s \"$BGB_RESTART_MESSAGE\" > \(witness)"]
    let result = perform(
      .restart, [.init(name: "message", text: "$(id) \"now\"")], restart: command)
    #expect(result.state == .succeeded, "\(result.text)")
    #expect(AgentFile.text(witness) == "$(id) \"now\"")
    #expect(perform(.restart).state == .failed, "without a command there is no restart")
    #expect(perform(.restart, restart: ["/bin/false"]).state == .failed)
  }

  @Test func `a site-defined action runs what this computer maps`() {
    let result = perform(.siteDefined, [.init(name: "name", text: "greet")])
    #expect(result.state == .succeeded)
    #expect(result.text == "hello; id")
    #expect(perform(.siteDefined, [.init(name: "name", text: "wipe")]).state == .failed)
  }

  @Test func `without a policy URL the download fails with a sentence`() {
    let result = perform(.downloadComputerPolicy)
    #expect(result.state == .failed)
    #expect(result.text == "the server named no place for policies")
  }

  @Test(arguments: [
    (#"{"a":[1,-2.5e3,true,null,"x\n\u00e4\ud83d\ude00"]}"#, true), (#"{"a":1}"#, true),
    ("[]", true), (" [ ] ", true), (#"{"a":1,}"#, false), ("[1,]", false), ("{", false),
    ("nul", false), ("\"a", false), ("\"\\x\"", false), ("\"\\ud83d\"", false), ("1 2", false),
    ("", false), ("inf", false), ("{\"a\" 1}", false), ("\"a\nb\"", false), ("+1", false),
  ])
  func `JSON is read strictly`(_ text: String, _ isGood: Bool) {
    #expect((JSONText(Array(text.utf8)) != nil) == isGood)
  }

  @Test func `JSON nested without end is refused`() {
    #expect(JSONText([UInt8](repeating: UInt8(ascii: "["), count: 100_000)) == nil)
    let value = JSONText(Array(#"{"a":{"b":"\u00e4\ud83d\ude00"},"n":7}"#.utf8))
    #expect(value?["a"]?["b"]?.text == "ä😀")
    #expect(value?["n"]?.integer == 7)
    #expect(value?.member("a")?.source == Array(#"{"b":"\u00e4\ud83d\ude00"}"#.utf8))
  }
}
