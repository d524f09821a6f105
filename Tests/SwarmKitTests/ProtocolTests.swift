// What a parent and its children say to each other, how the fleet is divided, and what is read of
// the kernel's texts.

import SwarmKit
import Testing

@Suite struct ProtocolTests {
  @Test func aLineIsReadAsItWasWritten() throws {
    let line = ControlLine("cut", ["count": "5", "how": "at once"])
    #expect(line.text == "cut count=5 how=at_once")
    let read = try #require(ControlLine(line: line.text))
    #expect(read.verb == "cut")
    #expect(read.number("count") == 5)
    #expect(read.number("nothing") == 0)
    #expect(read["how"] == "at_once")
    #expect(ControlLine(line: "") == nil)
    #expect(ControlLine(line: "cut five") == nil)
  }

  @Test func linesAreCutOutOfPieces() {
    var reader = LineReader()
    #expect(reader.take(Array("ab".utf8)) == [])
    #expect(reader.take(Array("c\n\nd".utf8)) == ["abc", ""])
    #expect(reader.take(Array("\n".utf8)) == ["d"])
  }

  @Test func everyCounterHasItsPlace() {
    #expect(SwarmCounter.allCases.map(\.place) == Array(SwarmCounter.allCases.indices))
  }

  @Test func talliesTravelAndAddUp() {
    var left = SwarmTally()
    left[.sessions] = 10
    left[.online] = 9
    left.errors = ["timeout": 1]
    var right = left
    right.errors["ended"] = 3
    let sum = SwarmTally(left.line) + SwarmTally(right.line)
    #expect(sum[.sessions] == 20)
    #expect(sum[.online] == 18)
    #expect(sum[.cuts] == 0)
    #expect(sum.errors == ["timeout": 2, "ended": 3])
    #expect(sum.progress(task: (2, 7, 5)).contains("18/20 online"))
    #expect(sum.progress(task: (2, 7, 5)).contains("task 2: 7 got it, 5 answered"))
    #expect(sum.progress(task: nil).hasSuffix("5 errors"))
  }

  @Test(arguments: [(100_000, 18_000, 6), (18_000, 18_000, 1), (18_001, 18_000, 2), (5, 2, 3)])
  func slicesAreFewEvenAndWhole(sessions: Int, perProcess: Int, processes: Int) {
    let slices = FleetSlice.divide(sessions, perProcess: perProcess)
    #expect(slices.count == processes)
    var next = 0
    for slice in slices {
      #expect(slice.first == next)
      #expect(slice.count <= perProcess)
      next += slice.count
    }
    #expect(next == sessions)
    for total in [0, 1, sessions / 3, sessions] {
      #expect(slices.reduce(0) { $0 + $1.share(of: total, sessions: sessions) } == total)
      #expect(slices.allSatisfy { $0.share(of: total, sessions: sessions) <= $0.count })
    }
    #expect(FleetSlice.divide(0, perProcess: 5) == [])
  }

  @Test(arguments: [
    (18_000, 2, 9_000), (18_001, 2, 9_001), (100_000, 2, 18_000), (500, 2, 1_000),
    (2_000, 4, 1_000), (30_000, 0, 18_000), (0, 2, 1_000),
  ])
  func everyProcessorHasAProcess(sessions: Int, processors: Int, perProcess: Int) {
    #expect(FleetSlice.perProcess(sessions, processors: processors) == perProcess)
  }

  @Test func everySessionHasAnAddressOfItsOwn() {
    #expect(SourceAddress.ipv4(ofSession: 0, sessionsPerAddress: 1) == 0x7F01_0000)
    #expect(SourceAddress.ipv4(ofSession: 1_000_000, sessionsPerAddress: 1) == 0x7F10_4240)
    #expect(
      SourceAddress.ipv4(ofSession: 19_999, sessionsPerAddress: 20_000)
        == SourceAddress.ipv4(ofSession: 0, sessionsPerAddress: 20_000))
    #expect(SourceAddress.ipv4(ofSession: .max, sessionsPerAddress: 1) >> 24 == 0x7F)
  }

  @Test func samplesAreReadOutOfTheKernelsTexts() {
    var process = ProcessSample(process: 5)
    process.takeMemory(
      smapsRollup: """
        55d0-7ffc ---p 00000000 00:00 0    [rollup]
        Rss:               40000 kB
        Pss:               18000 kB
        Pss_Dirty:          5000 kB
        Private_Dirty:      4000 kB
        """)
    #expect(process.resident == 40_000 * 1_024)
    #expect(process.proportional == 18_000 * 1_024)
    #expect(process.privateDirty == 4_000 * 1_024)
    var sample = ServerSample(name: "online", milliseconds: 1, online: 2)
    sample.takeSlabs(meminfo: "MemTotal: 5 kB\nSlab:  600 kB\nSUnreclaim:   50 kB\n")
    sample.takeSockets(
      sockstat: "sockets: used 300\nTCP: inuse 8 orphan 0 tw 3 alloc 4004 mem 67\nUDP: inuse 0\n")
    #expect(sample.slab == 600 * 1_024)
    #expect(sample.slabUnreclaimable == 50 * 1_024)
    #expect(sample.tcpSockets == 4_004)
    #expect(sample.tcpBuffers == 67 * 4_096)
  }

  @Test func cpuIsTheDifferenceOfTheProcessesThatAreThere() {
    var before = ServerSample(name: "a", milliseconds: 0, online: 0)
    var after = ServerSample(name: "b", milliseconds: 0, online: 0)
    for (process, nanoseconds) in [(Int32(1), Int64(100)), (2, 50)] {
      var one = ProcessSample(process: process)
      one.nanoseconds = nanoseconds
      before.processes.append(one)
    }
    for (process, nanoseconds) in [(Int32(1), Int64(130)), (3, 7)] {
      var one = ProcessSample(process: process)
      one.nanoseconds = nanoseconds
      after.processes.append(one)
    }
    #expect(after.nanoseconds(since: before) == 37)
    #expect(after.json.encoded().contains("\"cpuNanoseconds\": 137"))
  }

  @Test func jsonKeepsItsOrderAndEscapes() {
    let value = JSONText.members([
      ("b", .whole(1)), ("a", .text("x\"\\\n\u{1}")), ("c", .list([.number(1.5), .null])),
      ("d", .flag(true)), ("e", .number(.nan)), ("f", .members([])),
    ])
    #expect(
      value.encoded() == """
        {
          "b": 1,
          "a": "x\\"\\\\\\n\\u0001",
          "c": [
            1.5,
            null
          ],
          "d": true,
          "e": null,
          "f": {}
        }
        """)
    let answer = #"{"taskID": "abc", "counts": {"succeeded":12, "x": 1}, "n" : 5}"#
    #expect(JSONText.field("taskID", in: answer) == "abc")
    #expect(JSONText.field("succeeded", in: answer) == "12")
    #expect(JSONText.field("n", in: answer) == "5")
    #expect(JSONText.field("none", in: answer) == nil)
  }

  @Test(arguments: [("90", 90), ("90s", 90), ("15m", 900), ("1h30m", 5_400), ("0", 0)])
  func aLengthOfTimeIsReadAsWritten(text: String, seconds: UInt64) {
    #expect(SpanOfTime(text)?.seconds == seconds)
  }

  @Test(arguments: ["", "m", "5x", "1.5h", "-1", "1h30"])
  func whatIsNoLengthOfTimeIsRefused(text: String) { #expect(SpanOfTime(text) == nil) }
}
