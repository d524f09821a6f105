// Something that is done to all workers, one after the other: the next one only when the former is
// well again, so that at any moment all but one serve. Pure: it says which worker is next and notes
// what became of it.

/// One round over the workers.
struct WorkerErrand: Equatable {
  /// What is done to each.
  enum Kind: Equatable {
    /// Settings and certificates are read anew.
    case reload
    /// It ends in order and a new process takes its place.
    case replace
  }

  /// What is done.
  let kind: Kind
  /// The worker under way.
  private(set) var current: Int?
  private var waiting: ArraySlice<Int>
  /// How many are done.
  private(set) var done = 0

  /// Begins before the first worker.
  init(_ kind: Kind, over workers: [Int]) {
    self.kind = kind
    waiting = workers[...]
  }

  /// Takes the next worker; nil when all are done.
  mutating func next() -> Int? {
    if current != nil { done += 1 }
    current = waiting.popFirst()
    return current
  }
}
