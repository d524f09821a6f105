// The file that holds a key or a session: whole, private, bounded.
import Glibc
import Testing
import Transports

@Suite("Secret file")
struct SecretFileTests {
  let folder = TemporaryFolder()

  private func file(_ name: String = "secret", bytesMax: Int = 100) -> SecretFile {
    SecretFile(path: "\(folder.path)/\(name)", bytesMax: bytesMax)
  }

  private func mode(_ file: SecretFile) -> mode_t {
    var status = stat()
    return stat(file.path, &status) == 0 ? status.st_mode & 0o777 : 0
  }

  @Test("What is stored is read again, byte for byte, and replaced as a whole")
  func roundTrip() throws {
    let file = file(bytesMax: 70_000)
    #expect(try file.load() == nil)
    for size in [0, 1, 70_000, 5] {
      try file.store(pattern(size))
      #expect(try file.load() == pattern(size))
      #expect(mode(file) == 0o600)
    }
    try file.remove()
    try file.remove()
    #expect(try file.load() == nil)
  }

  @Test("What is there already is left alone when asked so")
  func absent() throws {
    let file = file()
    try file.storeIfAbsent([1])
    try file.storeIfAbsent([2])
    #expect(try file.load() == [1])
  }

  @Test("A file too large, readable by others, or no file at all is refused")
  func refused() throws {
    try file(bytesMax: 101).store(pattern(101))
    #expect(throws: SecretFile.Failure.tooLarge) { try file().load() }
    chmod(file().path, 0o640)
    #expect(throws: SecretFile.Failure.readableByOthers) { try file().load() }
    symlink(file().path, file("link").path)
    #expect(throws: SecretFile.Failure.system(.init(rawValue: ELOOP))) { try file("link").load() }
    // A pipe would make a reader wait for ever.
    mkfifo(file("pipe").path, 0o600)
    #expect(try file("pipe").load() == [])
    let nowhere = SecretFile(path: "\(folder.path)/none/secret")
    #expect(throws: SecretFile.Failure.system(.notFound)) { try nowhere.store([1]) }
  }

  @Test("A file with a wider mode is stored over with a narrow one")
  func narrows() throws {
    folder.write("secret", "old", mode: 0o644)
    chmod(file().path, 0o644)
    try file().store([1])
    #expect(mode(file()) == 0o600)
    #expect(try file().load() == [1])
  }
}
