// A proxy that does what proxies do at their worst, and what no proxy should do: holds bytes back
// and glues them together, cuts connections at any byte, keeps what it saw and says it again to the
// server, and answers in the name of others. Its luck is seeded: a run can be repeated.

import Foundation
import Glibc
import Synchronization

/// What a nasty proxy does to the connections that it carries.
struct Nastiness: Sendable {
  /// A direction is cut after so many bytes, at random; nil never cuts.
  var cutAfter: ClosedRange<Int>?
  /// Bytes wait up to so long, and go together with those that came meanwhile.
  var holdMilliseconds: UInt32 = 0
  /// What it says to CONNECT instead of opening the way, and ends; nil opens it.
  var lie: String?
  /// What it says after "200" in the server's place; nil lets the server speak.
  var fakeServer: String?
}

/// Carries connections, nastily.
final class NastyProxy: Sendable {
  let port: UInt16
  private let listener: Int32
  /// The only target; nil for a proxy that is told by CONNECT.
  private let target: UInt16?
  private let nastiness: Mutex<Nastiness>
  private let luck: Mutex<Luck>
  private let seen = Mutex(Seen())

  private struct Seen {
    var cuts = 0
    var connections = 0
    var open: Set<Int32> = []
    var recordings: [Recording] = []
  }

  /// What a client said on one connection.
  struct Recording: Sendable {
    var target: UInt16
    var bytes: [UInt8]
  }

  /// Opens a free port: a relay to a port, or without one a proxy for CONNECT.
  init(to target: UInt16? = nil, _ nastiness: Nastiness, seed: UInt64) throws {
    (listener, port) = try Sockets.listen()
    self.target = target
    self.nastiness = Mutex(nastiness)
    luck = Mutex(Luck(seed: seed))
    Thread.detachNewThread { [self] in
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { break }
        Thread.detachNewThread { [self] in
          serve(connection)
          close(connection)
        }
      }
      close(listener)
    }
  }

  /// How many connections it cut, and how many there were.
  var cuts: Int { seen.withLock { $0.cuts } }
  var connections: Int { seen.withLock { $0.connections } }
  /// What clients said on the connections that are over.
  var recordings: [Recording] { seen.withLock { $0.recordings } }

  /// Behaves like this from the next connection on.
  func become(_ new: Nastiness) { nastiness.withLock { $0 = new } }

  /// Breaks all connections that it carries.
  func cutAll() {
    seen.withLock { for one in $0.open { shutdown(one, Int32(SHUT_RDWR)) } }
  }

  /// Ends the accepting thread and all connections.
  func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    cutAll()
  }

  // MARK: One connection

  private func serve(_ connection: Int32) {
    seen.withLock { seen in
      seen.connections += 1
      seen.open.insert(connection)
    }
    defer { seen.withLock { _ = $0.open.remove(connection) } }
    let ways = nastiness.withLock { $0 }
    var target = target
    if target == nil {
      guard let asked = readConnect(connection) else { return }
      if let lie = ways.lie {
        Sockets.send(connection, lie.utf8)
        return linger(connection)
      }
      Sockets.send(connection, "HTTP/1.1 200 Connection established\r\n\r\n".utf8)
      target = asked
    }
    if let fake = ways.fakeServer {
      Sockets.send(connection, fake.utf8)
      return linger(connection)
    }
    guard let target, let way = Sockets.connect(target) else { return }
    defer { close(way) }
    carry(connection, way, target, ways)
  }

  /// Lets the other side read before the end, and end first.
  private func linger(_ connection: Int32) {
    shutdown(connection, Int32(SHUT_WR))
    _ = Sockets.readAll(connection, patienceMilliseconds: 1_000)
  }

  /// The port that a request for a way names.
  private func readConnect(_ connection: Int32) -> UInt16? {
    var head: [UInt8] = []
    while let byte = Sockets.read(connection, atMost: 1), head.count < 8_192 {
      head += byte
      if head.suffix(4) == Array("\r\n\r\n".utf8)[...] { break }
    }
    let words = String(decoding: head, as: UTF8.self).split(separator: " ")
    guard words.count > 1, words[0] == "CONNECT" else { return nil }
    return words[1].split(separator: ":").last.flatMap { UInt16($0) }
  }

  private func carry(_ client: Int32, _ server: Int32, _ target: UInt16, _ ways: Nastiness) {
    let (up, down) = luck.withLock { luck in
      (ways.cutAfter.map { luck.pick($0) }, ways.cutAfter.map { luck.pick($0) })
    }
    let back = DispatchSemaphore(value: 0)
    Thread.detachNewThread { [self] in
      _ = pump(from: server, to: client, budget: down, ways)
      back.signal()
    }
    let said = pump(from: client, to: server, budget: up, ways)
    back.wait()
    seen.withLock { $0.recordings.append(Recording(target: target, bytes: said)) }
  }

  /// Carries bytes one way until an end or until the budget is spent; returns what it carried.
  private func pump(
    from source: Int32, to sink: Int32, budget: Int?, _ ways: Nastiness
  ) -> [UInt8] {
    var carried: [UInt8] = []
    while var piece = Sockets.read(source) {
      if ways.holdMilliseconds > 0 {
        usleep(luck.withLock { UInt32($0.pick(0...Int(ways.holdMilliseconds))) } * 1_000)
        while piece.count < 65_536, Sockets.hasMore(source), let more = Sockets.read(source) {
          piece += more
        }
      }
      let room = budget.map { $0 - carried.count } ?? piece.count
      guard piece.count <= room else {
        Sockets.send(sink, piece.prefix(max(0, room)))
        carried += piece.prefix(max(0, room))
        seen.withLock { $0.cuts += 1 }
        // An end that looks orderly, or a reset.
        for one in [source, sink] {
          if luck.withLock({ $0.pick(0...1) }) == 0 {
            shutdown(one, Int32(SHUT_RDWR))
          } else {
            Sockets.breakOff(one)
          }
        }
        return carried
      }
      carried += piece
      guard Sockets.send(sink, piece) else { break }
    }
    shutdown(sink, Int32(SHUT_WR))
    return carried
  }

  // MARK: Replays

  /// Says again what clients said, each to the target of then; returns how many.
  func replay(_ recordings: [Recording]) -> Int {
    var count = 0
    for recording in recordings {
      guard let way = Sockets.connect(recording.target) else { continue }
      Sockets.send(way, recording.bytes)
      shutdown(way, Int32(SHUT_WR))
      _ = Sockets.readAll(way, patienceMilliseconds: 2_000)
      close(way)
      count += 1
    }
    return count
  }
}

/// Numbers that look like chance and can be had again (SplitMix64).
struct Luck: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
}
