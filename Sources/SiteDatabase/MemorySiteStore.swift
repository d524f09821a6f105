// A site database in memory: for tests and trials, and the slow but plain twin of the others. One
// lock around one value; a call works on a copy and puts it back when it succeeded, which is what
// makes every call all or nothing.

public import BGBModel
import Glibc
import Synchronization

/// A site database that lives as long as its process.
public final class MemorySiteStore: SiteStore {
  /// Between two looks of a waiting call: a thread of a test may well wake that often, and a
  /// condition variable would bring pointers into a module that has none.
  private static let lookMicroseconds: UInt32 = 500

  private let content: Mutex<MemorySite>
  private let interrupted = Mutex<Set<ServerID>>([])

  /// An empty site.
  public init(site: SiteRecord) { content = Mutex(MemorySite(site: site)) }

  func read<Value: Sendable>(
    _ body: (borrowing MemorySite) throws(StoreError) -> Value
  ) throws(StoreError) -> Value {
    try content.withLock { (site) throws(StoreError) in try body(site) }
  }

  func write<Value: Sendable>(
    _ body: (inout MemorySite) throws(StoreError) -> Value
  ) throws(StoreError) -> Value {
    try content.withLock { (site) throws(StoreError) in
      var draft = site
      let value = try body(&draft)
      site = draft
      return value
    }
  }

  /// Messages for a server after a cursor; see the contract.
  public func messages(
    for serverID: ServerID, after cursor: Int64, limit: Int, waitMilliseconds: Int
  ) throws(StoreError) -> [BrokerMessage] {
    let clock = ContinuousClock()
    let deadline = clock.now + .milliseconds(max(0, min(waitMilliseconds, 86_400_000)))
    while true {
      let found = try read { (site) throws(StoreError) in
        try site.messages(for: serverID, after: cursor, limit: limit)
      }
      if !found.isEmpty || clock.now >= deadline || endInterrupt(of: serverID) { return found }
      usleep(MemorySiteStore.lookMicroseconds)
    }
  }

  /// Wakes a waiting `messages` call; see the contract.
  public func interruptWait(of serverID: ServerID) {
    interrupted.withLock { _ = $0.insert(serverID) }
  }

  private func endInterrupt(of serverID: ServerID) -> Bool {
    interrupted.withLock { $0.remove(serverID) != nil }
  }
}
