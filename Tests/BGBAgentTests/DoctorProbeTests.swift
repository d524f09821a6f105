// The doctor before real sockets: each test puts one thing in the way and expects it to be named.

import BGBModel
import BGBSigning
import Reactor
import Testing

@testable import BGBAgent

@Suite(.serialized) struct DoctorProbeTests {
  @Test func whenAllIsWellEveryHopIsGoodAndNothingIsSignedIn() throws {
    let stage = try DoctorStage()
    let tcp = try stage.server()
    let https = try stage.server()
    let report = stage.examine(
      stage.settings(tcp: [tcp.address], https: [https.address]), hold: 1)
    #expect(report.exitCode == 0, "\(report.table)")
    #expect(report.words("here") == ["settings ok", "files ok", "certificate ok"])
    #expect(report.words("tcp") == ["name ok", "connect ok", "tls ok"])
    #expect(
      report.words("https") == [
        "proxy ok", "name ok", "connect ok", "tls ok", "server ok", "clock ok", "poll ok",
      ])
    #expect(report.summary == "works over TCP and HTTPS")
    #expect(tcp.requests.isEmpty && tcp.connections == 1)
    #expect(https.requests == ["GET /bgb/self HTTP/1.1", "GET /bgb/self?hold=1 HTTP/1.1"])
    #expect(report.clientID == testClient && report.site == "S01")
    let tls = report.verdicts("tcp", .tls).first?.sentence ?? ""
    #expect(tls.hasPrefix("TLSv1.3, TLS_AES_128_GCM_SHA256; a server of our site (mp1)"))
  }

  @Test func aClosedPortIsToldApartFromTheOtherWay() throws {
    let stage = try DoctorStage()
    let closed = try stage.closedPort()
    let https = try stage.server()
    let report = stage.examine(stage.settings(tcp: [closed], https: [https.address]))
    #expect(report.exitCode == 11)
    #expect(report.words("tcp") == ["name ok", "connect failed", "tls skipped"])
    #expect(report.summary == "works over HTTPS; TCP to \(closed): fails at connect")
    let words = report.verdicts("tcp", .connect).first?.sentence ?? ""
    #expect(words.hasPrefix("nothing listens on \(closed)"))
  }

  @Test func whoeverTakesTheConnectionAndSaysNothingIsNoServer() throws {
    let stage = try DoctorStage()
    let deaf = try stage.peer(.deaf)
    let report = stage.examine(
      stage.settings(tcp: [deaf.address], https: [], "transport: tcp"), timeout: 300)
    #expect(report.exitCode == 13)
    #expect(
      report.verdicts("tcp", .tls) == [
        .failed(.tls, DoctorWords.tlsTimedOut(milliseconds: 300))
      ])
  }

  @Test func aCaptivePortalIsNamed() throws {
    let stage = try DoctorStage()
    let portal = try stage.peer(
      .plain(httpAnswer("<html>log in</html>", type: "text/html")))
    let report = stage.examine(
      stage.settings(tcp: [portal.address], https: [portal.address]))
    #expect(report.exitCode == 13)
    for kind in ["tcp", "https"] {
      let words = report.verdicts(kind, .tls).first?.sentence ?? ""
      #expect(words.contains("captive portal"), "\(words)")
    }
    #expect(report.summary.hasPrefix("no way works; TCP to"))
  }

  @Test func serversThatAreNotOursAreToldByTheirCertificates() throws {
    let stage = try DoctorStage()
    let other = try TestSite()
    let long = WallTime(milliseconds: stage.site.now.milliseconds - 60 * 86_400_000)
    let (key, request) = try CertificateRequest.make(name: "mp1")
    let old = try stage.site.authority.issueServer(
      name: "mp1", hosts: ["localhost"], request: request, days: 30, now: long)
    let expired = (
      stage.site.folder.write("old.crt", old), stage.site.folder.write("old.key", key)
    )
    let cases: [(ScriptedPeer, String)] = [
      (try stage.server(of: other), "is not of our site's authority"),
      (
        try stage.server(files: try stage.site.client(otherClient)),
        "is of no notification server of site S01"
      ),
      (try stage.server(files: expired), "the server's certificate (mp1) ended on"),
    ]
    for (peer, words) in cases {
      let report = stage.examine(stage.settings(tcp: [peer.address], https: [peer.address]))
      #expect(report.exitCode == 13)
      for kind in ["tcp", "https"] {
        let sentence = report.verdicts(kind, .tls).first?.sentence ?? ""
        #expect(sentence.contains(words), "\(sentence)")
      }
      #expect(peer.requests.isEmpty, "nothing is asked of a stranger")
    }
  }

  @Test func aServerOfAnotherSiteUnderTheSameAuthorityIsNotOurs() throws {
    let stage = try DoctorStage()
    let peer = try stage.server()
    let report = stage.examine(
      stage.settings(tcp: [peer.address], https: [peer.address], code: "X09"))
    #expect(report.exitCode == 13)
    for kind in ["tcp", "https"] {
      let sentence = report.verdicts(kind, .tls).first?.sentence ?? ""
      #expect(
        sentence.contains("is of no notification server of site X09 (name-malformed)"),
        "\(sentence)")
    }
    #expect(peer.requests.isEmpty)
  }

  @Test func aServerThatRefusesOurCertificateIsHeardThoughOurHandshakeWasDone() throws {
    let stage = try DoctorStage()
    // It shows a certificate that we trust, and trusts another authority than ours.
    let other = try TestSite()
    let files = try stage.site.server("mp1")
    let peer = try stage.peer(
      .tls(
        certificate: files.certificate, key: files.key, authority: other.authorityFile,
        { _ in .nothing }))
    let report = stage.examine(stage.settings(tcp: [peer.address], https: [peer.address]))
    #expect(report.exitCode == 13)
    let overTCP = report.verdicts("tcp", .tls).first?.sentence ?? ""
    #expect(overTCP.contains("the server refuses our certificate"), "\(overTCP)")
    let overHTTPS = report.verdicts("https", .server).first
    #expect(overHTTPS?.failure == .tls)
    #expect(overHTTPS?.sentence.contains("the server refuses our certificate") == true)
  }

  @Test func aBlockedClientHearsItAndNothingCountsAsWorking() throws {
    let stage = try DoctorStage()
    let peer = try stage.server { _ in .bytes(httpAnswer(DoctorStage.view(blocked: true))) }
    let report = stage.examine(stage.settings(tcp: [peer.address], https: [peer.address]))
    #expect(report.exitCode == 16)
    #expect(
      report.summary == "no way works; HTTPS to \(peer.address): the server refuses this client")
  }

  @Test func aClockThatIsOffIsWorthAWarningUntilCertificatesBreak() throws {
    let stage = try DoctorStage()
    let minutes = try stage.server { _ in
      .bytes(httpAnswer(DoctorStage.view(aheadMilliseconds: 5 * 60_000)))
    }
    let soon = stage.examine(stage.settings(tcp: [minutes.address], https: [minutes.address]))
    #expect(soon.exitCode == 0)
    #expect(soon.words("https").contains("clock warning"))
    #expect(soon.summary == "works over TCP and HTTPS; 1 warning")
    let days = try stage.server { _ in
      .bytes(httpAnswer(DoctorStage.view(aheadMilliseconds: 60 * 86_400_000)))
    }
    let late = stage.examine(stage.settings(tcp: [days.address], https: [days.address]))
    #expect(late.exitCode == 14)
    #expect(late.verdicts("https", .clock).first?.failure == .clock)
  }

  @Test func aPathThatCutsSilentConnectionsIsMeasured() throws {
    let stage = try DoctorStage()
    let peer = try stage.server { path in
      path.contains("hold")
        ? .cut("", afterMilliseconds: 200) : .bytes(httpAnswer(DoctorStage.view()))
    }
    let report = stage.examine(
      stage.settings(tcp: [peer.address], https: [peer.address]), hold: 5)
    #expect(report.exitCode == 15)
    let words = report.verdicts("https", .poll).first?.sentence ?? ""
    #expect(words.hasPrefix("the path cuts silent connections after about "))
    #expect(report.summary.contains("fails at poll"))
    #expect(report.summary.hasPrefix("works over TCP;"))
  }

  @Test func aPollThatIsSwallowedOrAnsweredTooSoonIsNamed() throws {
    let stage = try DoctorStage()
    let cases: [(ScriptedPeer.Reply, String)] = [
      (.nothing, "had no answer"), (.bytes(httpAnswer(DoctorStage.view())), "was answered after"),
      (.bytes(httpAnswer("", status: "504 Gateway Timeout")), "has no answer (504)"),
    ]
    for (reply, words) in cases {
      let peer = try stage.server { path in
        path.contains("hold") ? reply : .bytes(httpAnswer(DoctorStage.view()))
      }
      let report = stage.examine(
        stage.settings(tcp: [peer.address], https: [peer.address]), hold: 1, timeout: 400)
      #expect(report.exitCode == 15)
      let sentence = report.verdicts("https", .poll).first?.sentence ?? ""
      #expect(sentence.contains(words), "\(sentence)")
    }
  }

  @Test func answersThatAreNotOursAreNamed() throws {
    let stage = try DoctorStage()
    let page = httpAnswer("<html></html>", type: "text/html")
    let cases: [(ScriptedPeer.Reply, String)] = [
      (.bytes(page), "a page in HTML answers"),
      (.bytes(httpAnswer("", status: "407 Proxy Authentication Required")), "proxy.user"),
      (.bytes(httpAnswer("", status: "502 Bad Gateway")), "has no answer (502)"),
      (.bytes(httpAnswer("", status: "302 Found")), "captive portal"),
      (.bytes("SSH-2.0-OpenSSH_9.2\r\n"), "does not speak HTTP"),
      (.bytes(httpAnswer("{}")), "of another release"),
      (.cut(String(httpAnswer(DoctorStage.view()).prefix(100))), "cut in its middle"),
      (.cut(""), "without an answer"), (.nothing, "no answer within"),
      (.bytes(httpAnswer(DoctorStage.view(site: "X09"))), "site X09"),
      (.bytes(httpAnswer(DoctorStage.view(clientID: otherClient))), "takes us for client"),
    ]
    for (reply, words) in cases {
      let peer = try stage.server { _ in reply }
      let report = stage.examine(
        stage.settings(tcp: [peer.address], https: [peer.address]), timeout: 1_000)
      #expect(report.exitCode == 15, "\(words)")
      let sentence = report.verdicts("https", .server).first?.sentence ?? ""
      #expect(sentence.contains(words), "\(sentence)")
      #expect(report.summary.hasPrefix("works over TCP; HTTPS to"))
    }
  }

  @Test func aClientThatIsOnlineNowhereIsWorthAWarningAndElsewhereIsNot() throws {
    let stage = try DoctorStage()
    let without = try stage.server { _ in .bytes(httpAnswer(DoctorStage.view(online: false))) }
    let with = try stage.server()
    let alone = stage.examine(stage.settings(tcp: [with.address], https: [without.address]))
    #expect(alone.words("https").contains("server warning"))
    #expect(alone.exitCode == 0)
    let both = stage.examine(
      stage.settings(tcp: [with.address], https: [without.address, with.address]))
    #expect(both.verdicts("https", .server).map(\.word) == ["ok", "ok"])
  }

  @Test func proxiesAreNamedWithTheirSourceAndTheirFault() throws {
    let stage = try DoctorStage()
    let server = try stage.server()
    let closed = try stage.closedPort()
    let cases: [(String, String)] = [
      ("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "proxy.user"),
      ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "permit CONNECT"),
      (
        "HTTP/1.1 302 Found\r\nLocation: http://portal/\r\nContent-Length: 0\r\n\r\n",
        "captive portal"
      ),
      ("220 mail.example.org ESMTP\r\n", "is no proxy"),
    ]
    for (answer, words) in cases {
      let proxy = try stage.peer(.proxy(answer))
      let report = stage.examine(
        stage.settings(
          tcp: [server.address], https: [server.address],
          "proxy:\n  url: http://\(proxy.address)"))
      #expect(report.exitCode == 12)
      let sentence = report.verdicts("https", .proxy).first?.sentence ?? ""
      #expect(sentence.contains(words), "\(sentence)")
      #expect(sentence.contains("by the setting proxy.url"))
      #expect(report.words("https").dropFirst().allSatisfy { $0.hasSuffix("skipped") })
    }
    let gone = stage.examine(
      stage.settings(tcp: [server.address], https: [server.address]),
      environment: ["https_proxy": "http://\(closed)"])
    #expect(gone.exitCode == 12)
    let sentence = gone.verdicts("https", .proxy).first?.sentence ?? ""
    #expect(sentence.contains("by the variable https_proxy"))
    #expect(sentence.contains("not reachable"))
  }

  @Test func aProxyThatLetsUsThroughIsPartOfTheWay() throws {
    let stage = try DoctorStage()
    let server = try stage.server()
    let proxy = try stage.peer(.proxy("HTTP/1.1 200 Connection established\r\n\r\n"))
    let file = stage.settings(tcp: [server.address], https: [server.address])
    let environment = ["https_proxy": "http://\(proxy.address)"]
    let report = stage.examine(file, hold: 1, environment: environment)
    #expect(report.exitCode == 0, "\(report.table)")
    #expect(
      report.words("https") == [
        "proxy ok", "name skipped", "connect skipped", "tls ok", "server ok", "clock ok", "poll ok",
      ])
    #expect(proxy.requests == ["CONNECT \(server.address)"])
    let exempt = stage.examine(
      file, environment: environment.merging(["no_proxy": "127.0.0.0/8"]) { $1 })
    #expect(exempt.exitCode == 0)
    #expect(
      exempt.verdicts("https", .proxy) == [
        .ok("no proxy: the host is exempt by '127.0.0.0/8'")
      ])
  }

  @Test func aNameWithoutAddressIsNotAClosedPort() throws {
    let stage = try DoctorStage()
    let report = stage.examine(
      stage.settings(tcp: ["no-such-host.invalid:10123"], https: [], "transport: tcp"),
      timeout: 1_000)
    #expect(report.exitCode == 10)
    #expect(report.words("tcp") == ["name failed", "connect skipped", "tls skipped"])
    let local = try stage.server()
    let found = stage.examine(
      stage.settings(tcp: ["localhost:\(local.port)"], https: [], "transport: tcp"))
    #expect(found.exitCode == 0, "\(found.table)")
    #expect(found.verdicts("tcp", .name).first?.sentence.contains("127.0.0.1") == true)
  }

  @Test func waysThatTheSettingsDoNotAllowAreLeftOut() throws {
    let stage = try DoctorStage()
    let server = try stage.server()
    let tcp = stage.examine(
      stage.settings(tcp: [server.address], https: [server.address], "transport: tcp"))
    #expect(tcp.exitCode == 0 && tcp.summary == "works over TCP")
    #expect(tcp.words("https").allSatisfy { $0.hasSuffix("skipped") })
    let https = stage.examine(
      stage.settings(tcp: [server.address], https: [server.address], "transport: https"))
    #expect(https.exitCode == 0 && https.summary == "works over HTTPS")
    #expect(https.words("tcp").allSatisfy { $0.hasSuffix("skipped") })
    #expect(https.verdicts("https", .poll) == [.skipped("--hold is 0")])
  }
}
