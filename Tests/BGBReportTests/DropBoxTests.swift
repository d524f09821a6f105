// A real folder with everything in it that an inbox may meet.

import BGBModel
import Glibc
import Testing

@testable import BGBReport

/// A folder that goes away with the test.
final class Folder {
  let path: String

  init() {
    var template = Array("/tmp/bgb-dropbox-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { fatalError("no folder for the test") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    let children = [path + "/" + DropBox.quarantineFolder, path]
    for folder in children {
      // A test may have put a link here: what it points at is not ours to empty.
      let number = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      guard number >= 0, let stream = fdopendir(number) else { continue }
      while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
        let full = Array(folder.utf8) + [UInt8(ascii: "/")] + name + [0]
        full.withUnsafeBufferPointer { buffer in
          buffer.withMemoryRebound(to: CChar.self) { text in
            guard let start = text.baseAddress else { return }
            if unlink(start) != 0 { rmdir(start) }
          }
        }
      }
      closedir(stream)
      rmdir(folder)
    }
  }

  func put(_ name: String, _ text: String) {
    guard let file = fopen(path + "/" + name, "w") else { fatalError("cannot write \(name)") }
    fputs(text, file)
    fclose(file)
  }

  func read(_ name: String) -> String? {
    guard let file = fopen(path + "/" + name, "r") else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 10_000)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self)
  }

  func exists(_ name: String) -> Bool {
    var facts = stat()
    return lstat(path + "/" + name, &facts) == 0
  }
}

private func name(_ sequence: UInt64, _ kind: ReportKind = .presence) -> ReportName {
  ReportName(kind: kind, serverID: ServerID(3), epoch: 5, sequence: sequence)
}

@Suite struct DropBoxTests {
  let folder = Folder()

  @Test func filesAppearWholeAndAreReadAndRemoved() throws {
    let box = try DropBox(folder.path)
    let bytes = ReportFile.encode(presenceReport, sign: toySignature)
    try box.drop(ReportName(presenceReport.header), bytes)
    #expect(try box.list().map(\.text) == ["Bgb3-5-12.BOS"])
    #expect(try box.scan() == DropBoxContents(reports: [name(12)]))
    #expect(try box.read("Bgb3-5-12.BOS", limit: Limits.reportBytesMax) == bytes)
    try box.remove("Bgb3-5-12.BOS")
    #expect(try box.list().isEmpty)
  }

