// The site database in one SQLite file, shared by the processes of one host: write-ahead log, every
// acknowledged transaction synced to disk, one writer at a time. GRDB keeps connections, statements
// and migrations; this file opens the door and turns GRDB's errors into the contract's.

import BGBModel
import GRDB
import Glibc
public import SiteDatabase

/// A site database in an SQLite file.
///
/// Any number of processes may have the same file open. A doorbell next to it (`run/server-N.bell`)
/// wakes a server's `messages` call the moment another process has committed something for it.
/// SQLite knows no users: who may write the file may change all of it, so its mode is the only
/// guard.
public final class SQLiteSiteStore: SiteStore {
  /// How long a call waits for the writer before it is `StoreError.unavailable`.
  static let busySeconds = 5.0

  /// Between two looks at the queue without a ring, at most.
  static let backstop = Duration.seconds(1)

  let pool: DatabasePool
  let bells: Doorbells
  let code: SiteCode
  let backstop: Duration
  let targetCache = TargetCache()
  /// The closed connection that checked the file.
  ///
  /// Kept, for to free its queue starts a thread of libdispatch that wakes up every second as long
  /// as the process lives.
  private let gate: DatabaseQueue

  // MARK: Opening

  /// Makes the database of a site, or brings an older one of the same site up to date.
  ///
  /// The only call that creates or migrates; the site's row is written once and then stays.
  public static func create(
    at path: String, site: SiteRecord
  ) throws(StoreError) -> SQLiteSiteStore {
    let lock = try FileLock(besides: path)
    defer { lock.end() }
    try FileLock.makeFile(path)
    try rethrowing {
      // Not a pool yet: a pool would turn a file that is not ours into write-ahead mode.
      let queue = try DatabaseQueue(path: path, configuration: configuration(busySeconds))
      try queue.write { db in try Schema.claim(db) }
      try queue.close()
      let pool = try durablePool(path, busySeconds)
      try Schema.migrator.migrate(pool)
      try pool.write { db in
        try Schema.fillTables(db)
        try keepSite(site, db)
      }
      try pool.close()
    }
    return try open(at: path)
  }

  /// Opens the database that `create` made; refuses a missing, foreign, older or newer one.
  public static func open(at path: String) throws(StoreError) -> SQLiteSiteStore {
    try open(at: path, busySeconds: busySeconds, backstop: backstop)
  }

  static func open(
    at path: String, busySeconds: Double, backstop: Duration
  ) throws(StoreError) -> SQLiteSiteStore {
    guard FileLock.isRegularFile(path) else {
      throw .damaged("there is no site database at \(path); make one with 'bgb site init'")
    }
    return try rethrowing {
      var readOnly = configuration(busySeconds)
      readOnly.readonly = true
      let queue = try DatabaseQueue(path: path, configuration: readOnly)
      try queue.read { db in try Schema.check(db, path: path) }
      try queue.close()
      let pool = try durablePool(path, busySeconds)
      let site = try pool.read { db in try SQLiteSiteStore.site(db) }
      return SQLiteSiteStore(
        pool: pool, gate: queue, bells: try Doorbells(besides: path), code: site.code,
        backstop: backstop)
    }
  }

  private init(
    pool: DatabasePool, gate: DatabaseQueue, bells: Doorbells, code: SiteCode, backstop: Duration
  ) {
    self.pool = pool
    self.gate = gate
    self.bells = bells
    self.code = code
    self.backstop = backstop
  }

  private static func configuration(_ busySeconds: Double) -> Configuration {
    var configuration = Configuration()
    configuration.busyMode = .timeout(busySeconds)
    configuration.maximumReaderCount = 4
    configuration.label = "site"
    return configuration
  }

  /// Memory that the writing connection takes for pages when it needs them.
  ///
  /// The outcomes of one report lie all over a large operation's rows; with SQLite's 2 MB pages
  /// were written to the log and read again within one transaction.
  static let writeCacheKiB = 65_536
  /// Pages in the write-ahead log from which on a commit copies them to the database, 32 MB.
  ///
  /// The next report touches the same pages: with SQLite's 1,000 each one copied them all.
  static let checkpointPages = 8_192

  /// Opens a pool whose every commit is synced to disk.
  ///
  /// GRDB opens pools with `synchronous=NORMAL`, which may lose the last transactions at a power
  /// cut. What is acknowledged here is relied upon elsewhere (a server forgets, a report is
  /// deleted).
  private static func durablePool(_ path: String, _ busySeconds: Double) throws -> DatabasePool {
    let pool = try DatabasePool(path: path, configuration: configuration(busySeconds))
    try pool.writeWithoutTransaction { db in
      try db.execute(
        sql: """
          PRAGMA synchronous = FULL;
          PRAGMA cache_size = -\(writeCacheKiB);
          PRAGMA wal_autocheckpoint = \(checkpointPages)
          """)
    }
    return pool
  }

