// Where an operation becomes a signed task: checked values, a new task id, the Merkle tree over the
// chosen clients, the statement and the site's signature. The signature is made inside the
// transaction that takes the snapshot of the targets, so that what is signed is exactly what is
// stored.

import BGBModel
import BGBSigning
import SiteDatabase

/// An operation that was started, or found started by an earlier request with the same key.
struct StartedOperation: Hashable, Sendable {
  /// The operation.
  var summary: OperationSummary
  /// Whether this request started it.
  var isNew: Bool
}

/// Starts and cancels operations of one site.
struct TaskOffice: Sendable {
  let store: any SiteStore
  let site: SiteCode
  let key: SigningKey
  let clock: SiteClock

  /// Checks a request's values, signs its task and places it.
  func start(_ request: OperationRequest) throws(Refusal) -> StartedOperation {
    do { try request.parameters.check(for: request.action) } catch {
      throw .badParameter(error, of: request.action)
    }
    let now = clock.now()
    var isNew = false
    let summary = try asking { () throws(StoreError) in
      try store.startOperation(request, at: now) { (targets) throws(StoreError) in
        isNew = true
        return try sign(request, for: targets, at: now)
      }
    }
    return StartedOperation(summary: summary, isNew: isNew)
  }

  /// The signed statement of a request over these targets, in the order given.
  func sign(
    _ request: OperationRequest, for targets: [TargetRecord], at now: WallTime
  ) throws(StoreError) -> SignedTask {
    guard let count = UInt32(exactly: targets.count), count > 0 else {
      throw .invalid("an operation needs at least one target")
    }
    var randomness = SystemRandomNumberGenerator()
    let deliverBefore = now.adding(milliseconds: request.validityMilliseconds)
    let statement = TaskStatement(
      taskID: TaskID(Bits128(random: &randomness)), site: site, keyID: key.keyID,
      actionCode: request.action.rawValue, parameters: request.parameters, notBefore: now,
      deliverBefore: deliverBefore,
      // Who gets the task in the last moment may still wait out its random share of the spread.
      startBefore: deliverBefore.adding(milliseconds: Int64(request.spreadSeconds) * 1000),
      runSeconds: request.action.runSeconds(with: request.parameters),
      spreadSeconds: request.spreadSeconds, targetCount: count,
      targetRoot: MerkleTree(leaves: targets.map(\.clientID)).root)
    return TaskSignature.sign(statement, with: key)
  }
}

extension ClientAction {
  /// How long the action may take on a client before the agent ends it.
  func runSeconds(with parameters: ActionParameters) -> UInt32 {
    switch self {
    case .fullScan: 12 * 3_600
    case .restart:
      // The delay before the restart is part of the action.
      (parameters["delay-seconds"].flatMap { UInt32($0) } ?? 0).addingReportingOverflow(600)
        .partialValue
    case .quickScan, .downloadDefinition, .collectClientLogs, .siteDefined: 3_600
    case .excludePath, .allowThreat, .restoreQuarantinedItem, .downloadComputerPolicy,
      .downloadUserPolicy, .collectDiscoveryData, .collectSoftwareInventory,
      .collectHardwareInventory, .enableVerboseLogging, .disableVerboseLogging:
      900
    }
  }
}
