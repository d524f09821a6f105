// Made-up values that several suites of the server share.

import BGBModel
import BGBSigning
import BGBWire
import SiteDatabase

@testable import BGBServer

/// Sample values; numbers choose among them.
enum Sample {
  static let start = WallTime(milliseconds: 1_767_225_600_000)
  static let hour: Int64 = 3_600_000

  static func client(_ number: UInt64) -> ClientID { ClientID(Bits128(high: 7, low: number)) }
  static func task(_ number: UInt64) -> TaskID { TaskID(Bits128(high: 9, low: number)) }

  static func site() throws -> SiteCode {
    guard let site = SiteCode("S01") else { throw SampleError.impossible }
    return site
  }

  /// A task for clients 1...count, signed by a key of its own, valid for an hour from `start`.
  static func plan(
    _ number: UInt64 = 1, targets count: Int, rate: UInt32 = 0, answered: [Int] = [],
    notBefore: WallTime = start,
    deliverBefore: WallTime = start.adding(milliseconds: hour)
  ) throws -> PushPlan {
    let key = try SigningKey.generate()
    let targets = (1...count).map {
      TargetRecord(resourceID: ResourceID(UInt32($0)), clientID: client(UInt64($0)))
    }
    let statement = TaskStatement(
      taskID: task(number), site: try site(), keyID: key.keyID,
      actionCode: ClientAction.quickScan.rawValue, parameters: .none, notBefore: notBefore,
      deliverBefore: deliverBefore, startBefore: deliverBefore, runSeconds: 60, spreadSeconds: 0,
      targetCount: UInt32(count), targetRoot: MerkleTree(leaves: targets.map(\.clientID)).root)
    let record = TaskRecord(
      operationID: OperationID(Int64(number)), taskID: task(number),
      signed: TaskSignature.sign(statement, with: key), deliverBefore: deliverBefore,
      ratePerSecond: rate, isCancelled: false)
    return try PushPlan(
      record: record, table: TargetTable(targets), answered: answered.map { ResourceID(UInt32($0)) }
    )
  }

  static func outcome(
    _ client: UInt64, _ task: UInt64 = 1, _ state: TaskState = .succeeded, text: String = ""
  ) -> OutcomeRecord {
    OutcomeRecord(
      clientID: self.client(client), pushes: 1,
      outcome: TaskOutcome(taskID: self.task(task), state: state, code: 0, text: text, at: start))
  }

  static func signIn(_ client: ClientID, version: UInt16 = ProtocolVersion.current) -> SignIn {
    SignIn(
      version: version, clientID: client, incarnation: 1, previousSession: 0, outcomesStored: 0,
      clock: start, facts: ClientFacts(hostname: "pc"))
  }

  static func presence(
    _ number: UInt64, session: UInt64 = 1, over channel: ChannelKind = .tcp,
    because fallback: FallbackReason = .none, at since: WallTime = start
  ) -> PresenceRecord {
    PresenceRecord(
      clientID: client(number), isOnline: true, since: since, lastProof: since, reason: .signedIn,
      channel: channel, fallback: fallback, channelSince: since, session: session,
      facts: ClientFacts(hostname: "pc\(number)"))
  }
}

enum SampleError: Error { case impossible }
