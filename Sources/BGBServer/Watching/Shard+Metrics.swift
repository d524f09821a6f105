// Counters as Prometheus text (exposition format 0.0.4).

import BGBModel
import Reactor
import Transports

extension Shard {
  /// What it did without being asked.
  private var houseFigures: [(name: String, help: String, value: UInt64)] {
    [
      ("reports_delivered", "Report files handed over.", counters.reportsDelivered),
      ("presence_told", "Clients in presence reports.", counters.presenceTold),
      ("memory_given_back", "Times free memory was given back.", counters.memoryGivenBack),
      (
        "memory_giving_back_microseconds", "Time that took.",
        counters.givingBackNanoseconds / 1_000
      ),
      ("turns", "Turns of the loop.", loop.turns),
      ("company_pauses", "Pauses in which keep-alives came together.", loop.pauses),
    ]
  }

  /// Every figure of this shard.
  func metricsText() -> String {
    var text = ""
    func line(_ name: String, _ kind: String, _ help: String, _ value: some BinaryInteger) {
      text += "# HELP bgb_\(name) \(help)\n# TYPE bgb_\(name) \(kind)\nbgb_\(name) \(value)\n"
    }
    func count(_ name: String, _ help: String, _ value: UInt64) {
      line(name + "_total", "counter", help, value)
    }
    line("connections", "gauge", "Open sockets.", connections.count - polledSessions)
    line("polled_sessions", "gauge", "Sessions over long polls.", polledSessions)
    line("online_clients", "gauge", "Clients signed in.", registry.onlineCount)
    line("polled_bytes", "gauge", "Unconfirmed output of long polls.", polledBytes)
    for kind in ChannelKind.allCases {
      line(
        "online_clients_\(kind.name)", "gauge", "Clients signed in over \(kind.name).",
        registry.onlineByChannel[Int(kind.rawValue)])
    }
    line("handshakes_under_way", "gauge", "TLS handshakes not finished.", handshakesUnderWay)
    line("detached", "gauge", "Connections without OpenSSL's object.", detached?.count ?? 0)
    line("kernel_tls", "gauge", "Connections in kernel TLS.", detached?.inKernel ?? 0)
    line("newcomers", "gauge", "Connections that are not established yet.", newcomers)
    line(
      "handshake_microseconds", "gauge", "Mean CPU of a handshake, lately.",
      Int(meter.nanosecondsEach / 1_000))
    line("live_tasks", "gauge", "Tasks that can be delivered or answered.", ledger.taskCount)
    line("outcomes_unstored", "gauge", "Outcomes not durable yet.", outcomes.unstoredCount)
    line("outcomes_collected", "gauge", "Outcomes for the next report.", outcomes.collected.count)
    line("timers", "gauge", "Armed timers.", loop.wheel.count)
    line("output_blocks", "gauge", "Blocks of output in use.", pool.inUse)
    line("site_reachable", "gauge", "1 if the site answers.", isSiteReachable ? 1 : 0)
    count("accepted", "Connections accepted.", counters.accepted)
    count("handshakes_full", "Full TLS handshakes.", counters.handshakesFull)
    count("handshakes_resumed", "Resumed TLS handshakes.", counters.handshakesResumed)
    count(
      "handshakes_reconnect", "TLS handshakes with a reconnect identity.",
      counters.handshakesReconnect)
    count("reconnect_identities", "Reconnect identities given out.", reconnects?.issued ?? 0)
    count(
      "reconnect_refused", "Reconnect identities not taken.", reconnects?.refusedCount ?? 0)
    count("handshakes_failed", "Refused or broken TLS handshakes.", counters.handshakesFailed)
    count("handshakes_cut", "Handshakes given up because others waited.", counters.handshakesCut)
    count("sign_ins", "Sessions begun.", counters.signIns)
    count("refused", "Sessions refused or ended with a code.", counters.refused)
    count("takeovers", "Sessions replaced by a newer one.", counters.takeovers)
    count("keep_alives", "Keep-alives of agents.", counters.keepAlives)
    count("pushes", "Tasks pushed.", counters.pushes)
    count("acknowledgements", "Tasks acknowledged.", counters.acknowledgements)
    count("outcomes", "Outcomes received.", counters.outcomes)
    count("outcomes_final", "Outcomes received that end a task.", counters.finalOutcomes)
    count("outcomes_repeated", "Outcomes known before.", counters.repeatedOutcomes)
    count("tasks", "Tasks taken over.", counters.tasks)
    count("frames_in", "Frames received.", counters.framesIn)
    count("bytes_in", "Bytes received, without TLS.", counters.bytesIn)
    count("bytes_out", "Bytes sent, without TLS.", counters.bytesOut)
    count("slow_readers", "Connections cut because they did not read.", counters.slowReaders)
    count("accept_exhausted", "Times without a free descriptor.", counters.acceptExhausted)
    count("policy_requests", "Policy downloads.", counters.policyRequests)
    count("http_logins", "Sessions begun over HTTPS.", counters.httpLogins)
    count("http_refused", "HTTP requests refused.", counters.httpRefused)
    count("http_crowded", "HTTP connections beyond a client's share.", counters.httpCrowded)
    count("polls", "Long polls.", counters.polls)
    count("polls_superseded", "Polls ended by a later one.", counters.pollsSuperseded)
    count("polls_cut", "Polls cut by their path, as agents tell.", counters.pollsCut)
    count("views", "Looks of clients at themselves.", counters.views)
    for (name, help, value) in houseFigures { count(name, help, value) }
    let stale = connections.stale
    count("stale_events", "Events for connections gone.", stale.freed &+ stale.reused)
    return text
  }
}
