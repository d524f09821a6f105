// Two small things that the loop shares with the threads of actions.

public import BGBModel
import Synchronization

/// Says to running actions that the agent stops.
public final class StopFlag: Sendable {
  private let raised = Atomic<Bool>(false)

  /// Makes a lowered flag.
  public init() {}

  /// Whether the agent stops.
  public var isRaised: Bool { raised.load(ordering: .acquiring) }

  /// Tells everybody to stop.
  public func raise() { raised.store(true, ordering: .releasing) }
}

/// Where each client fetches its policies, as the last Welcome said.
public final class PolicyLocations: Sendable {
  private struct Named {
    var urls: [ClientID: String] = [:]
    /// What was named last: nearly always all clients have the same, and share its bytes.
    var last = ""
  }

  private let named = Mutex(Named())

  /// Knows nothing yet.
  public init() {}

  /// The URL for a client; nil when no server named one.
  public subscript(client: ClientID) -> String? {
    get { named.withLock { $0.urls[client] } }
  }

  /// Takes what a Welcome said.
  func set(_ url: String, for client: ClientID) {
    named.withLock { named in
      if named.last != url { named.last = url }
      named.urls[client] = url.isEmpty ? nil : named.last
    }
  }
}
