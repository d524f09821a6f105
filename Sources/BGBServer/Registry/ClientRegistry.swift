// Who is connected to this server, by client id; and what changed since the last online report. One
// seat a client: when the same client signs in again, the new session takes over at once and the
// old one is condemned by the caller. A report carries changes, so its cost follows churn, not
// size.
//
// A server has a seat for every client it holds, so a seat is small and flat: numbers in one array,
// the texts packed in one piece of memory, what all clients have in common kept once.

import BGBModel
import Reactor

/// Presence of all clients that this server has seen since it started.
struct ClientRegistry {
  /// What is known of one client.
  private struct Seat {
    let clientID: ClientID
    /// Its connection; the stale token 0 while it has none.
    var token: Token
    /// When it came online or went offline; also the last proof of it.
    var since: WallTime
    var channelSince: WallTime
    var session: UInt64
    var facts: PackedFacts
    var reason: PresenceReason
    var channel: ChannelKind
    var fallback: FallbackReason
    /// Whether no report has carried its last change.
    var isDirty = false

    var isOnline: Bool { token.generation != 0 }
  }

  private static let noToken = Token(generation: 0, index: 0)

  private var places: [ClientID: UInt32] = [:]
  /// Whom `places` may hold.
  private var sieve = ClientSieve()
  private var seats: [Seat?] = []
  private var free: [UInt32] = []
  private var dirty: [UInt32] = []
  private var platforms = PlatformTable()
  /// Clients connected now, by channel (`ChannelKind.rawValue`).
  private(set) var onlineByChannel: [Int] = Array(repeating: 0, count: ChannelKind.allCases.count)

  /// Clients connected now.
  var onlineCount: Int { onlineByChannel.reduce(0, +) }
  /// Clients whose change no report has carried yet.
  var dirtyCount: Int { dirty.count }

  /// The connection of a client, if it is connected here.
  func token(of clientID: ClientID) -> Token? {
    // Read in place: a copied seat would count references of its facts.
    guard sieve.mayHold(clientID), let place = places[clientID],
      let token = seats[Int(place)]?.token, token.generation != 0
    else { return nil }
    return token
  }

  /// A client signed in; returns the connection that it replaces, if there is one.
  mutating func signIn(_ record: PresenceRecord, token: Token) -> Token? {
    var record = record
    let previous = seat(of: record.clientID)
    let replaced = previous.flatMap { $0.isOnline ? $0.token : nil }
    if let previous, previous.isOnline {
      onlineByChannel[Int(previous.channel.rawValue)] -= 1
      // Only the session is another one: the channel is in use since it was chosen.
      if previous.channel == record.channel { record.channelSince = previous.channelSince }
    }
    // Over TCP there is nothing to explain, whatever the agent says.
    if record.channel == .tcp { record.fallback = .none }
    onlineByChannel[Int(record.channel.rawValue)] += 1
    store(record, token: token)
    return replaced
  }

  /// A connection ended.
  ///
  /// Does nothing when the client's session is another one by now.
  mutating func signOut(
    _ clientID: ClientID, token: Token, reason: PresenceReason, at: WallTime
  ) {
    guard let place = places[clientID], var seat = seats[Int(place)], seat.isOnline,
      seat.token == token
    else { return }
    onlineByChannel[Int(seat.channel.rawValue)] -= 1
    seat.token = ClientRegistry.noToken
    seat.since = at
    seat.reason = reason
    seats[Int(place)] = seat
    markDirty(place)
  }

  /// Facts of a connected client changed.
  mutating func update(_ clientID: ClientID, facts: ClientFacts) {
    guard let place = places[clientID], let seat = seats[Int(place)],
      self.facts(of: seat) != facts
    else { return }
    let old = seat.facts.platform
    let packed = pack(facts)
    seats[Int(place)]?.facts = packed
    platforms.giveBack(old)
    markDirty(place)
  }

  /// What is known of a client.
  func record(of clientID: ClientID) -> PresenceRecord? { seat(of: clientID).map(record) }

