// What a TimerWheel does, as a value: the entries, the slots, and the free list.
//
// A value inside the class, so that each call of the wheel is one checked access to one property.

/// The timers of a wheel.
struct WheelCore: ~Copyable {
  private(set) var entries: FlatTable<WheelEntry>
  private(set) var slots: WheelSlots
  private(set) var firstFree = WheelEntry.none
  private(set) var count = 0

  init(present: UInt64, reserving capacity: Int) {
    slots = WheelSlots(present: present)
    entries = FlatTable(reserving: capacity)
  }

  mutating func arm(_ deadline: UInt64, _ payload: UInt64) -> TimerHandle {
    let index = takeEntry()
    let place = Int(index)
    entries[place].deadline = deadline
    entries[place].payload = payload
    slots.link(index, entries)
    count &+= 1
    return TimerHandle(index: index, generation: entries[place].generation)
  }

  mutating func disarm(_ handle: TimerHandle) -> Bool {
    guard isArmed(handle) else { return false }
    remove(handle.index)
    return true
  }

  mutating func move(_ handle: TimerHandle, to deadline: UInt64) -> Bool {
    guard isArmed(handle) else { return false }
    slots.unlink(handle.index, entries)
    entries[Int(handle.index)].deadline = deadline
    slots.link(handle.index, entries)
    return true
  }

  func isArmed(_ handle: TimerHandle) -> Bool {
    let place = Int(handle.index)
    guard place < entries.count else { return false }
    guard entries[place].generation == handle.generation else { return false }
    return entries[place].list != WheelEntry.unlisted
  }

  mutating func advance(to target: UInt64) {
    slots.advance(to: target, entries)
  }

  mutating func popExpired() -> UInt64? {
    let index = slots.firstExpired
    guard index != WheelEntry.none else { return nil }
    let payload = entries[Int(index)].payload
    remove(index)
    return payload
  }

  private mutating func takeEntry() -> UInt32 {
    if firstFree != WheelEntry.none {
      let index = firstFree
      firstFree = entries[Int(index)].next
      return index
    }
    precondition(entries.count < Int(UInt32.max), "more timers than a wheel can name")
    entries.append(WheelEntry())
    return UInt32(entries.count - 1)
  }

  /// Takes an entry out of its list and puts it on the free list.
  private mutating func remove(_ index: UInt32) {
    let place = Int(index)
    slots.unlink(index, entries)
    entries[place].list = WheelEntry.unlisted
    // A handle would have to survive 2^32 timers in the same entry to be mistaken; timers are not
    // reachable for peers, so wrapping is accepted here (SlotTable retires the slot instead).
    entries[place].generation &+= 1
    entries[place].next = firstFree
    firstFree = index
    count &-= 1
  }
}
