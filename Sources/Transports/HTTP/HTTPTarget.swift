// What a request is for: a path with a query, and a host. Only the plain forms of RFC 3986 are
// taken: a path that a proxy would rewrite before it decides (dot segments, two slashes, a NUL in
// disguise) would be another path for us than for the proxy.

/// A request's target in origin form.
struct HTTPTarget {
  /// The path, as it came.
  let path: String
  /// What follows the first `?`, or empty.
  let query: String

  /// Takes a target apart; nil for any other form than path and query, and for odd ones of these.
  init?(_ bytes: ArraySlice<UInt8>) {
    guard bytes.first == UInt8(ascii: "/"), HTTPTarget.isPlain(bytes) else { return nil }
    let end = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.endIndex
    path = String(decoding: bytes[..<end], as: UTF8.self)
    query = String(decoding: bytes[end...].dropFirst(), as: UTF8.self)
    let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    guard !segments.dropLast().contains(where: \.isEmpty),
      !segments.contains(where: HTTPTarget.isDots)
    else { return nil }
  }

  /// Whether a `Host` value is a name or address with, perhaps, a port.
  static func isHost(_ text: String) -> Bool {
    var name = Substring(text)
    if name.hasPrefix("[") {
      guard let end = name.firstIndex(of: "]") else { return false }
      let address = name[name.index(after: name.startIndex)..<end].utf8
      guard !address.isEmpty, address.allSatisfy({ isHex($0) || $0 == 58 || $0 == 46 }) else {
        return false
      }
      name = name[name.index(after: end)...]
      return name.isEmpty || isPort(name)
    }
    if let colon = name.firstIndex(of: ":") {
      guard isPort(name[colon...]) else { return false }
      name = name[..<colon]
    }
    return !name.isEmpty && name.utf8.count <= 255 && name.utf8.allSatisfy(isUnreserved)
      && !name.hasPrefix(".") && !name.contains("..")
  }

  private static func isPort(_ text: Substring) -> Bool {
    let digits = text.dropFirst().utf8
    return text.hasPrefix(":") && (1...5).contains(digits.count)
      && digits.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
  }

  /// Letters of a path or query, and `%` only before two hexadecimal digits that are not NUL.
  private static func isPlain(_ bytes: ArraySlice<UInt8>) -> Bool {
    var index = bytes.startIndex
    while index < bytes.endIndex {
      let byte = bytes[index]
      if byte == UInt8(ascii: "%") {
        guard index + 2 < bytes.endIndex, isHex(bytes[index + 1]), isHex(bytes[index + 2]),
          bytes[index + 1] != UInt8(ascii: "0") || bytes[index + 2] != UInt8(ascii: "0")
        else { return false }
        index += 3
        continue
      }
      guard isUnreserved(byte) || "!$&'()*+,;=:@/?".utf8.contains(byte) else { return false }
      index += 1
    }
    return true
  }

  /// Whether a segment is `.` or `..`, plain or escaped.
  private static func isDots(_ segment: Substring) -> Bool {
    guard segment.utf8.count <= 6 else { return false }
    var rest = segment.lowercased()[...]
    var dots = 0
    while !rest.isEmpty {
      guard rest.hasPrefix(".") || rest.hasPrefix("%2e") else { return false }
      rest = rest.dropFirst(rest.hasPrefix(".") ? 1 : 3)
      dots += 1
    }
    return dots == 1 || dots == 2
  }

  private static func isHex(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
      UInt8(ascii: "A")...UInt8(ascii: "F"):
      true
    default: false
    }
  }

  private static func isUnreserved(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"), UInt8(ascii: "~"):
      true
    default: false
    }
  }
}
