// Documents that outlive the code are worse than none: every path they name is there, and every
// limit that they quote is the one in Limits.swift. A limit is quoted as `Limits.name = 900` in a
// sentence or as a table row | `Limits.name` | 900 | ...; digits may be grouped with commas.

import Foundation

enum Documents {
  static let rules = [Rule("paths", paths), Rule("limits", limits)]

  static let limitFile = "Sources/BGBModel/Limits.swift"
  private static let roots = [
    "Sources", "Tests", "Benchmarks", "docs", "scripts", "packaging", "dev", ".ci",
  ]

  // MARK: Paths

  /// Words of a text that look like paths of this repository.
  static func pathLike(_ line: Substring, modules: Set<String>) -> [String] {
    let marks = Set(" \t`()[]<>\"',;|*")
    return line.split(whereSeparator: { marks.contains($0) }).compactMap { word in
      var path = String(word)
      while let last = path.last, ".:!?".contains(last) { path.removeLast() }
      if path.hasPrefix("./") { path.removeFirst(2) }
      if path.hasPrefix("../") { path.removeFirst(3) }
      if let anchor = path.firstIndex(of: "#") { path = String(path[..<anchor]) }
      let parts = path.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count > 1, let first = parts.first.map(String.init) else { return nil }
      guard !path.contains("..."), !path.contains("$"), !path.contains("{") else { return nil }
      if roots.contains(first) { return parts[1].isEmpty ? first : path }
      if modules.contains(first), parts[1].isEmpty || isFileOrFolder(parts[1]) {
        return "Sources/" + path
      }
      return nil
    }
  }

  /// `Reactor/Kernel` and `BGBModel/Limits.swift`, not the prose of `BGBWire/report`.
  private static func isFileOrFolder(_ part: Substring) -> Bool {
    part.first.map { $0.isUppercase } ?? false
  }

  static func paths(_ tree: Tree) -> [Finding] {
    let modules = Set(tree.code(under: "Sources").compactMap(\.module))
    let readers = tree.files.filter { file in
      file.isMarkdown || file.isScript
        || (file.isSwift || file.isC) && !file.path.hasPrefix("Tests/TidyTests/")
    }
    return readers.flatMap { file -> [Finding] in
      // In code only comments speak of the repository.
      let places: [(Int, Substring)] =
        file.isSwift || file.isC
        ? file.tokens.filter { $0.kind == .comment }.map { ($0.line, Substring($0.text)) }
        : file.lines.enumerated().map { ($0.offset + 1, $0.element) }
      return places.flatMap { line, text -> [Finding] in
        pathLike(text, modules: modules).filter { !isThere($0, tree) }.map {
          Finding(file.path, line, "\($0) is not in the tree")
        }
      }
    }
  }

  /// A file, a folder, or a file named without its ending, as `Reactor/Loop`.
  private static func isThere(_ path: String, _ tree: Tree) -> Bool {
    tree.has(path) || tree.has(path + ".swift") || tree.has(path + ".md")
  }

  // MARK: Limits

  /// The constants of Limits.swift and their values.
  static func constants(of file: SourceFile) -> [String: Int] {
    var values: [String: Int] = [:]
    let code = file.code
    for index in code.indices.dropLast(3)
    where code[index].text == "static" && code[index + 1].text == "let" {
      let name = code[index + 2].text
      let line = code[index].line
      let rest = code[(index + 3)...].prefix { $0.line == line }
      guard let equals = rest.firstIndex(where: { $0.text == "=" }) else { continue }
      var sum = Arithmetic(Array(rest[(equals + 1)...].map(\.text)))
      values[name] = sum.value()
    }
    return values
  }

  /// A limit that a document quotes; the number is nil when only the name is mentioned.
  static func quoted(_ line: Substring) -> [(name: String, number: Int?)] {
    let plain = line.filter { $0 != "`" }
    return plain.components(separatedBy: "Limits.").dropFirst().compactMap { piece in
      let name = piece.prefix { $0.isLetter || $0.isNumber }
      guard !name.isEmpty, name != "swift" else { return nil }
      let rest = piece[name.endIndex...].drop { $0 == " " }
      guard rest.first == "=" || rest.first == "|" else { return (String(name), nil) }
      let number = rest.dropFirst().drop { $0 == " " }.prefix { $0.isNumber || $0 == "," }
      return (String(name), Int(number.filter { $0 != "," }))
    }
  }

  static func limits(_ tree: Tree) -> [Finding] {
    guard let file = tree[limitFile] else { return [] }
    let values = constants(of: file)
    return tree.documents.flatMap { document in
      document.lines.enumerated().flatMap { number, line in
        quoted(line).compactMap { name, value -> Finding? in
          guard let real = values[name] else {
            return Finding(document.path, number + 1, "Limits.\(name) does not exist")
          }
          guard let value, value != real else { return nil }
          return Finding(document.path, number + 1, "Limits.\(name) is \(real), not \(value)")
        }
      }
    }
  }
}

/// Whole numbers with `+`, `*`, `<<` and parentheses, as Limits.swift writes them.
struct Arithmetic {
  private let tokens: [String]
  private var at = 0

  init(_ tokens: [String]) { self.tokens = tokens }

  private var next: String { at < tokens.count ? tokens[at] : "" }

  /// The value, or nil when something else stands there.
  mutating func value() -> Int? {
    guard let sum = sum(), at == tokens.count else { return nil }
    return sum
  }

  private mutating func sum() -> Int? {
    guard var left = product() else { return nil }
    while next == "+" {
      at += 1
      guard let right = product() else { return nil }
      left += right
    }
    return left
  }

  private mutating func product() -> Int? {
    guard var left = atom() else { return nil }
    while next == "*" || next == "<" {
      let isShift = next == "<"
      at += isShift ? 2 : 1
      guard let right = atom() else { return nil }
      left = isShift ? left << right : left * right
    }
    return left
  }

  private mutating func atom() -> Int? {
    defer { at += 1 }
    guard next == "(" else { return Int(next.filter { $0 != "_" }) }
    at += 1
    guard let inside = sum(), next == ")" else { return nil }
    return inside
  }
}
