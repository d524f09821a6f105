// A hierarchical timer wheel: arming, moving, disarming and expiring cost the same at ten timers
// and at a million.
//
// Time is read as digits to the base 64, and there is one level for each of the eleven digits of a
// 64-bit number of milliseconds; so there is no deadline that is too far, and no special place for
// one. An entry sits at the level of the highest digit in which its deadline differs from the
// wheel's present, in the slot of that digit:
//
//     present ... 3 17 42     deadline ... 3 17 50   differs in digit 0: level 0, slot 50
//                             deadline ... 3 20  1   differs in digit 1: level 1, slot 20
//
// From this follows everything else. Above the level an entry shares all digits with the present,
// so slots never wrap, and slots of a lower level all come before those of a higher one. When the
// present enters the range of a slot, its entries differ in a lower digit only and move down (they
// "cascade"), at most ten times in the life of a timer and three times for one of fifteen minutes.
// A level-0 slot holds one exact millisecond: whatever the present reaches there has expired. One
// 64-bit mask per level, and one mask of levels, tell where the next entries are: nothing is ever
// scanned.
//
// Each slot keeps the earliest deadline it was given, so the next wake-up is exact even when it
// lies in a coarse slot. Disarming does not recompute it: the price is one wake-up that finds
// nothing, paid at most once for each slot, while timers that only move later (keep-alives) cost no
// wheel work at all when their owner compares its own deadline at expiry.
//
// Pulled, never calling back: advance, then popExpired until the batch that advance announced is
// done. Order is exact: by deadline, and among equals in the order of arming. checkInvariants() and
// the slow twin in the tests hold this text against the code.

/// The name of one armed timer; stale as soon as it expired or was disarmed.
@frozen
public struct TimerHandle: Hashable, Sendable {
  @usableFromInline let index: UInt32
  @usableFromInline let generation: UInt32
}

/// Timers by the million, in milliseconds.
///
/// Belongs to the thread that made it. Every operation is O(1), expiry amortised over the timers'
/// lives.
public final class TimerWheel {
  static let levels = 11
  static let slotsPerLevel = 64
  /// The list of entries that have expired and were not popped yet.
  static let expiredList = levels * slotsPerLevel
  /// No entry, no list.
  static let none = UInt32.max
  static let unlisted = UInt16.max

  struct Entry {
    var deadline: UInt64
    var payload: UInt64
    var next: UInt32
    var previous: UInt32
    var generation: UInt32
    /// Which list the entry is in; `unlisted` while it is free.
    var list: UInt16
  }

  struct List {
    /// A lower bound of the deadlines in the list, exact unless an entry was disarmed or moved
    /// away.
    var earliest: UInt64
    var first: UInt32
    var last: UInt32
  }

  var entries: [Entry] = []
  var lists: [List]
  /// Which slots of a level hold entries.
  var occupied: [UInt64]
  /// Which levels hold entries.
  var occupiedLevels: UInt32 = 0
  var firstFree = TimerWheel.none
  var present: UInt64

  /// How many timers are armed, expired ones that were not popped yet included.
  public private(set) var count = 0
  /// How many timers have expired and wait to be popped.
  public private(set) var expiredCount = 0
  /// How many entries were moved to a lower level so far; what keeping time costs, for
  /// measurements.
  public private(set) var cascades: UInt64 = 0

  /// Makes an empty wheel whose present is `now`, with room for some timers from the start.
  public init(now: Ticks, reserving capacity: Int = 0) {
    present = now.milliseconds
    lists = Array(
      repeating: List(earliest: .max, first: Self.none, last: Self.none),
      count: Self.expiredList + 1)
    occupied = Array(repeating: 0, count: Self.levels)
    entries.reserveCapacity(capacity)
  }

  /// The moment up to which the wheel has been advanced.
  public var now: Ticks { Ticks(milliseconds: present) }

  /// Arms a timer that carries 64 bits of the caller's, usually a ``Token``.
  ///
  /// A deadline that is not after the wheel's present has expired already; it is popped after those
  /// that expired before.
  public func arm(deadline: Ticks, payload: UInt64) -> TimerHandle {
    let index = takeEntry()
    let place = Int(index)
    entries[place].deadline = deadline.milliseconds
    entries[place].payload = payload
    link(index)
    count += 1
    return TimerHandle(index: index, generation: entries[place].generation)
  }

  /// Disarms a timer; false if it was popped or disarmed before.
  ///
  /// One that expired but was not popped yet can still be disarmed.
  @discardableResult
  public func disarm(_ handle: TimerHandle) -> Bool {
    guard isArmed(handle) else { return false }
    unlink(handle.index)
    giveBack(handle.index)
    return true
  }

  /// Gives an armed timer another deadline and keeps its handle; false if it was popped or
  /// disarmed.
  @discardableResult
  public func move(_ handle: TimerHandle, to deadline: Ticks) -> Bool {
    guard isArmed(handle) else { return false }
    unlink(handle.index)
    entries[Int(handle.index)].deadline = deadline.milliseconds
    link(handle.index)
    return true
  }

  /// Whether the timer is armed, or expired and not popped yet.
  public func isArmed(_ handle: TimerHandle) -> Bool {
    let place = Int(handle.index)
    guard place < entries.count else { return false }
    return entries[place].generation == handle.generation && entries[place].list != Self.unlisted
  }

