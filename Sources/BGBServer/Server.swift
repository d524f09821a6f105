// A notification server put together: keys and certificates, the site, the threads, the loop. It
// starts in an order in which nothing is promised before it can be kept, and ends in the reverse.

import BGBModel
import BGBReport
import BGBSigning
import Glibc
import Logging
import Reactor
import ServiceLog
import ServiceSettings
import SiteDatabase
import SiteDatabaseSQLite
import Synchronization
import Transports

/// Why a server could not start; a sentence that says what to do.
struct StartError: Error, CustomStringConvertible {
  let description: String
}

/// One notification server in this process.
struct Server {
  let settings: ServerSettings
  private let settingsFile: String
  /// Which of several workers this process is; nil for a server of one process.
  private let worker: Int?
  private let logHandle: LogHandle
  private let httpLogHandle: LogHandle
  let log: Logger
  private let time = TimeSource.system

  init(
    settings: ServerSettings, settingsFile: String, worker: Int? = nil, logHandle: LogHandle,
    httpLogHandle: LogHandle
  ) {
    self.settings = settings
    self.settingsFile = settingsFile
    self.worker = worker
    self.logHandle = logHandle
    self.httpLogHandle = httpLogHandle
    var log = logHandle.logger("bgb-server")
    if let worker { log[metadataKey: "worker"] = "\(worker)" }
    self.log = log
  }

  /// Starts, serves until it is told to stop, ends in order.
  ///
  /// `announce` gets the addresses it listens on, once it does.
  func run(announce: ([String]) -> Void) throws(StartError) {
    ProcessMemory.prepare()
    // Who wants OpenSSL as it is gets its memory and its names as they are, too.
    if settings.tlsAlgorithms == .narrow {
      HandshakeMemory.prepare()
      NarrowNames.prepare()
    }
    StatusCatalogue.use(machine: settings.name)
    try checkFileLimit()
    let reportKey = try readReportKey()
    let lock = worker == nil ? nil : try lockJournal()
    defer { withExtendedLifetime(lock) {} }
    let link = try openSite()
    let registration = try register(link, reportKey)
    log.notice(
      "Starting SMS Notification Server...",
      metadata: [
        "name": "\(settings.name)", "server": "\(registration.serverID)",
        "epoch": "\(registration.epoch)", "site": "\(registration.site)",
      ])
    do throws(Errno) {
      try serve(registration, link, reportKey, announce)
    } catch {
      throw StartError(description: "the system refuses what the server needs: \(error)")
    }
    log.notice("stopped")
  }

  private func serve(
    _ registration: SiteRegistration, _ link: DatabaseSiteLink, _ reportKey: SigningKey,
    _ announce: ([String]) -> Void
  ) throws(Errno) {
    let shardBox = try Mailbox<ShardLetter>()
    let journalBox = try Mailbox<JournalLetter>()
    let siteBox = try Mailbox<SiteLetter>()
    let (log, time, folder) = (log, time, settings.journal.path)
    let others = worker ?? 1 == 1 ? settings.leftJournals : []
    // Signals are blocked before the first thread, so that every thread inherits that.
    let signals = try SignalDescriptor([SIGTERM, SIGINT, SIGHUP, SIGUSR1])
    Signals.ignoreBrokenPipe()
    let journalThread = try LetterThread.start(
      name: "bgb-journal", mailbox: journalBox,
      makeState: { JournalThread(folder: folder, adopting: others, shard: shardBox, log: log) },
      work: { $0.work($1) })
    let siteThread = try LetterThread.start(
      name: "bgb-site", mailbox: siteBox,
      makeState: {
        SiteWork(
          link: link, reportKey: reportKey, shard: shardBox, journal: journalBox, time: time,
          log: log)
      },
      work: { $0.work($1) })
    let shard = try makeShard(registration, shardBox, journalBox, siteBox)
    let watch = SiteWatch(
      link: link, shard: shardBox, time: time, log: log, tables: targetTables)
    let watchThread = try KernelThread.start(name: "bgb-watch", stackSize: 2 << 20) {
      watch.run(from: registration)
    }
    let addresses = shard.listeners.map { "\($0.role) \($0.listener.boundAddress)" }
    let post = worker == nil ? nil : try WorkerPost(in: shard.loop)
    if let post { post.announce(addresses, shard.loop.poller) } else { announce(addresses) }
    tell(.started, "Notification server \(settings.name) started.", siteBox)
    for entry in shard.listeners where entry.role == .agent {
      tell(.listenerUp, "Agents can connect to \(entry.listener.boundAddress).", siteBox)
    }
    warnOfExpiry(shard)
    HandshakeMemory.keep()
    try turn(shard, signals, post)
    HandshakeMemory.end()
    tell(.stopped, "Notification server \(settings.name) stopped.", siteBox)
    watch.stop()
    watchThread.join()
    siteBox.post(.end)
    siteThread.join()
    journalBox.post(.end)
    journalThread.join()
    if let sentence = shard.fatal { log.critical("\(sentence)") }
  }

