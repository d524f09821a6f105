// Small enough to be read at once: 500 lines a file, 70 a function, 100 columns. The numbers come
// from measuring the code that this house admires; docs/STYLE.md has them.

enum Sizes {
  static let fileLinesMax = 500
  static let functionLinesMax = 70
  static let columnsMax = 100

  static let rules = [
    Rule("file-lines", fileLines), Rule("function-lines", functionLines),
    Rule("columns", columns), Rule("first-comment", firstComment),
  ]

  private static func isCode(_ file: SourceFile) -> Bool {
    file.isSwift || file.isC || file.isScript
  }

  static func fileLines(_ tree: Tree) -> [Finding] {
    tree.files.filter(isCode).compactMap { file in
      let count = file.text.hasSuffix("\n") ? file.lines.count - 1 : file.lines.count
      guard count > fileLinesMax else { return nil }
      return Finding(file.path, count, "\(count) lines; split it: one file, one idea")
    }
  }

  static func columns(_ tree: Tree) -> [Finding] {
    tree.files.filter(isCode).flatMap { file in
      file.lines.enumerated().compactMap { number, line -> Finding? in
        guard line.utf8.count > columnsMax, line.count > columnsMax else { return nil }
        return Finding(file.path, number + 1, "\(line.count) columns of at most \(columnsMax)")
      }
    }
  }

  /// The first line says what the file is about; in a script it follows `#!`.
  static func firstComment(_ tree: Tree) -> [Finding] {
    tree.files.filter(isCode).compactMap { file in
      let first = file.lines.first { !$0.hasPrefix("#!") } ?? ""
      let marks = file.isScript ? ["# "] : ["// ", "/* ", "/// "]
      guard !marks.contains(where: { first.hasPrefix($0) }) else { return nil }
      return Finding(file.path, 1, "the first line must be a comment that states its one idea")
    }
  }

  static func functionLines(_ tree: Tree) -> [Finding] {
    tree.files.filter { $0.isSwift || $0.isC }.flatMap { file -> [Finding] in
      let found = file.isSwift ? swiftFunctions(file.code) : cFunctions(file.code)
      return found.compactMap { function -> Finding? in
        guard function.lines > functionLinesMax else { return nil }
        return Finding(
          file.path, function.line,
          "\(function.name) has \(function.lines) lines of at most \(functionLinesMax)")
      }
    }
  }

  struct Function: Equatable {
    var name: String
    var line: Int
    var lines: Int
  }

  /// Every `func`, `init`, `deinit`, `subscript` and computed `var` that has a body.
  static func swiftFunctions(_ code: [Token]) -> [Function] {
    var functions: [Function] = []
    for (index, token) in code.enumerated() where token.kind == .word {
      guard ["func", "init", "deinit", "subscript", "var"].contains(token.text) else { continue }
      // `.init(...)` and `self.init(...)` are calls, `func` after a dot or a backtick is a name.
      if index > 0, [".", "`"].contains(code[index - 1].text) { continue }
      guard let open = bodyStart(code, after: index), let close = closing(code, open) else {
        continue
      }
      let named = ["func", "var"].contains(token.text) && index + 1 < code.count
      functions.append(
        Function(
          name: named ? code[index + 1].text : token.text, line: token.line,
          lines: code[close].line - token.line + 1))
    }
    return functions
  }

  /// The brace that opens the body, or nil for a requirement or a stored property.
  private static func bodyStart(_ code: [Token], after start: Int) -> Int? {
    let isVariable = code[start].text == "var"
    let others: Set<String> = [
      "func", "init", "deinit", "subscript", "var", "let", "case", "struct", "class", "enum",
      "extension", "protocol", "return", "if", "guard", "for", "while", "switch", "associatedtype",
    ]
    var depth = 0
    for index in (start + 1)..<max(start + 1, code.count) {
      let token = code[index]
      if token.kind == .word && depth == 0 && index > start + 1 && others.contains(token.text) {
        return nil
      }
      guard token.kind == .symbol else { continue }
      switch token.text {
      case "(", "[": depth += 1
      case ")", "]": depth -= 1
      case "{" where depth == 0: return index
      case "}" where depth == 0: return nil
      case "=" where isVariable && depth == 0: return nil
      default: break
      }
      if depth < 0 { return nil }
    }
    return nil
  }

  private static func closing(_ code: [Token], _ open: Int) -> Int? {
    var depth = 0
    for index in open..<code.count where code[index].kind == .symbol {
      if code[index].text == "{" { depth += 1 }
      if code[index].text == "}" { depth -= 1 }
      if depth == 0 { return index }
    }
    return nil
  }

  /// In C a body is an outermost brace after a parenthesis.
  static func cFunctions(_ code: [Token]) -> [Function] {
    var functions: [Function] = []
    var index = 0
    while index < code.count {
      guard code[index].text == "{", let close = closing(code, index) else {
        index += 1
        continue
      }
      if index > 0, code[index - 1].text == ")" {
        let line = code[index].line
        let name = code[..<index].last { $0.kind == .word }?.text ?? "?"
        functions.append(Function(name: name, line: line, lines: code[close].line - line + 1))
        index = close
      }
      index += 1
    }
    return functions
  }
}