  /// Makes a moment the present and gathers what has expired by then; answers how many wait to be
  /// popped.
  ///
  /// Time does not go back: an earlier moment changes nothing.
  @discardableResult
  public func advance(to moment: Ticks) -> Int {
    let target = moment.milliseconds
    while occupiedLevels != 0 {
      let level = occupiedLevels.trailingZeroBitCount
      let slot = occupied[level].trailingZeroBitCount
      let start = slotStart(level: level, slot: slot)
      guard start <= target else { break }
      present = start
      empty(level: level, slot: slot)
    }
    if target > present { present = target }
    return expiredCount
  }

  /// The payload of the next expired timer, which is disarmed by this; nil when there is none.
  ///
  /// Bound a batch by the number ``advance(to:)`` answered, or a handler that arms a timer for now
  /// would be called for ever.
  public func popExpired() -> UInt64? {
    let index = lists[Self.expiredList].first
    guard index != Self.none else { return nil }
    unlink(index)
    let payload = entries[Int(index)].payload
    giveBack(index)
    return payload
  }

  /// The moment to advance to next, never later than the lowest deadline; nil when nothing is
  /// armed.
  ///
  /// It is the present when something has expired already.
  public func nextWake() -> Ticks? {
    if expiredCount > 0 { return now }
    guard occupiedLevels != 0 else { return nil }
    let level = occupiedLevels.trailingZeroBitCount
    let slot = occupied[level].trailingZeroBitCount
    return Ticks(milliseconds: lists[level * Self.slotsPerLevel + slot].earliest)
  }
}

// MARK: - Entries and lists

extension TimerWheel {
  /// The first moment of a slot's range, for a slot that is not behind the present.
  func slotStart(level: Int, slot: Int) -> UInt64 {
    let shift = UInt64(level * 6)
    // Above the level the present's digits, at the level the slot, below it zeros. The topmost
    // level has no digits above: shifting by 66 gives 0 in Swift, as it should.
    let above = (present >> (shift + 6)) << (shift + 6)
    return above | UInt64(slot) << shift
  }

  /// The list an entry with this deadline belongs to, seen from the present.
  func list(for deadline: UInt64) -> Int {
    guard deadline > present else { return Self.expiredList }
    let level = (63 - (deadline ^ present).leadingZeroBitCount) / 6
    let slot = Int(truncatingIfNeeded: deadline >> UInt64(level * 6)) & 63
    return level * Self.slotsPerLevel + slot
  }

  /// Appends an entry to the list of its deadline; appending is what keeps equals in order.
  private func link(_ index: UInt32) {
    let place = Int(index)
    let deadline = entries[place].deadline
    let list = list(for: deadline)
    let last = lists[list].last
    entries[place].previous = last
    entries[place].next = Self.none
    entries[place].list = UInt16(truncatingIfNeeded: list)
    lists[list].last = index
    if last == Self.none { lists[list].first = index } else { entries[Int(last)].next = index }
    if list == Self.expiredList {
      expiredCount += 1
      return
    }
    if deadline < lists[list].earliest { lists[list].earliest = deadline }
    let level = list / Self.slotsPerLevel
    occupied[level] |= 1 << UInt64(list % Self.slotsPerLevel)
    occupiedLevels |= 1 << UInt32(level)
  }

  /// Takes an entry out of its list.
  private func unlink(_ index: UInt32) {
    let entry = entries[Int(index)]
    let list = Int(entry.list)
    if entry.previous == Self.none {
      lists[list].first = entry.next
    } else {
      entries[Int(entry.previous)].next = entry.next
    }
    if entry.next == Self.none {
      lists[list].last = entry.previous
    } else {
      entries[Int(entry.next)].previous = entry.previous
    }
    if list == Self.expiredList {
      expiredCount -= 1
    } else if lists[list].first == Self.none {
      clear(list)
    }
  }

  /// Marks a slot as empty.
  private func clear(_ list: Int) {
    lists[list] = List(earliest: .max, first: Self.none, last: Self.none)
    let level = list / Self.slotsPerLevel
    occupied[level] &= ~(1 << UInt64(list % Self.slotsPerLevel))
    if occupied[level] == 0 { occupiedLevels &= ~(1 << UInt32(level)) }
  }

  /// Moves every entry of the slot the present has just entered to where it belongs now.
  private func empty(level: Int, slot: Int) {
    let list = level * Self.slotsPerLevel + slot
    var index = lists[list].first
    clear(list)
    while index != Self.none {
      let next = entries[Int(index)].next
      link(index)
      if level > 0 { cascades &+= 1 }
      index = next
    }
  }

  private func takeEntry() -> UInt32 {
    if firstFree != Self.none {
      let index = firstFree
      firstFree = entries[Int(index)].next
      return index
    }
    precondition(entries.count < Int(UInt32.max), "more timers than a wheel can name")
    entries.append(
      Entry(
        deadline: 0, payload: 0, next: Self.none, previous: Self.none, generation: 1,
        list: Self.unlisted))
    return UInt32(entries.count - 1)
  }

  private func giveBack(_ index: UInt32) {
    let place = Int(index)
    entries[place].list = Self.unlisted
    // A handle would have to survive 2^32 timers in the same entry to be mistaken; timers are not
    // reachable for peers, so wrapping is accepted here (SlotTable retires the slot instead).
    entries[place].generation &+= 1
    entries[place].next = firstFree
    firstFree = index
    count -= 1
  }
}

@available(*, unavailable)
extension TimerWheel: Sendable {}
