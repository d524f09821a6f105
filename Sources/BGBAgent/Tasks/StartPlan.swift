// Tasks that are admitted and not yet begun: those that wait for their random moment within the
// spread, in a heap by time, and those that wait for a free place, in the order they came. Pure.

public import BGBModel
public import Reactor

/// A task that is to begin later.
public struct WaitingTask: Equatable, Sendable {
  /// What to do.
  public var order: ActionOrder
  /// It may begin strictly before this moment of the server's time.
  public var startBefore: WallTime
  /// It begins no earlier.
  public var startAt: Ticks

  /// Joins the parts.
  public init(order: ActionOrder, startBefore: WallTime, startAt: Ticks) {
    self.order = order
    self.startBefore = startBefore
    self.startAt = startAt
  }
}

/// The tasks that wait.
public struct StartPlan: Sendable {
  /// The most tasks that may wait for a free place or a moment, over all clients of the process.
  public let limit: Int
  private var heap: [WaitingTask] = []
  /// Tasks whose moment has come, oldest first.
  public private(set) var ready: [WaitingTask] = []

  /// No ready task expires before this moment; not the exact one, so that it costs no search.
  public private(set) var nextExpiry = Ticks.never

  /// Begins empty.
  public init(limit: Int) { self.limit = limit }

  /// How many wait.
  public var count: Int { heap.count + ready.count }

  /// The moment of the next one that waits for its time.
  public var nextStart: Ticks? { heap.first?.startAt }

  /// Plans a task; false when too many wait already.
  public mutating func add(_ task: WaitingTask) -> Bool {
    guard count < limit else { return false }
    heap.append(task)
    var child = heap.count - 1
    while child > 0, heap[child].startAt < heap[(child - 1) / 2].startAt {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
    return true
  }

  /// Moves the tasks whose moment has come to `ready`; `expiry` says when one comes too late.
  public mutating func advance(to now: Ticks, expiry: (WaitingTask) -> Ticks) {
    while let first = heap.first, first.startAt <= now {
      ready.append(first)
      nextExpiry = min(nextExpiry, expiry(first))
      removeFirst()
    }
  }

  /// Looks at every ready task for the next expiry.
  public mutating func learnExpiry(_ expiry: (WaitingTask) -> Ticks) {
    nextExpiry = ready.reduce(.never) { min($0, expiry($1)) }
  }

  /// Takes the first ready task that fits.
  public mutating func takeReady(where fits: (WaitingTask) -> Bool) -> WaitingTask? {
    guard let index = ready.firstIndex(where: fits) else { return nil }
    return ready.remove(at: index)
  }

  /// Takes one task out wherever it waits; nil when it does not.
  public mutating func remove(_ key: TaskKey) -> WaitingTask? {
    if let index = ready.firstIndex(where: { $0.order.key == key }) {
      return ready.remove(at: index)
    }
    guard let index = heap.firstIndex(where: { $0.order.key == key }) else { return nil }
    let task = heap[index]
    let others = heap.filter { $0.order.key != key }
    heap = []
    for other in others { _ = add(other) }
    return task
  }

  private mutating func removeFirst() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < heap.count && heap[child].startAt < heap[least].startAt { least = child }
      if least == parent { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
