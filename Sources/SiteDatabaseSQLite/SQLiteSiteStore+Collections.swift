// Collections and policies in SQLite. Membership is decided in Swift (`SiteQuery`), the same for
// all back ends; the two common cases, everybody and one client, are left to the database.

public import BGBModel
import GRDB
public import SiteDatabase

extension SQLiteSiteStore {
  /// Makes a collection with rules.
  public func addCollection(
    named name: String, rules: [MembershipRule], by actor: String, at: WallTime
  ) throws(StoreError) -> CollectionRecord {
    try StoreChecks.checkName(name, of: "collection")
    try StoreChecks.checkRules(rules)
    return try write { db in
      guard try db.row("SELECT 1 FROM BGB_Collection WHERE Name = ?", [name]) == nil else {
        throw StoreError.conflict("there is a collection named '\(name)' already")
      }
      try db.run("INSERT INTO BGB_Collection (Name) VALUES (?)", [name])
      let collectionID = db.lastInsertedRowID
      try db.insert(rules, of: collectionID)
      try db.note(actor, "collection.add", "\(name) rules=\(rules.count)", at: at)
      return CollectionRecord(collectionID: collectionID, name: name, rules: rules)
    }
  }

  /// Replaces the rules of a collection.
  public func setRules(
    _ rules: [MembershipRule], of name: String, by actor: String, at: WallTime
  ) throws(StoreError) {
    try StoreChecks.checkChangeable(collection: name)
    try StoreChecks.checkRules(rules)
    try writeAndRing { db in
      let collectionID = try db.existing(collection: name)
      try db.run("DELETE FROM BGB_CollectionRule WHERE CollectionID = ?", [collectionID])
      try db.insert(rules, of: collectionID)
      if try db.policyName(ofCollection: name) != nil { try db.post(.policyChanged) }
      try db.note(actor, "collection.rules", "\(name) rules=\(rules.count)", at: at)
    }
  }

  /// Removes a collection.
  public func removeCollection(
    named name: String, by actor: String, at: WallTime
  ) throws(StoreError) {
    try StoreChecks.checkChangeable(collection: name)
    try write { db in
      let collectionID = try db.existing(collection: name)
      if let policy = try db.policyName(ofCollection: name) {
        throw StoreError.conflict(
          "the policy '\(policy)' is assigned to the collection '\(name)'")
      }
      try db.run("DELETE FROM BGB_Collection WHERE CollectionID = ?", [collectionID])
      try db.note(actor, "collection.remove", name, at: at)
    }
  }

  /// All collections by name.
  public func collections() throws(StoreError) -> [CollectionRecord] {
    try read { db in
      let found = try db.rows("SELECT CollectionID, Name FROM BGB_Collection ORDER BY Name") {
        try (id: $0.number(0), name: $0.text(1))
      }
      return try found.map { collection in
        CollectionRecord(
          collectionID: collection.id, name: collection.name, rules: try db.rules(of: collection.id)
        )
      }
    }
  }

  /// The members of a collection at this moment.
  public func members(ofCollection name: String) throws(StoreError) -> [TargetRecord] {
    try read { db in try db.members(ofCollection: name, self.code).map(\.target) }
  }

  /// How many of these clients are online now; blocked ones do not count.
  public func onlineCount(among target: OperationRequest.Target) throws(StoreError) -> (
    online: Int, targets: Int
  ) {
    try read { db in
      let candidates = try db.resolve(target, self.code).candidates.filter { !$0.isBlocked }
      return (candidates.count(where: \.isOnline), candidates.count)
    }
  }

  // MARK: Policies

  /// Adds or replaces a policy.
  public func putPolicy(
    named name: String, collection: String, document: String, by actor: String, at: WallTime
  ) throws(StoreError) -> PolicyRecord {
    try StoreChecks.checkName(name, of: "policy")
    try StoreChecks.checkDocument(document)
    return try writeAndRing { db in
      _ = try db.existing(collection: collection)
      try db.run(
        """
        INSERT INTO BGB_Policy (Name, Version, Collection, Document, IsRemoved)
        VALUES (?, 1, ?, ?, 0)
        ON CONFLICT (Name) DO UPDATE SET Version = Version + 1, Collection = excluded.Collection,
          Document = excluded.Document, IsRemoved = 0
        """, [name, collection, document])
      let version = try db.number("SELECT Version FROM BGB_Policy WHERE Name = ?", [name])
      try db.post(.policyChanged)
      let detail = "\(name) version=\(version) collection=\(collection)"
      try db.note(actor, "policy.put", detail, at: at)
      return PolicyRecord(
        name: name, version: version, collection: collection, document: document)
    }
  }

