// Strictness and layers: what a person who writes a configuration meets.

import Testing

@testable import ServiceSettings

private enum Format: String, Decodable, CaseIterable {
  case text, cmtrace, json
}

private struct Log: Decodable, Equatable {
  var file: RelativePath?
  var format: Format
  var level: String
}

private struct Server: DescribedSettings, Equatable {
  var name: String
  var listen: [AddressSetting]
  var policyURL: String?
  var keepAlive: DurationSetting
  var connectionsMax: Int
  var log: Log
  var actions: [String: [String]]?
  var exclude: [RelativePath]
  var hooks: [String: [String]]
  var oldestTls: String

  static let descriptions = [
    SettingDescription("name", "text", "The server's name in the site."),
    SettingDescription(
      "listen", "addresses", default: "127.0.0.1:10123", "Where agents connect."),
    SettingDescription("keep-alive", "duration", default: "15m", "How often agents speak."),
    SettingDescription("connections-max", "number", default: "18000", "Connections at most."),
    SettingDescription("exclude", "paths", default: "[/proc, sys]", "What is left out."),
    SettingDescription("hooks", "name: argv", default: "{a: [b, c]}", "What is run."),
    SettingDescription("oldest-tls", "1.2 or 1.3", default: "\"1.3\"", "The oldest version."),
    SettingDescription("log.format", "text, cmtrace or json", default: "text", "The spelling."),
    SettingDescription("log.level", "level", default: "info", "From which level on."),
  ]
}

@Suite struct SettingsTests {
  private func load(
    _ text: String, environment: [String: String] = [:], overrides: [String: String] = [:]
  ) throws(SettingsError) -> Server {
    try parse(
      Server.self, text: text, path: "/etc/bgb/server.yaml", environmentPrefix: "BGB_SERVER",
      environment: environment, overrides: overrides)
  }

  private func problems(
    _ text: String, environment: [String: String] = [:], overrides: [String: String] = [:]
  ) -> String {
    do {
      _ = try load(text, environment: environment, overrides: overrides)
      return ""
    } catch { return error.description }
  }

  @Test func defaultsComeFromTheTable() throws {
    let server = try load("name: mp1\n")
    #expect(server.listen == [AddressSetting(host: "127.0.0.1", port: 10123)])
    #expect(server.keepAlive.seconds == 900)
    #expect(server.connectionsMax == 18000)
    #expect(server.exclude.map(\.path) == ["/proc", "/etc/bgb/sys"])
    #expect(server.hooks == ["a": ["b", "c"]])
    #expect(server.oldestTls == "1.3", "quotes are spelling, not value")
    #expect(server.log == Log(file: nil, format: .text, level: "info"))
  }

  @Test func theFileIsReadWithGroupsListsAndDictionaries() throws {
    let server = try load(
      """
      name: mp1   # comment
      listen: [127.0.0.1:1, "[::1]:2"]
      policy-url: https://localhost:10443
      keep-alive: 1h30m
      log:
        file: logs/BGBServer.log
        format: cmtrace
      actions:
        cleanUp: [/usr/bin/true, "a b"]
        say-hello: [/bin/echo]
      """)
    #expect(server.listen.map(\.description) == ["127.0.0.1:1", "[::1]:2"])
    #expect(server.policyURL == "https://localhost:10443")
    #expect(server.keepAlive.milliseconds == 5_400_000)
    #expect(server.log.file?.path == "/etc/bgb/logs/BGBServer.log")
    #expect(server.log.format == .cmtrace)
    #expect(server.log.level == "info")
    #expect(server.actions == ["cleanUp": ["/usr/bin/true", "a b"], "say-hello": ["/bin/echo"]])
  }

  @Test func flagsBeatTheEnvironmentAndThatTheFile() throws {
    let text = "name: file\nkeep-alive: 1m\nconnections-max: 1\n"
    let server = try load(
      text,
      environment: [
        "BGB_SERVER_NAME": "env", "BGB_SERVER_KEEP_ALIVE": "2m", "BGB_SERVER_LOG_LEVEL": "debug",
        "BGB_SERVER_LISTEN": "127.0.0.1:5, 127.0.0.2:6", "BGB_SITE": "/elsewhere", "PATH": "/bin",
      ], overrides: ["name": "flag"])
    #expect(server.name == "flag")
    #expect(server.keepAlive.seconds == 120)
    #expect(server.connectionsMax == 1)
    #expect(server.log.level == "debug")
    #expect(server.listen.map(\.port) == [5, 6])
  }

