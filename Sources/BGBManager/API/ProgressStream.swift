// An operation's progress as server-sent events: the whole operation at once and after each change,
// until nothing can change any more. Each event is complete, so a watcher that missed some has lost
// nothing.

import BGBModel
import Hummingbird
import NIOCore
import NIOPosix
import ServiceLifecycle
import SiteDatabase

/// Writes one watcher's events.
struct ProgressStream: Sendable {
  /// Wake-ups without news after which a comment is sent, so that a watcher who is gone is noticed.
  static let silentWakesMax = 8

  let operationID: OperationID
  let store: any SiteStore
  let gauges: ManagerGauges
  let pool: NIOThreadPool

  /// Writes until the operation is over, the manager stops, or the watcher is gone (then it
  /// throws).
  func run(_ wakes: AsyncStream<Void>, into writer: inout any ResponseBodyWriter) async throws {
    gauges.add(.progressStreams, 1)
    defer { gauges.add(.progressStreams, -1) }
    var progress = ProgressEvents()
    var isOver = try await write(progress.events(for: try await read()), into: &writer)
    var silent = 0
    if !isOver {
      for await _ in wakes.cancelOnGracefulShutdown() {
        let events = progress.events(for: try await read())
        silent = events.isEmpty ? silent + 1 : 0
        if silent >= ProgressStream.silentWakesMax {
          silent = 0
          try await writer.write(ByteBuffer(string: ": still here\n\n"))
        }
        isOver = try await write(events, into: &writer)
        if isOver { break }
      }
    }
    try await writer.finish(nil)
  }

  private func read() async throws -> OperationSummary? {
    let (store, operationID) = (store, operationID)
    return try await pool.runIfActive {
      do { return try store.operation(operationID) } catch StoreError.unavailable {
        // Busy now; the next wake-up looks again.
        return nil
      }
    }
  }

  /// Writes events; whether the last one was the end.
  private func write(
    _ events: [ProgressEvents.Event], into writer: inout any ResponseBodyWriter
  ) async throws -> Bool {
    for event in events { try await writer.write(ByteBuffer(string: event.text)) }
    return events.last?.isEnd ?? false
  }
}

/// Decides which events follow from what the database says: pure, so that it can be tested without
/// HTTP.
struct ProgressEvents {
  /// One server-sent event.
  struct Event: Hashable {
    var name: String
    var data: String
    var isEnd: Bool

    /// As it stands on the wire.
    var text: String { "event: \(name)\ndata: \(data)\n\n" }
  }

  private var last: OperationSummary?
  private var hasEnded = false

  /// The events that a reading brings: none when nothing changed or nothing could be read.
  mutating func events(for summary: OperationSummary?) -> [Event] {
    guard let summary, !hasEnded, summary != last else { return [] }
    last = summary
    let data = summary.json.encoded
    var events = [Event(name: "operation", data: data, isEnd: false)]
    if summary.isOver {
      hasEnded = true
      events.append(Event(name: "end", data: data, isEnd: true))
    }
    return events
  }
}
