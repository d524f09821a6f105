// The door of the module: `ServiceLog.bootstrap(...)` once in a program, `ServiceLog.open(...)`
// where a test wants a log of its own. Both return the handle with which a running service reopens
// its log after a rotation and changes its level.

public import Logging

/// Bytes after which a log file is moved to its `.lo_` name by default.
public let logRotateBytesDefault = 5 << 20

/// Opens a log and makes it the one that every `Logger` of this program writes to.
///
/// Call it once, before the first logger is made; swift-log traps on a second call.
/// - Parameters:
///   - file: the path, or nil for the standard error stream.
///   - format: the spelling of the lines.
///   - level: what is written from this level on.
///   - component: the program as log viewers show it, such as `BGBServer`.
///   - rotateBytes: the size after which the file is moved to `.lo_`; 0 leaves rotation to others.
public func bootstrap(
  file: String?, format: LogFormat, level: Logger.Level, component: String,
  rotateBytes: Int = logRotateBytesDefault
) throws(LogError) -> LogHandle {
  let handle = try open(
    file: file, format: format, level: level, component: component, rotateBytes: rotateBytes)
  let output = handle.output
  LoggingSystem.bootstrap { _ in ServiceLogHandler(output: output) }
  return handle
}

/// Opens a log without making it the program's one; loggers come from the handle.
public func open(
  file: String?, format: LogFormat, level: Logger.Level, component: String,
  rotateBytes: Int = logRotateBytesDefault
) throws(LogError) -> LogHandle {
  LogHandle(
    output: try LogOutput(
      path: file, format: format, level: level, component: component, rotateBytes: rotateBytes))
}

/// An open log; may be used from any thread.
public final class LogHandle: Sendable {
  let output: LogOutput

  init(output: LogOutput) { self.output = output }

  /// A logger that writes here, with or without `bootstrap`.
  public func logger(_ label: String) -> Logger {
    Logger(label: label) { _ in ServiceLogHandler(output: output) }
  }

  /// Opens the file's path anew after somebody renamed it; the old file is kept when that fails.
  public func reopen() throws(LogError) { try output.reopen() }

  /// Sets the level of every logger that has none of its own, at once.
  public func setLevel(_ level: Logger.Level) { output.sharedLevel = level }

  /// The level of loggers that have none of their own.
  public var level: Logger.Level { output.sharedLevel }

  /// The file, or nil for the standard error stream.
  public var path: String? { output.path }

  /// Lines lost since the start because they could not be written at once.
  public var droppedLines: UInt64 { output.droppedLines }
}