  /// Turns the loop, with signals as one more thing to be ready.
  private func turn(
    _ shard: Shard, _ signals: borrowing SignalDescriptor, _ post: WorkerPost?
  ) throws(Errno) {
    try shard.loop.poller.add(signals.fd, .signals, .readable)
    try shard.loop.hurry(for: signals.fd)
    while shard.life != .done {
      try shard.turn()
      if let post { attend(post, shard) }
      while let signal = signals.next() {
        switch signal {
        case SIGHUP: _ = reload(shard)
        case SIGUSR1: reopenLog()
        default: shard.beginDrain()
        }
      }
    }
  }

  func tell(_ status: StatusCatalogue, _ text: String, _ site: Mailbox<SiteLetter>) {
    site.post(.status(status.message(at: WallTime(milliseconds: time.wall()), text: text)))
  }

  /// Refuses to start with fewer files than connections: better now than in the middle of a storm.
  private func checkFileLimit() throws(StartError) {
    // Listeners, the database, the journal, logs and reports besides.
    let needed = UInt64(max(0, settings.connectionsMax + settings.shard.parkedMax)) + 128
    guard let files = try? ProcessLimits.raiseOpenFiles(), files < needed else { return }
    throw StartError(
      description: "connections-max \(settings.connectionsMax) needs \(needed) open files and this "
        + "process may have \(files): lower the setting or raise the limit (LimitNOFILE)")
  }

  // MARK: Parts

  private func readReportKey() throws(StartError) -> SigningKey {
    do throws(SigningError) {
      return try SigningKey.load(settings.reportKey.path)
    } catch {
      throw StartError(description: "the report key cannot be used: \(error)")
    }
  }

  private func openSite() throws(StartError) -> DatabaseSiteLink {
    let folder = settings.site.path
    let store: any SiteStore
    do throws(StoreError) {
      store = try SQLiteSiteStore.open(at: "\(folder)/site.db")
    } catch {
      throw StartError(description: "\(error) (site folder \(folder))")
    }
    do throws(DropError) {
      return DatabaseSiteLink(store: store, inbox: try DropBox("\(folder)/inbox/bgb.box"))
    } catch {
      throw StartError(description: "the inbox cannot be used: \(error)")
    }
  }

  private func register(
    _ link: DatabaseSiteLink, _ reportKey: SigningKey
  ) throws(StartError) -> SiteRegistration {
    do throws(SiteLinkError) {
      let now = WallTime(milliseconds: time.wall())
      guard let worker, worker > 1 else { return try link.register(named: settings.name, at: now) }
      return try link.registerWorker(
        worker, of: settings.serverName, reportKey: reportKey.publicKey.rawValue, at: now)
    } catch {
      throw StartError(
        description: "the site does not take this server: \(error); run `bgb server add` first")
    }
  }

  /// Where this server's workers share targets; nil for a server of one process.
  private var targetTables: TargetTables? {
    worker.map {
      TargetTables(folder: settings.targetTables(ofWorker: $0), time: time, log: log)
    }
  }

  private func makeShard(
    _ registration: SiteRegistration, _ shardBox: Mailbox<ShardLetter>,
    _ journalBox: Mailbox<JournalLetter>, _ siteBox: Mailbox<SiteLetter>
  ) throws(Errno) -> Shard {
    let loop = try Loop(
      time: time, timerCapacity: settings.connectionsMax,
      sleepMaximumMilliseconds: Int32(clamping: Shard.quietMilliseconds), mayGather: true)
    var listeners: [ShardListener] = []
    for address in settings.listen { listeners += try open(address.host, address.port, .agent) }
    for address in settings.httpsListen {
      listeners += try open(address.host, address.port, .https)
    }
    if let address = settings.healthListen {
      listeners += try open(address.host, address.port, .watch)
    }
    let now = time.wall() / 1000
    let plan = try makePlan(settings, now)
    let desk = plan?.desk(nil, site: registration.site, time: time)
    let contexts = try makeContexts(settings, now, desk)
    var rules = settings.shard
    rules.kernelSeals = announceRecordLayer() == .kernel
    let shard = try Shard(
      loop: loop, mailbox: shardBox, journal: journalBox, site: siteBox,
      identity: ReportIdentity(
        site: registration.site, serverID: registration.serverID, epoch: registration.epoch),
      settings: rules, agentTLS: contexts.agent, httpsTLS: contexts.https,
      listeners: listeners, log: log, httpLog: httpLogHandle.logger("bgb-http"))
    ReconnectPlan.apply(plan, desk, to: shard)
    return shard
  }

  /// Says who seals and opens records in this process, and why it is not whom the setting names.
  private func announceRecordLayer() -> ServerSettings.RecordLayer {
    let refusal = settings.tlsRecords == .kernel ? KernelTLS.refusal() : nil
    let layer = settings.tlsRecords.inUse(refusal)
    if let refusal {
      log.warning(
        "This kernel has no TLS: the server seals and opens records itself.",
        metadata: ["tls-records": "\(layer)", "error": "\(refusal)"])
    } else {
      log.notice("TLS records", metadata: ["tls-records": "\(layer)"])
    }
    return layer
  }

