// A plan is believed only if the database says what was signed.

import BGBModel
import BGBSigning
import SiteDatabase
import Testing

@testable import BGBServer

struct PushPlanTests {
  private func targets(_ count: Int) -> [TargetRecord] {
    (1...count).map {
      TargetRecord(resourceID: ResourceID(UInt32($0)), clientID: Sample.client(UInt64($0)))
    }
  }

  @Test(arguments: [1, 2, 3, 64, 1000])
  func everyTargetHasItsLeafAndProof(_ count: Int) throws {
    let plan = try Sample.plan(targets: count)
    for number in 1...count {
      let client = Sample.client(UInt64(number))
      let leaf = try #require(plan.leaf(of: client))
      #expect(plan.clients[leaf] == client)
      #expect(
        MerkleTree.verify(
          leaf: client, index: leaf, count: count,
          path: plan.targets.tree.path(at: leaf, of: plan.clients),
          root: plan.statement.targetRoot))
    }
    #expect(plan.leaf(of: Sample.client(UInt64(count) + 1)) == nil)
    #expect(plan.leaf(of: Sample.client(0)) == nil)
  }

  @Test func anotherTargetListIsRefused() throws {
    let plan = try Sample.plan(targets: 3)
    var swapped = targets(3)
    swapped[1].clientID = Sample.client(99)
    #expect(throws: PlanError.contradiction("target set")) {
      try PushPlan(record: plan.record, table: TargetTable(swapped), answered: [])
    }
    #expect(throws: PlanError.contradiction("target count")) {
      try PushPlan(record: plan.record, table: TargetTable(targets(4)), answered: [])
    }
  }

  @Test func tasksWithTheSameTargetsShareThem() throws {
    let first = try Sample.plan(1, targets: 100)
    let same = try Sample.plan(2, targets: 100)
    let shared = try #require(try PushPlan(record: same.record, sharing: first.targets))
    #expect(shared.targets === first.targets)
    #expect(shared.record.taskID == Sample.task(2) && shared.answered.isEmpty)
    let other = try Sample.plan(3, targets: 99)
    #expect(try PushPlan(record: other.record, sharing: first.targets) == nil)
    var forged = same.record
    forged.deliverBefore = forged.deliverBefore.adding(milliseconds: 1)
    #expect(throws: PlanError.contradiction("deadline")) {
      try PushPlan(record: forged, sharing: first.targets)
    }
  }

  @Test func anotherDeadlineOrTaskIsRefused() throws {
    let plan = try Sample.plan(targets: 3)
    var record = plan.record
    record.deliverBefore = record.deliverBefore.adding(milliseconds: 1)
    #expect(throws: PlanError.contradiction("deadline")) {
      try PushPlan(record: record, table: TargetTable(targets(3)), answered: [])
    }
    record = plan.record
    record.taskID = Sample.task(2)
    #expect(throws: PlanError.contradiction("task id")) {
      try PushPlan(record: record, table: TargetTable(targets(3)), answered: [])
    }
    record = plan.record
    record.signed.statement.removeLast()
    #expect(throws: PlanError.malformed) {
      try PushPlan(record: record, table: TargetTable(targets(3)), answered: [])
    }
  }
}
