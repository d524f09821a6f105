// The supervisor's pure parts: delays of restarts, sums of figures, the errand over the workers,
// what travels over the link, what a worker has for itself.

import BGBModel
import Glibc
import Reactor
import ServiceSettings
import SiteDatabase
import Testing

@testable import BGBServer

@Suite struct SupervisionTests {
  // MARK: RestartDelay

  @Test func aProvenWorkerIsStartedAgainAtOnce() {
    var delay = RestartDelay()
    #expect(delay.next(afterLife: Limits.workerProvenMilliseconds) == 0)
    #expect(delay.next(afterLife: 3_600_000) == 0)
    #expect(delay == RestartDelay())
  }

  @Test func aWorkerThatDiesYoungWaitsLongerEachTime() {
    var delay = RestartDelay()
    let delays = (0..<8).map { _ in delay.next(afterLife: 100) }
    #expect(delays == [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
    #expect(delay.next(afterLife: Limits.workerProvenMilliseconds) == 0)
    #expect(delay.next(afterLife: 100) == 1_000)
  }

  @Test func thousandsOfDeathsDoNotOverflow() {
    var delay = RestartDelay()
    for _ in 0..<10_000 { _ = delay.next(afterLife: 0) }
    #expect(delay.next(afterLife: 0) == Limits.workerDelayMillisecondsMax)
  }

  // MARK: MetricsSum

  private static func figures(_ online: Int, _ pushes: Int, site: Int) -> String {
    """
    # HELP bgb_online_clients Clients signed in.
    # TYPE bgb_online_clients gauge
    bgb_online_clients \(online)
    # HELP bgb_site_reachable 1 if the site answers.
    # TYPE bgb_site_reachable gauge
    bgb_site_reachable \(site)
    # HELP bgb_pushes_total Tasks pushed.
    # TYPE bgb_pushes_total counter
    bgb_pushes_total \(pushes)

    """
  }

  @Test func figuresAreAddedUnderTheirNames() {
    var sum = MetricsSum()
    sum.add(SupervisionTests.figures(3, 10, site: 1))
    sum.add(SupervisionTests.figures(4, 20, site: 1))
    #expect(sum.text == SupervisionTests.figures(7, 30, site: 1))
  }

  @Test func oneWorkerWithoutItsSiteIsSeen() {
    var sum = MetricsSum()
    for site in [1, 0, 1] { sum.add(SupervisionTests.figures(1, 1, site: site)) }
    #expect(sum.value("bgb_site_reachable") == 0)
  }

  @Test func whatADeadWorkerCountedStays() {
    let counted = MetricsSum.counters(of: SupervisionTests.figures(3, 10, site: 1))
    #expect(counted == ["bgb_pushes_total": 10])
    var sum = MetricsSum()
    sum.add(SupervisionTests.figures(4, 1, site: 1))
    sum.add(counted: counted)
    #expect(sum.value("bgb_pushes_total") == 11 && sum.value("bgb_online_clients") == 4)
  }

