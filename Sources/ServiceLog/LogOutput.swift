// Where lines go: a file opened for appending, or the standard error stream. Every line is one
// write, so lines of several threads and processes never mix. A line that cannot go at once is
// dropped and counted, and the next one that goes says how many are missing: a full disk or a stuck
// pipe may cost lines, but never holds the service up.

import Logging
import Synchronization

/// One log's output, shared by all loggers of the program.
final class LogOutput: Sendable {
  /// How long a line may wait for a pipe's or terminal's reader.
  static let pipeWaitMilliseconds: Int32 = 20

  private struct State: ~Copyable {
    var descriptor: LogDescriptor
    var isRegular: Bool
    var bytes: Int
    var droppedSinceLastLine: UInt64 = 0
    /// The pipe refused the line before: do not wait again until it takes one.
    var isStuck = false

    init(_ descriptor: consuming LogDescriptor) {
      let identity = descriptor.identity
      isRegular = identity?.isRegular ?? false
      bytes = identity?.bytes ?? 0
      self.descriptor = descriptor
    }
  }

  let path: String?
  let format: LogFormat
  let component: String
  private let rotateBytes: Int
  private let state: Mutex<State>
  private let level: Mutex<Logger.Level>
  private let dropped = Atomic<UInt64>(0)

  init(
    path: String?, format: LogFormat, level: Logger.Level, component: String, rotateBytes: Int
  ) throws(LogError) {
    self.path = path
    self.format = format
    self.component = component
    self.rotateBytes = rotateBytes
    self.level = Mutex(level)
    if let path {
      state = Mutex(State(try LogDescriptor(appendingTo: path)))
    } else {
      state = Mutex(State(.standardError))
    }
  }

  /// The level of loggers that have none of their own.
  var sharedLevel: Logger.Level {
    get { level.withLock { $0 } }
    set { level.withLock { $0 = newValue } }
  }

  /// Lines lost since the start.
  var droppedLines: UInt64 { dropped.load(ordering: .relaxed) }

  /// Closes the file and opens its path anew, after somebody else renamed it; keeps the old one
  /// when that fails.
  func reopen() throws(LogError) {
    guard let path else { return }
    let fresh = State(try LogDescriptor(appendingTo: path))
    // A closure cannot consume what it captures, so the value crosses inside an optional.
    var crossing: State? = consume fresh
    state.withLock { state in
      guard let fresh = crossing.take() else { return }
      state = fresh
    }
  }

  /// Writes one line.
  func write(_ line: LogLine) {
    let bytes = line.bytes(format)
    state.withLock { state in
      if state.isRegular, rotateBytes > 0, state.bytes + bytes.count > rotateBytes {
        rotate(&state)
      }
      if state.droppedSinceLastLine > 0 {
        var note = line
        note.level = .warning
        note.message = "\(state.droppedSinceLastLine) log lines were dropped"
        note.metadata = []
        if put(note.bytes(format), &state) { state.droppedSinceLastLine = 0 }
      }
      if !put(bytes, &state) {
        state.droppedSinceLastLine += 1
        dropped.add(1, ordering: .relaxed)
      }
    }
  }

  private func put(_ bytes: [UInt8], _ state: inout State) -> Bool {
    if !state.isRegular {
      let wait = state.isStuck ? 0 : LogOutput.pipeWaitMilliseconds
      state.isStuck = !state.descriptor.isWritable(withinMilliseconds: wait)
      if state.isStuck { return false }
    }
    guard state.descriptor.write(bytes) else { return false }
    state.bytes += bytes.count
    return true
  }

  /// Moves the full file to `name.lo_`, as the original does, and begins a new one.
  ///
  /// Several processes may share a log: whoever finds that the path already leads elsewhere only
  /// follows.
  private func rotate(_ state: inout State) {
    guard let path, let mine = state.descriptor.identity else { return }
    if let there = LogDescriptor.identity(of: path), there.device == mine.device,
      there.file == mine.file, !LogDescriptor.rename(path, to: LogOutput.rotatedPath(of: path))
    {
      // Not allowed to rename: go on in the same file, and look again after as much as before.
      state.bytes = 0
      return
    }
    guard let fresh = try? LogDescriptor(appendingTo: path) else {
      state.bytes = 0
      return
    }
    let stuck = state.droppedSinceLastLine
    state = State(fresh)
    state.droppedSinceLastLine = stuck
  }

  /// `BGBServer.log` becomes `BGBServer.lo_`; any other name gets `.lo_` behind it.
  static func rotatedPath(of path: String) -> String {
    path.hasSuffix(".log") ? String(path.dropLast(1)) + "_" : path + ".lo_"
  }
}
