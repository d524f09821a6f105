// The memory into which all connections of one loop read, one after the other. A connection that
// waits for bytes needs no room for them: only what is left of a frame that has not fully arrived
// is kept with the connection, by its owner.

/// Where received bytes land; one for a loop.
public struct ReceiveBuffer: ~Copyable {
  private var storage: [UInt8]
  private var filled = 0

  /// Makes a buffer of `capacity` bytes, which bounds what one connection may deliver in one turn.
  public init(capacity: Int = 64 * 1024) {
    precondition(capacity > 0, "nothing can be received into no room")
    storage = [UInt8](repeating: 0, count: capacity)
  }

  /// The bytes that the last receive delivered, for a buffer in a local variable.
  ///
  /// A span into a property of a class may not leave the expression that reaches the property:
  /// there use ``withBytes(_:)``.
  public var bytes: Span<UInt8> {
    @_lifetime(borrow self)
    get { storage.span.extracting(first: filled) }
  }

  /// Shows the bytes that the last receive delivered.
  public borrowing func withBytes<Result, Failure: Error>(
    _ body: (Span<UInt8>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(storage.span.extracting(first: filled))
  }

  /// The bytes that the last receive delivered, sharing the buffer's memory.
  ///
  /// Let go of it before the next receive, or that copies the whole buffer.
  public var slice: ArraySlice<UInt8> { storage[..<filled] }

  /// How many bytes the last receive delivered.
  public var count: Int { filled }

  /// How many bytes fit at most.
  public var capacity: Int { storage.count }

  /// Forgets what was delivered.
  mutating func clear() { filled = 0 }

  /// Room that is still free.
  var free: Int { storage.count - filled }

  /// The free room, for whoever fills it and then says how far with ``advance(_:)``.
  var freeBytes: MutableSpan<UInt8> {
    @_lifetime(&self)
    mutating get {
      let taken = filled
      let all = storage.mutableSpan
      return all._consumingExtracting(droppingFirst: taken)
    }
  }

  /// Notes that so many bytes were put at the start of the free room.
  mutating func advance(_ count: Int) {
    precondition(count >= 0, "bytes are not taken back")
    precondition(count <= free, "more bytes than room")
    filled += count
  }
}

@available(*, unavailable)
extension ReceiveBuffer: Sendable {}