  /// The facts known of a client.
  func facts(of clientID: ClientID) -> ClientFacts? { seat(of: clientID).map(facts) }

  /// What changed since the last call.
  ///
  /// Clients that are offline and reported are forgotten.
  mutating func takeChanges() -> [PresenceRecord] {
    var changes: [PresenceRecord] = []
    changes.reserveCapacity(dirty.count)
    for place in dirty {
      guard let seat = seats[Int(place)], seat.isDirty else { continue }
      changes.append(record(seat))
      seats[Int(place)]?.isDirty = false
      if !seat.isOnline { forget(place, seat) }
    }
    dirty.removeAll(keepingCapacity: dirty.count < 4096)
    return changes
  }

  /// Everybody who is connected, for a full report; changes before it are told by it.
  mutating func takeEverybody() -> [PresenceRecord] {
    _ = takeChanges()
    return seats.compactMap { $0.map(record) }.sorted { $0.clientID < $1.clientID }
  }

  /// Puts changes back that could not be reported; newer changes win.
  mutating func putBack(_ changes: [PresenceRecord]) {
    for change in changes {
      guard let place = places[change.clientID] else {
        store(change, token: ClientRegistry.noToken)
        continue
      }
      markDirty(place)
    }
  }

  // MARK: Seats

  private func seat(of clientID: ClientID) -> Seat? {
    places[clientID].flatMap { seats[Int($0)] }
  }

  private mutating func store(_ record: PresenceRecord, token: Token) {
    // Taken before the old ones are given back, so that the same platform keeps its number.
    var facts = pack(record.facts)
    let known = places[record.clientID]
    let place = known ?? free.popLast() ?? UInt32(truncatingIfNeeded: seats.count)
    if Int(place) == seats.count { seats.append(nil) }
    let old = seats[Int(place)]
    if let old {
      platforms.giveBack(old.facts.platform)
      // Who comes back in a storm says the same again. What is kept of it stays where it was made:
      // made anew between handshakes it would hold a page of their memory for good.
      if old.facts == facts { facts = old.facts }
    }
    seats[Int(place)] = Seat(
      clientID: record.clientID, token: token, since: record.since,
      channelSince: record.channelSince, session: record.session, facts: facts,
      reason: record.reason, channel: record.channel, fallback: record.fallback,
      isDirty: old?.isDirty ?? false)
    if known == nil { seat(record.clientID, at: place) }
    markDirty(place)
  }

  private mutating func seat(_ clientID: ClientID, at place: UInt32) {
    places[clientID] = place
    sieve.add(clientID)
    guard sieve.isFull else { return }
    sieve = ClientSieve(capacity: places.count * 2)
    for known in places.keys { sieve.add(known) }
  }

  private mutating func forget(_ place: UInt32, _ seat: Seat) {
    platforms.giveBack(seat.facts.platform)
    places[seat.clientID] = nil
    seats[Int(place)] = nil
    free.append(place)
  }

  private mutating func markDirty(_ place: UInt32) {
    guard seats[Int(place)]?.isDirty == false else { return }
    seats[Int(place)]?.isDirty = true
    dirty.append(place)
  }

  // MARK: Packing

  private mutating func pack(_ facts: ClientFacts) -> PackedFacts {
    let platform = Platform(
      operatingSystem: facts.operatingSystem, agentVersion: facts.agentVersion)
    return PackedFacts(facts, platform: platforms.take(platform))
  }

  private func facts(of seat: Seat) -> ClientFacts {
    seat.facts.facts(platforms[seat.facts.platform])
  }

  private func record(_ seat: Seat) -> PresenceRecord {
    PresenceRecord(
      clientID: seat.clientID, isOnline: seat.isOnline, since: seat.since, lastProof: seat.since,
      reason: seat.reason, channel: seat.channel, fallback: seat.fallback,
      channelSince: seat.channelSince, session: seat.session, facts: facts(of: seat))
  }
}
