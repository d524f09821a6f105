// The policy answer: valid JSON whatever names say, equal for equal policies.

import BGBModel
import BGBSigning
import SiteDatabase
import Testing

@testable import BGBServer

struct PolicyDocumentTests {
  private func bundle(_ name: String) -> PolicyBundle {
    PolicyBundle(
      policy: EffectivePolicy(
        entityTag: "1",
        documents: [
          PolicyRecord(name: name, version: 4, collection: "All Systems", document: "{\"a\":1}")
        ]),
      tasks: [])
  }

  @Test func documentsAreCarriedAsTheyAre() {
    let text = String(
      decoding: PolicyDocument.encode(bundle("base"), for: Sample.client(1)), as: UTF8.self)
    #expect(
      text
        == "{\"policies\":[{\"name\":\"base\",\"version\":4,\"document\":{\"a\":1}}],\"tasks\":[]}")
  }

  @Test func hostileNamesStayText() {
    #expect(PolicyDocument.quoted("a\"b\\c\n\u{1}") == "\"a\\\"b\\\\c\\u000a\\u0001\"")
  }

  @Test func theEntityTagFollowsTheContents() {
    let one = PolicyDocument.encode(bundle("base"), for: Sample.client(1))
    let two = PolicyDocument.encode(bundle("other"), for: Sample.client(1))
    #expect(PolicyDocument.entityTag(of: one) == PolicyDocument.entityTag(of: one))
    #expect(PolicyDocument.entityTag(of: one) != PolicyDocument.entityTag(of: two))
    #expect(PolicyDocument.entityTag(of: one).utf8.count == 32)
  }

  @Test func tasksComeWithTheClientsOwnProof() throws {
    let plan = try Sample.plan(targets: 5)
    let targets = plan.clients.enumerated().map {
      TargetRecord(resourceID: ResourceID(UInt32($0 + 1)), clientID: $1)
    }
    var bundle = bundle("base")
    bundle.tasks = [(plan.record, targets)]
    let text = String(
      decoding: PolicyDocument.encode(bundle, for: Sample.client(4)), as: UTF8.self)
    #expect(text.contains("\"leafIndex\":3"))
    #expect(text.contains(Base64.encode(plan.record.signed.signature)))
    let stranger = String(
      decoding: PolicyDocument.encode(bundle, for: Sample.client(9)), as: UTF8.self)
    #expect(stranger.hasSuffix("\"tasks\":[]}"))
  }
}
