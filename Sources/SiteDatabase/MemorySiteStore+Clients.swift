// The memory store: clients, collections, policies.

public import BGBModel

extension MemorySiteStore {
  /// The site's own row.
  public func site() throws(StoreError) -> SiteRecord {
    try read { (site) throws(StoreError) in site.site }
  }

  /// Adds a client; see the contract.
  public func addClient(
    _ clientID: ClientID, name: String, tags: [String], by actor: String, at: WallTime
  ) throws(StoreError) -> ClientRecord {
    let client = NewClient(clientID: clientID, name: name, tags: tags)
    return try write { (site) throws(StoreError) in try site.add(client, by: actor, at: at) }
  }

  /// Adds clients, all or none.
  public func addClients(
    _ clients: [NewClient], by actor: String, at: WallTime
  ) throws(StoreError) -> [ClientRecord] {
    try write { (site) throws(StoreError) in
      var added: [ClientRecord] = []
      for client in clients { added.append(try site.add(client, by: actor, at: at)) }
      return added
    }
  }

  /// One client by identity.
  public func client(_ clientID: ClientID) throws(StoreError) -> ClientRecord? {
    try read { (site) throws(StoreError) in
      site.resourceIDs[clientID].flatMap { site.clients[$0] }
    }
  }

  /// One client by name.
  public func client(named name: String) throws(StoreError) -> ClientRecord? {
    try read { (site) throws(StoreError) in
      site.clientNames[MemorySite.Key(name.utf8)].flatMap { site.clients[$0] }
    }
  }

  /// Clients after a cursor.
  public func clients(
    after cursor: ResourceID?, limit: Int, onlyOnline: Bool
  ) throws(StoreError) -> [ClientRecord] {
    try read { (site) throws(StoreError) in
      let rest = site.orderedClients.lazy.filter { client in
        client.resourceID > cursor ?? ResourceID(0)
          && (!onlyOnline || client.presence?.isOnline == true)
      }
      return Array(rest.prefix(max(0, limit)))
    }
  }

  /// Who is online now, by channel and fallback reason.
  public func onlineByChannel() throws(StoreError) -> [ChannelCount] {
    try read { (site) throws(StoreError) in
      let online = site.clients.values.compactMap(\.presence).filter(\.isOnline)
      return ChannelKind.allCases.flatMap { channel in
        FallbackReason.allCases.compactMap { fallback in
          let count = online.count { $0.channel == channel && $0.fallback == fallback }
          guard count > 0 else { return nil }
          return ChannelCount(channel: channel, fallback: fallback, online: count)
        }
      }
    }
  }

  /// Replaces a client's tags.
  public func setTags(
    _ tags: [String], of clientID: ClientID, by actor: String, at: WallTime
  ) throws(StoreError) {
    let tags = try StoreChecks.checkedTags(tags)
    try write { (site) throws(StoreError) in
      let client = try site.existing(clientID)
      site.clients[client.resourceID]?.tags = tags
      let detail = "\(client.name) \(tags.joined(separator: ","))"
      site.note(actor, "client.tags", detail, at: at)
    }
  }

  /// Blocks or unblocks; see the contract.
  public func setBlocked(
    _ blocked: Bool, _ clientID: ClientID, by actor: String, at: WallTime
  ) throws(StoreError) {
    try write { (site) throws(StoreError) in
      let client = try site.existing(clientID)
      guard client.isBlocked != blocked else { return }
      site.clients[client.resourceID]?.isBlocked = blocked
      site.post(.denyListChanged)
      let action = blocked ? "client.block" : "client.unblock"
      site.note(actor, action, "\(client.name) \(clientID)", at: at)
    }
  }

  /// Everybody who is blocked.
  public func denyList() throws(StoreError) -> [ClientID] {
    try read { (site) throws(StoreError) in
      site.orderedClients.filter(\.isBlocked).map(\.clientID)
    }
  }

  // MARK: Collections

  /// Makes a collection with rules.
  public func addCollection(
    named name: String, rules: [MembershipRule], by actor: String, at: WallTime
  ) throws(StoreError) -> CollectionRecord {
    try StoreChecks.checkName(name, of: "collection")
    try StoreChecks.checkRules(rules)
    return try write { (site) throws(StoreError) in
      let key = MemorySite.Key(name.utf8)
      guard site.collections[key] == nil else {
        throw .conflict("there is a collection named '\(name)' already")
      }
      site.lastCollectionID += 1
      let collection = CollectionRecord(
        collectionID: site.lastCollectionID, name: name, rules: rules)
      site.collections[key] = collection
      site.note(actor, "collection.add", "\(name) rules=\(rules.count)", at: at)
      return collection
    }
  }

  /// Replaces the rules of a collection.
  public func setRules(
    _ rules: [MembershipRule], of name: String, by actor: String, at: WallTime
  ) throws(StoreError) {
    try StoreChecks.checkChangeable(collection: name)
    try StoreChecks.checkRules(rules)
    try write { (site) throws(StoreError) in
      _ = try site.existing(collection: name)
      site.collections[MemorySite.Key(name.utf8)]?.rules = rules
      if site.policyName(ofCollection: name) != nil { site.post(.policyChanged) }
      site.note(actor, "collection.rules", "\(name) rules=\(rules.count)", at: at)
    }
  }

