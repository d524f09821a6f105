// How proxies are written down, and which of them leads to a host.

import Testing

@testable import HTTPClient

@Suite struct ProxyChoiceTests {
  @Test(
    arguments: [
      ("http://proxy", "proxy", 3128, nil, nil), ("HTTP://proxy:8080/", "proxy", 8080, nil, nil),
      ("http://10.0.0.1:1", "10.0.0.1", 1, nil, nil), ("http://[::1]", "::1", 3128, nil, nil),
      ("http://[2001:db8::1]:65535/", "2001:db8::1", 65535, nil, nil),
      ("http://ann@proxy:", "proxy", 3128, "ann", nil),
      ("http://ann:@proxy", "proxy", 3128, "ann", ""), ("http://@proxy", "proxy", 3128, nil, nil),
      ("http://d%5Cann:p%40ss%3a%2F@proxy:80", "proxy", 80, "d\\ann", "p@ss:/"),
      ("http://ann:a:b@c@proxy", "proxy", 3128, "ann", "a:b@c"),
      ("http://%C3%A4:%e2%82%ac@proxy", "proxy", 3128, "ä", "€"),
    ] as [(String, String, UInt16, String?, String?)])
  func aURLIsRead(
    _ url: String, _ host: String, _ port: UInt16, _ user: String?, _ password: String?
  ) throws {
    let proxy = try #require(ProxyServer(url: url))
    #expect(proxy == ProxyServer(host: host, port: port, user: user, password: password))
  }

  @Test(arguments: [
    "", "proxy", "proxy:3128", "http://", "http:///", "https://proxy", "socks5://proxy",
    "http://proxy:0", "http://proxy:65536", "http://proxy:+1", "http://proxy:1x", "http://a b",
    "http://proxy/path", "http://proxy?x", "http://proxy//", "http://[::1", "http://::1",
    "http://[proxy]", "http://[::1]x", "http://a%2:b@proxy", "http://a%zz@proxy", "http://%ff@p",
    "http://a%0d%0a@proxy", "http://a:%00@proxy", "http://pröxy", "http://.proxy", " http://proxy",
  ])
  func whatIsNoHTTPProxyIsNone(_ url: String) { #expect(ProxyServer(url: url) == nil) }

  @Test func thePasswordIsNeverShown() throws {
    let proxy = try #require(ProxyServer(url: "http://ann:secret@[::1]:80"))
    #expect("\(proxy)" == "http://ann@[::1]:80")
    #expect(!"\(proxy) \([proxy])".contains("secret"))
    let choice = ProxyChoice(setting: proxy, isOff: false, exempt: [], environment: [:])
    #expect(!"\(choice)".contains("secret"))
    let broken = ProxyChoice(
      setting: nil, isOff: false, exempt: [], environment: ["https_proxy": "ftp://a:secret@b"])
    #expect(broken.fault == "https_proxy is no URL like http://user:password@host:port")
  }

  /// All variables, each with a proxy that is called like it.
  private let all = Dictionary(
    uniqueKeysWithValues: ProxyChoice.variables.map { ($0, "http://\($0)") })

  @Test func theOrderIsSettingThenEnvironment() throws {
    var environment = all
    let set = try #require(ProxyServer(url: "http://set"))
    let off = ProxyChoice(setting: set, isOff: true, exempt: [], environment: environment)
    #expect(off.proxy(for: "mp") == (nil, .setting))
    let setting = ProxyChoice(setting: set, isOff: false, exempt: [], environment: environment)
    #expect(setting.proxy(for: "mp") == (set, .setting))
    for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
      let choice = ProxyChoice(setting: nil, isOff: false, exempt: [], environment: environment)
      let (server, source) = choice.proxy(for: "mp")
      #expect(server?.host == name)
      #expect(source == .environment(name))
      environment[name] = ""
    }
    environment["http_proxy"] = "http://other"
    let none = ProxyChoice(setting: nil, isOff: false, exempt: ["*"], environment: environment)
    #expect(none.proxy(for: "mp") == (nil, .none))
    #expect(none.fault == nil)
  }

