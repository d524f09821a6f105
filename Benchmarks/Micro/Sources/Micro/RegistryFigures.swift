// The server's registry of clients and its table of connections from a thousand to a million
// entries: what grows with the number of clients shows in the ratio at the end.
//
// Clients are touched in random order, as a network does. The registry's sources are compiled into
// this program, for they are internal to the server.

import BGBModel
import Reactor

/// Medians of each kind of work by the number of entries.
private struct Flatness {
  var names: [String] = []
  var medians: [String: [Int: Double]] = [:]

  mutating func note(_ name: String, _ count: Int, _ figure: Figure) {
    if medians[name] == nil { names.append(name) }
    medians[name, default: [:]][count] = figure.median
  }

  func show(_ least: Int, _ most: Int) {
    printTitle("ratio of the median, \(most) entries by \(least)")
    for name in names {
      guard let few = medians[name]?[least], let many = medians[name]?[most], few > 0 else {
        continue
      }
      printRatio(name, many / few)
    }
  }
}

func measureRegistry() throws {
  let counts = [1_000, 10_000, 100_000, 1_000_000]
  var flatness = Flatness()
  for count in counts {
    printTitle("registry and slot table, \(count) entries")
    let crowd = Crowd(count)
    // Small counts are repeated within a round, or the clock would be what is measured.
    let times = max(1, 200_000 / count)
    let rounds = count < 1_000_000 ? 7 : 5
    for work in Crowd.works {
      let figure = measure(work.name, operations: count * times, rounds: rounds) {
        (0..<times).reduce(0) { sum, _ in sum + work.run(crowd) }
      }
      flatness.note(work.name, count, figure)
    }
  }
  flatness.show(counts[0], counts[counts.count - 1])
}

/// Clients, and an order in which they are touched.
private struct Crowd {
  let records: [PresenceRecord]
  let changed: [ClientFacts]
  let order: [Int]

  /// Each returns the nanoseconds that one pass over all clients took; what comes before and after
  /// the work is not counted.
  static let works: [(name: String, run: @Sendable (Crowd) -> UInt64)] = [
    ("registry: sign in, everybody new", { $0.signIn() }),
    ("registry: look up a client's connection", { $0.lookUp() }),
    ("registry: read what is known of a client", { $0.read() }),
    ("registry: sign in again, over the old one", { $0.signInAgain() }),
    ("registry: facts that changed", { $0.update($0.changed) }),
    ("registry: facts that did not", { $0.update($0.records.map(\.facts)) }),
    ("registry: sign out, told and forgotten", { $0.signOut() }),
    ("slot table: look-up", { $0.lookUpSlots() }),
    ("slot table: insert, all removed before", { $0.insertSlots() }),
  ]

  init(_ count: Int) {
    var numbers = SeededNumbers(state: 11)
    records = (0..<count).map { number in
      PresenceRecord(
        clientID: ClientID(Bits128(high: numbers.next(), low: numbers.next())), isOnline: true,
        since: WallTime(milliseconds: 1), lastProof: WallTime(milliseconds: 1),
        reason: .signedIn, channel: .tcp, fallback: .none,
        channelSince: WallTime(milliseconds: 1), session: UInt64(number), facts: Crowd.facts(number)
      )
    }
    changed = (0..<count).map { Crowd.facts($0 + 1) }
    order = Array(0..<count).shuffled(using: &numbers)
  }

  private static func facts(_ number: Int) -> ClientFacts {
    ClientFacts(
      hostname: "pc-\(number)", operatingSystem: "Debian GNU/Linux 12", agentVersion: "1.0.0",
      addresses: ["10.0.\(number / 256 % 256).\(number % 256)"])
  }

  private func token(_ number: Int) -> Token {
    Token(generation: 1, index: UInt32(truncatingIfNeeded: number))
  }

  /// Everybody signed in, and the changes told.
  private func registry() -> ClientRegistry {
    var registry = ClientRegistry()
    for number in order { _ = registry.signIn(records[number], token: token(number)) }
    _ = registry.takeChanges()
    return registry
  }

  private func signIn() -> UInt64 {
    var registry = ClientRegistry()
    let spent = cpuNanoseconds {
      for number in order { _ = registry.signIn(records[number], token: token(number)) }
    }
    precondition(registry.onlineCount == records.count, "everybody is in")
    return spent
  }

  private func lookUp() -> UInt64 {
    let registry = registry()
    var found = 0
    let spent = cpuNanoseconds {
      for number in order where registry.token(of: records[number].clientID) != nil { found += 1 }
    }
    precondition(found == records.count, "everybody is found")
    return spent
  }

  private func read() -> UInt64 {
    let registry = registry()
    var found = 0
    let spent = cpuNanoseconds {
      for number in order where registry.record(of: records[number].clientID) != nil { found += 1 }
    }
    precondition(found == records.count, "everybody is found")
    return spent
  }

  private func signInAgain() -> UInt64 {
    var registry = registry()
    var replaced = 0
    let spent = cpuNanoseconds {
      for number in order where registry.signIn(records[number], token: token(number)) != nil {
        replaced += 1
      }
    }
    precondition(replaced == records.count, "everybody was here")
    return spent
  }

  private func update(_ facts: [ClientFacts]) -> UInt64 {
    var registry = registry()
    let spent = cpuNanoseconds {
      for number in order { registry.update(records[number].clientID, facts: facts[number]) }
    }
    precondition(registry.dirtyCount == 0 || registry.dirtyCount == records.count, "all or none")
    return spent
  }

  private func signOut() -> UInt64 {
    var registry = registry()
    let spent = cpuNanoseconds {
      for number in order {
        registry.signOut(
          records[number].clientID, token: token(number), reason: .goodbye,
          at: WallTime(milliseconds: 2))
      }
      _ = registry.takeChanges()
    }
    precondition(registry.onlineCount == 0, "nobody is in")
    return spent
  }

  private func lookUpSlots() -> UInt64 {
    var table = SlotTable<Slot>(limit: records.count)
    let tokens = records.compactMap { _ in table.insert(Slot()) }
    return cpuNanoseconds {
      for number in order { table[tokens[number]]?.seen += 1 }
    }
  }

  private func insertSlots() -> UInt64 {
    var table = SlotTable<Slot>(limit: records.count)
    let slots = records.map { _ in Slot() }
    let tokens = slots.compactMap { table.insert($0) }
    for number in order { table.remove(tokens[number]) }
    return cpuNanoseconds {
      for slot in slots { _ = table.insert(slot) }
    }
  }
}

private final class Slot {
  var seen = 0
}