  @Test func pathsOfFlagsBeginWhereTheProgramWasStarted() throws {
    let server = try load("name: a\n", overrides: ["log.file": "here.log"])
    #expect(server.log.file?.path == "here.log")
  }

  @Test func unknownKeysAreAllToldWithLineAndSuggestion() {
    let told = problems("name: a\nkeepalive: 15m\nlog:\n  levle: info\n  zzzzzzzz: 1\n")
    #expect(
      told == """
        /etc/bgb/server.yaml:2: unknown key 'keepalive'; did you mean 'keep-alive'?
        /etc/bgb/server.yaml:4: unknown key 'log.levle'; did you mean 'log.level'?
        /etc/bgb/server.yaml:5: unknown key 'log.zzzzzzzz'
        """)
  }

  @Test func propertySpellingIsNotASecondSpelling() {
    #expect(problems("name: a\nkeepAlive: 15m\n").contains("did you mean 'keep-alive'"))
  }

  @Test func unknownVariablesAndFlagsAreErrors() {
    #expect(
      problems("name: a\n", environment: ["BGB_SERVER_KEEPALIVE": "1m"])
        == "environment BGB_SERVER_KEEPALIVE: unknown key 'BGB_SERVER_KEEPALIVE'; "
        + "did you mean 'BGB_SERVER_KEEP_ALIVE'?")
    #expect(
      problems("name: a\n", overrides: ["log.lvel": "x"])
        == "flag for log.lvel: unknown key 'log.lvel'; did you mean 'log.level'?")
  }

  @Test func aMissingKeyIsToldTogetherWithItsMisspelling() {
    #expect(
      problems("nmae: a\n") == """
        /etc/bgb/server.yaml: the key 'name' is missing
        /etc/bgb/server.yaml:1: unknown key 'nmae'; did you mean 'name'?
        """)
  }

  @Test(arguments: [
    (
      "keep-alive: 900",
      "'keep-alive' is '900', expected a duration such as 15m, 1h30m or 500ms"
    ),
    ("listen: 127.0.0.1", "expected an address such as 127.0.0.1:10123 or [::1]:10123"),
    ("connections-max: many", "'connections-max' is 'many', expected a whole number from"),
    ("connections-max: [1]", "'connections-max' is 'a list', expected a whole number"),
    ("log: {format: xml}", "'log.format' is 'xml', expected one of text, cmtrace, json"),
    ("log: loud", "'log' is 'loud', expected a group of keys"),
    ("listen: {a: b}", "'listen' is 'a group of keys', expected a list"),
  ])
  func badValuesSayWhereAndWhatIsExpected(_ line: String, _ expected: String) {
    let told = problems("name: a\n\(line)\n")
    #expect(told.hasPrefix("/etc/bgb/server.yaml:2: "))
    #expect(told.contains(expected), "\(told)")
  }

  @Test(arguments: [
    ("name: [", "server.yaml:"), ("name: a\nname: b\n", "the key 'name' is given twice"),
    ("- a\n", "settings must be a group of keys"), ("\u{0}", "server.yaml"),
    (String(repeating: "[", count: 40) + String(repeating: "]", count: 40), "too deeply"),
  ])
  func whatIsNotSettingsIsRefused(_ text: String, _ expected: String) {
    #expect(problems(text).contains(expected), "\(problems(text))")
  }

  @Test func aMissingFileIsAnError() {
    #expect(
      throws: SettingsError([
        .unreadable(path: "/nowhere.yaml", reason: "No such file or directory")
      ])
    ) {
      try ServiceSettings.load(Server.self, file: "/nowhere.yaml")
    }
  }

  @Test func explainShowsTypeDefaultAndVariable() {
    #expect(
      explain(Server.self, key: "keep-alive", environmentPrefix: "BGB_SERVER") == """
        keep-alive: duration
          How often agents speak.
          default: 15m
          environment: BGB_SERVER_KEEP_ALIVE
        """)
    #expect(explain(Server.self, key: "log")?.contains("log.format") == true)
    #expect(explain(Server.self, key: "nothing") == nil)
  }
}
