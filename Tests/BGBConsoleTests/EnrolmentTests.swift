// Making a site, servers and clients: what stands on the disk afterwards, with which modes, and
// that nothing is left or lost when it goes wrong.

import BGBModel
import BGBSigning
import Foundation
import Testing

@testable import BGBConsole

@Suite struct EnrolmentTests {
  private final class TemporaryFolder {
    let path = NSTemporaryDirectory() + "bgb-site-\(UUID().uuidString.prefix(8))"
    deinit { try? FileManager.default.removeItem(atPath: path) }
    func mode(_ name: String) -> Int {
      let facts = try? FileManager.default.attributesOfItem(atPath: path + "/" + name)
      return (facts?[.posixPermissions] as? Int ?? 0) & 0o777
    }
    func text(_ name: String) -> String {
      (try? String(contentsOfFile: path + "/" + name, encoding: .utf8)) ?? ""
    }
    func names(_ name: String) -> [String] {
      ((try? FileManager.default.contentsOfDirectory(atPath: path + "/" + name)) ?? []).sorted()
    }
  }

  @Test func aSiteIsMadeWholeAndPrivate() throws {
    let folder = TemporaryFolder()
    let said = run([
      "site", "init", "--site", folder.path, "--code", "P01", "--name", "a: \"b\" # c",
    ])
    #expect(said.code == 0)
    #expect(said.out.contains("code    P01\n"))
    for secret in ["ca/ca.key", "keys/task.key"] { #expect(folder.mode(secret) == 0o600) }
    for folderName in ["ca", "keys"] { #expect(folder.mode(folderName) == 0o700) }
    #expect(folder.text("keys/task.pub").contains("BEGIN PUBLIC KEY"))
    #expect(folder.text("site.yaml").hasSuffix("code: P01\nname: \"a: \\\"b\\\" # c\"\n"))
    #expect(folder.names("inbox/bgb.box") == ["bad"])
    #expect(FileManager.default.fileExists(atPath: folder.path + "/site.db"))
    #expect(folder.mode("site.db") & 0o007 == 0)
  }

  @Test func aSecondInitChangesNothing() throws {
    let folder = TemporaryFolder()
    #expect(run(["site", "init", "--site", folder.path]).code == 0)
    let key = folder.text("keys/task.key")
    let said = run(["site", "init", "--site", folder.path, "--code", "X01"])
    #expect(said.code == 1)
    #expect(said.talk.contains("already"))
    #expect(folder.text("keys/task.key") == key)
  }

  @Test func anInterruptedInitIsFinishedWithTheSameKeys() throws {
    let folder = TemporaryFolder()
    #expect(run(["site", "init", "--site", folder.path]).code == 0)
    let key = folder.text("keys/task.key")
    let certificate = folder.text("ca/ca.pem")
    for name in folder.names("").filter({ $0.hasPrefix("site.db") }) {
      try FileManager.default.removeItem(atPath: folder.path + "/" + name)
    }
    #expect(run(["site", "init", "--site", folder.path]).code == 0)
    #expect(folder.text("keys/task.key") == key)
    #expect(folder.text("ca/ca.pem") == certificate)
  }

  private func issued(_ name: String) -> String {
    #"{"client":{"name":"\#(name)","clientID":"c","tags":[]},"certificate":"CERT","ca":"CA","#
      + #""taskKeys":"KEYS","siteCode":"S01"}"#
  }

  @Test func aClientGetsAFolderThatItsAgentCanUse() throws {
    let manager = try FakeManager([
      "POST /v1/clients": [FakeManager.answer(201, issued("pc-1"))]
    ])
    defer { manager.stop() }
    let folder = TemporaryFolder()
    let said = run([
      "client", "add", "pc-1", "--tag", "a", "--tag", "b", "--management-point", "mp:1",
      "--site", manager.folder, "--out", folder.path, "-q",
    ])
    #expect(said == (0, "pc-1\n", ""))
    #expect(
      folder.names("") == [
        "agent.yaml", "ca.pem", "client.crt", "client.key", "logs", "state", "task.pub",
      ])
    #expect(folder.mode("client.key") == 0o600)
    #expect(folder.mode("") & 0o007 == 0)
    #expect(folder.text("client.crt") == "CERT" && folder.text("task.pub") == "KEYS")
    let yaml = folder.text("agent.yaml")
    #expect(yaml.contains("\nmanagement-points: [\"mp:1\"]\n"))
    let https = "\nhttps-management-points: [\"mp:\(HTTPSPort.usual)\"]\nsite: \"S01\"\n"
    #expect(yaml.contains(https))
    let sent = try #require(manager.seen.first)
    #expect(sent.body["tags"] == .texts(["a", "b"]))
    #expect(sent.body["csr"].cell.contains("BEGIN CERTIFICATE REQUEST"))
    #expect(!sent.body.encoded.contains("PRIVATE"))
  }

  @Test func manyClientsGoInBatches() throws {
    let batches = [1...200, 201...203].map { range in
      let items = range.map {
        issued("lab-\(String(repeating: "0", count: 4 - "\($0)".count))\($0)")
      }
      return FakeManager.answer(201, #"{"items":[\#(items.joined(separator: ","))]}"#)
    }
    let manager = try FakeManager(["POST /v1/clients/batch": batches])
    defer { manager.stop() }
    let folder = TemporaryFolder()
    let said = run([
      "client", "add", "lab", "--count", "203", "--site", manager.folder, "--out", folder.path,
      "-q",
    ])
    #expect(said.code == 0)
    #expect(said.out.split(separator: "\n").count == 203)
    #expect(manager.seen.map { $0.body["items"].items.count } == [200, 3])
    #expect(folder.names("").count == 203)
    #expect(folder.names("lab-0203").contains("agent.yaml"))
    let requests = manager.seen.flatMap { $0.body["items"].items.map { $0["csr"].cell } }
    #expect(Set(requests).count == 203)
  }

  @Test func aPackedFleetIsOneFile() throws {
    let certificate = "-----BEGIN CERTIFICATE-----\\nAAEC\\n-----END CERTIFICATE-----\\n"
    let batches = [1...200, 201...203].map { range in
      let items = range.map { number in
        let client = ClientID(Bits128(high: 1, low: UInt64(number)))
        return #"{"client":{"name":"x","clientID":"\#(client)"},"certificate":""# + certificate
          + #"","ca":"CA","taskKeys":"KEYS","siteCode":"S01"}"#
      }
      return FakeManager.answer(201, #"{"items":[\#(items.joined(separator: ","))]}"#)
    }
    let manager = try FakeManager(["POST /v1/clients/batch": batches])
    defer { manager.stop() }
    let folder = TemporaryFolder()
    let arguments = [
      "client", "add", "pc", "--count", "203", "--site", manager.folder, "--packed",
      folder.path + "/clients",
    ]
    let said = run(arguments)
    #expect(said.code == 0)
    #expect(said.out == "203\n")
    #expect(folder.names("") == ["ca.pem", "clients", "task.pub"])
    #expect(folder.mode("clients") == 0o600)
    #expect(folder.text("ca.pem") == "CA" && folder.text("task.pub") == "KEYS")
    let file = try FleetFile(path: folder.path + "/clients")
    #expect(file.count == 203)
    let last = try #require(file.member(202))
    #expect(last.clientID == ClientID(Bits128(high: 1, low: 203)))
    #expect(last.name == "pc-0203")
    #expect(last.certificate == [0, 1, 2])
    #expect(last.key.first == 0x30)
    #expect(run(arguments).code == 1, "an existing file is never written over")
    #expect(manager.seen.count == 2)
    #expect(FleetPacking.folder(of: "clients") == ".")
    #expect(FleetPacking.folder(of: "/clients") == "/")
    #expect(run(["client", "add", "pc", "--packed", "x", "--site", manager.folder]).code == 2)
  }

  @Test func aRefusalLeavesNothingBehind() throws {
    let manager = try FakeManager([:])
    defer { manager.stop() }
    let folder = TemporaryFolder()
    let arguments = ["client", "add", "pc-1", "--site", manager.folder, "--out", folder.path]
    #expect(run(arguments).code == 1)
    #expect(!FileManager.default.fileExists(atPath: folder.path))
    let server = ["server", "add", "mp1", "--site", manager.folder, "--out", folder.path]
    #expect(run(server).code == 1)
    #expect(!FileManager.default.fileExists(atPath: folder.path))
  }

  @Test func anExistingFolderIsNeverTouched() throws {
    let manager = try FakeManager(["POST /v1/clients": [FakeManager.answer(201, issued("x"))]])
    defer { manager.stop() }
    let folder = TemporaryFolder()
    try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
    let said = run(["client", "add", "x", "--site", manager.folder, "--out", folder.path])
    #expect(said.code == 1)
    #expect(said.talk.contains("File exists"))
    #expect(manager.seen.isEmpty)
  }

  @Test func aServerGetsKeysAndSettings() throws {
    let manager = try FakeManager([
      "POST /v1/servers": [
        FakeManager.answer(
          201, #"{"server":{"serverID":3,"name":"mp1"},"certificate":"C","ca":"A","siteCode":"S"}"#)
      ]
    ])
    defer { manager.stop() }
    let folder = TemporaryFolder()
    let said = run([
      "server", "add", "mp1", "--host", "mp1.example.org", "--port", "7", "--https-port", "8",
      "--site", manager.folder, "--out", folder.path, "-q",
    ])
    #expect(said == (0, "mp1\n", ""))
    #expect(folder.mode("server.key") == 0o600 && folder.mode("report.key") == 0o600)
    let settings = folder.text("server.yaml")
    #expect(settings.contains("\nlisten: \"0.0.0.0:7\"\nhttps-listen: \"0.0.0.0:8\" "))
    #expect(settings.contains("https-url: \"https://mp1.example.org:8\" "))
    let sent = try #require(manager.seen.first?.body)
    #expect(Base64.decode(sent["reportKey"].cell)?.count == 32)
    #expect(sent["hosts"] == .texts(["mp1.example.org"]))
    #expect(sent["workers"].cell == "1" && settings.contains("\nworkers: 1 "))
  }

  @Test(arguments: [
    (["localhost", "127.0.0.1"], "127.0.0.1"), (["::1"], "127.0.0.1"), (["mp1"], "0.0.0.0"),
    (["localhost", "192.0.2.1"], "0.0.0.0"),
  ])
  func listeningFollowsTheHosts(_ hosts: [String], _ address: String) {
    #expect(ServerAdd.listenAddress(hosts) == address)
    #expect(ServerAdd.endpoint("::1", 5) == "[::1]:5")
  }

  @Test func namesOfManyHaveEqualLength() {
    #expect(ClientAdd.names("a", count: nil) == ["a"])
    #expect(ClientAdd.names("a", count: 2) == ["a-0001", "a-0002"])
    #expect(ClientAdd.names("a", count: 12_000).first == "a-00001")
  }
}
