// Arrows point down only, and the two halves never import each other. Package.swift is the diagram:
// this reads its arrows, holds them against the rows below, and holds each file's imports against
// the arrows.

enum Layers {
  static let rules = [
    Rule("arrows", arrows), Rule("imports", imports), Rule("unused-arrow", unusedArrows),
  ]

  /// Bytes: knows nothing of BGB.
  static let bytes: Set<String> = [
    "CEpollShim", "COpenSSL", "CCurl", "Reactor", "Transports", "HTTPClient", "SwarmPeers",
  ]
  /// Meaning: knows nothing of sockets or threads.
  static let meaning: Set<String> = [
    "BGBModel", "BGBWire", "BGBReport", "BGBSigning", "SiteDatabase", "SiteDatabaseSQLite",
  ]
  /// Manners of a service: knows neither half.
  static let manners: Set<String> = ["ServiceLog", "ServiceSettings"]
  /// The libraries of the programs: the only row that knows both halves.
  static let libraries: Set<String> = [
    "BGBServer", "BGBAgent", "BGBManager", "BGBConsole", "SwarmKit",
  ]
  /// C headers that both halves may translate: OpenSSL is a library, not a socket.
  static let shared: Set<String> = ["COpenSSL"]
  /// What comes with the toolchain.
  static let system: Set<String> = [
    "Glibc", "Synchronization", "Swift", "Foundation", "FoundationEssentials", "Dispatch",
  ]

  struct Target: Equatable {
    enum Kind { case library, program, tests }
    var name: String
    var kind: Kind
    var dependencies: Set<String>
    var folder: String
    var line: Int
  }

  /// The targets of a manifest written in the manner of ours.
  static func targets(of manifest: SourceFile) -> [Target] {
    let code = manifest.code
    let products = products(in: code)
    return code.indices.dropLast(2).compactMap { index in
      let kind: Target.Kind
      switch code[index].text {
      case "library", "target": kind = .library
      case "program", "executableTarget": kind = .program
      case "tests", "testTarget": kind = .tests
      default: return nil
      }
      guard code[index].kind == .word, code[index + 1].text == "(" else { return nil }
      let arguments = Array(Layers.arguments(code, open: index + 1))
      guard let first = arguments.first(where: { $0.kind == .text || $0.kind == .word }),
        let name = first.text == "name" ? arguments.dropFirst(2).first : first, name.kind == .text
      else { return nil }
      return Target(
        name: name.text, kind: kind,
        dependencies: dependencies(arguments, products).subtracting([name.text]),
        folder: labelled("path", arguments) ?? "Sources/" + name.text, line: code[index].line)
    }
  }

  /// Names that stand for products: `let http: [Target.Dependency] = [.product(name: "NIOCore",
  /// ...`.
  private static func products(in code: [Token]) -> [String: [String]] {
    var products: [String: [String]] = [:]
    var name = ""
    for index in code.indices.dropLast(4) {
      if code[index].text == "let" { name = code[index + 1].text }
      if code[index].text == "func" { name = "" }
      guard !name.isEmpty, BannedWords.isAt(index, ["product", "(", "name", ":"], code) else {
        continue
      }
      products[name, default: []].append(code[index + 4].text)
    }
    return products
  }

  /// The second argument: texts and product names up to the next label.
  private static func dependencies(
    _ arguments: [Token], _ products: [String: [String]]
  ) -> Set<String> {
    var names: Set<String> = []
    for (index, token) in arguments.enumerated().dropFirst(1) {
      let isLabel = index + 1 < arguments.count && arguments[index + 1].text == ":"
      if isLabel && !["name", "dependencies"].contains(token.text) { break }
      if token.kind == .text { names.insert(token.text) }
      if token.kind == .word { names.formUnion(products[token.text] ?? []) }
    }
    return names
  }

  private static func labelled(_ label: String, _ arguments: [Token]) -> String? {
    arguments.indices.dropLast(2).first { BannedWords.isAt($0, [label, ":"], arguments) }
      .map { arguments[$0 + 2].text }
  }

  private static func arguments(_ code: [Token], open: Int) -> ArraySlice<Token> {
    var depth = 0
    for index in open..<code.count {
      if code[index].text == "(" { depth += 1 }
      if code[index].text == ")" { depth -= 1 }
      if depth == 0 { return code[(open + 1)..<index] }
    }
    return code[open...]
  }

  /// What a target of each row may point at; nil when no row has it.
  static func allowed(_ target: Target, programs: Set<String>) -> Set<String>? {
    switch target.name {
    case _ where bytes.contains(target.name): bytes
    case _ where meaning.contains(target.name): meaning.union(shared)
    case _ where manners.contains(target.name): []
    case _ where libraries.contains(target.name): bytes.union(meaning).union(manners)
    case _ where programs.contains(target.name):
      bytes.union(meaning).union(manners).union(libraries)
    default: nil
    }
  }

  static func arrows(_ tree: Tree) -> [Finding] {
    guard let manifest = tree["Package.swift"] else { return [] }
    let all = targets(of: manifest)
    let ours = Set(all.map(\.name))
    let programs = Set(all.filter { $0.kind == .program }.map(\.name))
    return all.filter { $0.kind != .tests }.flatMap { target -> [Finding] in
      guard let allowed = allowed(target, programs: programs) else {
        return [Finding(manifest.path, target.line, "\(target.name) stands in no row of Layers")]
      }
      return target.dependencies.intersection(ours).subtracting(allowed).sorted().map {
        Finding(manifest.path, target.line, "\(target.name) -> \($0) does not point down")
      }
    }
  }

  /// The modules that a file imports, with the line.
  static func imported(by file: SourceFile) -> [(name: String, line: Int)] {
    let code = file.code
    return code.indices.dropLast().compactMap { index in
      guard code[index].kind == .word, code[index].text == "import",
        code[index + 1].kind == .word
      else { return nil }
      let kinds = ["struct", "class", "enum", "func", "var", "let", "protocol", "typealias"]
      let place = kinds.contains(code[index + 1].text) ? index + 2 : index + 1
      return place < code.count ? (code[place].text, code[index].line) : nil
    }
  }

  static func imports(_ tree: Tree) -> [Finding] {
    guard let manifest = tree["Package.swift"] else { return [] }
    let all = targets(of: manifest)
    return tree.files.filter(\.isSwift).flatMap { file -> [Finding] in
      guard let target = all.first(where: { file.path.hasPrefix($0.folder + "/") }) else {
        return []
      }
      return imported(by: file).compactMap { name, line in
        guard !system.contains(name), !target.dependencies.contains(name) else { return nil }
        return Finding(file.path, line, "imports \(name), which is no arrow of \(target.name)")
      }
    }
  }

  /// An arrow that nobody walks makes the diagram say more than is true.
  static func unusedArrows(_ tree: Tree) -> [Finding] {
    guard let manifest = tree["Package.swift"] else { return [] }
    return targets(of: manifest).filter { $0.kind == .library }.flatMap { target -> [Finding] in
      let files = tree.code(under: target.folder)
      guard files.contains(where: \.isSwift) else { return [] }
      let used = Set(files.flatMap { imported(by: $0).map(\.name) })
      return target.dependencies.subtracting(used).sorted().map {
        Finding(manifest.path, target.line, "\(target.name) -> \($0), but no file imports it")
      }
    }
  }
}
