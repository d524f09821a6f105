// Hashes from OpenSSL's own program, so that tests do not compute them with what they test.

import Foundation

enum OpenSSLTool {
  /// A hash in hexadecimal digits.
  static func hash(_ name: String, _ text: String) throws -> String {
    try run(["dgst", "-\(name)", "-r"], input: text).split(separator: " ").first.map(String.init)
      ?? ""
  }

  /// Runs the program with a text at its input; gives its output.
  static func run(_ arguments: [String], input: String = "") throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
    process.arguments = arguments
    let (given, output) = (Pipe(), Pipe())
    process.standardInput = given
    process.standardOutput = output
    try process.run()
    given.fileHandleForWriting.write(Data(input.utf8))
    try given.fileHandleForWriting.close()
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
