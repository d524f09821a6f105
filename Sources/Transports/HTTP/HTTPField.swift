// One header line, and the few values that decide where a message or a connection ends. Both
// directions read them here, so that there is one reading of them.

/// The grammar of header fields.
enum HTTPField {
  /// A name in lower case and its value without the spaces around it.
  typealias Pair = (name: String, value: String)

  /// What a `Connection` header asks for.
  enum Wish {
    /// The connection stays open.
    case keep
    /// The connection ends behind this message.
    case end
  }

  /// The parts of a line, or nil when it is no header.
  ///
  /// Names are letters, digits and hyphens: gateways read `Content_Length` as `Content-Length`.
  static func parse(_ line: [UInt8]) -> Pair? {
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0,
      line[..<colon].allSatisfy(isNameByte)
    else { return nil }
    var value = line[(colon + 1)...]
    while value.first == 32 { value.removeFirst() }
    while value.last == 32 { value.removeLast() }
    return (
      String(decoding: line[..<colon], as: UTF8.self).lowercased(),
      String(decoding: value, as: UTF8.self)
    )
  }

  /// The value of a header that came once; nil when it came never or more than once.
  static func only(_ name: String, in headers: [Pair]) -> String? {
    var found: String?
    for header in headers where header.name == name {
      if found != nil { return nil }
      found = header.value
    }
    return found
  }

  /// How often a header came.
  static func count(_ name: String, in headers: [Pair]) -> Int {
    headers.count { $0.name == name }
  }

  /// A length as digits alone: no sign, no list, no leading zero, nothing that might overflow.
  static func length(_ value: String) -> Int? {
    guard !value.isEmpty, value.utf8.count <= 10,
      value.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }),
      value == "0" || !value.hasPrefix("0")
    else { return nil }
    return Int(value)
  }

  /// What the headers ask for; nil when they are odd: `Connection` twice, or with a word other than
  /// `close` and `keep-alive`, which may name a header that a proxy then drops.
  static func wish(in headers: [Pair]) -> Wish? {
    guard count("connection", in: headers) <= 1 else { return nil }
    guard let value = only("connection", in: headers) else { return .keep }
    var wish = Wish.keep
    for part in value.split(separator: ",", omittingEmptySubsequences: false) {
      var word = part
      while word.first == " " { word.removeFirst() }
      while word.last == " " { word.removeLast() }
      switch word.lowercased() {
      case "close": wish = .end
      case "keep-alive": continue
      default: return nil
      }
    }
    return wish
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}
