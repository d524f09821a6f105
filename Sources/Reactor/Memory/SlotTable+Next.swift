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

extension SlotTable where Element: AnyObject {
  /// Tells the processor that the first `bytes` of a token's element will be needed in a moment.
  ///
  /// The element itself is not touched; for a stale token whatever stands there is meant, which
  /// does no harm.
  @inlinable
  public func foresee(_ token: Token, bytes: Int) {
    Foresight.bring(at: Foresight.address(in: slots, at: Int(token.index)), bytes: bytes)
  }

  /// Lets the body look at whatever stands in a token's slot now, to ask for what lies behind it.
  @inlinable
  public func foresee(behind token: Token, _ body: (Element) -> Void) {
    Foresight.look(at: Foresight.address(in: slots, at: Int(token.index)), body)
  }
}
