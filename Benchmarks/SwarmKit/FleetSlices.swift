// How sessions are divided among processes, and from which addresses they connect. A process may
// have so many open files, and a pair of addresses so many ephemeral ports (28,232 by default):
// with an address of its own from 127.0.0.0/8 no session meets the second limit.

/// A contiguous part of the fleet, carried by one process.
public struct FleetSlice: Equatable, Sendable {
  /// The number of the first session.
  public var first: Int
  /// How many.
  public var count: Int

  /// Joins the parts.
  public init(first: Int, count: Int) {
    self.first = first
    self.count = count
  }

  /// How many sessions a process carries when nobody asks for a number: a process for each
  /// processor, for agents on machines of their own do not wait for one another either; but no
  /// process for less than a thousand, and none for more than 18,000.
  public static func perProcess(_ sessions: Int, processors: Int) -> Int {
    let processors = max(1, processors)
    return min(18_000, max(1_000, (sessions + processors - 1) / processors))
  }

  /// Slices of nearly equal size, as few as the limit allows.
  public static func divide(_ sessions: Int, perProcess: Int) -> [FleetSlice] {
    guard sessions > 0, perProcess > 0 else { return [] }
    let processes = (sessions + perProcess - 1) / perProcess
    var slices: [FleetSlice] = []
    var first = 0
    for number in 0..<processes {
      let count = sessions / processes + (number < sessions % processes ? 1 : 0)
      slices.append(FleetSlice(first: first, count: count))
      first += count
    }
    return slices
  }

  /// The part of a total that falls to this slice, so that the parts of all slices make the total.
  public func share(of total: Int, sessions: Int) -> Int {
    guard sessions > 0 else { return 0 }
    let (before, after) = (first, first + count)
    return total * after / sessions - total * before / sessions
  }
}

/// The source addresses of sessions.
public enum SourceAddress {
  /// The first: 127.1.0.0, away from what a machine usually binds.
  static let first: UInt32 = 0x7F01_0000
  /// Addresses that may be used, up to 127.254.255.255.
  static let count: UInt32 = 0x7FFE_FFFF - 0x7F01_0000 + 1

  /// The IPv4 address, as a host-order number, of a session; several sessions share one if asked.
  public static func ipv4(ofSession number: Int, sessionsPerAddress: Int) -> UInt32 {
    let index = UInt32(truncatingIfNeeded: number / max(1, sessionsPerAddress))
    return first + index % count
  }
}
