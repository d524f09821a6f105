// The agent's reader of answers: what it takes, by which name it refuses the rest, and that neither
// the cutting of the stream nor what stands behind an answer changes either.

import Testing

@testable import Transports

struct HTTPAnswerReaderTests {
  /// What a reader made of some bytes.
  struct Reading: Equatable {
    var answers: [HTTPAnswer] = []
    var fault: HTTPAnswerFault?
    var isEmpty = true
  }

  private func read(_ text: String, step: Int = .max, limits: HTTPLimits = HTTPLimits()) -> Reading
  {
    var reader = HTTPAnswerReader(limits: limits)
    var reading = Reading()
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty, reading.fault == nil {
      let piece = Array(rest.prefix(step))
      rest = rest.dropFirst(piece.count)
      reader.append(piece.span)
      do throws(HTTPAnswerFault) {
        while let answer = try reader.next() { reading.answers.append(answer) }
      } catch {
        reading.fault = error
      }
    }
    reading.isEmpty = reader.isEmpty
    return reading
  }

  @Test func anAnswerIsReadWhole() throws {
    let answer = try #require(
      read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A:  b \r\n\r\nabc").answers.first)
    #expect(answer.status == 200)
    #expect(answer["x-a"] == "b")
    #expect(answer.body == Array("abc".utf8))
    #expect(!answer.endsConnection)
  }

  @Test func answersOfOneConnectionComeOneByOneHoweverCut() {
    let text =
      HTTPResponse.text(200, "one").encoded(keepAlive: true)
      + HTTPResponse(status: 304, headers: ["ETag: \"x\""]).encoded(keepAlive: true)
      + HTTPResponse(status: 204).encoded(keepAlive: true)
      + HTTPResponse.text(429, "later").encoded()
    let stream = String(decoding: text, as: UTF8.self)
    let whole = read(stream)
    #expect(whole.answers.map(\.status) == [200, 304, 204, 429])
    #expect(whole.answers.map(\.endsConnection) == [false, false, false, true])
    #expect(whole.answers.map(\.body.count) == [4, 0, 0, 6])
    #expect(whole.fault == nil)
    #expect(whole.isEmpty)
    for step in 1..<text.count { #expect(read(stream, step: step) == whole) }
  }

  @Test func everyPrefixIsTruncatedAndOnlyTheEndIsClean() {
    let text = Array("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc".utf8)
    for length in 1..<text.count {
      let reading = read(String(decoding: text[..<length], as: UTF8.self))
      #expect(reading == Reading(answers: [], fault: nil, isEmpty: false))
    }
    #expect(HTTPAnswerReader().isEmpty)
  }

  @Test(
    arguments: [
      ("<html>", .notHTTP),
      ("\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", .notHTTP),
      ("http/1.1 200 OK\r\n", .notHTTP),
      ("SSH-2.0-x\r\n", .notHTTP),
      ("HTTP/1.0 200 OK\r\n", .unsupported),
      ("HTTP/2 200\r\n", .unsupported),
      ("HTTP/x 200 OK\r\n", .malformed),
      ("HTTP/1.1 200\r\n", .malformed),
      ("HTTP/1.1  200 OK\r\n", .malformed),
      ("HTTP/1.1 20 OK\r\n", .malformed),
      ("HTTP/1.1 2000 OK\r\n", .malformed),
      ("HTTP/1.1 +20 OK\r\n", .malformed),
      ("HTTP/1.1 600 OK\r\n", .malformed),
      ("HTTP/1.1 099 OK\r\n", .malformed),
      ("HTTP/1.1 100 Continue\r\n\r\n", .unsupported),
      ("HTTP/1.1 101 Switching Protocols\r\n\r\n", .unsupported),
      ("HTTP/1.1 200 OK\n", .malformed),
      ("HTTP/1.1 200 OK\r\r\n", .malformed),
      ("HTTP/1.1 200 O\0K\r\n", .malformed),
      ("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", .malformed),
      ("HTTP/1.1 200 OK\r\nX : a\r\n\r\n", .malformed),
      ("HTTP/1.1 200 OK\r\nX\r\n\r\n", .malformed),
      ("HTTP/1.1 200 OK\r\n: a\r\n\r\n", .malformed),
      ("HTTP/1.1 200 OK\r\n\r\n", .unsupported),
      ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .unsupported),
      (
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .unsupported
      ),
      ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nUpgrade: h2c\r\n\r\n", .unsupported),
      ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: upgrade\r\n\r\n", .malformed),
      ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", .malformed),
      ("HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na", .malformed),
      ("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na", .malformed),
      ("HTTP/1.1 200 OK\r\nContent-Length: 01\r\n\r\na", .malformed),
      ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\na", .malformed),
      ("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\na", .malformed),
      ("HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\na", .tooLong),
      ("HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\na", .malformed),
    ] as [(String, HTTPAnswerFault)])
  func whatOurServerNeverSendsHasItsName(_ text: String, _ expected: HTTPAnswerFault) {
    let whole = read(text)
    #expect(whole == Reading(answers: [], fault: expected, isEmpty: false))
    #expect(read(text, step: 1) == whole)
  }

  @Test func aFaultBehindAnAnswerLeavesTheAnswerAndStays() throws {
    var reader = HTTPAnswerReader()
    reader.append(Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n<html>".utf8).span)
    let first = try reader.next()
    #expect(first?.status == 200)
    for _ in 0..<2 {
      #expect(throws: HTTPAnswerFault.notHTTP) { try reader.next() }
      reader.append(Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8).span)
    }
    #expect(!reader.isEmpty)
  }

  @Test func nothingFollowsAnAnswerThatEndsTheConnection() {
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    #expect(read(last) == read(last, step: 1))
    #expect(read(last).fault == nil)
    #expect(read(last + "x").answers.count == 1)
    #expect(read(last + "x").fault == .malformed)
  }

  @Test func boundsAreKept() {
    var limits = HTTPLimits()
    limits.headBytesMax = 64
    limits.bodyBytesMax = 4
    limits.headersMax = 2
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n"
    let filling = "X: " + String(repeating: "a", count: 64 - head.utf8.count - 7) + "\r\n\r\n"
    for step in [1, .max] {
      #expect(read(head + filling + "body", step: step, limits: limits).answers.count == 1)
      #expect(read(head + "a" + filling, step: step, limits: limits).fault == .tooLong)
      #expect(
        read(head + "A: b\r\nC: d\r\n\r\n", step: step, limits: limits).fault == .tooLong)
    }
    let flood = String(repeating: "HTTP/1.1 204 N\r\n\r\n", count: 8)
    #expect(read(flood, limits: limits).fault == .tooLong)
    #expect(read(flood, step: 20, limits: limits).answers.count == 8)
  }
}