  @Test func histogramsAndFractionsAreAddedByTheirLabels() {
    let text = """
      # TYPE bgb_delay_seconds histogram
      bgb_delay_seconds_bucket{le="0.1"} 2
      bgb_delay_seconds_bucket{le="+Inf"} 3
      bgb_delay_seconds_sum 0.25
      bgb_delay_seconds_count 3
      bgb_alone 1

      """
    var sum = MetricsSum()
    sum.add(text)
    sum.add(text)
    #expect(
      sum.text == """
        # TYPE bgb_delay_seconds histogram
        bgb_delay_seconds_bucket{le="0.1"} 4
        bgb_delay_seconds_bucket{le="+Inf"} 6
        bgb_delay_seconds_sum 0.5
        bgb_delay_seconds_count 6
        bgb_alone 2

        """)
    #expect(MetricsSum.counters(of: text).count == 4)
  }

  @Test func linesThatAreNoFiguresArePassedOver() {
    var sum = MetricsSum()
    sum.add("\n# \n# HELP\nnothing\nbgb_x no number\nbgb_y 1\n")
    #expect(sum.text == "bgb_y 1\n")
  }

  // MARK: WorkerErrand

  @Test func anErrandVisitsEverybodyOnce() {
    var errand = WorkerErrand(.reload, over: [1, 3])
    #expect(errand.current == nil)
    #expect(errand.next() == 1)
    #expect(errand.done == 0)
    #expect(errand.next() == 3)
    #expect(errand.next() == nil)
    #expect(errand.done == 2 && errand.current == nil)
  }

  // MARK: WorkerSeat

  @Test func aSeatSaysWhatIsNotWell() throws {
    var seat = WorkerSeat(number: 2)
    seat.restarts = 1
    #expect(seat.complaint == "worker 2 restarts (1 restarts)" && !seat.isReady)
    let pair = try SocketPair()
    seat.child = try pair.split { _, theirs in
      try ChildProcess.start(["/bin/true"], environment: [], link: theirs)
    }
    seat.state = .degraded("the site does not answer")
    #expect(seat.complaint == "worker 2 is degraded the site does not answer")
    seat.state = .ready
    #expect(seat.complaint == nil && seat.isReady)
    seat.hasLeft = true
    #expect(seat.complaint == "worker 2 was drained and ended")
    // A child that nobody reaps would hide the exit tests' children from them.
    while seat.child?.reap() == nil { sched_yield() }
  }

  @Test func aSeatHangsOnceItOwesAnAnswerForAPeriod() throws {
    var seat = WorkerSeat(number: 1)
    let asked = Ticks(milliseconds: 1_000)
    func hangs(after milliseconds: UInt64) -> Bool {
      seat.hangs(at: asked + milliseconds, period: 60_000)
    }
    (seat.answersPulse, seat.askedAt) = (true, asked)
    #expect(!hangs(after: 60_000), "no process, so none that hangs")
    let pair = try SocketPair()
    seat.child = try pair.split { _, theirs in
      try ChildProcess.start(["/bin/true"], environment: [], link: theirs)
    }
    #expect(!hangs(after: 59_999) && hangs(after: 60_000))
    seat.answersPulse = false
    #expect(!hangs(after: 60_000), "a program that never said it would answer")
    (seat.answersPulse, seat.askedAt) = (true, nil)
    #expect(!hangs(after: 60_000), "it owes nothing")
    while seat.child?.reap() == nil { sched_yield() }
  }

  // MARK: LinkMessage

  private static let orders: [WorkerOrder] = [
    .reload, .reopenLogs, .metrics, .pulse, .restarted("Worker 2 killed\nby signal 9"),
  ]
  private static let reports: [WorkerReport] = [
    .state(.starting), .state(.ready), .state(.degraded("the site is away")), .state(.draining),
    .state(.drained), .state(.leaving), .listening("agent 127.0.0.1:1"), .reloaded(true),
    .reloaded(false), .metrics("bgb_x 1\n"), .pulse,
  ]

  @Test func messagesArriveInAnyPieces() {
    let messages =
      SupervisionTests.orders.map(\.message) + SupervisionTests.reports.map(\.message)
    let bytes = messages.flatMap(\.bytes)
    for size in [1, 2, 7, 4_096] {
      var reader = LinkReader()
      var got: [LinkMessage] = []
      for start in stride(from: 0, to: bytes.count, by: size) {
        reader.append(Array(bytes[start..<min(bytes.count, start + size)]).span)
        while let message = reader.next() { got.append(message) }
      }
      #expect(got == messages)
    }
    #expect(SupervisionTests.orders.map { WorkerOrder($0.message) } == SupervisionTests.orders)
    #expect(SupervisionTests.reports.map { WorkerReport($0.message) } == SupervisionTests.reports)
  }

  @Test(arguments: [
    "x\n", " 1\n", "reload one\n", "reload -1\n", "reload 1048577\n", "a b 1\n",
    String(repeating: "x", count: 33),
  ])
  func whatIsNoMessageBreaksTheLink(_ text: String) {
    var reader = LinkReader()
    reader.append(Array(text.utf8).span)
    let message = reader.next()
    #expect(message == nil)
    #expect(reader.isBroken)
  }

  @Test func wordsOfOtherVersionsArePassedOver() {
    #expect(WorkerOrder(LinkMessage(word: "dance")) == nil)
    #expect(WorkerReport(LinkMessage(word: "dance")) == nil)
    #expect(WorkerReport(LinkMessage(word: "state", text: "asleep")) == nil)
  }

  @Test func theEndOfALinkIsSeen() throws {
    let pair = try SocketPair()
    let poller = try Poller()
    var ends: [WorkerLink] = try pair.split { first, second in
      [
        try WorkerLink(first, WorkerLink.upward, in: poller),
        try WorkerLink(second, WorkerLink.downward(1), in: poller),
      ]
    }
    // More than a socket holds: the rest waits for the reader.
    let large = LinkMessage(word: "metrics", text: String(repeating: "x", count: 900_000))
    ends[0].send(large, poller)
    var got: [LinkMessage] = []
    for _ in 0..<1_000 where got.isEmpty {
      got += ends[1].receive()
      ends[0].flush(poller)
    }
    #expect(got == [large])
    ends.removeFirst()
    #expect(ends[0].receive().isEmpty && ends[0].isOver)
  }

  // MARK: Settings

  private func settings(_ yaml: String) throws -> ServerSettings {
    try ServiceSettings.parse(
      ServerSettings.self, text: yaml, path: "/site/servers/mp1/server.yaml")
  }

  @Test func eachWorkerHasItsNameAndJournal() throws {
    let settings = try settings("name: mp1\nworkers: 3\nhealth-listen: 127.0.0.1:9\n")
    #expect(settings.workerFault == nil)
    let (first, third) = (settings.worker(1), settings.worker(3))
    #expect(first.name == "mp1" && first.journal == settings.journal)
    #expect(third.name == "mp1#3" && third.journal.path == "/site/servers/mp1/journal-3")
    #expect(first.healthListen == nil && third.healthListen == nil)
    #expect(third.serverName == "mp1" && third.worker(3).name == "mp1#3")
    #expect(ServerRecord.workerName("mp1", 64) == "mp1#64")
    #expect(settings.leftJournals.first == "/site/servers/mp1/journal-4")
    let tables = "/site/servers/mp1/journal-targets"
    #expect(first.targetTables(ofWorker: 1) == tables && third.targetTables(ofWorker: 3) == tables)
    #expect(settings.leftJournals.count == 61)
  }

  @Test func workersThatCannotBeAreRefused() throws {
    #expect(try settings("name: mp1\n").workerFault == nil)
    #expect(try settings("name: mp1\nworkers: 0\n").workerFault != nil)
    #expect(try settings("name: mp1\nworkers: 65\n").workerFault != nil)
    let fault = try settings("name: mp1\nworkers: 2\nlisten: 127.0.0.1:0\n").workerFault
    #expect(fault?.contains("share a port") == true)
  }

  // MARK: Processes

  @Test func usageIsReadFromProc() {
    let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 4 0 1 2 3"
    let usage = ProcessUsage(stat: stat, statm: "9 5 1 1 0 1 0", pageBytes: 4_096)
    #expect(usage?.cpuMilliseconds == 3_000 && usage?.residentBytes == 20_480)
    #expect(ProcessUsage(stat: "7 (x", statm: "", pageBytes: 1) == nil)
    #expect((ProcessProgram.usage(of: 1)?.residentBytes ?? 1) > 0)
  }

  @Test func whoSleepsInEpollIsToldApart() throws {
    for place in ["ep_poll", "do_epoll_wait", "do_epoll_wait.constprop.0"] {
      #expect(ProcessProgram.isEventWait(place))
    }
    for place in ["0", "", "do_signal_stop", "hrtimer_nanosleep", "futex_wait_queue"] {
      #expect(!ProcessProgram.isEventWait(place))
    }
    #expect(!ProcessProgram.waitsForEvents(-1))
    let pair = try SocketPair()
    let child = try pair.split { _, theirs in
      try ChildProcess.start(["/bin/sleep", "60"], environment: [], link: theirs)
    }
    #expect(!ProcessProgram.waitsForEvents(child.processID))
    child.signal(SIGKILL)
    while child.reap() == nil { sched_yield() }
  }

  @Test func aRoundOfFiguresEndsWithItsLastWorker() {
    var round = FigureRound()
    round.askers.append(Token(generation: 1, index: 1))
    round.begin(asking: [1, 2, 3])
    round.take("a", from: 1)
    round.take("late", from: 1)
    round.forget(2)
    #expect(!round.isComplete)
    round.take("c", from: 3)
    #expect(round.isComplete && round.texts == [1: "a", 3: "c"])
  }
}
