// The real `openssl` as a child process: an independent judge of what this module makes.

import Glibc

/// A folder for one test's files, which goes away with it.
final class Scratch {
  let path: String

  init() {
    var template = Array("/tmp/bgb-signing-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { fatalError("no folder for the test") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { _ = run(["rm", "-rf", path]) }

  func file(_ name: String) -> String { path + "/" + name }

  @discardableResult func put(_ name: String, _ text: some StringProtocol) -> String {
    put(name, Array(text.utf8))
  }

  @discardableResult func put(_ name: String, _ bytes: [UInt8]) -> String {
    guard let file = fopen(file(name), "w") else { fatalError("cannot write \(name)") }
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
    return self.file(name)
  }

  func read(_ name: String) -> String { String(decoding: readBytes(name), as: UTF8.self) }

  func readBytes(_ name: String) -> [UInt8] {
    guard let file = fopen(file(name), "r") else { return [] }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 100_000)
    let count = fread(&bytes, 1, bytes.count, file)
    return Array(bytes[..<count])
  }

  /// Runs `openssl` with its output in a file, and gives exit status and output.
  func openssl(_ arguments: String...) -> (status: Int32, output: String) {
    openssl(arguments)
  }

  /// Runs `openssl` with its output in a file, and gives exit status and output.
  func openssl(_ arguments: [String]) -> (status: Int32, output: String) {
    let status = run(["openssl"] + arguments, output: file("output"))
    return (status, read("output"))
  }
}

/// Runs a program found by PATH and waits for it; its output goes to a file or nowhere.
private func run(_ arguments: [String], output: String = "/dev/null") -> Int32 {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
  posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  posix_spawn_file_actions_adddup2(&actions, 1, 2)
  let texts = arguments.map { strdup($0) }
  defer { for text in texts { free(text) } }
  var child: pid_t = 0
  guard posix_spawnp(&child, arguments[0], &actions, nil, texts + [nil], environ) == 0 else {
    return -1
  }
  var status: Int32 = 0
  while waitpid(child, &status, 0) == -1, errno == EINTR {}
  return status & 0x7F == 0 ? status >> 8 & 0xFF : -1
}
