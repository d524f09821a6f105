// What a parent and its child processes say to each other: lines of a verb and `key=value` words,
// over pipes. Readable in a terminal, and a child can be driven by hand.

/// One line.
public struct ControlLine: Equatable, Sendable {
  /// What it is about.
  public var verb: String
  private var words: [String: String]

  /// Makes a line.
  public init(_ verb: String, _ words: [String: String] = [:]) {
    self.verb = verb
    self.words = words
  }

  /// Reads a line; nil for an empty one, or when a word has no `=`.
  public init?(line: some StringProtocol) {
    let parts = line.split(separator: " ")
    guard let verb = parts.first else { return nil }
    self.init(String(verb))
    for part in parts.dropFirst() {
      guard let sign = part.firstIndex(of: "=") else { return nil }
      words[String(part[..<sign])] = String(part[part.index(after: sign)...])
    }
  }

  /// The line without its end; blanks and line ends inside a value become `_`.
  public var text: String {
    let pairs = words.sorted { $0.key < $1.key }.map { key, value in
      "\(key)=\(String(value.map { $0.isWhitespace ? "_" : $0 }))"
    }
    return ([verb] + pairs).joined(separator: " ")
  }

  /// A value by its key.
  public subscript(key: String) -> String? {
    get { words[key] }
    set { words[key] = newValue }
  }

  /// A whole number by its key; 0 when it is not there.
  public func number(_ key: String) -> Int { words[key].flatMap { Int($0) } ?? 0 }

  /// All keys with whole numbers.
  public var numbers: [String: Int] { words.compactMapValues { Int($0) } }
}

/// Cuts a stream of bytes into lines.
public struct LineReader: Sendable {
  private var rest: [UInt8] = []

  /// Begins at a line's first byte.
  public init() {}

  /// Takes bytes and gives the lines that are whole now.
  public mutating func take(_ bytes: some Sequence<UInt8>) -> [String] {
    var lines: [String] = []
    for byte in bytes {
      if byte == UInt8(ascii: "\n") {
        lines.append(String(decoding: rest, as: UTF8.self))
        rest.removeAll(keepingCapacity: true)
      } else {
        rest.append(byte)
      }
    }
    return lines
  }
}
