// Real files and pipes: appending, rotation, reopening, levels, and that a stuck reader costs lines
// and nothing else.

import Foundation
import Glibc
import Logging
import Synchronization
import Testing

@testable import ServiceLog

@Suite struct LogOutputTests {
  private final class Folder {
    let path: String
    init() throws {
      path = NSTemporaryDirectory() + "bgb-log-\(UUID().uuidString)"
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
    func lines(_ name: String) -> [String] {
      let text = (try? String(contentsOfFile: path + "/" + name, encoding: .utf8)) ?? ""
      return text.split(separator: "\n").map(String.init)
    }
  }

  @Test func linesOfManyThreadsStayWholeAndNoneIsLost() async throws {
    let folder = try Folder()
    let log = try ServiceLog.open(
      file: folder.path + "/BGBServer.log", format: .text, level: .info, component: "BGBServer",
      rotateBytes: 0)
    let logger = log.logger("test")
    await withTaskGroup(of: Void.self) { group in
      for writer in 0..<8 {
        group.addTask {
          for number in 0..<200 {
            logger.info("line", metadata: ["writer": "\(writer)", "number": "\(number)"])
          }
        }
      }
    }
    let lines = folder.lines("BGBServer.log")
    #expect(lines.count == 1600)
    #expect(lines.allSatisfy { $0.contains(" INFO     BGBServer line number=") })
    #expect(Set(lines.map { $0.split(separator: " ").suffix(2).joined() }).count == 1600)
    #expect(log.droppedLines == 0)
  }

  @Test func aFullFileMovesToLoUnderscore() throws {
    let folder = try Folder()
    let log = try ServiceLog.open(
      file: folder.path + "/bgbmgr.log", format: .text, level: .info, component: "m",
      rotateBytes: 2_000)
    for number in 0..<50 { log.logger("t").info("number \(number)") }
    let old = folder.lines("bgbmgr.lo_")
    let new = folder.lines("bgbmgr.log")
    #expect(!old.isEmpty && !new.isEmpty)
    #expect(new.last?.hasSuffix("number 49") == true)
    let boundary = try #require(old.last.flatMap { Int($0.split(separator: " ").last ?? "") })
    #expect(new.first?.hasSuffix("number \(boundary + 1)") == true)
    #expect(new.joined(separator: "\n").utf8.count <= 2_000)
  }

  @Test func twoWritersOfOneFileRotateItOnce() throws {
    let folder = try Folder()
    let path = folder.path + "/a.log"
    let logs = try (0..<2).map { _ in
      try ServiceLog.open(file: path, format: .text, level: .info, component: "w", rotateBytes: 900)
    }
    for number in 0..<20 { logs[number % 2].logger("t").info("number \(number)") }
    let kept = (folder.lines("a.lo_") + folder.lines("a.log")).compactMap {
      Int($0.split(separator: " ").last ?? "")
    }
    // Whatever was rotated away twice is gone, but what is kept is a whole end of the sequence.
    #expect(kept.last == 19)
    #expect(kept.sorted() == Array((kept.min() ?? 0)...19))
    #expect(kept.count >= 10)
  }

  @Test func reopenFollowsAPathThatSomebodyRenamed() throws {
    let folder = try Folder()
    let path = folder.path + "/x.log"
    let log = try ServiceLog.open(file: path, format: .json, level: .info, component: "c")
    log.logger("t").info("first")
    try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
    log.logger("t").info("second")
    try log.reopen()
    log.logger("t").info("third")
    #expect(folder.lines("x.log.1").count == 2)
    #expect(folder.lines("x.log").count == 1)
  }

  @Test func theSharedLevelReachesLoggersThatExist() throws {
    let folder = try Folder()
    let log = try ServiceLog.open(
      file: folder.path + "/x.log", format: .text, level: .info, component: "c")
    let logger = log.logger("t")
    var own = logger
    own.logLevel = .error
    logger.debug("unseen")
    log.setLevel(.debug)
    logger.debug("seen")
    own.debug("unseen too")
    log.setLevel(.critical)
    logger.error("not any more")
    #expect(folder.lines("x.log").count == 1)
    #expect(folder.lines("x.log").first?.hasSuffix("c seen") == true)
  }

  @Test func metadataOfLoggerAndEventMergeSorted() throws {
    let folder = try Folder()
    let log = try ServiceLog.open(
      file: folder.path + "/x.log", format: .text, level: .info, component: "c")
    var logger = log.logger("t")
    logger[metadataKey: "task"] = "t1"
    logger[metadataKey: "client"] = "old"
    logger.info("m", metadata: ["client": "new"])
    #expect(folder.lines("x.log").first?.hasSuffix("m client=new task=t1") == true)
  }

  @Test func aFileThatCannotBeOpenedIsAnError() {
    #expect(throws: LogError.self) {
      try ServiceLog.open(
        file: "/nowhere/at/all.log", format: .text, level: .info, component: "c")
    }
  }

  @Test func aPipeNobodyReadsCostsLinesAndNothingElse() throws {
    let folder = try Folder()
    let path = folder.path + "/fifo"
    #expect(mkfifo(path, 0o600) == 0)
    let reader = Glibc.open(path, O_RDONLY | O_NONBLOCK)
    defer { close(reader) }
    let log = try ServiceLog.open(file: path, format: .text, level: .info, component: "c")
    let filler = String(repeating: "x", count: 900)
    for _ in 0..<200 { log.logger("t").info("\(filler)") }
    #expect(log.droppedLines > 0)
    let lostBefore = log.droppedLines
    var text = [UInt8](repeating: 0, count: 1 << 20)
    let taken = read(reader, &text, text.count)
    #expect(taken > 0)
    // The reader is back: the next line tells how many are missing.
    log.logger("t").info("after")
    let count = read(reader, &text, text.count)
    let shown = String(decoding: text.prefix(max(0, count)), as: UTF8.self)
    #expect(shown.contains("\(lostBefore) log lines were dropped"))
    #expect(shown.hasSuffix("after\n"))
    #expect(log.droppedLines == lostBefore)
  }
}