  @Test func reportsComeInTheOrderOfImport() throws {
    let box = try DropBox(folder.path)
    let names = [
      "Bgb1-9-1.BTS", "Bgb3-1-99.BOS", "Bgb3-5-2.BOS", "Bgb3-5-2.BTS", "Bgb3-5-10.BOS",
      "Bgb10-1-1.BOS",
    ]
    for name in names.shuffled() { try box.drop(try #require(ReportName(name)), [1]) }
    #expect(try box.list().map(\.text) == names)
  }

  @Test func finishedReportsAreWeighedTogether() throws {
    let box = try DropBox(folder.path)
    #expect(try box.waitingBytes() == 0)
    try box.drop(name(1), [UInt8](repeating: 7, count: 300))
    try box.drop(name(2, .outcomes), [1, 2, 3])
    folder.put("Bgb3-5-3.BOS.tmp", "half a rep")
    folder.put("a stray", "of some length")
    #expect(try box.waitingBytes() == 303)
    try box.remove(name(1).text)
    #expect(try box.waitingBytes() == 3)
  }

  @Test func whatADeadWriterLeftIsReplaced() throws {
    let box = try DropBox(folder.path)
    folder.put("Bgb3-5-1.BOS.tmp", "half a rep")
    #expect(try box.list().isEmpty)
    #expect(try box.scan().unfinished == ["Bgb3-5-1.BOS.tmp"])
    try box.drop(name(1), [7])
    #expect(try box.read("Bgb3-5-1.BOS", limit: 10) == [7])
    #expect(!folder.exists("Bgb3-5-1.BOS.tmp"))
  }

  @Test func aLinkUnderTheUnfinishedNameIsNotFollowed() throws {
    let box = try DropBox(folder.path)
    folder.put("victim", "precious")
    symlink(folder.path + "/victim", folder.path + "/Bgb3-5-1.BOS.tmp")
    try box.drop(name(1), [7])
    #expect(folder.read("victim") == "precious")
    #expect(try box.read("Bgb3-5-1.BOS", limit: 10) == [7])
  }

  @Test func strangeNamesAreStrays() throws {
    let strays = [
      "Bgb3-5-1.bos", "Bgb3-5-01.BOS", "bgb3-5-1.BOS", "Bgb3-5.BOS", "Bgb3-5-1-1.BOS", "x.BTS",
      "Bgb3-5-1.BOS ", "Bgb3-5-1.BOS.tmp.tmp", "Bgb-3-5-1.BOS", "Bgb99999999999-1-1.BOS",
      "Bgb3-5-1xBOS", "a\nb.BTS", ".hidden", String(repeating: "n", count: 255),
    ]
    for stray in strays { folder.put(stray, "x") }
    let contents = try DropBox(folder.path).scan()
    #expect(contents.strays == strays.sorted())
    #expect(contents.reports.isEmpty && contents.unfinished.isEmpty)
  }

  @Test func namesThatAreNotTextAreCounted() throws {
    let full = Array(folder.path.utf8) + Array("/Bgb".utf8) + [0xFF, 0]
    full.withUnsafeBufferPointer { buffer in
      buffer.withMemoryRebound(to: CChar.self) { text in
        if let start = text.baseAddress { close(creat(start, 0o600)) }
      }
    }
    #expect(try DropBox(folder.path).scan() == DropBoxContents(unreachable: 1))
  }

  @Test func onlyRegularFilesAreRead() throws {
    let box = try DropBox(folder.path)
    folder.put("secret", "root:x")
    symlink(folder.path + "/secret", folder.path + "/Bgb3-5-1.BTS")
    mkfifo(folder.path + "/Bgb3-5-2.BTS", 0o600)
    mkdir(folder.path + "/Bgb3-5-3.BTS", 0o700)
    #expect(try box.list().count == 3)
    let faults: [(String, Int32)] = [
      ("Bgb3-5-1.BTS", ELOOP), ("Bgb3-5-2.BTS", EINVAL), ("Bgb3-5-3.BTS", EINVAL),
      ("Bgb3-5-4.BTS", ENOENT), ("../secret", EINVAL), ("", EINVAL), (".", EINVAL), ("..", EINVAL),
    ]
    for (name, code) in faults {
      let error = #expect(throws: DropError.self) { try box.read(name, limit: 1_000) }
      #expect(error?.errno == code, "\(name)")
    }
    for (name, _) in faults.prefix(3) { try box.quarantine(name, reason: "not a file") }
    #expect(try box.list().isEmpty)
    #expect(folder.read("secret") == "root:x")
  }

  @Test func sizeIsLimitedBeforeReading() throws {
    let box = try DropBox(folder.path)
    try box.drop(name(1), Array(repeating: 7, count: 100))
    #expect(try box.read("Bgb3-5-1.BOS", limit: 100).count == 100)
    let error = #expect(throws: DropError.self) { try box.read("Bgb3-5-1.BOS", limit: 99) }
    #expect(error?.errno == EFBIG)
    // Two gigabytes on paper, nothing on disk.
    truncate(folder.path + "/Bgb3-5-1.BOS", 2 << 30)
    #expect(throws: DropError.self) { try box.read("Bgb3-5-1.BOS", limit: Limits.reportBytesMax) }
  }

  @Test func quarantineKeepsFileAndReason() throws {
    let box = try DropBox(folder.path)
    try box.drop(name(1), Array("first".utf8))
    try box.quarantine("Bgb3-5-1.BOS", reason: "line 2 is not a record")
    try box.drop(name(1), Array("second".utf8))
    try box.quarantine("Bgb3-5-1.BOS", reason: "again")
    #expect(folder.read("bad/Bgb3-5-1.BOS") == "first")
    #expect(folder.read("bad/Bgb3-5-1.BOS.reason") == "line 2 is not a record\n")
    #expect(folder.read("bad/Bgb3-5-1.BOS.1") == "second")
    #expect(folder.read("bad/Bgb3-5-1.BOS.1.reason") == "again\n")
    #expect(try box.scan() == DropBoxContents())
  }

  @Test func quarantineTakesTheLongestNames() throws {
    let box = try DropBox(folder.path)
    let long = String(repeating: "n", count: 255)
    for round in 0..<3 {
      folder.put(long, "\(round)")
      try box.quarantine(long, reason: "name")
    }
    #expect(try box.scan() == DropBoxContents())
    #expect(folder.read("bad/" + String(repeating: "n", count: 230) + ".2") == "2")
  }

  @Test func quarantineDoesNotFollowALinkInItsPlace() throws {
    let box = try DropBox(folder.path)
    let elsewhere = Folder()
    symlink(elsewhere.path, folder.path + "/bad")
    try box.drop(name(1), [1])
    #expect(throws: DropError.self) { try box.quarantine("Bgb3-5-1.BOS", reason: "x") }
    #expect(folder.exists("Bgb3-5-1.BOS"))
    #expect(!elsewhere.exists("Bgb3-5-1.BOS"))
  }

  @Test func missingFoldersAreErrorsWithTheirName() {
    let error = #expect(throws: DropError.self) { try DropBox(folder.path + "/none") }
    #expect(error?.description.contains(folder.path + "/none") == true)
    folder.put("file", "")
    #expect(throws: DropError.self) { try DropBox(folder.path + "/file") }
  }

  @Test func aFolderThatVanishedIsNoticed() throws {
    let box = try DropBox(folder.path)
    rename(folder.path, folder.path + ".moved")
    defer { rename(folder.path + ".moved", folder.path) }
    #expect(throws: DropError.self) { try box.drop(name(1), [1]) }
    #expect(throws: DropError.self) { try box.scan() }
  }
}
