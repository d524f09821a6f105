// The memory store: operations, their targets, and what time ends.

public import BGBModel

extension MemorySiteStore {
  /// Starts an operation; see the contract.
  public func startOperation(
    _ request: OperationRequest, at: WallTime,
    sign: ([TargetRecord]) throws(StoreError) -> SignedTask
  ) throws(StoreError) -> OperationSummary {
    try StoreChecks.check(request)
    return try write { (site) throws(StoreError) in
      if let key = request.idempotencyKey, let taskID = site.idempotencyKeys[.init(key.utf8)] {
        let task = try site.existing(taskID)
        guard task.request.fingerprint == request.fingerprint else {
          throw .conflict("the idempotency key was used for another operation")
        }
        return task.summary
      }
      let (clients, name) = try site.resolve(request.target)
      let targets = clients.filter { !$0.isBlocked }.map {
        TargetRecord(resourceID: $0.resourceID, clientID: $0.clientID)
      }
      guard !targets.isEmpty else { throw .invalid("nobody is a target of the operation") }
      let signed = try sign(targets)
      let plan = try TaskPlan(signed, for: request, targetCount: targets.count)
      guard site.tasks[plan.taskID] == nil else {
        throw .conflict("there is a task \(plan.taskID) already")
      }
      let operationID = OperationID(Int64(site.tasks.count) + 1)
      let task = MemorySite.Task(
        operationID: operationID, request: request, targetName: name, createdAt: at, plan: plan,
        signed: signed, targets: TargetSet(targets.map(\.resourceID)),
        progress: TaskProgress(plan, targetCount: targets.count, at: at))
      site.tasks[plan.taskID] = task
      site.taskIDs[operationID] = plan.taskID
      if let key = request.idempotencyKey { site.idempotencyKeys[.init(key.utf8)] = plan.taskID }
      site.post(.push(plan.taskID))
      site.note(
        request.requestedBy, "operation.start",
        request.auditDetail(operationID, on: name, targetCount: targets.count), at: at)
      return task.summary
    }
  }

  /// Withdraws an operation; see the contract.
  public func cancelOperation(
    _ operationID: OperationID, by actor: String, at: WallTime
  ) throws(StoreError) -> OperationSummary {
    try write { (site) throws(StoreError) in
      var task = try site.existing(operationID)
      guard task.progress.cancelledAt == nil else { return task.summary }
      guard task.progress.isOpen else { throw .conflict("operation \(operationID) has ended") }
      task.endUndelivered(as: .cancelled, at: at)
      task.progress.cancelledAt = at
      site.tasks[task.plan.taskID] = task
      site.post(.cancel(task.plan.taskID))
      site.note(actor, "operation.cancel", "operation=\(operationID)", at: at)
      return task.summary
    }
  }

  /// One operation with its counters.
  public func operation(_ operationID: OperationID) throws(StoreError) -> OperationSummary? {
    try read { (site) throws(StoreError) in
      site.taskIDs[operationID].flatMap { site.tasks[$0]?.summary }
    }
  }

  /// One operation by its task.
  public func operation(ofTask taskID: TaskID) throws(StoreError) -> OperationSummary? {
    try read { (site) throws(StoreError) in site.tasks[taskID]?.summary }
  }

  /// Operations, newest first.
  public func operations(
    before cursor: OperationID?, limit: Int
  ) throws(StoreError) -> [OperationSummary] {
    try read { (site) throws(StoreError) in
      let older = site.tasks.values.filter { $0.operationID < cursor ?? OperationID(.max) }
      return Array(
        older.map(\.summary).sorted { $0.operationID > $1.operationID }.prefix(max(0, limit)))
    }
  }

  /// Targets of an operation after a cursor.
  public func targets(
    of operationID: OperationID, in state: TaskState?, after cursor: ResourceID?, limit: Int
  ) throws(StoreError) -> [TargetOutcome] {
    try read { (site) throws(StoreError) in
      let task = try site.existing(operationID)
      var page: [TargetOutcome] = []
      for resourceID in task.targets.members where resourceID > cursor ?? ResourceID(0) {
        guard page.count < limit else { break }
        guard let known = task.known(of: resourceID), let client = site.clients[resourceID],
          state == nil || known.state == state
        else { continue }
        page.append(
          TargetOutcome(
            resourceID: resourceID, clientID: client.clientID, name: client.name,
            pushes: known.pushes, outcome: known.outcome(of: task.plan.taskID)))
      }
      return page
    }
  }

