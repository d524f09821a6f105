// Who watches which operation. An import or a change touches an operation and wakes its watchers;
// they read the counters themselves, so that a wake-up may be lost, doubled or early without harm.

import BGBModel
import Synchronization

/// Wakes the watchers of operations, from any thread.
final class ProgressHub: Sendable {
  /// Watchers at one time, at most: each holds a connection and a task.
  static let watchersMax = 256

  private struct State {
    var nextNumber: UInt64 = 0
    var watchers: [UInt64: Watcher] = [:]
    var isClosed = false
  }

  private struct Watcher {
    var operationID: OperationID
    var wake: AsyncStream<Void>.Continuation
  }

  private let state = Mutex(State())

  /// The number of watchers now.
  var count: Int { state.withLock { $0.watchers.count } }

  /// A stream that yields at each touch of the operation and ends when the hub closes.
  ///
  /// Several touches before a read are one. Nil when there are too many watchers or the hub is
  /// closed.
  func watch(_ operationID: OperationID) -> AsyncStream<Void>? {
    let (stream, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let number = state.withLock { state -> UInt64? in
      guard !state.isClosed, state.watchers.count < ProgressHub.watchersMax else { return nil }
      state.nextNumber &+= 1
      state.watchers[state.nextNumber] = Watcher(operationID: operationID, wake: wake)
      return state.nextNumber
    }
    guard let number else { return nil }
    wake.onTermination = { [weak self] _ in
      self?.state.withLock { $0.watchers[number] = nil }
    }
    return stream
  }

  /// Wakes the watchers of these operations.
  func touch(_ operations: [OperationID]) {
    guard !operations.isEmpty else { return }
    let touched = Set(operations)
    for wake in wakes(where: { touched.contains($0) }) { wake.yield() }
  }

  /// Wakes everybody: other processes write to the same database.
  func touchAll() {
    for wake in wakes(where: { _ in true }) { wake.yield() }
  }

  /// Ends all streams; no new ones begin.
  func close() {
    let wakes = state.withLock { state in
      state.isClosed = true
      return state.watchers.values.map(\.wake)
    }
    for wake in wakes { wake.finish() }
  }

  /// Collected under the lock and used outside of it: finishing a stream takes the lock again.
  private func wakes(
    where isWanted: (OperationID) -> Bool
  ) -> [AsyncStream<Void>.Continuation] {
    state.withLock { state in
      state.watchers.values.filter { isWanted($0.operationID) }.map(\.wake)
    }
  }
}
