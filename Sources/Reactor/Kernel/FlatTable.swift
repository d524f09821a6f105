// A growing table of plain values in memory of its own, for structures whose links are indices.
//
// An array would be safe by itself, but says so at each access: not shared, not in use. In a timer
// wheel, whose operations are a dozen such accesses, that made arming 140 ns instead of a tenth of
// it. Here the owner cannot be copied, so nothing is shared, and the one check left is the index.

/// A growing table of plain values, found by index.
///
/// `@safe`: the memory is allocated and freed here alone, every access is checked against the
/// count, and plain values need no deinitialisation.
@safe
struct FlatTable<Element: BitwiseCopyable>: ~Copyable {
  private var base: UnsafeMutablePointer<Element>
  private var capacity: Int
  private(set) var count = 0

  init(reserving capacity: Int) {
    precondition(capacity >= 0, "a capacity is not negative")
    self.capacity = max(capacity, 16)
    unsafe base = .allocate(capacity: self.capacity)
  }

  deinit { unsafe base.deallocate() }

  /// Adds a value at the end; amortised O(1).
  mutating func append(_ element: Element) {
    if count == capacity { grow() }
    unsafe (base + count).initialize(to: element)
    count &+= 1
  }

  subscript(place: Int) -> Element {
    @inline(__always) get {
      // As unsigned numbers, so that one comparison also refuses what is negative.
      precondition(UInt(bitPattern: place) < UInt(bitPattern: count), "beyond the table")
      return unsafe base[place]
    }
    @inline(__always) nonmutating _modify {
      precondition(UInt(bitPattern: place) < UInt(bitPattern: count), "beyond the table")
      yield unsafe &base[place]
    }
  }

  private mutating func grow() {
    let (larger, overflow) = capacity.multipliedReportingOverflow(by: 2)
    precondition(!overflow, "the table fits into the address space")
    let moved = UnsafeMutablePointer<Element>.allocate(capacity: larger)
    unsafe moved.moveInitialize(from: base, count: count)
    unsafe base.deallocate()
    unsafe base = moved
    capacity = larger
  }
}
