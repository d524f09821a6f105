// The rules of layers find an arrow that points up, an import without an arrow and an arrow without
// import.

import Testing

@Suite("Rules of layers")
struct LayerRuleTests {
  private let manifest = """
    let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
    let http: [Target.Dependency] = [
      .product(name: "Hummingbird", package: "h"), .product(name: "NIOCore", package: "n"),
    ]
    func library(_ name: String) -> Target { .target(name: name) }
    let package = Package(targets: [
      .target(name: "CEpollShim", linkerSettings: [.linkedLibrary("x")]),
      library("Reactor", ["CEpollShim", "BGBModel"]),
      library("BGBModel", []),
      library("BGBServer", ["Reactor", logging]),
      library("BGBManager", ["BGBServer"] + http),
      library("Elsewhere", []),
      program("swarm", ["BGBServer"], path: "Benchmarks/Swarm"),
      tests("ReactorTests", ["Reactor"]),
    ])
    """

  private func tree(_ files: [String: String] = [:]) -> Tree {
    Tree(files.merging(["Package.swift": manifest]) { $1 })
  }

  @Test("The manifest is read: names, kinds, arrows, folders")
  func reading() throws {
    let file = try #require(tree()["Package.swift"])
    let targets = Layers.targets(of: file)
    #expect(
      targets.map(\.name) == [
        "CEpollShim", "Reactor", "BGBModel", "BGBServer", "BGBManager", "Elsewhere", "swarm",
        "ReactorTests",
      ])
    #expect(targets[0].dependencies == [])
    #expect(targets[3].dependencies == ["Reactor", "Logging"])
    #expect(targets[4].dependencies == ["BGBServer", "Hummingbird", "NIOCore"])
    #expect(targets[6].folder == "Benchmarks/Swarm")
    #expect(targets[6].dependencies == ["BGBServer"])
    #expect(targets[7].kind == .tests)
  }

  @Test("An arrow to the other half, to a neighbour or out of every row is found")
  func arrows() {
    let messages = Layers.arrows(tree()).map(\.message)
    #expect(
      messages == [
        "Reactor -> BGBModel does not point down", "BGBManager -> BGBServer does not point down",
        "Elsewhere stands in no row of Layers",
      ])
  }

  @Test("An import needs its arrow")
  func imports() {
    let found = Layers.imports(
      tree([
        "Sources/BGBServer/A.swift": "public import Logging\nimport Reactor\nimport BGBModel\n",
        "Benchmarks/Swarm/B.swift": "import struct Reactor.Token\nimport Glibc\n",
      ]))
    #expect(found.map(\.path) == ["Benchmarks/Swarm/B.swift", "Sources/BGBServer/A.swift"])
    #expect(found.map(\.line) == [1, 3])
  }

  @Test("An arrow that nobody imports is found")
  func unused() {
    let found = Layers.unusedArrows(tree(["Sources/BGBServer/A.swift": "import Reactor\n"]))
    #expect(found.map(\.message) == ["BGBServer -> Logging, but no file imports it"])
  }
}
