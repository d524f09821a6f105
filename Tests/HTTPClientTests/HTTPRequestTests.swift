// Requests against a real socket: what is sent, what comes back, and every way in which it does
// not.

import Synchronization
import Testing

@testable import HTTPClient

@Suite struct HTTPRequestTests {
  @Test func aRequestArrivesAsItWasMade() throws {
    let server = try ScriptedServer { _ in
      [answer("201 Created", "{\"ok\":true}", headers: "X-Two:  words \r\n")]
    }
    defer { server.stop() }
    let body = Array("{\"a\":\"ü\"}".utf8)
    let response = try HTTPRequest(
      .post, url: "http://bgb/v1/things?x=1", headers: [("Content-Type", "application/json")],
      body: body, unixSocket: server.path
    ).send()
    #expect(response.status == 201)
    #expect(response.isSuccess)
    #expect(response.header("x-two") == "words")
    #expect(String(decoding: response.body, as: UTF8.self) == "{\"ok\":true}")
    let seen = try #require(server.seen.first)
    #expect(seen.line == "POST /v1/things?x=1 HTTP/1.1")
    #expect(seen.headers["content-type"] == "application/json")
    #expect(seen.headers["expect"] == nil)
    #expect(seen.body == body)
  }

  @Test(arguments: [HTTPRequest.Method.get, .post, .put, .delete])
  func everyMethodIsSentWithAndWithoutABody(_ method: HTTPRequest.Method) throws {
    let server = try ScriptedServer { _ in [answer("200 OK", "fine")] }
    defer { server.stop() }
    for body in [nil, [], Array("text".utf8)] as [[UInt8]?] {
      let response = try HTTPRequest(
        method, url: "http://bgb/", body: body, unixSocket: server.path
      ).send()
      #expect(response.status == 200)
    }
    #expect(server.seen.map(\.line) == Array(repeating: "\(method.rawValue) / HTTP/1.1", count: 3))
    #expect(server.seen.map { $0.body.count } == [0, 0, 4])
  }

  @Test func aLargeBodyGoesAndALargeAnswerComes() throws {
    let large = String(repeating: "0123456789abcdef", count: 100_000)
    let server = try ScriptedServer { request in
      [answer("200 OK", String(decoding: request.body, as: UTF8.self))]
    }
    defer { server.stop() }
    let response = try HTTPRequest(
      .post, url: "http://bgb/", body: Array(large.utf8), unixSocket: server.path
    ).send()
    #expect(response.body == Array(large.utf8))
  }

  @Test func anErrorStatusIsAnAnswer() throws {
    let server = try ScriptedServer { _ in [answer("409 Conflict", "{}")] }
    defer { server.stop() }
    let response = try HTTPRequest(.get, url: "http://bgb/", unixSocket: server.path).send()
    #expect(response.status == 409)
    #expect(!response.isSuccess)
  }

