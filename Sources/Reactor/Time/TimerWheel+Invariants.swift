// What must be true of a TimerWheel between any two calls, checked the slow way by its tests.

extension TimerWheel {
  /// Traps, with a sentence, if the wheel contradicts its own description; O(timers).
  public func checkInvariants() {
    var listed = 0
    for list in 0...WheelSlots.expiredList { listed += checkList(list) }
    precondition(listed == count, "every armed timer is in exactly one list")
    var free = 0
    var index = core.firstFree
    while index != WheelEntry.none {
      precondition(
        core.entries[Int(index)].list == WheelEntry.unlisted, "a free entry is in no list")
      free += 1
      precondition(free <= core.entries.count, "the free list has a loop")
      index = core.entries[Int(index)].next
    }
    precondition(free + count == core.entries.count, "every entry is armed or free")
  }

  private func checkList(_ list: Int) -> Int {
    let isExpired = list == WheelSlots.expiredList
    var length = 0
    var previous = WheelEntry.none
    var lowest = UInt64.max
    var index = core.slots.lists[list].first
    while index != WheelEntry.none {
      let entry = core.entries[Int(index)]
      precondition(Int(entry.list) == list, "an entry knows its list")
      precondition(entry.previous == previous, "the links back agree with the links on")
      precondition(core.slots.list(for: entry.deadline) == list, "an entry is where it belongs")
      precondition(
        isExpired || entry.deadline > core.slots.present, "nothing expired is left behind")
      lowest = min(lowest, entry.deadline)
      length += 1
      precondition(length <= count, "a list has a loop")
      previous = index
      index = entry.next
    }
    precondition(core.slots.lists[list].last == previous, "the list ends where it says")
    if isExpired {
      precondition(length == expiredCount, "the expired are counted")
    } else {
      precondition(core.slots.lists[list].earliest <= lowest, "a wake-up is never too late")
      checkMasks(list, isEmpty: length == 0)
    }
    return length
  }

  private func checkMasks(_ list: Int, isEmpty: Bool) {
    let level = list / WheelSlots.slotsPerLevel
    let bit = core.slots.occupied[level] >> UInt64(list % WheelSlots.slotsPerLevel) & 1
    precondition((bit == 0) == isEmpty, "the slot mask tells the truth")
    let levelBit = core.slots.occupiedLevels >> UInt32(level) & 1
    precondition((levelBit == 0) == (core.slots.occupied[level] == 0), "so does the level mask")
  }
}
