// The doctor's pure half: what follows from checks, and how it looks, byte by byte.

import BGBModel
import Glibc
import HTTPClient
import Reactor
import Testing
import Transports

@testable import BGBAgent

@Suite struct DoctorReportTests {
  private static func check(
    _ place: DoctorPlace, _ hop: DoctorHop, _ verdict: DoctorVerdict, _ milliseconds: UInt64 = 0,
    _ target: String = ""
  ) -> DoctorCheck {
    DoctorCheck(
      place: place, hop: hop, target: target, milliseconds: milliseconds, verdict: verdict)
  }

  private static func report(_ checks: [DoctorCheck]) -> DoctorReport {
    var report = DoctorReport(
      at: WallTime(milliseconds: 1_793_000_000_000), settingsFile: "/etc/bgb/agent.yaml")
    report.clientID = testClient
    report.site = "S01"
    report.checks = checks
    return report
  }

  private static let tcp = DoctorPlace.tcp("mp1:10123")
  private static let https = DoctorPlace.https("mp1:443")

  private static let mixed = report([
    check(.here, .settings, .ok("read"), 3, "/etc/bgb/agent.yaml"),
    check(tcp, .name, .ok("mp1 is 192.0.2.5"), 12, "mp1"),
    check(tcp, .connect, .failed(.tcp, "closed"), 1, "192.0.2.5:10123"),
    check(tcp, .tls, .skipped("not reached")),
    check(https, .proxy, .ok("no proxy is set")),
    check(https, .tls, .ok("fine")),
    check(https, .server, .ok("online"), 2),
    check(https, .clock, .warning("5 min behind")),
    check(https, .poll, .ok("held"), 5_001),
  ])