  private func makePlan(
    _ settings: ServerSettings, _ now: Int64
  ) throws(Errno) -> ReconnectPlan? {
    do throws(TLSSetupError) {
      return try ReconnectPlan(settings, now: now)
    } catch {
      log.critical("no reconnect identities", metadata: ["error": "\(error)"])
      throw .invalidArgument
    }
  }

  private func open(
    _ host: String, _ port: UInt16, _ role: ConnectionRole
  ) throws(Errno) -> [ShardListener] {
    guard let addresses = try? SocketAddress.resolve(host: host, port: port),
      let address = addresses.first
    else {
      log.critical("address not found", metadata: ["host": "\(host)"])
      throw .addressNotAvailable
    }
    do throws(Errno) {
      let opened = try ShardListener.open(address, for: role, isShared: worker != nil)
      let bound = opened.listener.boundAddress
      log.notice(
        "Listening connections on port \(bound.port ?? 0)\(role.words).",
        metadata: ["address": "\(bound)", "for": "\(role)"])
      return [opened]
    } catch {
      log.critical("cannot listen", metadata: ["address": "\(address)", "error": "\(error)"])
      throw error
    }
  }

  /// The TLS rules of both listeners; tickets of one are no good at the other.
  private func makeContexts(
    _ settings: ServerSettings, _ now: Int64, _ reconnects: ReconnectDesk?
  ) throws(Errno) -> (agent: TLSContext, https: TLSContext) {
    do throws(TLSSetupError) {
      let keys = try TicketKeyFile(path: settings.ticketKeys.path).loadOrMake(now: now)
      var agent = TLSOptions()
      agent.ticketKeys = keys
      agent.detaches = settings.tlsRecords != .openssl
      agent.algorithms = settings.tlsAlgorithms
      agent.sessionContext = "bgb-agent"
      // Whoever takes identities needs no ticket, and whoever does not gets one at its sign-in.
      if reconnects != nil { agent.ticketsPerHandshake = 0 }
      var https = TLSOptions()
      https.ticketKeys = keys
      https.detaches = settings.tlsRecords != .openssl
      https.algorithms = settings.tlsAlgorithms
      https.sessionContext = "bgb-https"
      https.oldestVersion = settings.httpsTls == .tls12 ? .tls12 : .tls13
      return (
        try makeContext(settings, agent, reconnects), try makeContext(settings, https, nil)
      )
    } catch {
      log.critical("TLS cannot be set up", metadata: ["error": "\(error)"])
      throw .invalidArgument
    }
  }

  private func makeContext(
    _ settings: ServerSettings, _ options: TLSOptions, _ reconnects: ReconnectDesk?
  ) throws(TLSSetupError) -> TLSContext {
    try TLSContext(
      role: .server, certificateChainFile: settings.certificate.path,
      privateKeyFile: settings.key.path, caFile: settings.ca.path, options: options,
      reconnects: reconnects)
  }

  // MARK: While running

  /// Reads the settings file anew: certificates for connections to come, periods, limits, log
  /// level.
  ///
  /// Those that live keep what they have. What cannot be read leaves everything as it was, and says
  /// so.
  func reload(_ shard: Shard) -> Bool {
    defer { warnOfExpiry(shard) }
    do {
      var fresh = try ServerSettings.load(settingsFile)
      if let worker { fresh = fresh.worker(worker) }
      let now = time.wall() / 1000
      let plan = try makePlan(fresh, now)
      let desk = plan?.desk(shard.reconnects, site: shard.identity.site, time: time)
      let contexts = try makeContexts(fresh, now, desk)
      ReconnectPlan.apply(plan, desk, to: shard)
      shard.agentTLS = contexts.agent
      shard.httpsTLS = contexts.https
      var changed = fresh.shard
      // The table of connections was made for this many.
      changed.connectionsMax = shard.settings.connectionsMax
      changed.kernelSeals = shard.settings.kernelSeals
      shard.settings = changed
      if let level = Logger.Level(rawValue: fresh.log.level) {
        logHandle.setLevel(level)
        httpLogHandle.setLevel(level)
      }
      let needsRestart = fresh.needsRestart(insteadOf: settings)
      log.notice(
        "reloaded",
        metadata: [
          "online": "\(shard.registry.onlineCount)",
          "restart-for": "\(needsRestart.joined(separator: ","))",
        ])
      return true
    } catch {
      log.error("reload refused, everything stays as it was", metadata: ["error": "\(error)"])
      return false
    }
  }

  /// A status message when our own certificate has less than two weeks left.
  private func warnOfExpiry(_ shard: Shard) {
    // Workers share one certificate: the first of them speaks of it.
    guard worker ?? 1 == 1, let own = shard.agentTLS.ownCertificate else { return }
    let days = (own.notAfter - time.wall() / 1000) / 86_400
    guard days < 14 else { return }
    tell(
      .certificateNearExpiry,
      "The certificate of notification server \(settings.name) expires in \(days) days.",
      shard.site)
  }

  func reopenLog() {
    do throws(LogError) {
      try logHandle.reopen()
      try httpLogHandle.reopen()
    } catch {
      log.error("log not reopened", metadata: ["error": "\(error)"])
    }
  }
}
