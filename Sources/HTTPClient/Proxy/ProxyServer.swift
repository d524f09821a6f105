// An HTTP proxy and what it wants to hear, read from the URL in which people write it down.

/// A proxy and what it wants to hear.
public struct ProxyServer: Hashable, Sendable, CustomStringConvertible {
  /// The port when none is written: squid's.
  ///
  /// Programs differ here (curl takes 1080, others 80), so better write one.
  public static let portDefault: UInt16 = 3128

  /// A name or an address; IPv6 without brackets.
  public var host: String
  /// The port.
  public var port: UInt16
  /// Whom to authenticate as, when the proxy asks.
  public var user: String?
  /// The password; never shown.
  public var password: String?

  /// Joins the parts.
  public init(host: String, port: UInt16, user: String? = nil, password: String? = nil) {
    self.host = host
    self.port = port
    self.user = user
    self.password = password
  }

  /// Reads `http://[user[:password]@]host[:port]`; nil for anything else.
  ///
  /// User and password are percent-decoded. TLS to the proxy (`https://`) and SOCKS are not spoken.
  public init?(url: String) {
    let scheme = "http://"
    guard url.prefix(scheme.count).lowercased() == scheme else { return nil }
    var rest = url.dropFirst(scheme.count)
    if rest.hasSuffix("/") { rest = rest.dropLast() }
    var user: String?
    var password: String?
    if let at = rest.lastIndex(of: "@") {
      let parts = rest[..<at].split(
        separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      for (index, part) in parts.enumerated() {
        guard let text = ProxyServer.decoded(part) else { return nil }
        if index == 0 { user = text } else { password = text }
      }
      if user == "", password == nil { user = nil }
      rest = rest[rest.index(after: at)...]
    }
    guard let (host, port) = ProxyServer.parts(rest) else { return nil }
    self.init(
      host: host, port: port ?? ProxyServer.portDefault, user: user, password: password)
    guard isUsable else { return nil }
  }

  /// The URL without the password.
  public var description: String { "http://" + (user.map { $0 + "@" } ?? "") + authority }

  /// Host and port as they stand in a URL.
  var authority: String { ProxyServer.authority(host, port) }

  /// Whether it can be used: nothing in it could end a line or a field early.
  var isUsable: Bool {
    let isPrintable = { (text: String) in
      !text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
    }
    return port > 0 && ProxyServer.isHost(host) && isPrintable(user ?? "")
      && isPrintable(password ?? "")
  }

  /// Host and port as they stand in a URL or in CONNECT.
  static func authority(_ host: String, _ port: UInt16) -> String {
    host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  /// Whether a text is a name or an address without brackets.
  static func isHost(_ text: String) -> Bool {
    text.contains(":") ? !text.hasPrefix("[") && IPAddress(text) != nil : isName(text)
  }

  /// Whether a text can be a host's name.
  static func isName(_ text: String) -> Bool {
    (1...253).contains(text.utf8.count) && text.first != "." && text.first != "-"
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
          UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }

  /// Host and port of `host`, `host:port`, `[host]` or `[host]:port`.
  static func parts(_ text: Substring) -> (host: String, port: UInt16?)? {
    var host = text
    var digits: Substring?
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
      host = text[text.index(after: text.startIndex)..<end]
      guard host.contains(":") else { return nil }
      let tail = text[text.index(after: end)...]
      guard tail.isEmpty || tail.hasPrefix(":") else { return nil }
      digits = tail.isEmpty ? nil : tail.dropFirst()
    } else if let colon = text.firstIndex(of: ":") {
      host = text[..<colon]
      digits = text[text.index(after: colon)...]
    }
    guard isHost(String(host)) else { return nil }
    guard let digits, !digits.isEmpty else { return (String(host), nil) }
    guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits),
      port > 0
    else { return nil }
    return (String(host), port)
  }

  /// Takes percent-encoding away; nil when it is broken.
  private static func decoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit)
      else { return nil }
      bytes.append(high << 4 | low)
    }
    return String(validating: bytes, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
