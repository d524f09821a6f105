// Host and port in one word, as people write them.

/// A host and a port such as `127.0.0.1:10123`, `[::1]:10123` or `mp1.example.org:10123`.
public struct AddressSetting: SettingValue, Hashable, CustomStringConvertible {
  /// A host name or an address, without brackets.
  public let host: String
  /// The port; 0 lets the kernel choose.
  public let port: UInt16

  /// Joins the two.
  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// What a file should say.
  public static var expected: String { "an address such as 127.0.0.1:10123 or [::1]:10123" }

  /// Reads the spelling; an IPv6 address needs its brackets.
  public init?(setting text: String, folder: String = "") {
    guard let colon = text.lastIndex(of: ":"),
      text[text.index(after: colon)...].utf8.allSatisfy({
        $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9")
      }), let port = UInt16(text[text.index(after: colon)...])
    else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
      guard host.contains(":") else { return nil }
    } else if host.contains(":") {
      return nil
    }
    guard !host.isEmpty, host.utf8.count <= 255, host.utf8.allSatisfy(AddressSetting.isHostByte)
    else { return nil }
    self.host = String(host)
    self.port = port
  }

  private static func isHostByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
      UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "%"):
      true
    default: false
    }
  }

  /// The spelling.
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
