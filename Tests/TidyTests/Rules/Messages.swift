// A message is a promise to agents in other languages: each kind has its golden bytes in the tests
// and its row, with the same bytes, in docs/PROTOCOL.md. Client actions have their row in
// docs/OPERATING.md.

enum Messages {
  static let rules = [Rule("messages", messages), Rule("actions", actions)]

  static let kindFile = "Sources/BGBWire/MessageKind.swift"
  static let sampleFile = "Tests/BGBWireTests/WireSamples.swift"
  static let protocolFile = "docs/PROTOCOL.md"
  static let actionFile = "Sources/BGBModel/ClientAction.swift"
  static let actionDocument = "docs/OPERATING.md"

  struct Case: Equatable {
    var name: String
    var number: Int
    var line: Int
  }

  /// `case name = number` lines of one enum.
  static func cases(of type: String, in file: SourceFile) -> [Case] {
    let code = file.code
    guard let start = code.indices.first(where: { BannedWords.isAt($0, ["enum", type], code) })
    else { return [] }
    var depth = 0
    var found: [Case] = []
    for index in start..<code.count {
      if code[index].text == "{" { depth += 1 }
      if code[index].text == "}" {
        depth -= 1
        if depth == 0 { break }
      }
      guard depth == 1, code[index].text == "case", index + 3 < code.count,
        code[index + 2].text == "="
      else { continue }
      let digits = code[index + 3].text
      let number = digits.hasPrefix("0x") ? Int(digits.dropFirst(2), radix: 16) : Int(digits)
      guard let number else { continue }
      found.append(Case(name: code[index + 1].text, number: number, line: code[index].line))
    }
    return found
  }

  static func messages(_ tree: Tree) -> [Finding] {
    guard let kinds = tree[kindFile] else { return [] }
    let samples = tree[sampleFile].map(golden) ?? [:]
    let document = tree[protocolFile]
    let rows = document?.lines.filter { $0.hasPrefix("|") } ?? []
    let squeezed = String((document?.text ?? "").filter { !$0.isWhitespace })
    return cases(of: "MessageKind", in: kinds).flatMap { kind -> [Finding] in
      var found: [Finding] = []
      let byte = (kind.number < 16 ? "0" : "") + String(kind.number, radix: 16)
      let hexes = (samples[kind.name] ?? []).filter { $0.hasPrefix(byte) }
      if hexes.isEmpty {
        found.append(
          Finding(kinds.path, kind.line, "\(kind.name) has no golden bytes in \(sampleFile)"))
      }
      let word = kind.name.prefix(1).uppercased() + kind.name.dropFirst()
      if !rows.contains(where: { $0.contains("0x" + byte) && $0.contains(word) }) {
        found.append(
          Finding(kinds.path, kind.line, "\(word) 0x\(byte) has no row in \(protocolFile)"))
      }
      for hex in hexes where !squeezed.contains(hex) {
        found.append(
          Finding(kinds.path, kind.line, "golden bytes of \(word) are not in \(protocolFile)"))
      }
      return found
    }
  }

  /// The hexadecimal of each `.kind(...)` sample, without blanks and line ends.
  static func golden(_ file: SourceFile) -> [String: [String]] {
    let code = file.code
    var found: [String: [String]] = [:]
    var kind: String?
    for index in code.indices.dropLast(2) {
      if BannedWords.isAt(index, ["message", ":", "."], code), index + 3 < code.count {
        kind = code[index + 3].text
      }
      guard let name = kind, BannedWords.isAt(index, ["hex", ":"], code),
        code[index + 2].kind == .text
      else { continue }
      found[name, default: []].append(code[index + 2].text.filter(\.isHexDigit))
      kind = nil
    }
    return found
  }

  /// `downloadComputerPolicy` is written `download-computer-policy` by people.
  static func spelled(_ name: String) -> String {
    name.map { $0.isUppercase ? "-" + $0.lowercased() : String($0) }.joined()
  }

  static func actions(_ tree: Tree) -> [Finding] {
    guard let file = tree[actionFile] else { return [] }
    let rows = tree[actionDocument]?.lines.filter { $0.hasPrefix("|") } ?? []
    let names = Set(file.tokens.filter { $0.kind == .text }.map(\.text))
    return cases(of: "ClientAction", in: file).flatMap { action -> [Finding] in
      let name = spelled(action.name)
      var found: [Finding] = []
      if !names.contains(name) {
        found.append(Finding(file.path, action.line, "\(action.name) is not named \(name)"))
      }
      let hasRow = rows.contains { row in
        let cells = row.split(separator: "|").map { $0.filter { !" `".contains($0) } }
        return cells.contains(name) && cells.contains(String(action.number))
      }
      if !hasRow {
        found.append(
          Finding(
            file.path, action.line, "\(name) (\(action.number)) has no row in \(actionDocument)"))
      }
      return found
    }
  }
}
