// Actions on threads of their own, and policies by the timer.

import BGBModel
import Glibc
public import Reactor

extension AgentLoop {
  /// The bit that tells a link's policy timer from its session timer among the wheel's payloads.
  private static let policyBit: UInt64 = 1 << 63

  /// Begins an action; its result comes back as a letter.
  func begin(_ order: ActionOrder) {
    guard let perform = configuration.perform else {
      return desk.finished(
        order.key, .failed("this agent performs no actions"), at: moment)
    }
    runningActions += 1
    let (mailbox, stopFlag) = (mailbox, stopFlag)
    do throws(Errno) {
      _ = try KernelThread.start(name: "action") {
        mailbox.post(.actionEnded(order.key, perform(order, stopFlag)))
      }
    } catch {
      runningActions -= 1
      desk.finished(order.key, .failed("no thread for the action: \(error)"), at: moment)
    }
  }

  func armPolicyTimer(of link: AgentLink, isFirst: Bool) {
    guard let interval = configuration.policyIntervalMilliseconds else { return }
    if isFirst && link.policyTimer != nil { return }
    // The first one soon, each later one an interval on; both jittered, or a site that starts at
    // once would fetch at once for ever.
    let window = isFirst ? min(interval, 60_000) : interval / 10
    let base = isFirst ? 0 : interval - interval / 20
    let wait = base + UInt64.random(in: 0...window, using: &random)
    link.policyTimer = loop.arm(
      afterMilliseconds: wait, payload: link.token.rawValue | AgentLoop.policyBit)
  }

  func policyDue(_ link: AgentLink) {
    link.policyTimer = nil
    armPolicyTimer(of: link, isFirst: false)
    guard let perform = configuration.perform, case .running = end else { return }
    let client = link.identity.clientID
    let order = ActionOrder(
      key: TaskKey(client: client, task: TaskID(Bits128(high: 0, low: 0))),
      action: .downloadComputerPolicy, parameters: .none,
      runMilliseconds: desk.rules.runMillisecondsMax)
    let (mailbox, stopFlag) = (mailbox, stopFlag)
    _ = try? KernelThread.start(name: "policy") {
      mailbox.post(.policyFetched(client, perform(order, stopFlag)))
    }
  }

  func policyFetched(_ client: ClientID, _ result: ActionResult) {
    for task in result.policyTasks { desk.policyTask(client, task, at: moment) }
  }

  /// Watches for signals: SIGTERM and SIGINT stop the loop, SIGHUP calls `reload`.
  public func watchSignals(
    _ descriptor: consuming SignalDescriptor, reload: @escaping () -> Void
  ) throws(Errno) {
    let fd = descriptor.fd
    signals = consume descriptor
    onReload = reload
    try loop.poller.add(fd, .signals, .readable)
  }

  func tellSignal(_ signal: Int32) {
    if signal == SIGHUP {
      onReload?()
    } else {
      mailbox.post(.stop(reason: "the agent was stopped"))
    }
  }
}
