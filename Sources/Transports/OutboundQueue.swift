// What waits to be sent on one connection, bounded in bytes and watched for its age. A peer that
// reads too slowly is cut by rule: its queue is full, or what it was sent has waited too long. The
// age is that of a snapshot: the queue as it was at `waitingSince` has not been sent completely
// since then. A clock that started anew at every byte of progress would let a peer take one byte a
// second for ever; a time stamp per frame would cost memory on every push.
import Reactor

/// The bytes of one connection that were not sent yet.
struct OutboundQueue: ~Copyable {
  private var bytes: ByteQueue
  /// Bytes of the snapshot that are still to be sent; 0 when nothing waits.
  private var snapshotLeft = 0
  private var snapshotAt: Ticks

  init(pool: BlockPool, limit: Int, now: Ticks) {
    bytes = ByteQueue(pool: pool, limit: limit)
    snapshotAt = now
  }

  var count: Int { bytes.count }
  var isEmpty: Bool { bytes.isEmpty }

  /// Since when the queue, as it was then, has not been sent completely; nil when nothing waits.
  var waitingSince: Ticks? { isEmpty ? nil : snapshotAt }

  /// Adds the bytes, all or none.
  mutating func store(_ added: Span<UInt8>, now: Ticks) -> StoreOutcome {
    let outcome = bytes.store(added)
    if outcome == .stored && snapshotLeft == 0 { takeSnapshot(now) }
    return outcome
  }

  /// The bytes at the front, in one piece; not always all there are.
  borrowing func withFront<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
    bytes.withFront(body)
  }

  /// Notes that so many bytes from the front were sent.
  mutating func consume(_ sent: Int, now: Ticks) {
    bytes.consume(sent)
    snapshotLeft -= min(sent, snapshotLeft)
    if snapshotLeft == 0 { takeSnapshot(now) }
  }

  mutating func removeAll() {
    bytes.removeAll()
    snapshotLeft = 0
  }

  private mutating func takeSnapshot(_ now: Ticks) {
    snapshotLeft = bytes.count
    snapshotAt = now
  }
}