  /// What happened to one target, in the order of time.
  public func history(
    ofTask taskID: TaskID, client clientID: ClientID
  ) throws(StoreError) -> [OutcomeStep] {
    try read { (site) throws(StoreError) in
      let task = try site.existing(taskID)
      let resourceID = try site.existing(clientID).resourceID
      guard let known = task.known(of: resourceID) else { return [] }
      return OutcomeStep.ordered(task.steps[resourceID] ?? [], and: known, of: taskID)
    }
  }

  /// The counters of an operation, counted anew.
  public func recount(_ operationID: OperationID) throws(StoreError) -> OutcomeCounts {
    try read { (site) throws(StoreError) in
      let task = try site.existing(operationID)
      var counts = OutcomeCounts()
      for member in task.targets.members {
        if let known = task.known(of: member) { counts[known.state] += 1 }
      }
      return counts
    }
  }

  /// Ends what time has ended.
  public func closeOverdue(at: WallTime) throws(StoreError) -> [OperationID] {
    try write { (site) throws(StoreError) in
      var touched: [OperationID] = []
      for (taskID, task) in site.tasks {
        guard let moment = task.progress.nextClose, moment <= at else { continue }
        var task = task
        if task.progress.deliverBefore <= at {
          task.endUndelivered(as: .expired, at: task.progress.deliverBefore)
        }
        if task.progress.closeAt <= at { task.endUnanswered() }
        site.tasks[taskID] = task
        touched.append(task.operationID)
      }
      return touched.sorted()
    }
  }

  // MARK: Tasks as servers need them

  /// One task as servers need it.
  public func task(_ taskID: TaskID) throws(StoreError) -> TaskRecord? {
    try read { (site) throws(StoreError) in site.tasks[taskID]?.record }
  }

  /// Tasks that may still be delivered.
  public func unexpiredTasks(at: WallTime) throws(StoreError) -> [TaskRecord] {
    try read { (site) throws(StoreError) in
      site.tasks.values.filter { $0.isDeliverable(at: at) }.map(\.record)
        .sorted { $0.operationID < $1.operationID }
    }
  }

  /// The targets of a task by resource id.
  public func targets(ofTask taskID: TaskID) throws(StoreError) -> [TargetRecord] {
    try read { (site) throws(StoreError) in
      try site.existing(taskID).targets.members.compactMap { member in
        site.clients[member].map { TargetRecord(resourceID: member, clientID: $0.clientID) }
      }
    }
  }

  /// Targets of a task that are delivered or final.
  public func answeredTargets(ofTask taskID: TaskID) throws(StoreError) -> [ResourceID] {
    try read { (site) throws(StoreError) in
      let task = try site.existing(taskID)
      return task.targets.members.filter { member in
        task.known(of: member).map { !KnownOutcome.isUnanswered($0.state) } == true
      }
    }
  }
}

extension MemorySite.Task {
  /// What is known of a target; nil for others.
  func known(of resourceID: ResourceID) -> KnownOutcome? {
    guard targets.index(of: resourceID) != nil else { return nil }
    return rows[resourceID] ?? progress.rest
  }

  /// Whether it may be delivered at a moment.
  func isDeliverable(at: WallTime) -> Bool {
    at < progress.deliverBefore && progress.cancelledAt == nil
  }

  /// As lists show it.
  var summary: OperationSummary {
    OperationSummary(
      operationID: operationID, taskID: plan.taskID, actionCode: request.action.rawValue,
      targetName: targetName, requestedBy: request.requestedBy, createdAt: createdAt,
      expiresAt: progress.deliverBefore, state: progress.state, counts: progress.counts)
  }

  /// As servers need it.
  var record: TaskRecord {
    TaskRecord(
      operationID: operationID, taskID: plan.taskID, signed: signed,
      deliverBefore: progress.deliverBefore, ratePerSecond: request.ratePerSecond,
      isCancelled: progress.cancelledAt != nil)
  }

  /// Ends the undelivered targets, those with a row and those without.
  mutating func endUndelivered(as state: TaskState, at: WallTime) {
    endRows(from: [.queued, .pushed], as: state, at: at)
    progress.endUndelivered(as: state, at: at)
  }

  /// Ends the delivered targets without a result.
  mutating func endUnanswered() {
    endRows(from: [.delivered, .started, .deferred], as: .unknown, at: progress.closeAt)
    progress.endUnanswered()
  }

  private mutating func endRows(from open: Set<TaskState>, as state: TaskState, at: WallTime) {
    for (resourceID, row) in rows where open.contains(row.state) {
      rows[resourceID] = KnownOutcome(
        state: state, code: 0, text: "", at: at, pushes: row.pushes, isAssumed: true)
    }
  }
}