  private static func keepSite(_ site: SiteRecord, _ db: Database) throws {
    guard try db.row("SELECT SiteCode FROM BGB_Site") == nil else {
      let kept = try SQLiteSiteStore.site(db)
      guard kept.code == site.code else {
        throw StoreError.conflict("the database belongs to site \(kept.code), not \(site.code)")
      }
      return
    }
    try StoreChecks.checkName(site.name, of: "site")
    guard site.taskKeys.allSatisfy({ $0.count == 32 }) else {
      throw StoreError.invalid("a task key is 32 bytes of Ed25519")
    }
    try db.run(
      "INSERT INTO BGB_Site (SiteCode, Name, TaskKeys) VALUES (?, ?, ?)",
      [site.code.description, site.name, Blob(Array(site.taskKeys.joined()))])
  }

  // MARK: Calls

  /// Reads in one snapshot.
  func read<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
    try SQLiteSiteStore.rethrowing { try pool.read(body) }
  }

  /// Writes in one transaction.
  func write<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
    try SQLiteSiteStore.rethrowing { try pool.write(body) }
  }

  /// Writes in one transaction that may place messages, and wakes all servers after it.
  func writeAndRing<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
    let (value, servers) = try write { db in
      let value = try body(db)
      return (value, try db.numbers("SELECT ServerID FROM BGB_Server"))
    }
    for server in servers { bells.ring(ServerID(UInt32(truncatingIfNeeded: server))) }
    return value
  }

  /// The site's own row.
  public func site() throws(StoreError) -> SiteRecord { try read(SQLiteSiteStore.site) }

  private static func site(_ db: Database) throws -> SiteRecord {
    guard let row = try db.row("SELECT SiteCode, Name, TaskKeys FROM BGB_Site"),
      let code = SiteCode(try row.text(0))
    else { throw StoreError.damaged("the row of the site is missing") }
    let bytes = try row.bytes(2)
    let keys = stride(from: 0, to: bytes.count - bytes.count % 32, by: 32).map {
      Array(bytes[$0..<$0 + 32])
    }
    return SiteRecord(code: code, name: try row.text(1), taskKeys: keys)
  }

  /// Looks for damage in the whole file; takes long on a large one.
  public func checkIntegrity() throws(StoreError) {
    let answer = try read { db in
      try String.fetchAll(db, sql: "PRAGMA integrity_check(8)").joined(separator: "; ")
    }
    guard answer == "ok" else { throw .damaged(answer) }
  }

  /// The target set of a task.
  func targetSet(of task: Int64, _ db: Database) throws -> TargetSet {
    try targetCache.set(of: task) {
      let row = try db.row("SELECT TargetSet FROM BGB_TaskTarget WHERE TaskID = ?", [task])
      guard let row else { throw StoreError.damaged("task \(task) has no target set") }
      let bytes = try row.bytes(0)
      do throws(CodingError) {
        return try TargetSet(decoding: bytes)
      } catch {
        throw StoreError.damaged("the target set of task \(task) cannot be read: \(error)")
      }
    }
  }

  // MARK: Errors

  /// Runs a body and turns what it throws into the contract's errors.
  private static func rethrowing<Value>(_ body: () throws -> Value) throws(StoreError) -> Value {
    do {
      return try body()
    } catch let error as StoreError {
      throw error
    } catch let error as DatabaseError {
      throw StoreError(error)
    } catch {
      throw .damaged("\(error)")
    }
  }
}

extension StoreError {
  /// Sorts SQLite's result codes by what the caller does next.
  init(_ error: DatabaseError) {
    let text = error.message ?? error.resultCode.description
    switch error.resultCode {
    case .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_INTERRUPT, .SQLITE_ABORT, .SQLITE_NOMEM,
      .SQLITE_PROTOCOL:
      self = .unavailable(text)
    // A full disk or a device error may pass, and nothing was changed: SQLite rolled back.
    case .SQLITE_FULL, .SQLITE_IOERR, .SQLITE_CANTOPEN: self = .unavailable(text)
    case .SQLITE_CONSTRAINT: self = .conflict(text)
    case .SQLITE_TOOBIG: self = .invalid(text)
    default: self = .damaged(text)
    }
  }
}