  @Test func theTableIsAsItIs() {
    #expect(
      DoctorReportTests.mixed.table == """
        client \(testClient) of site S01, 2026-10-26T07:33:20.000Z

        this computer
          ok       settings     3 ms      read

        TCP to mp1:10123
          ok       name         12 ms     mp1 is 192.0.2.5
          FAILED   connect      1 ms      closed
          skipped  tls: not reached

        HTTPS to mp1:443
          ok       proxy        0 ms      no proxy is set
          ok       tls          0 ms      fine
          ok       server       2 ms      online
          WARNING  clock        0 ms      5 min behind
          ok       poll         5001 ms   held

        works over HTTPS; TCP to mp1:10123: fails at connect; 1 warning

        """)
  }

  @Test func theJSONIsAsItIs() throws {
    let json = DoctorReportTests.report([
      DoctorReportTests.check(.here, .settings, .ok("a \"quoted\" \\ \u{1B}[31m\n"), 3, "f"),
      DoctorReportTests.check(DoctorReportTests.tcp, .tls, .failed(.tls, "bad")),
      DoctorReportTests.check(DoctorReportTests.https, .server, .ok("good"), 2),
    ]).json
    #expect(
      json
        == #"{"at":"2026-10-26T07:33:20.000Z","settings":"/etc/bgb/agent.yaml","#
        + #""clientID":"\#(testClient)","site":"S01","exitCode":13,"#
        + #""summary":"works over HTTPS; TCP to mp1:10123: fails at tls","#
        + #""works":[{"place":"https","point":"mp1:443"}],"checks":["#
        + #"{"place":"here","point":null,"check":"settings","target":"f","status":"ok","#
        + #""class":null,"milliseconds":3,"text":"a \"quoted\" \\ \u001b[31m\u000a"},"#
        + #"{"place":"tcp","point":"mp1:10123","check":"tls","target":null,"status":"failed","#
        + #""class":"tls","milliseconds":0,"text":"bad"},"#
        + #"{"place":"https","point":"mp1:443","check":"server","target":null,"status":"ok","#
        + #""class":null,"milliseconds":2,"text":"good"}]}"# + "\n")
    #expect(JSONText(Array(json.utf8))?["checks"]?.elements.count == 3)
  }

  @Test func aStrangersNameDrawsNothing() {
    #expect(DoctorText.shown("mp1\u{1B}[2J\n\u{202E}x\u{9B}") == "mp1?[2J??x?")
    #expect(DoctorText.shown("Zürich 東京") == "Zürich 東京")
  }

  @Test func neighboursSkippedForOneReasonShareALine() {
    let skipped = DoctorVerdict.skipped("not reached")
    let rows = DoctorText.rows([
      DoctorReportTests.check(DoctorReportTests.https, .connect, .failed(.tcp, "x")),
      DoctorReportTests.check(DoctorReportTests.https, .tls, skipped),
      DoctorReportTests.check(DoctorReportTests.https, .server, skipped),
      DoctorReportTests.check(DoctorReportTests.https, .poll, .skipped("--hold is 0")),
    ])
    #expect(rows.map(\.hops) == ["connect", "tls, server", "poll"])
  }

  @Test func theCodeIsThatOfTheFirstClassOnTheWay() {
    #expect(DoctorFailure.allCases.map(\.rawValue) == [2, 10, 11, 12, 13, 14, 15, 16])
    let tcp = DoctorReportTests.tcp
    for (failures, code) in [
      ([], 0), ([.refused, .clock], 14), ([.https, .name], 10), ([.tls, .settings], 2),
      ([.refused], 16),
    ] as [([DoctorFailure], Int32)] {
      let checks = failures.map { DoctorReportTests.check(tcp, .tls, .failed($0, "")) }
      #expect(DoctorReportTests.report(checks).exitCode == code)
    }
    #expect(
      DoctorReportTests.report([
        .init(
          place: tcp, hop: .tls, target: "", milliseconds: 0, verdict: .warning(""))
      ]).exitCode == 0)
  }

  @Test func aDeadAddressHarmsOnlyBeforeOneThatWorks() {
    let refused = ConnectProblem.refused(.connectionRefused, atOnce: true)
    let late = ConnectProblem.refused(.connectionRefused, atOnce: false)
    let cases: [([ConnectProblem?], [String])] = [
      ([nil], ["ok"]), ([nil, .timedOut], ["ok", "warning"]), ([refused, nil], ["warning", "ok"]),
      ([late, nil], ["failed", "ok"]), ([.timedOut, nil], ["failed", "ok"]),
      ([refused], ["failed"]), ([refused, late], ["failed", "failed"]),
    ]
    for (problems, words) in cases {
      let attempts = problems.map {
        ConnectAttempt(address: "a:1", milliseconds: 1, problem: $0)
      }
      let verdicts = ConnectAttempt.verdicts(attempts, timeoutMilliseconds: 1_000)
      #expect(verdicts.map(\.word) == words)
    }
  }

  @Test func eachKernelReasonNamesItsRemedy() {
    for (number, words) in [
      (ECONNREFUSED, "start bgb-server"), (ETIMEDOUT, "a firewall drops it"),
      (EHOSTUNREACH, "no route"), (ENETUNREACH, "no route"), (EPERM, "firewall and confinement"),
      (EMFILE, "cannot connect"),
    ] {
      #expect(DoctorWords.unreachable("a:1", Errno(rawValue: number)).contains(words))
    }
  }

  @Test func eachProxyFaultNamesItsRemedy() {
    for (error, words) in [
      (.proxyUnresolved("x"), "into DNS"), (.proxyUnreachable("x"), "start it"),
      (.timeout("x"), "log"), (.authentication(schemes: ["Basic"]), "proxy.password-file"),
      (.refused(status: 403), "permit CONNECT"), (.refused(status: 307), "log in"),
      (.refused(status: 502), "proxy's log"), (.notAProxy("x"), "correct proxy.url"),
      (.invalid("x"), "correct proxy.url"),
    ] as [(TunnelError, String)] {
      #expect(DoctorWords.tunnel(error).contains(words))
    }
  }

  @Test func eachRefusalNamesItsRemedy() {
    let now = WallTime(milliseconds: 1_793_000_000_000)
    for (refusal, words) in [
      (.notTLS, "captive portal"), (.unknownAuthority, "opens TLS"), (.selfSigned, "opens TLS"),
      (.expired, "renew it"), (.notYetValid, "is it right"), (.wrongPurpose, "another machine"),
      (.badName(.malformed), "another machine"), (.protocolVersion, "https-tls"),
      (.weakKey, "was refused (weak-key)"),
    ] as [(CertificateRefusal, String)] {
      let sentence = DoctorWords.refused(refusal, peer: nil, site: TestSite.code, now: now)
      #expect(sentence.contains(words), "\(sentence)")
    }
    let cut = DoctorWords.lost(TransportError(.connectionReset, errno: ECONNRESET))
    #expect(cut.contains("the connection was cut"))
    #expect(DoctorWords.lost(TransportError(.alertReceived, reason: 48)).contains("refuses our"))
  }

  @Test func lengthsOfTimeHaveOneUnit() {
    for (milliseconds, text) in [
      (0, "0 ms"), (999, "999 ms"), (1_000, "1 s"), (5_099, "5 s"), (5_100, "5.1 s"),
      (119_999, "119.9 s"), (120_000, "2 min"), (7_200_000, "2 h"), (172_800_000, "2 days"),
      (.max, "213503982334 days"),
    ] as [(UInt64, String)] { #expect(DoctorWords.length(milliseconds: milliseconds) == text) }
    #expect(DoctorWords.day(.max) == "9999-12-31" && DoctorWords.day(.min) == "0000-01-01")
    #expect(DoctorWords.daysLeft(.max, now: WallTime(milliseconds: -1_000)) == 0)
  }
}
