// Real programs as child processes, with their output in files and their ends awaited.

import Foundation
import Glibc

enum StageError: Error, CustomStringConvertible {
  case failed(String)

  var description: String {
    switch self {
    case .failed(let sentence): sentence
    }
  }
}

/// The programs that this build made: they lie beside the test bundle.
enum Programs {
  static var folder: URL {
    // Programs of another build, such as an installed one, can be tested as well.
    if let other = ProcessInfo.processInfo.environment["BGB_PROGRAMS"] {
      return URL(fileURLWithPath: other)
    }
    var url = URL(fileURLWithPath: CommandLine.arguments[0])
    while url.path != "/" {
      let candidate = url.appendingPathComponent("bgb-server")
      if FileManager.default.isExecutableFile(atPath: candidate.path) { return url }
      url.deleteLastPathComponent()
    }
    return URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
      .appendingPathComponent(".build/debug")
  }

  static func url(_ name: String) -> URL { folder.appendingPathComponent(name) }
}

/// What a finished program left.
struct Finished {
  let status: Int32
  let output: String
  let talk: String
}

/// One child process.
final class Child {
  let process = Process()
  let name: String
  let outputFile: URL

  /// Starts a program, in a network namespace if one is named.
  init(_ name: String, _ arguments: [String], log: URL, namespace: String? = nil) throws {
    self.name = name
    outputFile = log
    _ = FileManager.default.createFile(atPath: log.path, contents: nil)
    let handle = try FileHandle(forWritingTo: log)
    handle.seekToEndOfFile()
    let program = name.hasPrefix("/") ? URL(fileURLWithPath: name) : Programs.url(name)
    if let namespace {
      // `ip` becomes the program: the process is the same.
      process.executableURL = URL(fileURLWithPath: NetworkNamespace.ip)
      process.arguments = ["netns", "exec", namespace, program.path] + arguments
    } else {
      process.executableURL = program
      process.arguments = arguments
    }
    process.standardOutput = handle
    process.standardError = handle
    process.standardInput = FileHandle.nullDevice
    var environment = ProcessInfo.processInfo.environment
    environment["SWIFT_BACKTRACE"] = "enable=no"
    // Only a test says which proxy is used.
    for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
      environment[name] = nil
    }
    process.environment = environment
    try process.run()
  }

  var isRunning: Bool { process.isRunning }
  var text: String { (try? String(contentsOf: outputFile, encoding: .utf8)) ?? "" }

  func signal(_ number: Int32) { kill(process.processIdentifier, number) }

  /// Ends it as a crash would.
  func crash() {
    signal(SIGKILL)
    process.waitUntilExit()
  }

  /// Ends it in order; returns its exit code.
  @discardableResult
  func stop() -> Int32 {
    guard process.isRunning else { return process.terminationStatus }
    signal(SIGCONT)
    signal(SIGTERM)
    process.waitUntilExit()
    return process.terminationStatus
  }

  deinit { if process.isRunning { crash() } }
}

/// Waits for a condition by looking at it; the deadline is for broken builds, not a measurement.
func eventually(
  _ what: String, within seconds: Double = 60, _ condition: () throws -> Bool
) throws {
  let end = Date().addingTimeInterval(seconds)
  while Date() < end {
    if try condition() { return }
    usleep(20_000)
  }
  throw StageError.failed("did not happen within \(Int(seconds)) s: \(what)")
}

/// Runs a program to its end.
func run(_ name: String, _ arguments: [String], input: String? = nil) throws -> Finished {
  let process = Process()
  process.executableURL = name.hasPrefix("/") ? URL(fileURLWithPath: name) : Programs.url(name)
  process.arguments = arguments
  // Files, not pipes: a pipe that nobody empties stops its writer.
  let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("bgb-run-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  let output = folder.appendingPathComponent("out")
  let talk = folder.appendingPathComponent("err")
  for file in [output, talk] {
    _ = FileManager.default.createFile(atPath: file.path, contents: nil)
  }
  process.standardOutput = try FileHandle(forWritingTo: output)
  process.standardError = try FileHandle(forWritingTo: talk)
  process.standardInput = FileHandle.nullDevice
  try process.run()
  process.waitUntilExit()
  return Finished(
    status: process.terminationStatus,
    output: try String(contentsOf: output, encoding: .utf8),
    talk: try String(contentsOf: talk, encoding: .utf8))
}
