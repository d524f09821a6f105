// A site database in memory: for tests and trials, and the slow but plain twin of the others. One lock
// around one value; a call works on a copy and puts it back when it succeeded, which is what makes
// every call all or nothing.

public import BGBModel
import Dispatch
import Synchronization

/// A site database that lives as long as its process.
public final class MemorySiteStore: SiteStore {
  private let content: Mutex<MemorySite>
  private let waits = Mutex<[ServerID: ServerWait]>([:])

  /// Waiters of one server: whether somebody asked for a return, and what wakes it.
  private struct ServerWait {
    var isInterrupted = false
    let bell = DispatchSemaphore(value: 0)
  }

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
    let (value, rings) = try content.withLock { (site) throws(StoreError) in
      var draft = site
      let value = try body(&draft)
      let rings = draft.lastMessageID != site.lastMessageID
      site = draft
      return (value, rings)
    }
    if rings {
      waits.withLock { waits in
        for wait in waits.values { wait.bell.signal() }
      }
    }
    return value
  }

  /// Messages for a server after a cursor; see the contract.
  public func messages(
    for serverID: ServerID, after cursor: Int64, limit: Int, waitMilliseconds: Int
  ) throws(StoreError) -> [BrokerMessage] {
    let bell = waits.withLock { waits in
      let wait = waits[serverID] ?? ServerWait()
      waits[serverID] = wait
      return wait.bell
    }
    let deadline = DispatchTime.now() + .milliseconds(max(0, min(waitMilliseconds, 86_400_000)))
    while true {
      let found = try read { (site) throws(StoreError) in
        try site.messages(for: serverID, after: cursor, limit: limit)
      }
      if !found.isEmpty || waitMilliseconds <= 0 || endInterrupt(of: serverID) { return found }
      guard bell.wait(timeout: deadline) == .success else { return [] }
    }
  }

  /// Wakes a waiting `messages` call; see the contract.
  public func interruptWait(of serverID: ServerID) {
    waits.withLock { waits in
      waits[serverID, default: ServerWait()].isInterrupted = true
      waits[serverID]?.bell.signal()
    }
  }

  private func endInterrupt(of serverID: ServerID) -> Bool {
    waits.withLock { waits in
      guard waits[serverID]?.isInterrupted == true else { return false }
      waits[serverID]?.isInterrupted = false
      return true
    }
  }
}
