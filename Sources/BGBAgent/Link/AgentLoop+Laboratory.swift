// What a load generator may do to a link besides living it: cut it, send it away, make it deaf,
// make it talk. Nothing of the agent's own life calls these.

public import BGBModel
import BGBWire
import Reactor
import Transports

extension AgentLoop {
  /// Ends a client's connection as a lost network would; it comes back by its back-off, or without
  /// any wait.
  public func cut(_ client: ClientID, comesBackAtOnce: Bool = false) {
    guard let link = link(of: client) else { return }
    lost(link, .ended)
    guard comesBackAtOnce else { return }
    link.session.hurry(at: loop.now)
    armTimer(of: link)
  }

  /// Ends a client's connection as a lost network would; it stays away until `hurry(_:)`.
  ///
  /// With `forgets` it comes back as one that was never here: with its certificate.
  public func sendAway(_ client: ClientID, forgets: Bool = false) {
    guard let link = link(of: client) else { return }
    lost(link, .ended)
    link.session.hurry(at: .never)
    guard forgets else { return }
    forgetReconnect(of: link)
    for endpoint in link.endpoints { link.tlsSessions[endpoint] = [] }
  }

  /// From now on so many attempts over TCP may be under way at the same time.
  public func limitAttempts(to count: Int) { configuration.attemptsMax = max(1, count) }

  /// Ends a client's wait for its next attempt.
  public func hurry(_ client: ClientID) {
    guard let link = link(of: client) else { return }
    link.session.hurry(at: loop.now)
    armTimer(of: link)
  }

  /// Lets a client say goodbye, and come back after so many milliseconds; false when it is not
  /// signed in.
  @discardableResult
  public func rest(_ client: ClientID, milliseconds: UInt64) -> Bool {
    guard let link = link(of: client), link.session.isSignedIn else { return false }
    apply(link.session.rest(until: loop.now + milliseconds, reason: "the client rests"), to: link)
    armTimer(of: link)
    return true
  }

  /// Makes a client read what comes, or leave it in the kernel; false when it has no connection.
  @discardableResult
  public func setReading(_ client: ClientID, _ reads: Bool) -> Bool {
    guard let link = link(of: client), let channel = link.channel else { return false }
    channel.receives = reads
    markDirty(link)
    return true
  }

  /// Makes a client send keep-alives that nobody asked for, as many as its queue takes; says how
  /// many.
  public func flood(_ client: ClientID, keepAlives: Int) -> Int {
    guard let link = link(of: client), link.session.isSignedIn else { return 0 }
    for sent in 0..<keepAlives {
      guard let channel = link.channel, channel.outboundCount < AgentLoop.newsThresholdBytes else {
        return sent
      }
      send(.keepAlive(KeepAlive(clock: moment.wall)), link)
    }
    return keepAlives
  }

  /// Calls the body on the loop's thread after so many milliseconds.
  public func call(afterMilliseconds milliseconds: UInt64, _ body: @escaping (AgentLoop) -> Void) {
    laboratory.append((loop.now + milliseconds, body))
    wake(afterMilliseconds: milliseconds)
  }

  /// Calls the body on the loop's thread in each turn, behind its input, until it says false.
  ///
  /// A loop that sleeps does not call it. One body at a time; a new one takes the old one's place.
  public func watchTurns(_ body: @escaping (AgentLoop) -> Bool) {
    turnWatch = body
    wake(afterMilliseconds: 0)
  }

  /// Calls who watches turns, and what is due.
  func callLaboratory() {
    if let turnWatch, !turnWatch(self) { self.turnWatch = nil }
    guard !laboratory.isEmpty else { return }
    let due = laboratory.filter { $0.at <= loop.now }
    guard !due.isEmpty else { return }
    laboratory.removeAll { $0.at <= loop.now }
    for one in due { one.body(self) }
  }
}
