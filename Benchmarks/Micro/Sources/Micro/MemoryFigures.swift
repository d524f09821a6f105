// Slot table and byte queue: what a connection's look-up and a small frame's stay in a queue cost.

import Reactor

private final class Connection {
  var seen = 0
}

func measureMemory() throws {
  printTitle("slot table, 100000 connections")
  measureSlots(count: 100_000)
  printTitle("byte queue, frames of 200 bytes, blocks of 4096")
  measureQueue()
}

private func measureSlots(count: Int) {
  var numbers = SeededNumbers(state: 3)
  var table = SlotTable<Connection>(limit: count + 1)
  let tokens = (0..<count).compactMap { _ in table.insert(Connection()) }
  let inOrder = (0..<1_000_000).map { tokens[$0 % count] }
  let atRandom = (0..<1_000_000).map { _ in tokens[Int(numbers.next() % UInt64(count))] }
  for (name, order) in [("look-up, in order", inOrder), ("look-up, at random", atRandom)] {
    measure(name, operations: order.count) {
      cpuNanoseconds {
        for token in order { table[token]?.seen += 1 }
      }
    }
  }
  measure("insert and remove", operations: 1_000_000) {
    let connection = Connection()
    return cpuNanoseconds {
      for _ in 0..<1_000_000 {
        if let token = table.insert(connection) { table.remove(token) }
      }
    }
  }
  let stale = tokens.map { Token(generation: $0.generation + 1, index: $0.index) }
  measure("stale look-up, counted", operations: stale.count) {
    cpuNanoseconds {
      for token in stale where table[token] != nil { preconditionFailure("it was stale") }
    }
  }
}

private func measureQueue() {
  let pool = BlockPool(limit: 1_000)
  let frame = [UInt8](repeating: 7, count: 200)
  for depth in [1, 50] {
    measure("append and consume, \(depth) deep", operations: 1_000_000) {
      var queue = ByteQueue(pool: pool, limit: 1 << 20)
      return cpuNanoseconds {
        for _ in 0..<(1_000_000 / depth) {
          for _ in 0..<depth { _ = queue.append(frame.span) }
          for _ in 0..<depth { queue.consume(frame.count) }
        }
      }
    }
  }
}
