// One client behind a proxy that cuts idle connections after a minute, with an operation now and
// then: the long form of what ProxyTests does in seconds.

import Foundation

/// A run against a proxy that cuts.
struct ProxyCutRun {
  var minutes: Double
  var say: (String) -> Void

  /// Runs it; returns what is broken, in sentences.
  func run() throws -> [String] {
    let stage = try Stage()
    try stage.startServer()
    let tiny = try OuterProgram.tinyproxy("ConnectPort \(stage.httpsPort)", idleSeconds: 60)
    try stage.addClients(
      ["pc1"], yaml: "transport: https\nproxy:\n  url: \"http://127.0.0.1:\(tiny.port)\"\n")
    try stage.startAgent("pc1")
    try stage.waitConnected(1, over: "https")
    let watch = OnlineWatch(stage)
    let end = Date().addingTimeInterval(minutes * 60)
    var operations: [Int] = []
    // One a minute, but not on the minute: a poll that is answered before the cut is not cut.
    var gaps = [100.0, 20.0]
    while Date() < end {
      operations.append(try stage.mark())
      try stage.expectDone(operations, ["pc1"])
      say(
        "operation \(operations.count) done; \(try stage.metric("polls_total")) polls, "
          + "\(try stage.metric("polls_cut_total")) cut")
      let next = min(end, Date().addingTimeInterval(gaps[0]))
      gaps.swapAt(0, 1)
      while Date() < next { usleep(50_000) }
    }
    watch.stop()
    let learned = stage.httpsLog().split(separator: "\n").filter {
      $0.contains("polls are cut on this path")
    }
    for line in learned { say("BgbHttpProxy.log: \(line)") }
    say("online at least \(watch.fewest), at most \(watch.most), in \(watch.looks) looks")
    say("sessions \(try stage.metric("http_logins_total")), operations \(operations.count)")
    return try faults(stage, watch, learned.count)
  }

  private func faults(_ stage: Stage, _ watch: OnlineWatch, _ learned: Int) throws -> [String] {
    var found: [String] = []
    if watch.fewest != 1 || watch.most != 1 {
      found.append("online was \(watch.fewest) to \(watch.most)")
    }
    let logins = try stage.metric("http_logins_total")
    if logins != 1 { found.append("\(logins) sessions instead of one") }
    let cut = try stage.metric("polls_cut_total")
    if minutes >= 6 {
      if learned != 1 { found.append("the poll's length was learned \(learned) times") }
      if cut > 3 { found.append("\(cut) polls were cut: nothing was learned") }
    }
    return found
  }
}
