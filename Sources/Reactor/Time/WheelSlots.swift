// The slots of a TimerWheel: which entries wait where, and where the next ones are.
//
// A value and not a class, so that one operation of the wheel is one access; the lists lie inline
// in it. Entries are lent to each call as a span, because they live in an array that grows.

/// One timer of a wheel, armed or free.
struct WheelEntry {
  /// No entry.
  static let none = UInt32.max
  /// The list of an entry that is free.
  static let unlisted = UInt16.max

  var deadline: UInt64 = 0
  var payload: UInt64 = 0
  var next = WheelEntry.none
  var previous = WheelEntry.none
  var generation: UInt32 = 1
  /// Which list the entry is in; `unlisted` while it is free.
  var list = WheelEntry.unlisted
}

/// The levels, their masks, and the present they are seen from.
struct WheelSlots {
  static let levels = 11
  static let slotsPerLevel = 64
  /// The list of entries that have expired and were not popped yet.
  static let expiredList = levels * slotsPerLevel

  struct List {
    /// A lower bound of the deadlines in the list, exact unless an entry was disarmed or moved
    /// away.
    var earliest = UInt64.max
    var first = WheelEntry.none
    var last = WheelEntry.none
  }

  var lists = InlineArray<705, List>(repeating: List())
  /// Which slots of a level hold entries.
  var occupied = InlineArray<11, UInt64>(repeating: 0)
  /// Which levels hold entries.
  var occupiedLevels: UInt32 = 0
  private(set) var present: UInt64
  private(set) var expiredCount = 0
  private(set) var cascades: UInt64 = 0

  init(present: UInt64) { self.present = present }

  var firstExpired: UInt32 { lists[Self.expiredList].first }

  /// The earliest deadline, or a moment before it if an entry was taken from its slot.
  var nextWake: UInt64? {
    if expiredCount > 0 { return present }
    guard occupiedLevels != 0 else { return nil }
    let level = occupiedLevels.trailingZeroBitCount
    let slot = occupied[level].trailingZeroBitCount
    return lists[level &* Self.slotsPerLevel &+ slot].earliest
  }

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
    let level = (63 &- (deadline ^ present).leadingZeroBitCount) / 6
    let slot = Int(truncatingIfNeeded: deadline &>> UInt64(level &* 6)) & 63
    return level &* Self.slotsPerLevel &+ slot
  }

  /// Moves the present on, slot by slot that holds entries.
  mutating func advance(to target: UInt64, _ entries: borrowing FlatTable<WheelEntry>) {
    while occupiedLevels != 0 {
      let level = occupiedLevels.trailingZeroBitCount
      let slot = occupied[level].trailingZeroBitCount
      let start = slotStart(level: level, slot: slot)
      guard start <= target else { break }
      present = start
      empty(level &* Self.slotsPerLevel &+ slot, isLowest: level == 0, entries)
    }
    if target > present { present = target }
  }

  /// Appends an entry to the list of its deadline; appending is what keeps equals in order.
  mutating func link(_ index: UInt32, _ entries: borrowing FlatTable<WheelEntry>) {
    let place = Int(index)
    let deadline = entries[place].deadline
    let list = list(for: deadline)
    let last = lists[list].last
    entries[place].previous = last
    entries[place].next = WheelEntry.none
    entries[place].list = UInt16(truncatingIfNeeded: list)
    lists[list].last = index
    if last == WheelEntry.none {
      lists[list].first = index
    } else {
      entries[Int(last)].next = index
    }
    if list == Self.expiredList {
      expiredCount &+= 1
      return
    }
    if deadline < lists[list].earliest { lists[list].earliest = deadline }
    let level = list / Self.slotsPerLevel
    occupied[level] |= 1 &<< UInt64(list % Self.slotsPerLevel)
    occupiedLevels |= 1 &<< UInt32(level)
  }

  /// Takes an entry out of its list.
  mutating func unlink(_ index: UInt32, _ entries: borrowing FlatTable<WheelEntry>) {
    let entry = entries[Int(index)]
    let list = Int(entry.list)
    if entry.previous == WheelEntry.none {
      lists[list].first = entry.next
    } else {
      entries[Int(entry.previous)].next = entry.next
    }
    if entry.next == WheelEntry.none {
      lists[list].last = entry.previous
    } else {
      entries[Int(entry.next)].previous = entry.previous
    }
    if list == Self.expiredList {
      expiredCount &-= 1
    } else if lists[list].first == WheelEntry.none {
      clear(list)
    }
  }

  /// Moves every entry of the slot the present has just entered to where it belongs now.
  private mutating func empty(
    _ list: Int, isLowest: Bool, _ entries: borrowing FlatTable<WheelEntry>
  ) {
    var index = lists[list].first
    clear(list)
    while index != WheelEntry.none {
      let next = entries[Int(index)].next
      link(index, entries)
      if !isLowest { cascades &+= 1 }
      index = next
    }
  }

  /// Marks a slot as empty.
  private mutating func clear(_ list: Int) {
    lists[list] = List()
    let level = list / Self.slotsPerLevel
    occupied[level] &= ~(1 &<< UInt64(list % Self.slotsPerLevel))
    if occupied[level] == 0 { occupiedLevels &= ~(1 &<< UInt32(level)) }
  }
}
