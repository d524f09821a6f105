// The only door into a loop's thread: a locked queue of letters and a bell.
//
// The lock is held for one append or one swap of arrays, never while anybody's code runs, and the
// receiver's emptied array goes back as the next queue, so that steady traffic allocates nothing.
// Generic and inlinable, because a generic call across modules that is not inlined costs some 150
// ns.

public import Synchronization

/// A queue of letters from any thread to the one that owns a ``Loop``.
public final class Mailbox<Letter: Sendable>: Sendable {
  /// Rings when a letter was posted; watch its descriptor with ``Token/bell``.
  public let bell: Bell

  /// The most letters that may wait; at the limit ``post(_:)`` refuses.
  public let limit: Int

  @usableFromInline
  let letters = Mutex<[Letter]>([])
  /// Counts the turns at the lock; see ``withLetters(_:)``.
  @usableFromInline
  let turns = Atomic<UInt32>(0)

  /// Makes an empty mailbox.
  ///
  /// Throws when the kernel has no descriptor for the bell.
  public init(limit: Int = .max) throws(Errno) {
    precondition(limit > 0, "a mailbox holds at least one letter")
    self.limit = limit
    bell = try Bell()
  }

  /// Leaves a letter and wakes the receiver, from any thread.
  ///
  /// Answers false when the mailbox is full: the letter is then dropped and the sender decides what
  /// that means. Letters of one sender arrive in the order they were posted.
  @inlinable
  @discardableResult
  public func post(_ letter: consuming Letter) -> Bool {
    let limit = limit
    // A Mutex body cannot consume a captured value more than once, and takes it by this detour.
    let parcel = letter
    let posted = withLetters { letters in
      guard letters.count < limit else { return false }
      letters.append(parcel)
      return true
    }
    // Outside the lock, so that the woken receiver does not run into it.
    if posted { bell.ring() }
    return posted
  }

  /// Moves every letter to the end of the array and says how many came; called by the receiver
  /// only.
  ///
  /// Costs one atomic load when the bell is silent, so a turn may call it always. Pass the same
  /// array each turn, emptied with `removeAll(keepingCapacity: true)`: it is then swapped and
  /// nothing is copied.
  @inlinable
  @discardableResult
  public func takeAll(into taken: inout [Letter]) -> Int {
    guard bell.isRung else { return 0 }
    // Before the look, never after it: see Bell.
    bell.silence()
    if taken.isEmpty {
      withLetters { letters in swap(&letters, &taken) }
      return taken.count
    }
    let before = taken.count
    withLetters { letters in
      taken.append(contentsOf: letters)
      letters.removeAll(keepingCapacity: true)
    }
    return taken.count - before
  }

  /// Works on the queue alone.
  ///
  /// A Mutex that is contended passes from thread to thread inside the kernel, where the thread
  /// sanitizer cannot see it and reports a race that is none. The counter says the same hand-over
  /// in terms it understands. On x86-64 it is two plain moves.
  @inlinable
  func withLetters<Result>(_ body: (inout [Letter]) -> Result) -> Result {
    letters.withLock { letters in
      let turn = turns.load(ordering: .acquiring)
      let result = body(&letters)
      turns.store(turn &+ 1, ordering: .releasing)
      return result
    }
  }
}
