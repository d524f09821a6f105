// What can be wrong on the client itself: every fault is told, with the file, and ends with 2.

import BGBModel
import Testing

@testable import BGBAgent

@Suite struct DoctorFilesTests {
  @Test func settingsThatCannotBeReadAreTold() throws {
    let stage = try DoctorStage()
    let cases: [(String, String)] = [
      ("\(stage.site.folder.path)/nowhere.yaml", "there is no file"),
      (stage.site.folder.write("bad.yaml", "management-pointz: [a:1]\n"), "management-pointz"),
      (stage.settings(tcp: [], https: []), "names no server"),
      (
        stage.settings(
          tcp: ["127.0.0.1:1"], https: [],
          "proxy: {url: \"http://127.0.0.1:1\", user: u, password-file: /nowhere/pw}"),
        "/nowhere/pw"
      ),
    ]
    for (file, words) in cases {
      let report = stage.examine(file)
      #expect(report.exitCode == 2)
      #expect(report.words("here") == ["settings failed"])
      let sentence = report.checks.first?.verdict.sentence ?? ""
      #expect(sentence.contains(words), "\(sentence)")
      #expect(report.summary == "no way works; settings on this computer: wrong")
    }
  }

  @Test func anUnreadableVariableIsTold() throws {
    let stage = try DoctorStage()
    let report = stage.examine(
      stage.settings(tcp: ["127.0.0.1:1"], https: []),
      environment: ["https_proxy": "socks5://user:secret@x:1"])
    #expect(report.exitCode == 2)
    #expect(report.json.contains("https_proxy is no URL"))
    #expect(!report.json.contains("secret"))
  }

  @Test func filesThatAreMissingOrDoNotBelongTogetherAreTold() throws {
    let stage = try DoctorStage()
    let good = stage.settings(tcp: ["127.0.0.1:1"], https: [])
    let text = try #require(AgentFile.text(good))
    let stranger = try stage.site.client(otherClient)
    let cases: [(String, String, [String])] = [
      (stage.client.key, stranger.key, ["key values mismatch"]),
      (stage.client.key, "/nowhere/client.key", ["there is no file /nowhere/client.key"]),
      (stage.site.authorityFile, good, ["cannot use the authorities in"]),
      ("\(stage.site.folder.path)/task.pub", good, ["holds no public key"]),
      (stage.client.certificate, stage.site.authorityFile, ["names no client"]),
      (stage.client.certificate, stage.site.folder.path, ["cannot read \(stage.site.folder.path)"]),
    ]
    for (old, new, words) in cases {
      var lines: [Substring] = []
      for line in text.split(separator: "\n") {
        guard let range = line.firstRange(of: old) else {
          lines.append(line)
          continue
        }
        lines.append(Substring(line[..<range.lowerBound] + new + line[range.upperBound...]))
      }
      let report = stage.examine(
        stage.site.folder.write("other.yaml", lines.joined(separator: "\n") + "\n"))
      #expect(report.exitCode == 2, "\(report.table)")
      #expect(report.words("here") == ["settings ok", "files failed"])
      let sentence = report.checks.last?.verdict.sentence ?? ""
      for word in words { #expect(sentence.contains(word), "\(sentence)") }
    }
  }

  @Test func allMissingFilesAreToldAtOnce() throws {
    let stage = try DoctorStage()
    let file = stage.site.folder.write(
      "bare.yaml", "management-points: [127.0.0.1:1]\nsite: S01\n")
    let sentence = stage.examine(file).checks.last?.verdict.sentence ?? ""
    for name in ["client.crt", "client.key", "ca.pem", "task.pub"] {
      #expect(sentence.contains("\(stage.site.folder.path)/\(name)"), "\(sentence)")
    }
  }

  @Test func ourOwnCertificateIsToldBeforeItEnds() throws {
    let stage = try DoctorStage()
    let file = stage.settings(tcp: [try stage.closedPort()], https: [], "transport: tcp")
    let start = stage.site.now.milliseconds
    for (days, word) in [(1, "ok"), (20, "warning"), (31, "failed"), (-40, "failed")]
      as [(Int64, String)]
    {
      let report = stage.examine(file, wall: { start + days * 86_400_000 })
      #expect(report.verdicts("here", .certificate).map(\.word) == [word], "day \(days)")
    }
    // A bad certificate does not keep the ways from being tried: the port is closed besides.
    let late = stage.examine(file, wall: { start + 31 * 86_400_000 })
    #expect(late.exitCode == 11)
    #expect(late.summary.contains("certificate on this computer: wrong"))
  }
}
