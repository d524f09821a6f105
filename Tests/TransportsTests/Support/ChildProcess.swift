// A real program beside the test: another implementation, or another program around the same one,
// at the far end of the wire.
import Glibc

/// A running child with its standard input and output in the test's hands.
final class ChildProcess {
  private let pid: pid_t
  private var input: Int32
  private let output: Int32
  /// All that the child wrote so far, to standard output and standard error.
  private(set) var said = ""
  private var isOver = false

  /// The child said nothing of the kind, and is over or silent.
  struct Silence: Error, CustomStringConvertible {
    let description: String
  }

  /// Whether a program is to be found on the path.
  static func exists(_ program: String) -> Bool {
    let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    return path.split(separator: ":").contains { access("\($0)/\(program)", X_OK) == 0 }
  }

  init(_ program: String, _ arguments: [String]) throws {
    var toChild: [Int32] = [0, 0]
    var fromChild: [Int32] = [0, 0]
    precondition(pipe(&toChild) == 0 && pipe(&fromChild) == 0)
    for fd in toChild + fromChild { _ = fcntl(fd, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
    posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
    posix_spawn_file_actions_adddup2(&actions, fromChild[1], 2)
    var vector: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
    vector.append(nil)
    defer { for text in vector { free(text) } }
    var child: pid_t = 0
    let result = posix_spawnp(&child, program, &actions, nil, vector, environ)
    posix_spawn_file_actions_destroy(&actions)
    close(toChild[0])
    close(fromChild[1])
    input = toChild[1]
    output = fromChild[0]
    pid = child
    // Without a child there is nobody to kill: number 0 would mean this process and its group.
    isOver = result != 0
    guard result == 0 else { throw Silence(description: "\(program) cannot be started") }
  }

  deinit {
    if !isOver {
      kill(pid, SIGKILL)
      waitpid(pid, nil, 0)
    }
    if input >= 0 { close(input) }
    close(output)
  }

  /// Writes to the child's standard input.
  func tell(_ text: String) {
    let bytes = Array(text.utf8)
    _ = Glibc.write(input, bytes, bytes.count)
  }

  /// Ends the child's standard input.
  func endInput() {
    if input >= 0 { close(input) }
    input = -1
  }

  /// Waits until the child has said something that contains `text`, and returns what follows it.
  func await(_ text: String) throws -> Substring {
    while true {
      if let range = said.range(of: text), said[range.upperBound...].contains("\n") {
        return said[range.upperBound...].prefix { $0 != "\n" }
      }
      guard try hear() else { throw Silence(description: "no \(text) in: \(said)") }
    }
  }

  /// Waits for the child's end and returns its exit code.
  func exitCode() throws -> Int32 {
    while try hear() {}
    var status: Int32 = 0
    waitpid(pid, &status, 0)
    isOver = true
    return status >> 8 & 0xFF
  }

  private func hear() throws -> Bool {
    var wish = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
    guard poll(&wish, 1, 20_000) == 1 else {
      throw Silence(description: "the child is silent after: \(said)")
    }
    var room = [UInt8](repeating: 0, count: 4096)
    let count = read(output, &room, room.count)
    guard count > 0 else { return false }
    said += String(decoding: room.prefix(count), as: UTF8.self)
    return true
  }
}

extension String {
  /// Where `text` first occurs.
  fileprivate func range(of text: String) -> Range<String.Index>? { ranges(of: text).first }
}
