// A site as agents meet it: an authority, certificates, a signing key, and tasks signed with it.

import BGBModel
import BGBSigning
import BGBWire
import Glibc
import Testing

@testable import BGBAgent

/// A folder that is removed at the end.
final class TestFolder {
  let path: String

  init() {
    var template = Array("/tmp/bgb-agent-test-XXXXXX".utf8CString)
    path = String(cString: mkdtemp(&template))
  }

  deinit { _ = ProcessRun.run(ProcessOrder(["/bin/rm", "-rf", path])) }

  func write(_ name: String, _ text: String) -> String {
    let file = "\(path)/\(name)"
    try? AgentFile.replace(file, with: Array(text.utf8))
    return file
  }
}

/// A site with its keys.
final class TestSite {
  static let code: SiteCode = {
    guard let code = SiteCode("S01") else { unreachable() }
    return code
  }()
  let folder = TestFolder()
  let key: SigningKey
  let authority: CertificateAuthority
  let authorityFile: String
  let now: WallTime

  init() throws {
    now = WallTime(milliseconds: Int64(time(nil)) * 1_000)
    key = try SigningKey.generate()
    authority = try CertificateAuthority.create(
      site: TestSite.code, directory: "\(folder.path)/ca", now: now)
    authorityFile = "\(folder.path)/ca/ca.pem"
  }

  /// Certificate and key files of a client.
  func client(_ clientID: ClientID) throws -> (certificate: String, key: String) {
    let (key, request) = try CertificateRequest.make(name: "client")
    let pem = try authority.issueClient(clientID, request: request, days: 30, now: now)
    return (
      folder.write("client-\(clientID).crt", pem), folder.write("client-\(clientID).key", key)
    )
  }

  /// Certificate and key files of a server.
  func server(_ name: String) throws -> (certificate: String, key: String) {
    let (key, request) = try CertificateRequest.make(name: name)
    let pem = try authority.issueServer(
      name: name, hosts: ["localhost"], request: request, days: 30, now: now)
    return (folder.write("\(name).crt", pem), folder.write("\(name).key", key))
  }
}

/// Tasks for tests; every field can be another one.
struct TaskWish {
  var taskID = TaskID(Bits128(high: 7, low: UInt64.random(in: 1 ... .max)))
  var site = TestSite.code
  var action = ClientAction.collectDiscoveryData.rawValue
  var parameters = ActionParameters.none
  var notBefore = WallTime(milliseconds: 1_000_000)
  var deliverBefore = WallTime(milliseconds: 1_000_000 + 3_600_000)
  var startBefore: WallTime?
  var spreadSeconds: UInt32 = 0
  var runSeconds: UInt32 = 0
  var targets = [testClient]
}

let testClient = ClientID(Bits128(high: 0xC11E, low: 1))
let otherClient = ClientID(Bits128(high: 0xC11E, low: 2))

extension SigningKey {
  /// A push of a task to the first target, or to `leaf`.
  func push(
    _ wish: TaskWish, pushID: UInt64 = 1, serverTime: WallTime = WallTime(milliseconds: 1_000_000),
    leaf: Int = 0
  ) -> PushTask {
    let tree = MerkleTree(leaves: wish.targets)
    let statement = TaskStatement(
      taskID: wish.taskID, site: wish.site, keyID: keyID, actionCode: wish.action,
      parameters: wish.parameters, notBefore: wish.notBefore, deliverBefore: wish.deliverBefore,
      startBefore: wish.startBefore ?? wish.deliverBefore, runSeconds: wish.runSeconds,
      spreadSeconds: wish.spreadSeconds, targetCount: UInt32(wish.targets.count),
      targetRoot: tree.root)
    return PushTask(
      pushID: pushID, serverTime: serverTime, task: TaskSignature.sign(statement, with: self),
      leafIndex: UInt32(leaf), path: tree.path(at: leaf))
  }
}

/// For values that a test's own constants make sure of.
func unreachable() -> Never { fatalError("a constant of the tests is wrong") }
