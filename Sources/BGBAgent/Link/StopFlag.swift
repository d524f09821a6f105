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
  private let urls = Mutex<[ClientID: String]>([:])

  /// Knows nothing yet.
  public init() {}

  /// The URL for a client; nil when no server named one.
  public subscript(client: ClientID) -> String? {
    get { urls.withLock { $0[client] } }
  }

  /// Takes what a Welcome said.
  func set(_ url: String, for client: ClientID) {
    urls.withLock { $0[client] = url.isEmpty ? nil : url }
  }
}
