// The blocks that all byte queues of one loop share.
//
// An idle connection holds no block: memory follows the bytes that are under way, not the
// connections that exist (16 KiB from birth is 1.6 GB at 100,000 connections). Returned blocks are
// kept for the next taker up to a number, the rest goes back to the allocator. The limit is over
// all queues of the loop together; when it is reached, the queue that asks is refused by name and
// nothing is allocated.

/// A bounded supply of equal pieces of memory.
///
/// Belongs to the thread that made it.
public final class BlockPool {
  /// How many bytes one block holds.
  public let blockSize: Int
  /// The most blocks that may be in use at once.
  public let limit: Int
  /// The most returned blocks that are kept for the next taker.
  public let keptMax: Int
  /// How many blocks are in use.
  public private(set) var inUse = 0
  /// How many returned blocks are kept.
  public private(set) var kept = 0
  /// The most blocks that were ever in use at once.
  public private(set) var peakInUse = 0
  /// How often a taker was refused because the limit was reached.
  public private(set) var refusals: UInt64 = 0

  private var firstKept: Block?

  /// Makes a pool; no block is allocated before the first one is taken.
  public init(blockSize: Int = 4096, limit: Int, keptMax: Int = 1024) {
    precondition(blockSize > 0, "a block holds at least one byte")
    precondition(limit > 0, "a pool supplies at least one block")
    self.blockSize = blockSize
    self.limit = limit
    self.keptMax = keptMax
  }

  /// How many more blocks could be taken.
  public var available: Int { limit - inUse }

  /// Takes a block, or nil at the limit.
  func take() -> Block? {
    guard inUse < limit else {
      refusals &+= 1
      return nil
    }
    inUse += 1
    peakInUse = max(peakInUse, inUse)
    guard let block = firstKept else { return Block(size: blockSize) }
    firstKept = block.next
    block.next = nil
    kept -= 1
    return block
  }

  /// Notes that a queue wanted more blocks than are available.
  func refuse() { refusals &+= 1 }

  /// Gives a block back.
  func giveBack(_ block: Block) {
    precondition(inUse > 0, "more blocks came back than were taken")
    assert(block.next == nil, "a block comes back alone")
    inUse -= 1
    guard kept < keptMax else { return }
    block.reset()
    block.next = firstKept
    firstKept = block
    kept += 1
  }

  /// Lets go of the blocks that are kept: the next takers get new ones.
  public func releaseKept() {
    // One by one: a chain of references released at once would recurse as deep as it is long.
    while let block = firstKept { firstKept = block.next.take() }
    kept = 0
  }

  deinit { releaseKept() }
}

@available(*, unavailable)
extension BlockPool: Sendable {}
