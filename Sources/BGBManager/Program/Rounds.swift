// What the manager does by itself, again and again, in this order: load reports (they may still end
// targets in time), end what is overdue, look at certificates. One thread, one thing at a time;
// each thing bounded, so that none keeps the others waiting.

import BGBModel
import BGBSigning
import Logging
import Reactor
import ServiceSettings
import SiteDatabase

/// The manager's rounds; used by one thread.
struct Rounds {
  /// The longest pause after the database did not answer.
  static let pauseMillisecondsMax: UInt64 = 30_000
  /// How often certificates are looked at.
  static let certificateMilliseconds: UInt64 = 3_600_000

  let folder: SiteFolder
  let store: any SiteStore
  let hub: ProgressHub
  let desk: StatusDesk
  let gauges: ManagerGauges
  let settings: LiveSettings
  let clock: SiteClock
  let log: Logger
  var intake: ReportIntake

  private var pace = SweepPace()
  private var nextOverdue = Ticks.zero
  private var nextCertificates = Ticks.zero
  private var pauseMilliseconds: UInt64 = 0
  private var pausedUntil = Ticks.zero

  /// Joins the parts; everything is due at once.
  init(
    folder: SiteFolder, store: any SiteStore, hub: ProgressHub, desk: StatusDesk,
    gauges: ManagerGauges, settings: LiveSettings, clock: SiteClock, log: Logger,
    intake: ReportIntake
  ) {
    self.folder = folder
    self.store = store
    self.hub = hub
    self.desk = desk
    self.gauges = gauges
    self.settings = settings
    self.clock = clock
    self.log = log
    self.intake = intake
  }

  /// Does what is due, and says when the next thing is.
  ///
  /// - Parameter heard: whether the inbox announced a file since the last call.
  mutating func go(heard: Bool, at now: Ticks) -> Ticks {
    if heard { pace.hear(bytes: intake.waitingBytes(), at: now) }
    if now < pausedUntil { return pausedUntil }
    do {
      if now >= pace.due { try loadReports(at: now) }
      if now >= nextOverdue { try closeOverdue(at: now) }
      recover()
    } catch { pause(because: error, at: now) }
    if now >= nextCertificates { lookAtCertificates(at: now) }
    gauges.set(.lastRound, clock.now().milliseconds)
    return max(pausedUntil, min(pace.due, nextOverdue, nextCertificates))
  }

  private mutating func loadReports(at now: Ticks) throws(StoreError) {
    let result = try intake.sweep()
    hub.touch(result.operations)
    let interval = UInt64(clamping: settings.current.sweepInterval.milliseconds)
    pace.swept(isMoreWaiting: result.isMoreWaiting, interval: interval, at: now)
  }

  private mutating func closeOverdue(at now: Ticks) throws(StoreError) {
    hub.touch(try store.closeOverdue(at: clock.now()))
    nextOverdue = now + UInt64(clamping: settings.current.overdueInterval.milliseconds)
  }

  private mutating func recover() {
    gauges.set(.databaseReady, 1)
    guard pauseMilliseconds > 0 else { return }
    pauseMilliseconds = 0
    desk.tell(.databaseBack)
  }

  /// Waits longer each time, so that a database in trouble is not asked without rest.
  private mutating func pause(because error: StoreError, at now: Ticks) {
    gauges.set(.databaseReady, 0)
    pauseMilliseconds = min(max(1_000, pauseMilliseconds * 2), Rounds.pauseMillisecondsMax)
    pausedUntil = now + pauseMilliseconds
    desk.tell(.databaseUnavailable(reason: "\(error)"))
  }

  private mutating func lookAtCertificates(at now: Ticks) {
    nextCertificates = now + Rounds.certificateMilliseconds
    look(at: "\(folder.authority)/\(CertificateAuthority.certificateFile)", of: "the site's CA")
    for name in SiteFiles.names(in: folder.servers) {
      look(at: "\(folder.servers)/\(name)/server.crt", of: "the server \(name)")
    }
  }

  private func look(at path: String, of what: String) {
    // Servers of other hosts keep their certificates there; what is not here is not looked at.
    guard let bytes = try? SiteFiles.read(path, limit: 65_536),
      let facts = try? CertificateFacts.read(pem: String(decoding: bytes, as: UTF8.self))
    else { return }
    let left = facts.notAfter.since(clock.now())
    if left <= 0 {
      desk.tell(.certificateExpired(what: what))
    } else if left < Int64(settings.current.certificateWarningDays) * 86_400_000 {
      desk.tell(.certificateNearExpiry(what: what, days: left / 86_400_000))
    }
  }
}