  /// Removes a collection.
  public func removeCollection(
    named name: String, by actor: String, at: WallTime
  ) throws(StoreError) {
    try StoreChecks.checkChangeable(collection: name)
    try write { (site) throws(StoreError) in
      _ = try site.existing(collection: name)
      if let policy = site.policyName(ofCollection: name) {
        throw .conflict("the policy '\(policy)' is assigned to the collection '\(name)'")
      }
      site.collections[MemorySite.Key(name.utf8)] = nil
      site.note(actor, "collection.remove", name, at: at)
    }
  }

  /// All collections by name.
  public func collections() throws(StoreError) -> [CollectionRecord] {
    try read { (site) throws(StoreError) in
      site.collections.values.sorted { StoreChecks.precedes($0.name, $1.name) }
    }
  }

  /// The members of a collection at this moment.
  public func members(ofCollection name: String) throws(StoreError) -> [TargetRecord] {
    try read { (site) throws(StoreError) in
      try site.members(ofCollection: name).map {
        TargetRecord(resourceID: $0.resourceID, clientID: $0.clientID)
      }
    }
  }

  /// How many of these clients are online now; blocked ones do not count.
  public func onlineCount(among target: OperationRequest.Target) throws(StoreError) -> (
    online: Int, targets: Int
  ) {
    try read { (site) throws(StoreError) in
      let clients = try site.resolve(target).clients.filter { !$0.isBlocked }
      return (clients.count { $0.presence?.isOnline == true }, clients.count)
    }
  }

  // MARK: Policies

  /// Adds or replaces a policy.
  public func putPolicy(
    named name: String, collection: String, document: String, by actor: String, at: WallTime
  ) throws(StoreError) -> PolicyRecord {
    try StoreChecks.checkName(name, of: "policy")
    try StoreChecks.checkDocument(document)
    return try write { (site) throws(StoreError) in
      _ = try site.existing(collection: collection)
      let key = MemorySite.Key(name.utf8)
      let record = PolicyRecord(
        name: name, version: (site.policies[key]?.record.version ?? 0) + 1,
        collection: collection, document: document)
      site.policies[key] = MemorySite.Policy(record: record, isRemoved: false)
      site.post(.policyChanged)
      let detail = "\(name) version=\(record.version) collection=\(collection)"
      site.note(actor, "policy.put", detail, at: at)
      return record
    }
  }

  /// Removes a policy.
  public func removePolicy(named name: String, by actor: String, at: WallTime) throws(StoreError) {
    try write { (site) throws(StoreError) in
      let key = MemorySite.Key(name.utf8)
      guard site.policies[key]?.isRemoved == false else { throw .notFound("policy '\(name)'") }
      site.policies[key]?.isRemoved = true
      site.policies[key]?.record.document = ""
      site.post(.policyChanged)
      site.note(actor, "policy.remove", name, at: at)
    }
  }

  /// All policies by name.
  public func policies() throws(StoreError) -> [PolicyRecord] {
    try read { (site) throws(StoreError) in site.orderedPolicies }
  }

  /// What one client must follow now.
  public func effectivePolicy(of clientID: ClientID) throws(StoreError) -> EffectivePolicy {
    try read { (site) throws(StoreError) in
      let client = try site.existing(clientID)
      var documents: [PolicyRecord] = []
      for policy in site.orderedPolicies {
        let rules = try site.existing(collection: policy.collection).rules
        let ready = try MembershipRule.ready(rules)
        if ready.contains(where: { $0.takes(client, of: site.site.code) }) {
          documents.append(policy)
        }
      }
      return EffectivePolicy(documents)
    }
  }

  /// Unexpired tasks that this client may fetch with its policy.
  public func policyTasks(
    of clientID: ClientID, at: WallTime
  ) throws(StoreError) -> [TaskRecord] {
    try read { (site) throws(StoreError) in
      let client = try site.existing(clientID)
      let tasks = site.tasks.values.filter { task in
        task.request.action.travelsByPolicy && task.isDeliverable(at: at)
          && task.known(of: client.resourceID).map { KnownOutcome.isUnanswered($0.state) } == true
      }
      return tasks.map(\.record).sorted { $0.operationID < $1.operationID }
    }
  }
}

extension MemorySite {
  /// Adds one client.
  mutating func add(
    _ new: NewClient, by actor: String, at: WallTime
  ) throws(StoreError) -> ClientRecord {
    let (clientID, name) = (new.clientID, new.name)
    try StoreChecks.checkClientName(name)
    let tags = try StoreChecks.checkedTags(new.tags)
    guard clientNames[MemorySite.Key(name.utf8)] == nil else {
      throw .conflict("there is a client named '\(name)' already")
    }
    guard resourceIDs[clientID] == nil else {
      throw .conflict("there is a client \(clientID) already")
    }
    let resourceID = ResourceID(UInt32(clients.count) + 1)
    let client = ClientRecord(
      resourceID: resourceID, clientID: clientID, name: name, tags: tags, isBlocked: false,
      createdAt: at, facts: ClientFacts(), presence: nil)
    clients[resourceID] = client
    resourceIDs[clientID] = resourceID
    clientNames[MemorySite.Key(name.utf8)] = resourceID
    note(actor, "client.add", "\(name) \(clientID)", at: at)
    return client
  }

  /// The policies that count, by name.
  var orderedPolicies: [PolicyRecord] {
    policies.values.filter { !$0.isRemoved }.map(\.record)
      .sorted { StoreChecks.precedes($0.name, $1.name) }
  }

  /// A policy that is assigned to a collection, if any.
  func policyName(ofCollection name: String) -> String? {
    orderedPolicies.first { StoreChecks.isSame($0.collection, name) }?.name
  }
}
