// The tables, as an append-only list of migrations: a published one is never edited. Names are the
// original's where it has them; times are integers in milliseconds since 1970, and the views show
// them as text. Tables are STRICT, so that a value of a wrong type cannot get in by any door.

import BGBModel
import GRDB
import SiteDatabase

enum Schema {
  /// Marks a file as a site database ("BGBs").
  static let applicationID: Int64 = 0x4247_4273

  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1 site") { db in
      for sql in siteTables + taskTables + serverTables + journalTables { try db.execute(sql: sql) }
      for sql in SchemaViews.site { try db.execute(sql: sql) }
    }
    migrator.registerMigration("2 channel") { db in
      for sql in channelTables + SchemaViews.channel { try db.execute(sql: sql) }
    }
    migrator.registerMigration("3 drain") { db in
      for sql in drainTables + SchemaViews.drain { try db.execute(sql: sql) }
    }
    return migrator
  }

  /// Marks an empty file as ours; refuses a file that is something else.
  static func claim(_ db: Database) throws {
    if try db.number("PRAGMA application_id") == applicationID { return }
    guard try db.number("SELECT count(*) FROM sqlite_master") == 0 else {
      throw StoreError.damaged("the file is a database, but not one of a site")
    }
    try db.execute(sql: "PRAGMA application_id = \(applicationID)")
  }

  /// Refuses a file of another kind or version.
  static func check(_ db: Database, path: String) throws {
    guard try db.number("PRAGMA application_id") == applicationID else {
      throw StoreError.damaged("\(path) is not a site database")
    }
    let migrator = Schema.migrator
    if try migrator.hasBeenSuperseded(db) {
      throw StoreError.damaged("\(path) was made by a newer version of BGB; use that version")
    }
    guard try migrator.hasCompletedMigrations(db) else {
      throw StoreError.damaged(
        "\(path) was made by an older version of BGB; bring it up to date with 'bgb site init'")
    }
  }

  /// Writes the tables of words that the views join: they follow the code, not the migrations.
  static func fillTables(_ db: Database) throws {
    for state in TaskState.allCases {
      try db.run(
        "INSERT OR REPLACE INTO BGB_TaskState (State, Name) VALUES (?, ?)",
        [Int64(state.rawValue), state.name])
    }
    for reason in PresenceReason.allCases {
      try db.run(
        "INSERT OR REPLACE INTO BGB_PresenceReason (Reason, Name) VALUES (?, ?)",
        [Int64(reason.rawValue), reason.name])
    }
    for reason in FallbackReason.allCases {
      try db.run(
        "INSERT OR REPLACE INTO BGB_FallbackReason (Reason, Name) VALUES (?, ?)",
        [Int64(reason.rawValue), reason.name])
    }
    for action in ClientAction.allCases {
      try db.run(
        """
        INSERT OR REPLACE INTO BGB_TaskTemplate
          (TemplateID, Name, Title, OriginalName, Permission, Class, TravelsByPolicy)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """,
        [
          Int64(action.rawValue), action.name, action.title, action.originalName,
          action.permission.rawValue, action.actionClass.rawValue, action.travelsByPolicy ? 1 : 0,
        ])
    }
  }

  /// The counter columns of `BGB_Task`, in the order of the states.
  static let counters = TaskState.allCases.map { state in
    state.name.prefix(1).uppercased() + state.name.dropFirst()
  }

  private static let siteTables = [
    """
    CREATE TABLE BGB_Site (
      SiteCode TEXT NOT NULL PRIMARY KEY, Name TEXT NOT NULL, TaskKeys BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE BGB_Client (
      ResourceID INTEGER PRIMARY KEY AUTOINCREMENT CHECK (ResourceID BETWEEN 1 AND 4294967295),
      ClientID TEXT NOT NULL UNIQUE, Name TEXT NOT NULL UNIQUE, Tags TEXT NOT NULL,
      IsBlocked INTEGER NOT NULL, CreateTime INTEGER NOT NULL, Hostname TEXT NOT NULL,
      OperatingSystem TEXT NOT NULL, AgentVersion TEXT NOT NULL, IPAddress TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX BGB_Client_Blocked ON BGB_Client (ResourceID) WHERE IsBlocked = 1",
    """
    CREATE TABLE BGB_ResStatus (
      ResourceID INTEGER PRIMARY KEY, OnlineStatus INTEGER NOT NULL, ServerID INTEGER NOT NULL,
      LastOnlineTime INTEGER, LastOfflineTime INTEGER, LastProofTime INTEGER NOT NULL,
      Reason INTEGER NOT NULL, ChannelType INTEGER NOT NULL, Session INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX BGB_ResStatus_Online ON BGB_ResStatus (ServerID) WHERE OnlineStatus = 1",
    "CREATE TABLE BGB_PresenceReason (Reason INTEGER PRIMARY KEY, Name TEXT NOT NULL) STRICT",
    """
    CREATE TABLE BGB_Collection (
      CollectionID INTEGER PRIMARY KEY AUTOINCREMENT, Name TEXT NOT NULL UNIQUE
    ) STRICT
    """,
    """
    CREATE TABLE BGB_CollectionRule (
      CollectionID INTEGER NOT NULL REFERENCES BGB_Collection ON DELETE CASCADE,
      Ordinal INTEGER NOT NULL, Kind INTEGER NOT NULL, Value TEXT NOT NULL,
      PRIMARY KEY (CollectionID, Ordinal)
    ) STRICT, WITHOUT ROWID
    """,
    // One client's membership asks for its own direct rule, among perhaps 100,000.
    "CREATE INDEX BGB_CollectionRule_Value ON BGB_CollectionRule (CollectionID, Kind, Value)",
    "INSERT INTO BGB_Collection (CollectionID, Name) VALUES (1, '\(CollectionRecord.allSystems)')",
    "INSERT INTO BGB_CollectionRule (CollectionID, Ordinal, Kind, Value) VALUES (1, 0, 0, '')",
    """
    CREATE TABLE BGB_Policy (
      Name TEXT NOT NULL PRIMARY KEY, Version INTEGER NOT NULL, Collection TEXT NOT NULL,
      Document TEXT NOT NULL, IsRemoved INTEGER NOT NULL
    ) STRICT
    """,
  ]

  private static let taskTables = [
    """
    CREATE TABLE BGB_TaskTemplate (
      TemplateID INTEGER PRIMARY KEY, Name TEXT NOT NULL, Title TEXT NOT NULL,
      OriginalName TEXT NOT NULL, Permission TEXT NOT NULL, Class TEXT NOT NULL,
      TravelsByPolicy INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE TABLE BGB_TaskState (State INTEGER PRIMARY KEY, Name TEXT NOT NULL) STRICT",
    // The database itself refuses counters that do not add up to the snapshot.
    """
    CREATE TABLE BGB_Task (
      TaskID INTEGER PRIMARY KEY AUTOINCREMENT, GUID TEXT NOT NULL UNIQUE,
      TemplateID INTEGER NOT NULL, Param TEXT NOT NULL, Statement BLOB NOT NULL,
      Signature BLOB NOT NULL, TargetName TEXT NOT NULL, TargetCount INTEGER NOT NULL,
      RequestedBy TEXT NOT NULL, CreateTime INTEGER NOT NULL, DeliverBefore INTEGER NOT NULL,
      CloseTime INTEGER NOT NULL, NextCloseTime INTEGER, CancelTime INTEGER,
      RatePerSecond INTEGER NOT NULL, RestState INTEGER NOT NULL, RestTime INTEGER NOT NULL,
      IdempotencyKey TEXT UNIQUE, Fingerprint TEXT NOT NULL,
      \(counters.map { "\($0) INTEGER NOT NULL CHECK (\($0) >= 0)" }.joined(separator: ", ")),
      CHECK (\(counters.joined(separator: " + ")) = TargetCount)
    ) STRICT
    """,
    """
    CREATE INDEX BGB_Task_NextClose ON BGB_Task (NextCloseTime) WHERE NextCloseTime IS NOT NULL
    """,
    "CREATE INDEX BGB_Task_DeliverBefore ON BGB_Task (DeliverBefore)",
    "CREATE INDEX BGB_Task_CreateTime ON BGB_Task (CreateTime)",
    // Apart from the counters, so that a counter that moves does not write the set anew.
    """
    CREATE TABLE BGB_TaskTarget (
      TaskID INTEGER PRIMARY KEY REFERENCES BGB_Task ON DELETE CASCADE, TargetSet BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE BGB_ResTask (
      TaskID INTEGER NOT NULL, ResourceID INTEGER NOT NULL, State INTEGER NOT NULL,
      Code INTEGER NOT NULL, Text TEXT NOT NULL, StatusTime INTEGER NOT NULL,
      Pushes INTEGER NOT NULL, IsAssumed INTEGER NOT NULL, PRIMARY KEY (TaskID, ResourceID)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX BGB_ResTask_State ON BGB_ResTask (TaskID, State, ResourceID)",
    """
    CREATE TABLE BGB_ResTaskHistory (
      TaskID INTEGER NOT NULL, ResourceID INTEGER NOT NULL, State INTEGER NOT NULL,
      StatusTime INTEGER NOT NULL, Code INTEGER NOT NULL, Text TEXT NOT NULL,
      ServerID INTEGER NOT NULL, ReportTime INTEGER NOT NULL, ImportTime INTEGER NOT NULL,
      PRIMARY KEY (TaskID, ResourceID, State)
    ) STRICT, WITHOUT ROWID
    """,
  ]

  private static let serverTables = [
    """
    CREATE TABLE BGB_Server (
      ServerID INTEGER PRIMARY KEY AUTOINCREMENT CHECK (ServerID BETWEEN 1 AND 4294967295),
      ServerName TEXT NOT NULL UNIQUE, ReportKey BLOB NOT NULL, Epoch INTEGER NOT NULL,
      QueueCursor INTEGER NOT NULL, LastOnlineEpoch INTEGER, LastOnlineVersion INTEGER,
      ReportTime INTEGER
    ) STRICT
    """,
    // ServerID NULL means all servers.
    """
    CREATE TABLE BGB_Queue (
      MessageID INTEGER PRIMARY KEY AUTOINCREMENT, Kind INTEGER NOT NULL, TaskGUID TEXT,
      ServerID INTEGER
    ) STRICT
    """,
    """
    CREATE TABLE BGB_ReportLedger (
      ServerID INTEGER NOT NULL, Kind TEXT NOT NULL, Epoch INTEGER NOT NULL,
      Sequence INTEGER NOT NULL, Scope TEXT NOT NULL, WriteTime INTEGER NOT NULL,
      ImportTime INTEGER NOT NULL, Records INTEGER NOT NULL, LeftOut INTEGER NOT NULL,
      MissingBefore INTEGER NOT NULL, PRIMARY KEY (ServerID, Kind, Epoch, Sequence)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX BGB_ReportLedger_ImportTime ON BGB_ReportLedger (ImportTime)",
  ]

  private static let channelTables = [
    "CREATE TABLE BGB_FallbackReason (Reason INTEGER PRIMARY KEY, Name TEXT NOT NULL) STRICT",
    "ALTER TABLE BGB_ResStatus ADD COLUMN FallbackReason INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE BGB_ResStatus ADD COLUMN ChannelSince INTEGER",
  ]

  private static let drainTables = [
    "ALTER TABLE BGB_Queue ADD COLUMN Detail TEXT",
    "ALTER TABLE BGB_Server ADD COLUMN DrainState INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE BGB_Server ADD COLUMN DrainTotal INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE BGB_Server ADD COLUMN DrainLeft INTEGER NOT NULL DEFAULT 0",
  ]

  private static let journalTables = [
    """
    CREATE TABLE BGB_StatusMessage (
      RecordID INTEGER PRIMARY KEY AUTOINCREMENT, Time INTEGER NOT NULL, Component TEXT NOT NULL,
      MachineName TEXT NOT NULL, MessageID INTEGER NOT NULL, Severity INTEGER NOT NULL,
      Text TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE BGB_Audit (
      RecordID INTEGER PRIMARY KEY AUTOINCREMENT, Time INTEGER NOT NULL, Actor TEXT NOT NULL,
      Action TEXT NOT NULL, Detail TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX BGB_StatusMessage_Time ON BGB_StatusMessage (Time)",
    "CREATE INDEX BGB_Audit_Time ON BGB_Audit (Time)",
  ]
}