  @Test func aRedirectIsNotFollowed() throws {
    let server = try ScriptedServer { _ in
      [answer("302 Found", "", headers: "Location: http://elsewhere/\r\n")]
    }
    defer { server.stop() }
    #expect(
      try HTTPRequest(.get, url: "http://bgb/", unixSocket: server.path).send().status == 302)
    #expect(server.seen.count == 1)
  }

  @Test func anAnswerOverTheLimitIsRefused() throws {
    let server = try ScriptedServer { _ in
      [answer("200 OK", String(repeating: "x", count: 1001))]
    }
    defer { server.stop() }
    #expect(throws: HTTPError.tooLong) {
      try HTTPRequest(.get, url: "http://bgb/", unixSocket: server.path, bodyBytesMax: 1000).send()
    }
    let whole = try HTTPRequest(
      .get, url: "http://bgb/", unixSocket: server.path, bodyBytesMax: 1001
    ).send()
    #expect(whole.body.count == 1001)
  }

  @Test func nobodyThereIsUnreachable() {
    #expect {
      try HTTPRequest(.get, url: "http://bgb/", unixSocket: "/nowhere/x.sock").send()
    } throws: {
      if case HTTPError.unreachable = $0 { true } else { false }
    }
  }

  @Test func anAnswerCutShortIsAnError() throws {
    let server = try ScriptedServer { _ in ["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"] }
    defer { server.stop() }
    #expect(throws: HTTPError.self) {
      try HTTPRequest(.get, url: "http://bgb/", unixSocket: server.path).send()
    }
  }

  @Test func silenceEndsWithTheTimeout() throws {
    let server = try ScriptedServer { _ in
      Gate.never.wait()
      return []
    }
    defer { server.stop() }
    #expect {
      try HTTPRequest(
        .get, url: "http://bgb/", unixSocket: server.path, timeoutMilliseconds: 150
      ).send()
    } throws: {
      if case HTTPError.timeout = $0 { true } else { false }
    }
  }

  @Test func theCallerCanStopASilentExchange() throws {
    let server = try ScriptedServer { _ in
      Gate.never.wait()
      return []
    }
    defer { server.stop() }
    var asked = 0
    #expect(throws: HTTPError.stopped) {
      _ = try HTTPRequest(
        .get, url: "http://bgb/", unixSocket: server.path, timeoutMilliseconds: 0
      ).stream(onLine: { _ in true }) {
        asked += 1
        return asked > 2
      }
    }
    #expect(asked == 3)
  }

  @Test(arguments: [
    ("http://bgb/a b", [] as [(name: String, value: String)]),
    ("http://bgb/\r\nX: y", []), ("ftp://bgb/", []), ("file:///etc/passwd", []),
    ("http://bgb/", [("X", "a\r\nHost: b")]), ("http://bgb/", [("", "a")]),
  ])
  func whatCouldSmuggleIsNotSent(_ url: String, _ headers: [(name: String, value: String)]) throws {
    let server = try ScriptedServer { _ in [answer("200 OK", "")] }
    defer { server.stop() }
    #expect {
      try HTTPRequest(.get, url: url, headers: headers, unixSocket: server.path).send()
    } throws: {
      switch $0 as? HTTPError {
      case .invalid, .unreachable: true
      default: false
      }
    }
    #expect(server.seen.isEmpty)
  }

  @Test func linesComeOneByOneHoweverTheyAreCut() throws {
    let server = try ScriptedServer { _ in
      [
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: op", "eration\r",
        "\ndata: {\"ä\":1}\n\n", ": keep\n", "data: a\ndata: b\r\n\r\nevent: end\ndata: x\n\nrest",
      ]
    }
    defer { server.stop() }
    var reader = ServerSentEventReader()
    var events: [ServerSentEvent] = []
    _ = try HTTPRequest(.get, url: "http://bgb/", unixSocket: server.path).stream(onLine: {
      if let event = reader.take($0) { events.append(event) }
      return true
    })
    #expect(
      events == [
        ServerSentEvent(name: "operation", data: "{\"ä\":1}"),
        ServerSentEvent(name: "message", data: "a\nb"), ServerSentEvent(name: "end", data: "x"),
      ])
  }

  @Test func aLineHandlerCanEndTheStream() throws {
    let server = try ScriptedServer { _ in
      ["HTTP/1.1 200 OK\r\n\r\none\ntwo\n", String(repeating: "three\n", count: 100_000)]
    }
    defer { server.stop() }
    var lines: [String] = []
    let response = try HTTPRequest(.get, url: "http://bgb/", unixSocket: server.path).stream(
      onLine: {
        lines.append($0)
        return lines.count < 2
      })
    #expect(lines == ["one", "two"])
    #expect(response.status == 200)
  }

  @Test func aFailedStreamHasABodyAndNoLines() throws {
    let server = try ScriptedServer { _ in [answer("404 Not Found", "why\nnot")] }
    defer { server.stop() }
    var lines = 0
    let response = try HTTPRequest(.get, url: "http://bgb/", unixSocket: server.path).stream(
      onLine: { _ in
        lines += 1
        return true
      })
    #expect(lines == 0)
    #expect(String(decoding: response.body, as: UTF8.self) == "why\nnot")
  }

  @Test func aLineOverTheLimitIsRefused() throws {
    let server = try ScriptedServer { _ in
      ["HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 101)]
    }
    defer { server.stop() }
    #expect(throws: HTTPError.tooLong) {
      _ = try HTTPRequest(
        .get, url: "http://bgb/", unixSocket: server.path, bodyBytesMax: 100
      ).stream(onLine: { _ in true })
    }
  }
}
