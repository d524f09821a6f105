// The table of smuggling and of size (`RequestCase.all`) against our reader, whole and byte by
// byte; and what the reader holds of peers that send ahead.

import Testing

@testable import Transports

@Suite("Smuggling")
struct SmugglingTests {
  @Test func theTableIsLongEnoughAndNamesEachCaseOnce() {
    let names = RequestCase.all.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(RequestCase.all.count { $0.expected.refusal != nil } >= 60)
    #expect(RequestCase.all.count { $0.expected.refusal == nil } >= 20)
  }

  @Test(arguments: RequestCase.all)
  func eachCaseGetsItsVerdictHoweverCut(_ sample: RequestCase) {
    for step in [Int.max, 1, 2, 3, 7, 4_096] {
      #expect(Reading(of: sample.bytes, step: step) == sample.expected, "pieces of \(step)")
    }
  }

  @Test(arguments: RequestCase.all.filter { $0.expected.refusal != nil })
  func whatFollowsARefusalIsNeverRead(_ sample: RequestCase) {
    let more = sample.bytes + Array(RequestCase.get("/after").utf8)
    #expect(Reading(of: more) == sample.expected)
  }

  @Test func aRefusalStaysAndHoldsNothing() {
    var reader = HTTPRequestReader()
    for _ in 0..<2 {
      reader.append(Array("GET / HTTP/1.0\r\n".utf8).span)
      #expect(throws: HTTPRefusal.versionNotSupported) { try reader.next() }
      #expect(reader.isEmpty)
    }
  }

  @Test func requestsThatNobodyTakesAreHeldToABound() throws {
    let request = Array(
      RequestCase.get("/g", "X: " + String(repeating: "a", count: 60) + "\r\n").utf8)
    let fitting = HTTPLimits().heldBytesMax / request.count
    for surplus in 0...1 {
      var reader = HTTPRequestReader()
      for _ in 0..<fitting + surplus { reader.append(request.span) }
      for _ in 0..<fitting {
        let taken = try reader.next()
        #expect(taken?.path == "/g")
      }
      if surplus == 0 {
        let none = try reader.next()
        #expect(none == nil)
        #expect(reader.isEmpty)
      } else {
        #expect(throws: HTTPRefusal.badRequest) { try reader.next() }
      }
    }
  }

  @Test func anOwnerThatTakesAllBeforeItReadsNeverMeetsTheBound() throws {
    let limits = HTTPLimits()
    let body = String(repeating: "b", count: limits.bodyBytesMax)
    let one = Array(RequestCase.post("Content-Length: \(body.utf8.count)\r\n", body).utf8)
    let stream = one + one + one
    var reader = HTTPRequestReader()
    var taken = 0
    for start in stride(from: 0, to: stream.count, by: 65_536) {
      reader.append(Array(stream[start..<min(stream.count, start + 65_536)]).span)
      while try reader.next() != nil { taken += 1 }
    }
    #expect(taken == 3)
  }

  @Test func idleAndSlowAreToldApart() throws {
    var reader = HTTPRequestReader()
    #expect(reader.isEmpty)
    let bytes = Array(RequestCase.post("Content-Length: 5\r\n").utf8)
    for (index, byte) in bytes.enumerated() {
      reader.append([byte].span)
      let request = try reader.next()
      #expect((request == nil) == (index < bytes.count - 1))
      #expect(reader.isEmpty == (request != nil))
    }
  }

  @Test func theEndOfTheConnectionIsSaid() throws {
    for (header, ends) in [
      ("", false), ("Connection: keep-alive\r\n", false), ("Connection: close\r\n", true),
      ("connection: Keep-Alive, CLOSE\r\n", true),
    ] {
      var reader = HTTPRequestReader()
      reader.append(Array(RequestCase.get("/g", header).utf8).span)
      let request = try reader.next()
      #expect(request?.endsConnection == ends)
    }
  }

  @Test func whatWasTakenIsLetGo() {
    var lines = HTTPLines()
    for _ in 0..<3 {
      lines.append([UInt8](repeating: 97, count: 10_000).span, upTo: 10_000)
      let first = lines.take(9_000)
      #expect(first?.count == 9_000)
      #expect(lines.count == 1_000)
      let rest = lines.take(1_001)
      #expect(rest == nil)
      let last = lines.take(1_000)
      #expect(last == [UInt8](repeating: 97, count: 1_000))
      #expect(lines.isEmpty)
    }
    lines.append([97, 98, 99].span, upTo: 2)
    #expect(lines.isCut)
    #expect(lines.count == 2)
  }

  @Test func hostsAndTargetsArePlain() throws {
    let target = try #require(HTTPTarget(Array("/a/b?c".utf8)[...]))
    #expect(target.path == "/a/b")
    #expect(target.query == "c")
    #expect(HTTPTarget(Array("a".utf8)[...]) == nil)
    #expect(HTTPTarget.isHost("mp_1.site:1"))
    #expect(!HTTPTarget.isHost("a/b"))
    #expect(HTTPField.length("12") == 12)
    #expect(HTTPField.length("12345678901") == nil)
  }
}
