// Bytes waiting to go out or to become a whole frame: a chain of blocks from the loop's pool.
//
// All or nothing: bytes are stored completely or not at all, so a frame is never half in a queue,
// and each way of being refused has its name. A queue that becomes empty gives its last block back
// at once.

/// What became of bytes offered to a ``ByteQueue``.
public enum StoreOutcome: Equatable, Sendable {
  /// They are all in the queue.
  case stored
  /// The queue would exceed its own limit; it is unchanged.
  case queueFull
  /// The pool has too few blocks left; the queue is unchanged.
  case poolExhausted
}

/// A bounded first-in, first-out queue of bytes that holds memory only while it holds bytes.
///
/// Belongs to the thread of its ``BlockPool``.
public struct ByteQueue: ~Copyable {
  private let pool: BlockPool
  private var first: Block?
  private var last: Block?
  private var counted: Int32 = 0
  private let maximum: Int32

  /// Makes an empty queue with a limit in bytes.
  public init(pool: BlockPool, limit: Int) {
    precondition(limit > 0, "a queue holds at least one byte")
    precondition(limit <= Int(Int32.max), "a queue holds less than 2 GiB")
    self.pool = pool
    maximum = Int32(limit)
  }

  /// How many bytes are in the queue.
  public var count: Int { Int(counted) }
  /// Whether there is none.
  public var isEmpty: Bool { counted == 0 }
  /// The most bytes the queue will hold.
  public var limit: Int { Int(maximum) }
  /// How many more bytes the queue's own limit allows.
  public var room: Int { Int(maximum - counted) }

  /// Stores all of the bytes, or none and says why.
  public mutating func store(_ bytes: borrowing Span<UInt8>) -> StoreOutcome {
    guard bytes.count > 0 else { return .stored }
    guard bytes.count <= room else { return .queueFull }
    var offset = last.map { $0.append(bytes, from: 0) } ?? 0
    let missing = bytes.count - offset
    guard (missing + pool.blockSize - 1) / pool.blockSize <= pool.available else {
      // The bytes copied so far sit behind the end that the count draws; take them back.
      last?.shorten(by: offset)
      pool.refuse()
      return .poolExhausted
    }
    while offset < bytes.count {
      guard let block = pool.take() else { preconditionFailure("the pool had enough blocks") }
      offset += block.append(bytes, from: offset)
      if let last { last.next = block } else { first = block }
      last = block
    }
    counted += Int32(bytes.count)
    return .stored
  }

  /// Stores all of the bytes, or answers false and stores none.
  public mutating func append(_ bytes: borrowing Span<UInt8>) -> Bool {
    store(bytes) == .stored
  }

  /// Shows the bytes at the front: all of the first block, which need not be all of the queue.
  ///
  /// An empty queue shows an empty span.
  public borrowing func withFront<Result, Failure: Error>(
    _ body: (Span<UInt8>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    guard let first else { return try body(Span()) }
    return try first.withBytes(body)
  }

  /// Drops bytes from the front, which were sent or understood.
  ///
  /// - Precondition: there are that many.
  public mutating func consume(_ dropped: Int) {
    precondition(dropped >= 0, "a count is not negative")
    precondition(dropped <= count, "more was consumed than there is")
    counted -= Int32(dropped)
    var left = dropped
    while let block = first {
      let here = min(left, block.count)
      block.consume(here)
      left -= here
      guard block.count == 0 else { break }
      first = block.next.take()
      if first == nil { last = nil }
      pool.giveBack(block)
    }
    assert(left == 0, "the count and the blocks disagree")
  }

  /// Copies up to so many bytes from the front into an array, without consuming them.
  public borrowing func prefix(_ maximum: Int) -> [UInt8] {
    var copy: [UInt8] = []
    copy.reserveCapacity(min(maximum, count))
    var block = first
    while let here = block, copy.count < maximum {
      here.withBytes { bytes in
        for index in 0..<min(bytes.count, maximum - copy.count) { copy.append(bytes[index]) }
      }
      block = here.next
    }
    return copy
  }

  /// Drops everything and gives every block back.
  public mutating func removeAll() { consume(count) }

  deinit {
    var block = first
    while let here = block {
      block = here.next.take()
      pool.giveBack(here)
    }
  }
}

@available(*, unavailable)
extension ByteQueue: Sendable {}