  /// Removes a policy; its version stays, so that it never says the same of something else.
  public func removePolicy(named name: String, by actor: String, at: WallTime) throws(StoreError) {
    try writeAndRing { db in
      try db.run(
        "UPDATE BGB_Policy SET IsRemoved = 1, Document = '' WHERE Name = ? AND IsRemoved = 0",
        [name])
      guard db.changesCount == 1 else { throw StoreError.notFound("policy '\(name)'") }
      try db.post(.policyChanged)
      try db.note(actor, "policy.remove", name, at: at)
    }
  }

  /// All policies by name.
  public func policies() throws(StoreError) -> [PolicyRecord] {
    try read { db in try db.policies() }
  }

  /// What one client must follow now.
  public func effectivePolicy(of clientID: ClientID) throws(StoreError) -> EffectivePolicy {
    try read { db in
      let client = try db.existing(clientID)
      let policies = try db.policies()
      var answers: [String: Bool] = [:]
      for policy in policies where answers[policy.collection] == nil {
        let isMember = try db.isMember(client, ofCollection: policy.collection, self.code)
        answers[policy.collection] = isMember
      }
      return EffectivePolicy(policies.filter { answers[$0.collection] == true })
    }
  }

  /// Unexpired tasks that this client may fetch with its policy.
  public func policyTasks(
    of clientID: ClientID, at: WallTime
  ) throws(StoreError) -> [TaskRecord] {
    let codes = ClientAction.allCases.filter(\.travelsByPolicy).map { String($0.rawValue) }
    return try read { db in
      let resourceID = try db.existing(clientID).resourceID
      let tasks = try db.rows(
        """
        \(TaskRow.select) WHERE DeliverBefore > ? AND CancelTime IS NULL
          AND TemplateID IN (\(codes.joined(separator: ", "))) ORDER BY TaskID
        """, [at.column], TaskRow.init(row:))
      return try tasks.filter { task in
        let known = try self.known(of: resourceID, task, db)
        return known.map { KnownOutcome.isUnanswered($0.state) } == true
      }.map(\.record)
    }
  }
}

/// A client as a possible target.
struct Candidate {
  var target: TargetRecord
  var isBlocked: Bool
  var isOnline: Bool

  static let select = """
    SELECT c.ResourceID, c.ClientID, c.IsBlocked, coalesce(s.OnlineStatus, 0)
    FROM BGB_Client c LEFT JOIN BGB_ResStatus s ON s.ResourceID = c.ResourceID
    """

  init(row: Row) throws {
    target = try TargetRecord(
      resourceID: ResourceID(row.number(0)), clientID: ClientID(column: row.text(1)))
    isBlocked = try row.number(2) != 0
    isOnline = try row.number(3) != 0
  }

  init(_ client: ClientRecord) {
    target = TargetRecord(resourceID: client.resourceID, clientID: client.clientID)
    isBlocked = client.isBlocked
    isOnline = client.presence?.isOnline == true
  }
}

extension Database {
  /// The number of a collection that must exist.
  func existing(collection name: String) throws -> Int64 {
    let found = try row("SELECT CollectionID FROM BGB_Collection WHERE Name = ?", [name])
    guard let found else { throw StoreError.notFound("collection '\(name)'") }
    return try found.number(0)
  }

  /// Writes rules in their order.
  func insert(_ rules: [MembershipRule], of collectionID: Int64) throws {
    for (ordinal, rule) in rules.enumerated() {
      let (kind, value) =
        switch rule {
        case .everybody: (0, "")
        case .direct(let clientID): (1, clientID.description)
        case .query(let text): (2, text)
        }
      try run(
        "INSERT INTO BGB_CollectionRule (CollectionID, Ordinal, Kind, Value) VALUES (?, ?, ?, ?)",
        [collectionID, ordinal, kind, value])
    }
  }

