// An element that must know its own token (a connection whose channel is registered under it) has
// to be told before it is in the table.

extension SlotTable {
  /// The token that the next ``insert(_:)`` will answer, or nil at the limit.
  @inlinable
  public var nextToken: Token? {
    guard countStored < limit else { return nil }
    if firstFree != .max {
      return Token(generation: slots[Int(firstFree)].generation, index: firstFree)
    }
    guard slots.count < Int(Token.firstReservedIndex) else { return nil }
    return Token(generation: 1, index: UInt32(slots.count))
  }
}
