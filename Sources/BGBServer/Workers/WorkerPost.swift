// A worker's side of its link: says how it is whenever that changes, answers what it is asked, and
// when the link ends it stops in order, for nobody would start it again.

import BGBModel
import Logging
import Reactor
import SiteDatabase

/// The link of this process to its supervisor.
final class WorkerPost {
  private let link: WorkerLink
  private var told: WorkerState?
  /// Whether the end of the link was noticed.
  private(set) var isAlone = false

  /// Takes over what was inherited.
  init(in loop: Loop) throws(Errno) {
    let inherited = try ChildProcess.inheritedLink()
    try loop.hurry(for: inherited.raw)
    link = try WorkerLink(inherited, WorkerLink.upward, in: loop.poller)
  }

  /// Says where this worker listens.
  func announce(_ addresses: [String], _ poller: Poller) {
    for address in addresses { send(.listening(address), poller) }
    send(.pulse, poller)
  }

  /// Says how this worker is, if that is news.
  func tell(_ state: WorkerState, _ poller: Poller) {
    guard told != state else { return }
    told = state
    send(.state(state), poller)
  }

  /// Says something.
  func send(_ report: WorkerReport, _ poller: Poller) { link.send(report.message, poller) }

  /// What came in this turn; looks at the socket only when the loop found it ready.
  func orders(_ loop: Loop) -> [WorkerOrder] {
    guard isReady(loop.ready), !isAlone else { return [] }
    link.flush(loop.poller)
    let orders = link.receive().compactMap { WorkerOrder($0) }
    if link.isOver {
      isAlone = true
      link.leave(loop.poller)
    }
    return orders
  }

  private func isReady(_ ready: ReadyList) -> Bool {
    for index in 0..<ready.count where ready[index].token == WorkerLink.upward { return true }
    return false
  }
}

@available(*, unavailable)
extension WorkerPost: Sendable {}

extension Server {
  /// After a turn: does what the supervisor asks, tells it how we are.
  func attend(_ post: WorkerPost, _ shard: Shard) {
    let poller = shard.loop.poller
    for order in post.orders(shard.loop) {
      switch order {
      case .reload: post.send(.reloaded(reload(shard)), poller)
      case .reopenLogs: reopenLog()
      case .metrics: post.send(.metrics(shard.metricsText()), poller)
      case .pulse: post.send(.pulse, poller)
      case .restarted(let text): tell(.workerRestarted, text, shard.site)
      }
    }
    if post.isAlone, shard.life == .serving {
      log.error("the supervisor is gone; this worker stops in order")
      shard.beginDrain()
    }
    post.tell(shard.workerState, poller)
  }
}

extension Shard {
  /// How this worker is, as its supervisor sums it up.
  var workerState: WorkerState {
    // Whoever leaves says so until its end, for nobody shall start it again.
    if let moving, moving.isOver { return moving.order.stops ? .leaving : .drained }
    if life != .serving || moving != nil { return .draining }
    if !isJournalReady { return .starting }
    if !isSiteReachable { return .degraded("the site does not answer") }
    return .ready
  }
}