  @Test func aVariableMayLackItsScheme() {
    let choice = ProxyChoice(
      setting: nil, isOff: false, exempt: [], environment: ["HTTPS_PROXY": "ann:x@proxy:81"])
    #expect(
      choice.proxy(for: "mp").server
        == ProxyServer(host: "proxy", port: 81, user: "ann", password: "x"))
  }

  @Test(arguments: ["https://proxy", "socks5h://proxy", "http://", "http://proxy:x", "://"])
  func aBrokenVariableIsNamedAndNotReplaced(_ value: String) {
    let choice = ProxyChoice(
      setting: nil, isOff: false, exempt: [],
      environment: ["https_proxy": value, "all_proxy": "http://all"])
    #expect(choice.fault?.hasPrefix("https_proxy ") == true)
    #expect(choice.proxy(for: "mp") == (nil, .environment("https_proxy")))
  }

  @Test func aSettingIsNotExemptedByTheEnvironment() throws {
    let set = try #require(ProxyServer(url: "http://set"))
    let environment = ["no_proxy": "*", "https_proxy": "ftp://"]
    let choice = ProxyChoice(
      setting: set, isOff: false, exempt: ["inside.test"], environment: environment)
    #expect(choice.fault == nil)
    #expect(choice.proxy(for: "mp") == (set, .setting))
    #expect(choice.proxy(for: "a.inside.test") == (nil, .exempt("inside.test")))
  }

  @Test func bothListsHoldForTheEnvironment() {
    var environment = all
    environment["no_proxy"] = " a.test,,\tb.test , 10.0.0.0/8"
    environment["NO_PROXY"] = "*"
    let choice = ProxyChoice(
      setting: nil, isOff: false, exempt: ["c.test"], environment: environment)
    let exempt = ["a.test", "b.test", "c.test", "10.1.1.1"].map { choice.proxy(for: $0).source }
    #expect(
      exempt == [
        .exempt("a.test"), .exempt("b.test"), .exempt("c.test"), .exempt("10.0.0.0/8"),
      ])
    #expect(choice.proxy(for: "d.test").server?.host == "https_proxy")
    #expect(choice.fault == nil)
  }

  @Test func anEntryThatMatchesNothingIsReported() {
    var environment = all
    environment["NO_PROXY"] = "a.test,b.test:443"
    let choice = ProxyChoice(setting: nil, isOff: false, exempt: [], environment: environment)
    #expect(choice.fault == "NO_PROXY holds an entry that matches nothing: b.test:443")
    #expect(choice.proxy(for: "a.test").server == nil)
    #expect(choice.proxy(for: "b.test").server != nil)
  }

  @Test(
    arguments: [
      ("*", ["anything", "10.0.0.1", "::1"], []),
      (
        "example.com", ["example.com", "EXAMPLE.com.", "a.example.com", "b.a.Example.Com"],
        ["badexample.com", "example.com.evil", "com", "example.co", "10.0.0.1"]
      ),
      (".example.com", ["example.com", "a.example.com"], ["badexample.com"]),
      ("*.Example.com.", ["example.com", "a.example.com"], ["badexample.com"]),
      ("localhost", ["localhost", "LOCALHOST"], ["127.0.0.1", "::1", "localhost.test"]),
      (
        "10.0.0.1", ["10.0.0.1", "::ffff:10.0.0.1", "[::ffff:a00:1]"], ["10.0.0.11", "a.10.0.0.1"]
      ),
      ("10.0.0.0/8", ["10.0.0.1", "10.255.255.255"], ["11.0.0.1", "::a00:1", "10.test"]),
      ("10.1.2.3/8", ["10.200.0.1"], ["11.1.2.3"]), ("0.0.0.0/0", ["1.2.3.4"], ["::1", "a"]),
      (
        "192.168.1.128/25", ["192.168.1.128", "192.168.1.255"], ["192.168.1.127", "192.168.2.128"]
      ),
      ("10.0.0.1/32", ["10.0.0.1"], ["10.0.0.0", "10.0.0.2"]),
      (
        "2001:DB8::/33", ["2001:db8::1", "2001:db8:7fff::", "[2001:0db8:0::5]"],
        ["2001:db8:8000::", "2001:db9::", "32.1.13.184"]
      ),
      (
        "::1", ["::1", "[::1]", "0:0:0:0:0:0:0:1", "::0.0.0.1"], ["::2", "127.0.0.1", "localhost"]
      ),
      ("[fe80::]/10", ["fe80::1", "febf::"], ["fec0::", "fe7f::"]),
    ] as [(String, [String], [String])])
  func anEntryMatchesItsHosts(_ entry: String, _ inside: [String], _ outside: [String]) throws {
    let exemption = try #require(ProxyExemption(entry))
    for host in inside { #expect(exemption.matches(host), "\(host)") }
    for host in outside { #expect(!exemption.matches(host), "\(host)") }
  }

  @Test(arguments: [
    "", ".", "*.", "a b", "a:1", "10.", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "/8",
    "10.0.0.0/", "10.0.0.0/8/8", "a/8", "10.0.0.256", "010.0.0.1", "::g", ":::", "1::2::3", "10.*",
    "http://a", "10.0.0.0/+8", "..a",
  ])
  func anEntryThatCanMatchNothingIsNone(_ entry: String) { #expect(ProxyExemption(entry) == nil) }

  @Test(
    arguments: [
      ("1.2.3.4", [1, 2, 3, 4]), ("::", Array(repeating: 0, count: 16)),
      ("1:2:3:4:5:6:7:8", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]),
      ("ffff::", [255, 255] + Array(repeating: 0, count: 14)),
      ("1::8", [0, 1] + Array(repeating: 0, count: 13) + [8]),
      ("64:ff9b::1.2.3.4", [0, 0x64, 0xFF, 0x9B] + Array(repeating: 0, count: 8) + [1, 2, 3, 4]),
      ("::ffff:1.2.3.4", [1, 2, 3, 4]),
    ] as [(String, [UInt8])])
  func anAddressIsItsBytes(_ text: String, _ bytes: [UInt8]) {
    #expect(IPAddress(text)?.bytes == bytes)
  }

  @Test(arguments: [
    "", "1.2.3", "1.2.3.4.5", "1.2.3.+4", "1..3.4", ":", ":1", "1:", "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9", "1::2:3:4:5:6:7:8", "12345::", "1.2.3.4::", "::1.2.3.4:5", "::+1",
    "fe80::1%eth0", "[::1", "1:2:3:4:5:6:7::8:9", "::１",
  ])
  func whatIsNoAddressIsNone(_ text: String) { #expect(IPAddress(text) == nil) }

  @Test(
    arguments: [
      ("https://mp.test/bgb", "mp.test"), ("https://mp.test:8443", "mp.test"),
      ("https://u:p@mp.test:1/a@b", "mp.test"), ("https://[::1]:8443/x", "::1"),
      ("https://mp.test?x", "mp.test"), ("mp.test", nil), ("https://", nil), ("https://a b/", nil),
    ] as [(String, String?)])
  func aRequestKnowsItsHost(_ url: String, _ host: String?) {
    #expect(HTTPRequest(.get, url: url).host == host)
  }
}
