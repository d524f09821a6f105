// A table whose elements are found by token in one array access, and whose stale tokens are
// recognised.
//
// A look-up answers nil for a token whose tenant is gone, and counts which kind of stale it was:
//   freed   the slot stands empty: an event was overtaken by a close
//   reused  the slot has another tenant: acting on the event would hit a stranger
//   never   this table never issued the token: a bug, or a foreign token
// A slot's generation goes up when its tenant leaves. A slot that has spent all 2^32 generations is
// retired instead of starting again, so that no token can ever mean two tenants.
//
// Generic and inlinable: measured at about 2 ns against 150 for a generic call that crosses
// modules.

/// Elements in numbered slots, each found by the ``Token`` it was given.
///
/// Insertion, look-up and removal are O(1). Belongs to one thread.
public struct SlotTable<Element> {
  @usableFromInline
  struct Slot {
    @usableFromInline var element: Element?
    /// The tenant's generation, or the next tenant's while the slot is empty.
    @usableFromInline var generation: UInt32
    /// The next empty slot, while this one is empty.
    @usableFromInline var nextFree: UInt32

    @inlinable
    init(element: Element?, generation: UInt32) {
      self.element = element
      self.generation = generation
      nextFree = .max
    }
  }

  /// Look-ups of tokens whose element is gone, by kind.
  public struct StaleCounts: Equatable, Sendable {
    /// The slot stood empty.
    public var freed: UInt64
    /// The slot had another tenant.
    public var reused: UInt64
    /// The table never issued such a token.
    public var never: UInt64

    /// Counts nothing yet.
    @inlinable
    public init() {
      freed = 0
      reused = 0
      never = 0
    }
  }

  /// What a token means to this table right now.
  public enum Standing: Equatable, Sendable {
    /// It names an element that is here.
    case current
    /// Its element was removed and the slot stands empty.
    case freed
    /// Its element was removed and another one has the slot.
    case reused
    /// This table never issued it.
    case never
  }

  @usableFromInline var slots: [Slot] = []
  /// The empty slot to fill next: the one emptied last, because it is still in the cache.
  @usableFromInline var firstFree: UInt32 = .max

  /// The most elements the table will hold; at the limit ``insert(_:)`` answers nil.
  public let limit: Int
  @usableFromInline var countStored = 0
  @usableFromInline var staleStored = StaleCounts()

  /// How many elements are in the table.
  @inlinable
  public var count: Int { countStored }
  /// The stale look-ups so far.
  @inlinable
  public var stale: StaleCounts { staleStored }

  /// Makes an empty table with a limit and with room for some elements from the start.
  public init(limit: Int, reserving capacity: Int = 0) {
    precondition(limit > 0, "a table holds at least one element")
    precondition(limit <= Int(Token.firstReservedIndex), "the topmost indices are reserved")
    self.limit = limit
    slots.reserveCapacity(min(capacity, limit))
  }

  /// Puts an element into an empty slot and answers its token, or nil at the limit.
  @inlinable
  public mutating func insert(_ element: consuming Element) -> Token? {
    guard countStored < limit else { return nil }
    if firstFree != .max {
      let index = firstFree
      let place = Int(index)
      firstFree = slots[place].nextFree
      slots[place].element = element
      countStored += 1
      return Token(generation: slots[place].generation, index: index)
    }
    // Retired slots count against the reserved range only, never against the limit.
    guard slots.count < Int(Token.firstReservedIndex) else { return nil }
    let index = UInt32(slots.count)
    slots.append(Slot(element: element, generation: 1))
    countStored += 1
    return Token(generation: 1, index: index)
  }

  /// The element a token names, or nil for a stale one, which is then counted by kind.
  @inlinable
  public subscript(token: Token) -> Element? {
    mutating get {
      let place = Int(token.index)
      if place < slots.count, slots[place].generation == token.generation,
        let element = slots[place].element
      {
        return element
      }
      countStale(token)
      return nil
    }
  }

  /// Looks at the element a token names without counting a miss.
  @inlinable
  public func peek(_ token: Token) -> Element? {
    let place = Int(token.index)
    guard place < slots.count, slots[place].generation == token.generation else { return nil }
    return slots[place].element
  }

  /// Changes the element a token names in place; false, and counted, for a stale token.
  @inlinable
  @discardableResult
  public mutating func update(_ token: Token, _ change: (inout Element) -> Void) -> Bool {
    let place = Int(token.index)
    guard place < slots.count, slots[place].generation == token.generation,
      slots[place].element != nil
    else {
      countStale(token)
      return false
    }
    if var element = slots[place].element.take() {
      change(&element)
      slots[place].element = element
    }
    return true
  }

  /// Takes the element out; its token is stale from here on.
  ///
  /// Nil, and counted, for a stale token.
  @inlinable
  @discardableResult
  public mutating func remove(_ token: Token) -> Element? {
    let place = Int(token.index)
    guard place < slots.count, slots[place].generation == token.generation,
      let element = slots[place].element
    else {
      countStale(token)
      return nil
    }
    slots[place].element = nil
    countStored -= 1
    if token.generation != .max {
      slots[place].generation = token.generation &+ 1
      slots[place].nextFree = firstFree
      firstFree = token.index
    }
    return element
  }

  /// What a token means right now; counts nothing.
  @inlinable
  public func standing(of token: Token) -> Standing {
    let place = Int(token.index)
    guard place < slots.count, token.generation != 0 else { return .never }
    let slot = slots[place]
    if token.generation == slot.generation, slot.element != nil { return .current }
    if token.generation < slot.generation { return slot.element == nil ? .freed : .reused }
    // A retired slot keeps its last generation, whose tenant has left.
    if token.generation == slot.generation, token.generation == .max { return .freed }
    return .never
  }

  /// Calls the body with every element and its token, in the order of the slots.
  @inlinable
  public func forEach<Failure: Error>(
    _ body: (Token, Element) throws(Failure) -> Void
  ) throws(Failure) {
    for index in slots.indices {
      if let element = slots[index].element {
        try body(
          Token(generation: slots[index].generation, index: UInt32(truncatingIfNeeded: index)),
          element)
      }
    }
  }

  /// The first element at or after a slot, for walks that are spread over several turns.
  ///
  /// Go on from `token.index + 1`; elements inserted behind the walk are missed, as in any
  /// snapshot.
  @inlinable
  public func first(from index: UInt32) -> (token: Token, element: Element)? {
    var place = Int(index)
    while place < slots.count {
      if let element = slots[place].element {
        let token = Token(
          generation: slots[place].generation, index: UInt32(truncatingIfNeeded: place))
        return (token, element)
      }
      place += 1
    }
    return nil
  }

  // Inlinable although it is the rare path: a generic that crosses modules otherwise costs 140 ns,
  // and a peer that provokes stale tokens must not be able to buy those.
  @inlinable
  mutating func countStale(_ token: Token) {
    switch standing(of: token) {
    case .freed: staleStored.freed &+= 1
    case .reused: staleStored.reused &+= 1
    case .never: staleStored.never &+= 1
    case .current: assertionFailure("a current token is not stale")
    }
  }
}
