// ClamAV for real: a signature database of one signature, the EICAR test string found, quarantined,
// reported, restored, excluded and allowed.

import BGBModel
import Glibc
import Testing

@testable import BGBAgent

@Suite(.enabled(if: AgentFile.isExecutable("/usr/bin/clamscan"), "clamav is not installed"))
struct ScannerTests {
  /// The EICAR string, in two parts, so that no scanner finds this source.
  private static let eicar =
    "X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
  let folder = TestFolder()
  let settings: ScannerSettings

  init() throws {
    try AgentFile.makeFolder("\(folder.path)/db")
    try AgentFile.makeFolder("\(folder.path)/home/deep")
    let hexadecimal = Self.eicar.utf8.map { String($0, radix: 16) }.joined()
    try AgentFile.replace(
      "\(folder.path)/db/test.ndb", with: Array("Test.Eicar:0:*:\(hexadecimal)\n".utf8))
    settings = ScannerSettings(
      scan: "/usr/bin/clamscan", update: "/usr/bin/freshclam", database: "\(folder.path)/db",
      quickPaths: ["\(folder.path)/home"], fullPaths: ["\(folder.path)/home"],
      exclude: [], folder: "\(folder.path)/scanner")
  }

  private func perform(
    _ action: ClientAction, _ values: [ActionParameters.Value] = []
  ) -> ActionResult {
    let order = ActionOrder(
      key: TaskKey(client: testClient, task: TaskID(Bits128(high: 0, low: 1))), action: action,
      parameters: ActionParameters(values), runMilliseconds: 60_000)
    return MalwareScanner(settings).perform(order, stop: StopFlag())
  }

  private func plant(_ name: String, mode: UInt32 = 0o640) throws -> String {
    let path = "\(folder.path)/home/\(name)"
    try AgentFile.replace(path, with: Array(Self.eicar.utf8), mode: mode)
    return path
  }

  @Test func `a clean place has no threats`() throws {
    try AgentFile.replace("\(folder.path)/home/a", with: [1, 2, 3])
    let result = perform(.quickScan)
    #expect(result.state == .succeeded, "\(result.text)")
    #expect(result.text == "no threat found")
  }

  @Test func `a threat is found, quarantined, reported and restored`() throws {
    let path = try plant("deep/evil name", mode: 0o640)
    let result = perform(.quickScan)
    #expect(result.state == .succeeded)
    #expect(result.text.contains("Test.Eicar"), "\(result.text)")
    #expect(result.text.contains(path))
    #expect(!AgentFile.exists(path))
    let items = Quarantine(folder: "\(folder.path)/scanner/quarantine").items()
    let item = try #require(items.first)
    #expect(item.path == path)
    let kept = "\(folder.path)/scanner/quarantine/\(item.name)"
    #expect(SystemFacts.ownership(of: kept)?.mode == UInt32(S_IFREG) | 0o400)

    let restored = perform(.restoreQuarantinedItem, [.init(name: "item", text: item.name)])
    #expect(restored.state == .succeeded, "\(restored.text)")
    #expect(AgentFile.text(path) == Self.eicar)
    #expect(SystemFacts.ownership(of: path)?.mode == UInt32(S_IFREG) | 0o640)
    #expect(Quarantine(folder: "\(folder.path)/scanner/quarantine").items().isEmpty)
  }

  @Test func `every item of a threat is restored by the threat's name`() throws {
    let first = try plant("a")
    let second = try plant("b")
    #expect(perform(.fullScan).text.contains("2 threats found"))
    let result = perform(.restoreQuarantinedItem, [.init(name: "item", text: "Test.Eicar")])
    #expect(result.state == .succeeded, "\(result.text)")
    #expect(AgentFile.exists(first))
    #expect(AgentFile.exists(second))
  }

  @Test func `a restore never goes over another file`() throws {
    let path = try plant("a")
    _ = perform(.quickScan)
    try AgentFile.replace(path, with: Array("mine".utf8))
    let result = perform(.restoreQuarantinedItem, [.init(name: "item", text: "Test.Eicar")])
    #expect(result.state == .failed)
    #expect(AgentFile.text(path) == "mine")
    let unknown = perform(.restoreQuarantinedItem, [.init(name: "item", text: "nothing")])
    #expect(unknown.state == .failed)
  }

  @Test func `an excluded path and an allowed threat are left alone`() throws {
    let path = try plant("deep/x")
    let excluded = "\(folder.path)/home/deep"
    #expect(perform(.excludePath, [.init(name: "path", text: excluded)]).state == .succeeded)
    #expect(perform(.quickScan).text == "no threat found")
    let other = try plant("deeper")
    #expect(perform(.quickScan).text.contains(other), "only the path itself is left out")
    _ = try plant("y")
    #expect(
      perform(.allowThreat, [.init(name: "threat", text: "Test.Eicar.UNOFFICIAL")]).state
        == .succeeded)
    #expect(perform(.quickScan).text == "no threat found")
    #expect(AgentFile.exists(path))
  }

  @Test func `a file's name cannot point at another file`() throws {
    let victim = "\(folder.path)/home/victim"
    try AgentFile.replace(victim, with: Array("harmless".utf8))
    // The scanner's output for this file holds a line that names the victim.
    let folders = "\(folder.path)/home/x\n\(folder.path)/home"
    try AgentFile.makeFolder(folders)
    let trap = "\(folders)/victim"
    try AgentFile.replace(trap, with: Array(Self.eicar.utf8))
    let result = perform(.quickScan)
    #expect(AgentFile.text(victim) == "harmless", "\(result.text)")
    #expect(Quarantine(folder: "\(folder.path)/scanner/quarantine").items().isEmpty)
  }

  @Test func `a missing scanner is said clearly`() {
    var without = settings
    without.scan = "/usr/bin/no-such-scanner"
    without.update = "/usr/bin/no-such-updater"
    let order = ActionOrder(
      key: TaskKey(client: testClient, task: TaskID(Bits128(high: 0, low: 1))),
      action: .quickScan, parameters: .none, runMilliseconds: 60_000)
    let scan = MalwareScanner(without).perform(order, stop: StopFlag())
    #expect(scan.state == .failed)
    #expect(
      scan.text == "/usr/bin/no-such-scanner is not installed: this computer cannot be scanned")
    var update = order
    update.action = .downloadDefinition
    #expect(MalwareScanner(without).perform(update, stop: StopFlag()).state == .failed)
  }

  @Test func `a scanner that fails is no clean bill`() throws {
    AgentFile.remove("\(folder.path)/db/test.ndb")
    let result = perform(.quickScan)
    #expect(result.state == .failed)
    #expect(result.code == 2)
  }
}
