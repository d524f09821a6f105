// The reconnect keys and their file (ReconnectKeys.swift, ReconnectKeyFile.swift,
// OpenSSL/ReconnectSealing.swift).
import Glibc
import Testing

@testable import Transports

@Suite("Reconnect keys")
struct ReconnectKeysTests {
  let folder = TemporaryFolder()

  private func file(rotation: Int64 = 100, kept: Int64 = 300) -> ReconnectKeyFile {
    ReconnectKeyFile(
      path: "\(folder.path)/reconnect", rotationSeconds: rotation, keptSeconds: kept)
  }

  @Test("Fresh keys differ")
  func fresh() throws {
    let one = try #require(try ReconnectKeys.fresh(now: 7).keys.first)
    let other = try #require(try ReconnectKeys.fresh(now: 7).keys.first)
    #expect(one.number != other.number)
    #expect(one.secret != other.secret)
    #expect(one.derived != other.derived)
    #expect(one.madeAt == 7)
  }

  @Test("A key is kept as long as an identity made under it can live, and no longer")
  func rotation() throws {
    var keys = try ReconnectKeys.fresh(now: 0)
    for moment: Int64 in [100, 200, 300] { try keys.rotate(now: moment, keptSeconds: 300) }
    #expect(keys.keys.map(\.madeAt) == [300, 200, 100, 0])
    // The first key was replaced at 100: at 400 the last identity under it is over.
    try keys.rotate(now: 400, keptSeconds: 300)
    #expect(keys.keys.map(\.madeAt) == [400, 300, 200, 100])
    // Nothing was rotated for long: only the key that was current all the time is worth keeping.
    try keys.rotate(now: 9_000, keptSeconds: 300)
    #expect(keys.keys.map(\.madeAt) == [9_000, 400])
    #expect(keys.ageSeconds(now: 9_050) == 50)
    #expect(keys.ageSeconds(now: 10) == 0)
  }

  @Test("There are never more keys than the file may hold")
  func bounded() throws {
    var keys = try ReconnectKeys.fresh(now: 0)
    for moment in 1...40 { try keys.rotate(now: Int64(moment), keptSeconds: .max) }
    #expect(keys.keys.count == ReconnectKeys.keysMax)
    #expect(keys.keys.first?.madeAt == 40)
    #expect(keys.fileText.utf8.count <= 4096)
  }

  @Test("The text of the file says all and is read strictly")
  func text() throws {
    var keys = try ReconnectKeys.fresh(now: -5)
    try keys.rotate(now: .max, keptSeconds: .max)
    let text = keys.fileText
    #expect(ReconnectKeys(fileText: text) == keys)
    let lines = text.split(separator: "\n")
    let damaged = [
      "", "\n", String(text.dropLast()), text + "\n", " " + text,
      "reconnect-keys 2" + text.dropFirst(16), "\(lines[0])\n",
      text.replacing(" ", with: "  ", maxReplacements: 2),
      "\(lines[0])\n\(lines[1].dropLast())\n", "\(lines[0])\n\(lines[1]) 00\n",
      "\(lines[0])\n\(lines[1].dropLast(2))\n", text.uppercased(),
      text + String(repeating: lines[1] + "\n", count: ReconnectKeys.keysMax),
    ]
    for (index, text) in damaged.enumerated() {
      #expect(ReconnectKeys(fileText: text) == nil, "damage \(index)")
    }
  }

  @Test("The file is made once, with mode 0600, and read again")
  func made() throws {
    let file = file()
    #expect(try file.load() == nil)
    let keys = try file.tend(now: 10)
    #expect(try file.tend(now: 109) == keys)
    #expect(try file.load() == keys)
    var status = stat()
    #expect(stat(file.path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
  }

  @Test("Who finds the key too old replaces it; who comes second takes what is there")
  func tended() throws {
    let file = file()
    let first = try file.tend(now: 10)
    let second = try file.tend(now: 110)
    #expect(second.keys.map(\.madeAt) == [110, 10])
    #expect(second.keys.last == first.keys.first)
    #expect(try file.rotate(now: 111, ifOlderThan: 100) == second)
    #expect(try file.rotate(now: 112).keys.map(\.madeAt) == [112, 110, 10])
  }

  @Test("Servers that start together agree on one key")
  func together() async throws {
    let file = file()
    let found = try await all { try file.tend(now: Int64($0)) }
    #expect(found.count == 8)
    #expect(found.allSatisfy { $0 == found.first })
  }

  @Test("Servers that find the key too old together replace it once")
  func rotatedTogether() async throws {
    let file = file()
    let first = try file.tend(now: 0)
    let found = try await all { _ in try file.tend(now: 5_000) }
    #expect(found.allSatisfy { $0 == found.first })
    #expect(found.first?.keys.map(\.madeAt) == [5_000, 0])
    #expect(found.first?.keys.last == first.keys.first)
  }

  private func all(
    _ work: @escaping @Sendable (Int) throws -> ReconnectKeys
  ) async throws -> [ReconnectKeys] {
    try await withThrowingTaskGroup(of: ReconnectKeys.self) { group in
      for number in 0..<8 { group.addTask { try work(number) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
  }

  @Test("A file that others may read, or of another kind, is refused with a sentence")
  func refused() throws {
    let text = try ReconnectKeys.fresh(now: 1).fileText
    #expect(sentence(folder.write("open", text, mode: 0o644)).contains("mode to 0600"))
    #expect(sentence(folder.write("other", "hello\n")).contains("is not a file of reconnect keys"))
    let long = String(repeating: "x", count: 9000)
    #expect(sentence(folder.write("long", long)).contains("larger than"))
    #expect(sentence("/nowhere/at/all").contains("cannot be read or written"))
  }

  private func sentence(_ path: String) -> String {
    do {
      _ = try ReconnectKeyFile(path: path, rotationSeconds: 1, keptSeconds: 1).tend(now: 1)
      return "no error"
    } catch {
      return error.description
    }
  }

  @Test("The derived keys are those of HKDF, as another program computes them")
  func derivation() throws {
    // Made with Python's hmac module from the formulas in docs/SECURITY.md.
    let secrets = try #require(ReconnectSecrets(master: Array(0..<32)))
    let key = secrets.handshakeKey(for: Array("AQ".utf8))
    let expected = "d410ac8116d3109dd7675b299a68437886f4486b09bb4714456581370029018c"
    #expect(key.map(hexadecimal) == expected)
  }
}
