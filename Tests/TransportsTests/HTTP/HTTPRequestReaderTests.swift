// The strict HTTP subset: what it accepts, what it refuses with which status, and that no split of
// the bytes changes either.

import Testing
import Transports

struct HTTPRequestReaderTests {
  private func read(_ text: String) throws(HTTPRefusal) -> HTTPRequest? {
    var reader = HTTPRequestReader()
    reader.append(Array(text.utf8).span)
    return try reader.next()
  }

  private func status(_ text: String) -> UInt16 {
    do {
      return try read(text) == nil ? 0 : 200
    } catch {
      return error.rawValue
    }
  }

  @Test func aRequestIsReadWhole() throws {
    let request = try #require(
      try read("POST /bgb/x?a=1 HTTP/1.1\r\nHost: mp\r\nContent-Length: 3\r\nX-A:  b \r\n\r\nabc"))
    #expect(request.method == "POST")
    #expect(request.path == "/bgb/x")
    #expect(request.query == "a=1")
    #expect(request["x-a"] == "b")
    #expect(request.body == Array("abc".utf8))
  }

  @Test func everySplitGivesTheSameRequest() throws {
    let text = "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
    let whole = try #require(try read(text))
    let bytes = Array(text.utf8)
    for cut in 1..<bytes.count {
      var reader = HTTPRequestReader()
      reader.append(Array(bytes[..<cut]).span)
      let answer1 = try reader.next()
      #expect(answer1 == nil)
      reader.append(Array(bytes[cut...]).span)
      let answer2 = try reader.next()
      #expect(answer2 == whole)
    }
    var reader = HTTPRequestReader()
    for (index, byte) in bytes.enumerated() {
      reader.append([byte].span)
      let answer3 = try reader.next()
      #expect(answer3 == (index == bytes.count - 1 ? whole : nil))
    }
  }

  @Test func whatFollowsBelongsToTheNextRequest() throws {
    var reader = HTTPRequestReader()
    reader.append(
      Array("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n".utf8).span)
    let answer4 = try reader.next()
    #expect(answer4?.path == "/1")
    let answer5 = try reader.next()
    #expect(answer5?.path == "/2")
    let answer6 = try reader.next()
    #expect(answer6 == nil)
    #expect(reader.isEmpty)
  }

  @Test(
    arguments: [
      ("GET / HTTP/1.0\r\nHost: h\r\n\r\n", 505),
      ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
      ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
      ("GET /\r\nHost: h\r\n\r\n", 400),
      ("DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", 501),
      ("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 501),
      ("GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
      ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
      ("GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400),
      ("GET / HTTP/1.1\r\n\r\n", 400),
      ("GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", 400),
      ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400),
      ("GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400),
      ("GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", 400),
      ("GET / HTTP/1.1\r\nHost: h\r\n: v\r\n\r\n", 400),
      ("GET / HTTP/1.1\r\nHost: h\r\nX\r\n\r\n", 400),
      ("GET / HTTP/1.1\r\nHost: h\nX: a\r\n\r\n", 400),
      ("GET / HTTP/1.1\r\nHost: h\rX: a\r\n\r\n", 400),
      ("GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 400),
      ("GET /\u{7F} HTTP/1.1\r\nHost: h\r\n\r\n", 400),
      ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
      ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", 501),
      (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0",
        501
      ),
      ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
      ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\na", 400),
      ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\na", 400),
      ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x1\r\n\r\na", 400),
      ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 007\r\n\r\nabcdefg", 400),
      ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\na", 400),
      ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\n", 400),
      ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", 400),
      ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n", 413),
      ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na", 400),
      ("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n", 400),
    ] as [(String, UInt16)])
  func oddRequestsAreRefused(_ text: String, _ expected: UInt16) {
    #expect(status(text) == expected)
  }

  @Test func boundsAreKept() {
    let long = String(repeating: "a", count: 2_100)
    #expect(status("GET /\(long) HTTP/1.1\r\nHost: h\r\n\r\n") == 414)
    let many = (0..<70).map { "X\($0): v\r\n" }.joined()
    #expect(status("GET / HTTP/1.1\r\nHost: h\r\n\(many)\r\n") == 431)
    #expect(
      status("GET / HTTP/1.1\r\nHost: h\r\nX: " + String(repeating: "b", count: 9_000)) == 431)
  }

  @Test func answersSayTheirLengthAndEnd() {
    let text = String(decoding: HTTPResponse.text(404, "none").encoded(), as: UTF8.self)
    #expect(text.hasPrefix("HTTP/1.1 404 Not Found\r\n"))
    #expect(text.contains("Content-Length: 5\r\nConnection: close\r\n\r\nnone\n"))
    let unchanged = HTTPResponse(status: 304, headers: ["ETag: \"x\""], body: [1])
    #expect(
      String(decoding: unchanged.encoded(), as: UTF8.self)
        == "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nConnection: close\r\n\r\n")
    #expect(
      String(decoding: HTTPResponse.text(410, "gone").encoded(keepAlive: true), as: UTF8.self)
        == "HTTP/1.1 410 Gone\r\nContent-Type: text/plain; charset=utf-8\r\n"
        + "Content-Length: 5\r\n\r\ngone\n")
  }
}
