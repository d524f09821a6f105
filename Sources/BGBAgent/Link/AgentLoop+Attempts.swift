// How many attempts over TCP may be under way at the same time, and what a client proves itself
// with during one. An agent alone has one attempt and its own context; a process with thousands of
// clients reads credentials only for those that connect, and holds the others back: a handshake
// needs some 40 KB, and memory that was once had for all of them never goes back.

import BGBModel
import Reactor
import Transports

extension AgentLoop {
  /// The credentials of a fleet's client, for one connection; nil for a client with its own
  /// context.
  ///
  /// One that offers an identity does without them: OpenSSL takes a millisecond to read them, more
  /// than the whole reconnect costs the server. Should the server want the certificate after all,
  /// the attempt fails, the identity is forgotten, and the next attempt has them.
  func credentials(of link: AgentLink, isOffering: Bool) throws(TransportError) -> TLSCredentials? {
    guard let number = link.identity.fleetNumber, !isOffering else { return nil }
    guard let bytes = configuration.fleet?.credentials(number) else {
      throw TransportError(.setup)
    }
    do throws(TLSSetupError) {
      return try TLSCredentials(certificate: bytes.certificate, privateKey: bytes.key)
    } catch {
      throw TransportError(.setup)
    }
  }

  /// Takes a connection out of OpenSSL, or leaves that to the next flush.
  func detach(_ link: AgentLink, _ channel: ByteChannel) {
    guard let detached, link.session.isSignedIn else { return }
    // A ticket that came meanwhile would be lost with OpenSSL's object.
    if let session = channel.takeNewSession() { keep(session, of: link, at: link.endpoint) }
    switch channel.detach(into: detached) {
    case .detached, .never: link.shallDetach = false
    case .notYet: break
    }
  }

  /// Counts an attempt, until it is signed in or closed.
  func beginAttempt(_ link: AgentLink, over transport: ChannelKind) {
    guard transport == .tcp, !link.isAttempting else { return }
    link.isAttempting = true
    attemptsUnderWay += 1
    attemptsThisTurn += 1
  }

  func endAttempt(_ link: AgentLink) {
    guard link.isAttempting else { return }
    link.isAttempting = false
    attemptsUnderWay -= 1
  }

  private var mayBegin: Bool {
    attemptsUnderWay < configuration.attemptsMax
      && attemptsThisTurn < configuration.attemptsPerTurnMax
  }

  /// Whether one that was held back may begin in the next turn.
  var hasAttemptsInHand: Bool {
    heldBackNext < heldBack.count && attemptsUnderWay < configuration.attemptsMax
  }

  /// Whether a link whose wait is over has to wait for its turn as well.
  func holdsBack(_ link: AgentLink) -> Bool {
    guard !mayBegin, isDue(link) else { return false }
    heldBack.append(link.token)
    return true
  }

  /// Lets as many attempts begin as there is room for.
  func beginHeldBack() {
    while mayBegin, heldBackNext < heldBack.count {
      let token = heldBack[heldBackNext]
      heldBackNext += 1
      guard let link = links[token], isDue(link) else { continue }
      apply(link.session.tick(at: loop.now, wall: moment.wall), to: link)
      armTimer(of: link)
    }
    guard heldBackNext == heldBack.count, heldBackNext > 0 else { return }
    heldBack.removeAll(keepingCapacity: true)
    heldBackNext = 0
  }

  private func isDue(_ link: AgentLink) -> Bool {
    guard case .waiting(let until) = link.session.state else { return false }
    return loop.now >= until && link.session.ladder.current == .tcp
  }
}
