// Follows a drain by the rows of its servers until they are empty, and draws its one line.

import BGBModel
import HTTPClient

/// How far a drain is, over all rows that take part.
struct ServerDrainProgress: Equatable {
  /// The rows.
  var items: [JSONValue]

  /// The part of a list of all servers that bears these names.
  init(_ all: [JSONValue], names: [String]) {
    items = all.filter { names.contains($0["name"].cell) }
  }

  /// Agents at the beginning and since.
  var total: Int64 { items.reduce(0) { $0 + ($1["drainTotal"].integer ?? 0) } }
  /// Agents that are still there.
  var left: Int64 { items.reduce(0) { $0 + ($1["drainLeft"].integer ?? 0) } }
  /// Whether every server says that it is empty.
  var isEmpty: Bool { items.allSatisfy { $0["state"].cell == "drained" } }
  /// Whether those that answer are empty, and the others have nobody by the site's count.
  var isAsGoodAsEmpty: Bool {
    items.allSatisfy { item in
      item["state"].cell == "drained"
        || item["state"].cell == "asked" && item["onlineCount"].integer == 0
    }
  }
  /// Those that have not answered.
  var silent: [String] {
    items.filter { $0["state"].cell == "asked" }.map { TerminalText.shown($0["name"].cell) }
  }

  /// Such as `12,300 of 18,000 moved, 5,700 left`.
  var text: String {
    "\(NumberText.grouped(max(0, total - left))) of \(NumberText.grouped(total)) moved, "
      + "\(NumberText.grouped(left)) left"
  }

  /// A row's state, with how far it is.
  static func stateText(_ item: JSONValue) -> String {
    guard item["state"].cell == "draining" else { return item["state"].cell }
    let left = NumberText.grouped(item["drainLeft"].integer ?? 0)
    return "draining, \(left) left"
  }
}

/// Follows one drain.
struct DrainWatch {
  /// Why it ended.
  enum Ending: Equatable {
    case empty, late, interrupted
  }

  /// Time beyond what was asked for: for the way to the server and the last word back.
  static let graceSeconds: Int64 = 15
  /// After this long without a word, whoever has no agents is not waited for.
  static let silenceMilliseconds: Int64 = 5_000
  private static let pauseMilliseconds: Int64 = 200
  private static let lineMilliseconds: Int64 = 10_000

  let client: SiteClient
  let console: Console
  let names: [String]
  let patienceSeconds: Int64

  /// Watches until the end.
  func run() throws(ConsoleError) -> (progress: ServerDrainProgress, ending: Ending) {
    console.beginInterruption()
    let begun = console.ticks()
    var lastLine = begun
    var isLineOpen = false
    defer { if isLineOpen { console.talk("\n") } }
    var progress = ServerDrainProgress([], names: names)
    while true {
      do throws(ConsoleError) {
        progress = ServerDrainProgress(try client.items("/v1/servers"), names: names)
      } catch {
        // Ctrl-C ends the question under way; the drain goes on without us.
        guard error.status == .interrupted else { throw error }
        return (progress, .interrupted)
      }
      let passed = console.ticks() - begun
      if progress.isEmpty { return (progress, .empty) }
      if passed > DrainWatch.silenceMilliseconds, progress.isAsGoodAsEmpty {
        return (progress, .empty)
      }
      if console.isInterrupted() { return (progress, .interrupted) }
      if passed > patienceSeconds * 1_000 { return (progress, .late) }
      let line = progress.text + "  " + NumberText.duration(seconds: passed / 1_000)
      if console.talkIsTerminal, !console.isQuiet {
        isLineOpen = true
        let text = TerminalText.cut(line, columns: max(20, console.columns() - 1))
        console.talk("\r" + text + "\u{1B}[K")
      } else if console.ticks() - lastLine >= DrainWatch.lineMilliseconds {
        lastLine = console.ticks()
        console.say(line)
      }
      console.pause(DrainWatch.pauseMilliseconds)
    }
  }
}
