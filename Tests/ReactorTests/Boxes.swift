// The value types under test behind references, because the expectation macros copy what they
// inspect.

import Reactor

/// A slot table whose mutating members can stand inside an expectation.
final class TableBox<Element> {
  var table: SlotTable<Element>

  init(limit: Int) { table = SlotTable(limit: limit) }

  var count: Int { table.count }
  var stale: SlotTable<Element>.StaleCounts { table.stale }

  subscript(token: Token) -> Element? { table[token] }
  func insert(_ element: Element) -> Token? { table.insert(element) }
  @discardableResult func remove(_ token: Token) -> Element? { table.remove(token) }
  func peek(_ token: Token) -> Element? { table.peek(token) }
  func standing(of token: Token) -> SlotTable<Element>.Standing { table.standing(of: token) }

  func update(_ token: Token, _ change: (inout Element) -> Void) -> Bool {
    table.update(token, change)
  }
}

/// A byte queue whose members can stand inside an expectation.
final class QueueBox {
  private var queue: ByteQueue

  init(pool: BlockPool, limit: Int) { queue = ByteQueue(pool: pool, limit: limit) }

  var count: Int { queue.count }
  var room: Int { queue.room }
  var isEmpty: Bool { queue.isEmpty }

  func store(_ bytes: [UInt8]) -> StoreOutcome { queue.store(bytes.span) }
  func append(_ bytes: [UInt8]) -> Bool { queue.append(bytes.span) }
  func consume(_ count: Int) { queue.consume(count) }
  func removeAll() { queue.removeAll() }
  func prefix(_ count: Int) -> [UInt8] { queue.prefix(count) }

  /// The bytes that withFront shows.
  var front: [UInt8] {
    queue.withFront { front in front.indices.map { front[$0] } }
  }
}
