// An agent's loop in virtual time beside a fake server, both turned by the test.

import BGBModel
import BGBSigning
import Glibc
import Reactor
import Testing

@testable import BGBAgent

final class TestAgent {
  let loop: AgentLoop
  let time: ManualTime
  let server: FakeServer
  /// Turned beside the server.
  var beside: () -> Void = {}
  private(set) var events: [AgentEvent] = []

  init(
    _ site: TestSite, _ server: FakeServer, state: String,
    rules change: (inout DeskRules) -> Void = { _ in },
    perform: (@Sendable (ActionOrder, StopFlag) -> ActionResult)? = { _, _ in .succeeded("done") },
    managementPoints: [String]? = nil, policyInterval: UInt64? = nil,
    disk makeDisk: (@Sendable () -> any JournalDisk)? = nil,
    configure: (inout AgentConfiguration) -> Void = { _ in }
  ) throws {
    time = ManualTime(now: Ticks(milliseconds: 10_000), wall: site.now.milliseconds)
    self.server = server
    var rules = DeskRules(
      keys: [site.key.publicKey], site: TestSite.code, boot: Bits128(high: 0, low: 1))
    change(&rules)
    let journal = "\(state)/journal"
    let desk = try TaskDesk.open(
      JournalFile(path: journal), rules: rules, now: site.now, random: JitterRandom(seed: 1),
      remark: { _ in })
    var configuration = AgentConfiguration(
      site: TestSite.code, managementPoints: managementPoints ?? [server.address],
      perform: perform, policyIntervalMilliseconds: policyInterval)
    configure(&configuration)
    loop = try AgentLoop(
      configuration, desk: desk,
      makeDisk: makeDisk ?? { JournalFile(path: journal) }, time: time.source,
      random: JitterRandom(seed: 2), linksMax: 64)
    loop.observer = { [unowned self] _, _, event in events.append(event) }
    let files = try site.client(testClient)
    try loop.add(
      AgentIdentity(
        clientID: testClient, certificateFile: files.certificate, keyFile: files.key,
        authorityFile: site.authorityFile, facts: ClientFacts(hostname: "pc-1"),
        sessionFolder: state))
  }

  deinit { loop.journal.stop() }

  /// Turns both until the condition holds, in standing virtual time; fails after 20 real seconds.
  func until(
    _ what: Comment, _ condition: () -> Bool, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    for _ in 0..<20_000 {
      try loop.turn()
      server.turn()
      beside()
      if condition() { return }
      usleep(1_000)
    }
    Issue.record(what, sourceLocation: sourceLocation)
    throw Timeout()
  }

  /// Turns both for a while, for things that must not happen.
  func settle() throws {
    for _ in 0..<50 {
      try loop.turn()
      server.turn()
      beside()
      usleep(1_000)
    }
  }

  /// Lets virtual time pass in steps that timers can keep up with.
  func advance(by milliseconds: UInt64) throws {
    time.advance(by: milliseconds)
    try loop.turn()
    server.turn()
    beside()
    try loop.turn()
  }

  struct Timeout: Error {}
}
