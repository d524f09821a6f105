// The ticket keys and their file.
import Glibc
import Testing

@testable import Transports

@Suite("Ticket keys")
struct TicketKeysTests {
  let folder = TemporaryFolder()
  var file: TicketKeyFile { TicketKeyFile(path: "\(folder.path)/tickets") }

  @Test("Fresh keys differ in every part")
  func fresh() throws {
    let one = try #require(try TicketKeys.fresh(now: 7).keys.first)
    let other = try #require(try TicketKeys.fresh(now: 7).keys.first)
    #expect(one.name != other.name)
    #expect(one.cipherKey != other.cipherKey)
    #expect(one.macKey != other.macKey)
    #expect(one.madeAt == 7)
  }

  @Test("A rotation puts a new key in front and keeps a bounded past")
  func rotation() throws {
    var keys = try TicketKeys.fresh(now: 1)
    let first = try #require(keys.keys.first)
    for round in 1...5 {
      let before = keys.keys
      try keys.rotate(now: Int64(round) * 100)
      #expect(keys.keys.count == min(round + 1, TicketKeys.keysMax))
      #expect(Array(keys.keys.dropFirst()) == Array(before.prefix(TicketKeys.keysMax - 1)))
    }
    #expect(keys.key(named: first.name) == nil)
    #expect(keys.ageSeconds(now: 650) == 150)
    #expect(keys.ageSeconds(now: 10) == 0)
  }

  @Test("The text of the file says all and is read strictly")
  func text() throws {
    var keys = try TicketKeys.fresh(now: -5)
    try keys.rotate(now: .max)
    let text = keys.fileText
    #expect(TicketKeys(fileText: text) == keys)
    let lines = text.split(separator: "\n")
    let damaged = [
      "", "\n", String(text.dropLast()), text + "\n", " " + text,
      "ticket-keys 2" + text.dropFirst(13),
      "\(lines[0])\n", text.replacing("0", with: "g", maxReplacements: 1),
      text.replacing(" ", with: "  ", maxReplacements: 2), "\(lines[0])\n\(lines[1].dropLast())\n",
      "\(lines[0])\n\(lines[1]) 00\n", text + lines[1] + "\n" + lines[1] + "\n",
      text.uppercased(),
    ]
    for (index, text) in damaged.enumerated() {
      #expect(TicketKeys(fileText: text) == nil, "damage \(index)")
    }
  }

  @Test("The file is made once, with mode 0600, and read again")
  func made() throws {
    #expect(try file.load() == nil)
    let keys = try file.loadOrMake(now: 10)
    #expect(try file.loadOrMake(now: 20) == keys)
    #expect(try file.load() == keys)
    var status = stat()
    #expect(stat(file.path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    let rotated = try file.rotate(now: 30)
    #expect(try file.load() == rotated)
    #expect(rotated.keys.dropFirst().first == keys.keys.first)
    #expect(try names(in: folder.path) == ["tickets"], "no draft is left behind")
  }

  @Test("Servers that start together agree on one key")
  func together() async throws {
    let file = file
    let found = try await withThrowingTaskGroup(of: TicketKeys.self) { group in
      for now in 0..<8 { group.addTask { try file.loadOrMake(now: Int64(now)) } }
      return try await group.reduce(into: [TicketKeys]()) { $0.append($1) }
    }
    #expect(found.count == 8)
    #expect(found.allSatisfy { $0 == found.first })
  }

  @Test("A file that others may read, or of another kind, is refused with a sentence")
  func refused() throws {
    let text = try TicketKeys.fresh(now: 1).fileText
    let open = TicketKeyFile(path: folder.write("open", text, mode: 0o644))
    #expect(sentence(open).contains("mode to 0600"))
    let other = TicketKeyFile(path: folder.write("other", "hello\n"))
    #expect(sentence(other).contains("is not a file of ticket keys"))
    let long = TicketKeyFile(path: folder.write("long", String(repeating: "x", count: 9000)))
    #expect(sentence(long).contains("larger than"))
    symlink("\(folder.path)/open", "\(folder.path)/link")
    #expect(sentence(TicketKeyFile(path: "\(folder.path)/link")).contains("cannot be read"))
    #expect(sentence(TicketKeyFile(path: folder.path)).contains(folder.path))
    #expect(sentence(TicketKeyFile(path: "/nowhere/at/all")).contains("cannot be read or written"))
  }

  private func sentence(_ file: TicketKeyFile) -> String {
    do {
      _ = try file.loadOrMake(now: 1)
      return "no error"
    } catch {
      return error.description
    }
  }

  private func names(in path: String) throws -> [String] {
    let folder = try #require(opendir(path))
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names
  }
}
