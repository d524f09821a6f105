// The spellings of values, and that none of them can overflow.

import Testing

@testable import ServiceSettings

@Suite struct SettingValueTests {
  @Test(arguments: [
    ("15m", 900_000), ("1h30m", 5_400_000), ("500ms", 500), ("1d", 86_400_000), ("0", 0),
    ("1m30s250ms", 90_250), ("0s", 0),
  ])
  func durations(_ text: String, _ milliseconds: Int64) {
    #expect(DurationSetting(setting: text)?.milliseconds == milliseconds)
  }

  @Test(arguments: [
    "", "15", "m", "-1m", "1m1h", "1m1m", "1.5h", "15 m", "1M", "9223372036854775807d", "1h30",
    "99999999999999999999s", "+1s", "106751991167d9223372036854775807ms",
  ])
  func noDurations(_ text: String) { #expect(DurationSetting(setting: text) == nil) }

  @Test(arguments: [0, 1, 999, 90_250, 5_400_000, 86_400_001] as [Int64])
  func durationsReadWhatTheyWrite(_ milliseconds: Int64) {
    let duration = DurationSetting(milliseconds: milliseconds)
    #expect(DurationSetting(setting: duration.description) == duration)
  }

  @Test(arguments: [
    ("64KiB", 65_536), ("5MB", 5_000_000), ("4096", 4096), ("0", 0), ("1GiB", 1 << 30), ("7B", 7),
  ])
  func sizes(_ text: String, _ bytes: Int64) {
    #expect(ByteSize(setting: text)?.bytes == bytes)
  }

  @Test(arguments: ["", "KiB", "-1", "1 KiB", "1TB", "9223372036854775807KiB", "1.5MB", "0x10"])
  func noSizes(_ text: String) { #expect(ByteSize(setting: text) == nil) }

  @Test(arguments: [
    ("127.0.0.1:10123", "127.0.0.1", 10123), ("[::1]:0", "::1", 0),
    ("mp-1.example.org:65535", "mp-1.example.org", 65535),
  ])
  func addresses(_ text: String, _ host: String, _ port: UInt16) {
    #expect(AddressSetting(setting: text) == AddressSetting(host: host, port: port))
    #expect(AddressSetting(setting: text)?.description == text)
  }

  @Test(arguments: [
    "", "host", ":1", "host:", "host:65536", "::1:1", "[host]:1", "a b:1", "host:+1", "host:-1",
    "http://x:1", "[]:1", "h\u{7}:1",
  ])
  func noAddresses(_ text: String) { #expect(AddressSetting(setting: text) == nil) }

  /// A value of a program's own.
  private struct Even: SettingValue {
    static let expected = "an even number"
    var number: Int

    init?(setting text: String, folder: String) {
      guard let number = Int(text), number % 2 == 0 else { return nil }
      self.number = number
    }
  }

  private struct Numbers: Decodable {
    var even: Even
  }

  @Test func programsHaveValuesOfTheirOwn() throws {
    #expect(try parse(Numbers.self, text: "even: 4", path: "f").even.number == 4)
    let expected = SettingsError([
      .badValue(.file(path: "f", line: 2), key: "even", value: "5", expected: "an even number")
    ])
    #expect(throws: expected) { try parse(Numbers.self, text: "\neven: 5", path: "f") }
  }

  @Test func relativePathsBeginAtTheFile() {
    #expect(RelativePath(setting: "a/b", folder: "/etc")?.path == "/etc/a/b")
    #expect(RelativePath(setting: "/a", folder: "/etc")?.path == "/a")
    #expect(RelativePath(setting: "a", folder: "/")?.path == "/a")
    #expect(RelativePath(setting: "a", folder: "")?.path == "a")
    #expect(RelativePath(setting: "", folder: "/etc") == nil)
  }

  @Test(arguments: [
    ("policyListen", "policy-listen"), ("policyURL", "policy-url"), ("caURLPath", "ca-url-path"),
    ("name", "name"), ("already-dashed", "already-dashed"), ("x2Y", "x2-y"),
  ])
  func propertyNamesBecomeKeys(_ name: String, _ key: String) {
    #expect(Spelling.key(of: name) == key)
  }

  @Test func distanceCountsChangesAndSwaps() {
    #expect(Spelling.distance("levle", "level") == 1)
    #expect(Spelling.distance("", "abc") == 3)
    #expect(Spelling.distance("kitten", "sitting") == 3)
    #expect(Spelling.nearest("zzz", in: ["abc"]) == nil)
  }
}
