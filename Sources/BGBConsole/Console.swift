// What a command sees of the world: where data and talk go, who can be asked, what time it is.
// Tests give it other ends.

import BGBModel

/// The surroundings of one run of the program.
final class Console {
  /// Writes data to the standard output.
  var out: (String) -> Void = { _ = Terminal.write($0, to: 1) }
  /// Writes talk to the standard error stream.
  var talk: (String) -> Void = { _ = Terminal.write($0, to: 2) }
  /// Reads an answer of a person.
  var answer: () -> String? = { readLine() }
  /// Reads all of the standard input, up to a limit.
  var input: (Int) -> [UInt8]? = { Terminal.readAll(0, bytesMax: $0) }
  /// Whether a person can be asked: both questions and answers go through a terminal.
  var canAsk = Terminal.isTerminal(0) && Terminal.isTerminal(2)
  /// Whether talk goes to a terminal, on which a line can be redrawn.
  var talkIsTerminal = Terminal.isTerminal(2)
  /// Columns for the redrawn line.
  var columns: () -> Int = { Terminal.columns(2) }
  /// The environment.
  var environment = Terminal.environment()
  /// The time of day.
  var now: () -> WallTime = { WallTime(milliseconds: Terminal.wallMilliseconds()) }
  /// Monotonic milliseconds.
  var ticks: () -> Int64 = Terminal.ticks
  /// Waits.
  var pause: (Int64) -> Void = { Terminal.pause(milliseconds: $0) }
  /// Begins to note Ctrl-C.
  var beginInterruption: () -> Void = Interruption.begin
  /// Whether Ctrl-C came since.
  var isInterrupted: () -> Bool = { Interruption.hasCome }
  /// Suppresses talk that is not an error.
  var isQuiet = false

  init() {}

  /// Says something to the person, unless told to be quiet.
  func say(_ text: String) {
    if !isQuiet { talk(text + "\n") }
  }

  /// Whether colours may be used: on a terminal, unless `NO_COLOR` is set or the terminal is dumb.
  var hasColour: Bool {
    talkIsTerminal && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
  }
}
