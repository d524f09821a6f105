// What must be true of a TimerWheel between any two calls, checked the slow way by its tests.

extension TimerWheel {
  /// Traps, with a sentence, if the wheel contradicts its own description; O(timers).
  public func checkInvariants() {
    var listed = 0
    for list in lists.indices { listed += checkList(list) }
    precondition(listed == count, "every armed timer is in exactly one list")
    var free = 0
    var index = firstFree
    while index != Self.none {
      precondition(entries[Int(index)].list == Self.unlisted, "a free entry is in no list")
      free += 1
      precondition(free <= entries.count, "the free list has a loop")
      index = entries[Int(index)].next
    }
    precondition(free + count == entries.count, "every entry is armed or free")
  }

  private func checkList(_ list: Int) -> Int {
    let isExpired = list == Self.expiredList
    let level = list / Self.slotsPerLevel
    var length = 0
    var previous = Self.none
    var lowest = UInt64.max
    var index = lists[list].first
    while index != Self.none {
      let entry = entries[Int(index)]
      precondition(Int(entry.list) == list, "an entry knows its list")
      precondition(entry.previous == previous, "the links back agree with the links on")
      precondition(self.list(for: entry.deadline) == list, "an entry is where its deadline belongs")
      precondition(isExpired || entry.deadline > present, "no expired entry is left in a slot")
      lowest = min(lowest, entry.deadline)
      length += 1
      precondition(length <= count, "a list has a loop")
      previous = index
      index = entry.next
    }
    precondition(lists[list].last == previous, "the list ends where it says")
    if isExpired {
      precondition(length == expiredCount, "the expired are counted")
    } else {
      precondition(lists[list].earliest <= lowest, "a wake-up is never too late")
      let bit = occupied[level] >> UInt64(list % Self.slotsPerLevel) & 1
      precondition((bit == 1) == (length > 0), "the slot mask tells the truth")
      let levelBit = occupiedLevels >> UInt32(level) & 1
      precondition((levelBit == 1) == (occupied[level] != 0), "the level mask tells the truth")
    }
    return length
  }
}