  /// The rules of a collection in their order; `kind` for those of one kind only.
  func rules(of collectionID: Int64) throws -> [MembershipRule] {
    try rows(
      "SELECT Kind, Value FROM BGB_CollectionRule WHERE CollectionID = ? ORDER BY Ordinal",
      [collectionID]
    ) { row in
      switch try row.number(0) {
      case 0: .everybody
      case 1: .direct(try ClientID(column: row.text(1)))
      default: .query(try row.text(1))
      }
    }
  }

  /// The members of a collection, by resource id.
  func members(ofCollection name: String, _ code: SiteCode) throws -> [Candidate] {
    let ready = try MembershipRule.ready(rules(of: existing(collection: name)))
    if ready.contains(where: { if case .everybody = $0 { true } else { false } }) {
      return try rows("\(Candidate.select) ORDER BY c.ResourceID", [], Candidate.init(row:))
    }
    // A few named clients are looked up; for many of them one walk over all costs less.
    if case .direct(let clients)? = ready.first, ready.count == 1, clients.count > 1_000 {
      return try rows("\(Candidate.select) ORDER BY c.ResourceID", [], Candidate.init(row:))
        .filter { clients.contains($0.target.clientID) }
    }
    if case .direct(let clients)? = ready.first, ready.count == 1 {
      return try clients.compactMap { try client($0).map(Candidate.init(_:)) }
        .sorted { $0.target.resourceID < $1.target.resourceID }
    }
    guard !ready.isEmpty else { return [] }
    return try rows("\(ClientRecord.select) ORDER BY c.ResourceID") { row -> Candidate? in
      let client = try ClientRecord(row: row)
      return ready.contains { $0.takes(client, of: code) } ? Candidate(client) : nil
    }.compactMap { $0 }
  }

  /// Whether one client belongs to a collection, without looking at the others.
  func isMember(_ client: ClientRecord, ofCollection name: String, _ code: SiteCode) throws -> Bool
  {
    let collectionID = try existing(collection: name)
    // Two exact looks: one with OR would walk all rules of the collection.
    for (kind, value) in [(0, ""), (1, client.clientID.description)] {
      let rule = try row(
        "SELECT 1 FROM BGB_CollectionRule WHERE CollectionID = ? AND Kind = ? AND Value = ?",
        [collectionID, kind, value])
      if rule != nil { return true }
    }
    let queries: [String] = try rows(
      "SELECT Value FROM BGB_CollectionRule WHERE CollectionID = ? AND Kind = 2", [collectionID]
    ) { try $0.text(0) }
    return try queries.contains { try StoreChecks.query($0).takes(client, of: code) }
  }

  /// The clients that a target means, by resource id, and what it is called in lists.
  func resolve(
    _ target: OperationRequest.Target, _ code: SiteCode
  ) throws -> (candidates: [Candidate], name: String) {
    switch target {
    case .collection(let name): return (try members(ofCollection: name, code), name)
    case .clients(let clientIDs):
      let clients = try Set(clientIDs).map { try existing($0) }
      let name = clients.count == 1 ? clients[0].name : "\(clients.count) clients"
      let candidates = clients.map(Candidate.init(_:))
      return (candidates.sorted { $0.target.resourceID < $1.target.resourceID }, name)
    }
  }

  /// The policies that count, by name.
  func policies() throws -> [PolicyRecord] {
    try rows(
      "SELECT Name, Version, Collection, Document FROM BGB_Policy WHERE IsRemoved = 0 ORDER BY Name"
    ) { row in
      try PolicyRecord(
        name: row.text(0), version: row.number(1), collection: row.text(2), document: row.text(3))
    }
  }

  /// A policy that is assigned to a collection, if any.
  func policyName(ofCollection name: String) throws -> String? {
    try row(
      "SELECT Name FROM BGB_Policy WHERE Collection = ? AND IsRemoved = 0 ORDER BY Name LIMIT 1",
      [name]
    ).map { try $0.text(0) }
  }
}
