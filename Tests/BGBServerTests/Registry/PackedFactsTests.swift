// Packing loses nothing, whatever the platform table can hold, and gives places back.

import BGBModel
import Reactor
import Testing

@testable import BGBServer

struct PackedFactsTests {
  private func facts(_ number: Int, system: String = "Debian 12") -> ClientFacts {
    ClientFacts(
      hostname: "pc\(number)", operatingSystem: system, agentVersion: "1.0.0",
      addresses: ["10.0.0.\(number)", "fe80::\(number)"])
  }

  @Test func factsComeBackAsTheyWere() {
    let samples = [
      ClientFacts(), facts(1),
      ClientFacts(hostname: String(repeating: "h", count: 255), addresses: ["", "a", ""]),
      ClientFacts(hostname: "größer", operatingSystem: "系统", agentVersion: "", addresses: []),
    ]
    for sample in samples {
      var table = PlatformTable()
      let platform = table.take(
        Platform(
          operatingSystem: sample.operatingSystem, agentVersion: sample.agentVersion))
      #expect(PackedFacts(sample, platform: platform).facts(table[platform]) == sample)
      #expect(PackedFacts(sample, platform: PlatformTable.none).facts(nil) == sample)
    }
  }

  @Test func textsThatAreTooLongAreCut() {
    let long = ClientFacts(hostname: String(repeating: "é", count: 200))
    let back = PackedFacts(long, platform: PlatformTable.none).facts(nil)
    #expect(back.hostname == String(repeating: "é", count: 127))
  }

  @Test func aFullTableSendsTextsHome() {
    var table = PlatformTable(limit: 2)
    let places = ["a", "b", "c", "a"].map {
      table.take(Platform(operatingSystem: $0, agentVersion: "1"))
    }
    #expect(places == [0, 1, PlatformTable.none, 0])
    table.giveBack(1)
    #expect(table.count == 1)
    let again = table.take(Platform(operatingSystem: "c", agentVersion: "1"))
    #expect(again == 1)
    #expect(table[1] == Platform(operatingSystem: "c", agentVersion: "1"))
    table.giveBack(0)
    #expect(table.count == 2, "it is in use once more")
    table.giveBack(0)
    #expect(table.count == 1)
    #expect(table[PlatformTable.none] == nil)
  }

  @Test func moreSystemsThanTheTableHoldsAreReportedAllTheSame() {
    var registry = ClientRegistry()
    let count = 1_500
    for number in 0..<count {
      var record = Sample.presence(UInt64(number))
      record.facts = facts(number, system: "system \(number)")
      _ = registry.signIn(record, token: Token(generation: 1, index: UInt32(number)))
    }
    let told = registry.takeEverybody()
    #expect(told.count == count)
    #expect(Set(told.map(\.facts.operatingSystem)).count == count)
    #expect(registry.record(of: Sample.client(1_400))?.facts.hostname == "pc1400")
  }

  @Test func seatsOfClientsThatLeftAreUsedAgain() {
    var registry = ClientRegistry()
    for round in 0..<3 as Range<UInt64> {
      for number in 0..<50 as Range<UInt64> {
        let client = round * 100 + number
        let token = Token(generation: 1, index: UInt32(client))
        _ = registry.signIn(Sample.presence(client), token: token)
        registry.signOut(Sample.client(client), token: token, reason: .goodbye, at: Sample.start)
      }
      let changes = registry.takeChanges()
      #expect(changes.count == 50)
      #expect(registry.record(of: Sample.client(round * 100)) == nil)
    }
    #expect(registry.onlineCount == 0)
    let everybody = registry.takeEverybody()
    #expect(everybody.isEmpty)
  }
}
