// Words that do not stand in this house, each with what stands there instead. Most are looked for
// in code only; leftovers and paths of one machine are looked for in comments and documents too.

import Foundation

enum BannedWords {
  static let rules = [
    Rule("banned", banned), Rule("force-unwrap", forceUnwrap), Rule("foundation", foundation),
    Rule("packet-path", packetPath), Rule("names", names), Rule("leftovers", leftovers),
    Rule("machine-paths", machinePaths),
  ]

  /// A run of tokens and what to write instead.
  struct Phrase {
    var tokens: [String]
    var instead: String
  }

  static let phrases = [
    Phrase(tokens: ["@", "unchecked"], instead: "confine it to a thread, or use Mutex"),
    Phrase(
      tokens: ["nonisolated", "(", "unsafe", ")"], instead: "a let, a Mutex or a parameter"),
    Phrase(tokens: ["try", "!"], instead: "try with a typed error, or #require in tests"),
    Phrase(tokens: ["as", "!"], instead: "an enum, or as? with its else"),
    Phrase(tokens: ["unowned", "(", "unsafe", ")"], instead: "a token or a strong reference"),
    Phrase(tokens: ["Ounchecked"], instead: "-O: traps are a safety net, not a cost"),
    Phrase(tokens: ["@", "_exported"], instead: "an import in the file that needs it"),
    Phrase(tokens: ["assumeIsolated"], instead: "thread confinement by type"),
  ]

  static func banned(_ tree: Tree) -> [Finding] {
    tree.files.filter(\.isSwift).flatMap { file -> [Finding] in
      let code = file.code
      var found: [Finding] = []
      for index in code.indices where code[index].kind != .text {
        for phrase in phrases where isAt(index, phrase.tokens, code) {
          found.append(
            Finding(
              file.path, code[index].line,
              "\(phrase.tokens.joined()); write instead: \(phrase.instead)"))
        }
        if code[index].text == "fatalError", file.name != "main.swift",
          !file.path.hasPrefix("Tests/"), isAt(index, ["fatalError", "("], code)
        {
          found.append(
            Finding(
              file.path, code[index].line,
              "fatalError outside main; write instead: precondition for our own faults, an error"
                + " for the rest"))
        }
      }
      return found
    }
  }

  static func isAt(_ index: Int, _ words: [String], _ code: [Token]) -> Bool {
    guard code[index].text == words[0], index + words.count <= code.count else { return false }
    for offset in words.indices.dropFirst() {
      let token = code[index + offset]
      // `try !isReady` negates; only `try!` that touches is the trap.
      if token.text != words[offset] || token.text == "!" && !token.isGlued { return false }
    }
    return true
  }

  /// A `!` that touches what stands before it, and is not the start of `!=`.
  static func forceUnwrap(_ tree: Tree) -> [Finding] {
    tree.files.filter(\.isSwift).flatMap { file -> [Finding] in
      let code = file.code
      return code.indices.dropFirst().compactMap { index in
        guard code[index].text == "!", code[index].kind == .symbol, code[index].isGlued else {
          return nil
        }
        if index + 1 < code.count, code[index + 1].text == "=", code[index + 1].isGlued {
          return nil
        }
        let before = code[index - 1]
        guard before.kind == .word || before.kind == .text || ")]>?".contains(before.text),
          !["try", "as", "return", "in"].contains(before.text)
        else { return nil }
        return Finding(file.path, code[index].line, "\(before.text)! : use guard, or #require")
      }
    }
  }

  static func foundation(_ tree: Tree) -> [Finding] {
    tree.code(under: "Sources", "Benchmarks").filter(\.isSwift).flatMap { file -> [Finding] in
      guard !file.path.hasPrefix("Sources/BGBConsole/") else { return [] }
      return Layers.imported(by: file).compactMap { name, line in
        guard name.hasPrefix("Foundation") || name == "Dispatch" else { return nil }
        return Finding(file.path, line, "import \(name); write instead: import Glibc")
      }
    }
  }

