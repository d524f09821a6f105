// Files that grow, folders, and what a process is given.

import Glibc
import Testing

@testable import Reactor

struct AppendFileTests {
  /// A folder that goes away with the test; links in it are not followed.
  private final class Place {
    let path: String

    init() throws {
      var template = Array("/tmp/bgb-append-XXXXXX".utf8CString)
      guard mkdtemp(&template) != nil else { throw Errno.current }
      path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
      for name in (try? Folder.names(in: path)) ?? [] { unlink("\(path)/\(name)") }
      rmdir(path)
    }
  }

  @Test func whatIsAppendedIsReadBackAndGrowsTheSize() throws {
    let place = try Place()
    let file = try AppendFile(path: "\(place.path)/a")
    try file.append([1, 2, 3])
    try file.append([])
    try file.append([4])
    try file.sync()
    #expect(file.size == 4)
    #expect(try Folder.read("\(place.path)/a", limit: 100) == [1, 2, 3, 4])
    let again = try AppendFile(path: "\(place.path)/a")
    #expect(again.size == 4)
    try again.truncate(to: 2)
    try again.append([9])
    #expect(try Folder.read("\(place.path)/a", limit: 100) == [1, 2, 9])
  }

  @Test func aNewFileIsItsOwnersAlone() throws {
    let place = try Place()
    _ = try AppendFile(path: "\(place.path)/a")
    var status = stat()
    #expect(stat("\(place.path)/a", &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
  }

  @Test func linksPipesAndGiantsAreRefused() throws {
    let place = try Place()
    try AppendFile(path: "\(place.path)/a").append(Array(repeating: 7, count: 100))
    symlink("\(place.path)/a", "\(place.path)/link")
    mkfifo("\(place.path)/pipe", 0o600)
    #expect(throws: Errno(rawValue: ELOOP)) { try AppendFile(path: "\(place.path)/link") }
    #expect(throws: Errno(rawValue: ELOOP)) { try Folder.read("\(place.path)/link", limit: 1_000) }
    #expect(throws: Errno.invalidArgument) { try Folder.read("\(place.path)/pipe", limit: 1_000) }
    #expect(throws: Errno(rawValue: EFBIG)) { try Folder.read("\(place.path)/a", limit: 99) }
    #expect(try Folder.read("\(place.path)/a", limit: 100).count == 100)
    #expect(throws: Errno.notFound) { try Folder.read("\(place.path)/none", limit: 1) }
  }

  @Test func foldersAreMadeListedAndRenamedIn() throws {
    let place = try Place()
    let deep = "\(place.path)/x/y"
    try Folder.make(deep)
    try Folder.make(deep)
    try AppendFile(path: "\(deep)/b").append([1])
    try AppendFile(path: "\(deep)/a").append([2])
    #expect(try Folder.names(in: deep) == ["a", "b"])
    try Folder.rename("\(deep)/a", to: "\(deep)/b")
    try Folder.sync(deep)
    #expect(try Folder.names(in: deep) == ["b"])
    #expect(try Folder.read("\(deep)/b", limit: 10) == [2])
    try Folder.remove("\(deep)/b")
    #expect(throws: Errno.notFound) { try Folder.remove("\(deep)/b") }
    rmdir(deep)
    rmdir("\(place.path)/x")
  }

  @Test func aFullDiskIsAnErrorForGood() throws {
    let file = try AppendFile(path: "/dev/full")
    #expect(throws: Errno(rawValue: ENOSPC)) { try file.append([1]) }
    #expect(throws: Errno(rawValue: ENOSPC)) { try file.append([1]) }
    #expect(throws: Errno(rawValue: ENOSPC)) { try file.sync() }
  }
}

struct ProcessWorldTests {
  @Test func theEnvironmentIsThere() {
    let variables = ProcessEnvironment.variables()
    #expect(variables["PATH"]?.isEmpty == false)
    #expect(variables.keys.allSatisfy { !$0.isEmpty && !$0.contains("=") })
  }

  @Test func theFileLimitIsRaisedAsFarAsItGoes() throws {
    let first = try ProcessLimits.raiseOpenFiles()
    #expect(first > 0)
    #expect(try ProcessLimits.raiseOpenFiles() == first, "nothing is left to raise")
  }
}
