// One fixed piece of memory that a queue of bytes borrows from its pool.
//
// Raw memory and not an array: a block is filled by copying and read through a span, so neither
// zeroing nor a uniqueness check is wanted on each use. Everything unsafe about a ByteQueue is in
// this file.

/// A fixed-size piece of memory, with the part that holds bytes not yet consumed.
///
/// `@safe`: the memory is allocated and freed here alone, and every copy is bounded by the counts,
/// which only this type changes.
@safe
final class Block {
  private let base: UnsafeMutablePointer<UInt8>
  let size: Int
  /// Where the bytes not yet consumed begin.
  private(set) var start = 0
  /// Where the free room begins.
  private(set) var end = 0
  /// The block after this one, in a queue or on the free list of the pool.
  var next: Block?

  init(size: Int) {
    precondition(size > 0, "a block holds at least one byte")
    self.size = size
    unsafe base = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
  }

  deinit { unsafe base.deallocate() }

  var count: Int { end - start }
  var room: Int { size - end }

  /// Forgets what it held.
  func reset() {
    start = 0
    end = 0
  }

  /// Copies as many bytes as fit, beginning at an offset of the span, and says how many.
  func append(_ bytes: borrowing Span<UInt8>, from offset: Int) -> Int {
    precondition(offset >= 0, "an offset is not negative")
    let copied = min(bytes.count - offset, room)
    guard copied > 0 else { return 0 }
    unsafe bytes.withUnsafeBufferPointer { source in
      guard let from = source.baseAddress else { return }
      unsafe (base + end).update(from: from + offset, count: copied)
    }
    end += copied
    return copied
  }

  /// Drops bytes from the front.
  func consume(_ dropped: Int) {
    precondition(dropped >= 0, "a count is not negative")
    precondition(dropped <= count, "more was consumed than there is")
    start += dropped
  }

  /// Takes back bytes that were appended last.
  func shorten(by dropped: Int) {
    precondition(dropped >= 0, "a count is not negative")
    precondition(dropped <= count, "more was taken back than there is")
    end -= dropped
  }

  /// Shows the bytes not yet consumed.
  func withBytes<Result, Failure: Error>(
    _ body: (Span<UInt8>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let bytes = unsafe UnsafeBufferPointer(start: base + start, count: count)
    return try body(unsafe bytes.span)
  }
}

@available(*, unavailable)
extension Block: Sendable {}