  /// Where a packet passes: no existential (50 ns instead of 10), no actor (200 ns and more).
  static let packetPath = [
    "Sources/Reactor/", "Sources/Transports/", "Sources/BGBWire/", "Sources/BGBServer/Shard/",
    "Sources/BGBServer/Connection/", "Sources/BGBServer/Session/", "Sources/BGBServer/Registry/",
    "Sources/BGBServer/Push/",
  ]

  static func packetPath(_ tree: Tree) -> [Finding] {
    let words: Set<String> = ["any", "async", "await", "actor", "Task", "DispatchQueue"]
    return tree.files.filter { file in
      file.isSwift && packetPath.contains { file.path.hasPrefix($0) }
    }.flatMap { file -> [Finding] in
      let code = file.code
      return code.indices.compactMap { index in
        let token = code[index]
        guard token.kind == .word, words.contains(token.text),
          index == 0 || ![".", "`"].contains(code[index - 1].text),
          index + 1 < code.count, code[index + 1].text != ":"
        else { return nil }
        return Finding(
          file.path, token.line, "\(token.text) on the packet path; use a concrete type or an enum")
      }
    }
  }

  /// Names of things that nobody has understood yet.
  ///
  /// Our manager is a program, and the only one.
  static func names(_ tree: Tree) -> [Finding] {
    let words = ["Utils", "Util", "Utilities", "Helpers", "Helper", "Common", "Misc", "Stuff"]
    let folders = tree.code(under: "Sources", "Tests", "Benchmarks").flatMap { file in
      file.path.split(separator: "/").compactMap { part -> Finding? in
        let stem = part.split(separator: ".").first.map(String.init) ?? ""
        guard words.contains(where: { stem == $0 || stem.hasSuffix($0) }) else { return nil }
        return Finding(file.path, 1, "\(stem): name it after what it is")
      }
    }
    let types = tree.code(under: "Sources", "Benchmarks").flatMap { file -> [Finding] in
      declaredTypes(file).compactMap { name, line in
        let isManager = name.hasSuffix("Manager") && name != "NotificationManager"
        guard isManager || words.contains(where: { name.hasSuffix($0) }) else { return nil }
        return Finding(file.path, line, "\(name): name it after what it is")
      }
    }
    return folders + types
  }

  /// Types, protocols and actors that a file declares, with their lines.
  static func declaredTypes(_ file: SourceFile) -> [(name: String, line: Int)] {
    let code = file.code
    let kinds: Set<String> = ["struct", "class", "enum", "protocol", "actor", "typealias"]
    return code.indices.dropLast().compactMap { index in
      guard code[index].kind == .word, kinds.contains(code[index].text),
        code[index + 1].kind == .word, !["func", "var", "let"].contains(code[index + 1].text),
        index == 0 || ![".", ":", ","].contains(code[index - 1].text)
      else { return nil }
      return (code[index + 1].text, code[index + 1].line)
    }
  }

  /// Work that was put off inside the code instead of the issue tracker.
  static func leftovers(_ tree: Tree) -> [Finding] {
    find(["TO" + "DO", "FIX" + "ME", "XX" + "X:", "HA" + "CK:"], in: tree) {
      "\($0); do it now, or open an issue and say here what holds today"
    }
  }

  /// Folders of the machine on which somebody happened to work.
  static func machinePaths(_ tree: Tree) -> [Finding] {
    find(["/wo" + "rk/", "/far" + "m/", "/ro" + "ot/", "/Us" + "ers/", "/ho" + "me/"], in: tree) {
      "\($0) is a path of one machine; use a temporary folder or a parameter"
    }
  }

  private static func find(
    _ words: [String], in tree: Tree, message: (String) -> String
  ) -> [Finding] {
    tree.files.flatMap { file -> [Finding] in
      // One look at the whole text first: nearly every file is clean.
      let present = words.filter { file.text.contains($0) }
      guard !present.isEmpty else { return [] }
      return file.lines.enumerated().flatMap { number, line in
        present.compactMap { word in
          guard let range = line.range(of: word) else { return nil }
          // A web address or a longer path may hold the same letters.
          if word.hasPrefix("/"), let before = line[..<range.lowerBound].last,
            before.isLetter || before.isNumber || "._-)}".contains(before)
          {
            return nil
          }
          return Finding(file.path, number + 1, message(word))
        }
      }
    }
  }
}
