// The table of streams by which requests are smuggled past a proxy or a parser is worn down, each
// with its refusal, and beside them what looks alike and is lawful.

import Transports

extension RequestCase {
  /// All of them.
  static var all: [RequestCase] {
    codings + lengths + lineEnds + headerLines + hosts + targets + requestLines + connections
      + sizes
      + lawful
  }

  private static let smuggled = "0\r\n\r\nGET /admin HTTP/1.1\r\nHost: h\r\n\r\n"

  /// Transfer codings: none is ever taken, with or without a length.
  private static var codings: [RequestCase] {
    let chunked = "Transfer-Encoding: chunked\r\n"
    return [
      .refused("CL.TE", .notImplemented, post("Content-Length: 5\r\n" + chunked, smuggled)),
      .refused("TE.CL", .notImplemented, post(chunked + "Content-Length: 5\r\n", smuggled)),
      .refused("TE alone", .notImplemented, post(chunked, "5\r\nhello\r\n0\r\n\r\n")),
      .refused("TE: xchunked", .notImplemented, post("Transfer-Encoding: xchunked\r\n", smuggled)),
      .refused("TE: identity", .notImplemented, post("Transfer-Encoding: identity\r\n")),
      .refused("TE twice", .notImplemented, post(chunked + "Transfer-Encoding: x\r\n", smuggled)),
      .refused("TE list", .notImplemented, post("Transfer-Encoding: gzip, chunked\r\n", smuggled)),
      .refused("TE empty", .notImplemented, post("Transfer-Encoding:\r\n", smuggled)),
      .refused("TE in odd case", .notImplemented, post("tRANSFER-eNCODING: CHUNKED\r\n", smuggled)),
      .refused("TE on GET", .notImplemented, get("/g", chunked) + smuggled),
      .refused("TE with tab", .badRequest, post("Transfer-Encoding:\tchunked\r\n", smuggled)),
      .refused(
        "TE with vertical tab", .badRequest, post("Transfer-Encoding:\u{B}chunked\r\n", smuggled)),
      .refused("TE, space before colon", .badRequest, post("Transfer-Encoding : chunked\r\n")),
      .refused("TE behind a fold", .badRequest, post("X: y\r\n Transfer-Encoding: chunked\r\n")),
      .refused("TE, value folded", .badRequest, post("Transfer-Encoding:\r\n chunked\r\n")),
      .refused(
        "TE behind bare CR", .badRequest, post("X: y\rTransfer-Encoding: chunked\r\n", smuggled)),
      .refused(
        "TE behind bare LF", .badRequest, post("X: y\nTransfer-Encoding: chunked\r\n", smuggled)),
      .refused("Transfer_Encoding", .badRequest, post("Transfer_Encoding: chunked\r\n", smuggled)),
      .refused(
        "chunk extension", .notImplemented, post(chunked, "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n")),
      .refused("chunk size 0x5", .notImplemented, post(chunked, "0x5\r\nhello\r\n0\r\n\r\n")),
      .refused(
        "chunk size of 2^64", .notImplemented, post(chunked, "10000000000000005\r\nhello\r\n")),
      .refused("chunk ended by LF", .notImplemented, post(chunked, "5\nhello\n0\n\n")),
    ]
  }

  /// Lengths: digits alone, once.
  private static var lengths: [RequestCase] {
    func length(_ name: String, _ value: String, _ refusal: HTTPRefusal = .badRequest)
      -> RequestCase
    {
      .refused("CL " + name, refusal, post("Content-Length:\(value)\r\n"))
    }
    return [
      length("+5", " +5"), length("-5", " -5"), length("0x5", " 0x5"), length("007", " 007"),
      length("5,5", " 5,5"), length("5, 6", " 5, 6"), length("5 5", " 5 5"), length("5;", " 5;"),
      length("5.0", " 5.0"), length("5e0", " 5e0"), length("empty", ""), length("spaces", "   "),
      length("a word", " five"), length("quoted", " \"5\""), length("tab", "\t5"),
      length("NUL", " 5\0"), length("00", " 00"),
      length("2^31", " 2147483648", .contentTooLarge),
      length("2^32 + 5", " 4294967301", .contentTooLarge),
      length("2^63", " 9223372036854775808"), length("2^64", " 18446744073709551616"),
      length("2^64 + 5", " 18446744073709551621"),
      length("one over the limit", " 65537", .contentTooLarge),
      .refused("two CL, same", .badRequest, post("Content-Length: 5\r\nContent-Length: 5\r\n")),
      .refused("two CL, other", .badRequest, post("Content-Length: 5\r\nContent-Length: 6\r\n")),
      .refused("two CL, one empty", .badRequest, post("Content-Length: 5\r\nContent-Length:\r\n")),
      .refused("two CL, odd case", .badRequest, post("content-length: 5\r\nCONTENT-LENGTH: 0\r\n")),
      .refused("Content_Length", .badRequest, post("Content_Length: 5\r\n")),
      .refused("CL, space before colon", .badRequest, post("Content-Length : 5\r\n")),
      .refused("CL, tab before colon", .badRequest, post("Content-Length\t: 5\r\n")),
      .refused("CL on GET", .badRequest, get("/g", "Content-Length: 5\r\n") + "hello"),
      .refused("Expect", .expectationFailed, post("Content-Length: 5\r\nExpect: 100-continue\r\n")),
    ]
  }

  /// Line ends and control characters.
  private static var lineEnds: [RequestCase] {
    [
      .refused("LF after the request line", .badRequest, "GET /g HTTP/1.1\nHost: h\r\n\r\n"),
      .refused("LF after a header", .badRequest, "GET /g HTTP/1.1\r\nHost: h\nX: y\r\n\r\n"),
      .refused("LF as the empty line", .badRequest, "GET /g HTTP/1.1\r\nHost: h\r\n\n"),
      .refused("LF only", .badRequest, "GET /g HTTP/1.1\nHost: h\n\n"),
      .refused("bare CR in a value", .badRequest, get("/g", "X: a\rb\r\n")),
      .refused("CR CR LF", .badRequest, "GET /g HTTP/1.1\r\nHost: h\r\r\n\r\n"),
      .refused("bare CR in the request line", .badRequest, "GET /g\rx HTTP/1.1\r\nHost: h\r\n\r\n"),
      .refused("leading CR LF", .badRequest, "\r\n" + get()),
      .refused("many leading CR LF", .badRequest, "\r\n\r\n\r\n" + get()),
      .refused("leading LF", .badRequest, "\n" + get()),
      .refused("leading space", .badRequest, " " + get()),
      .refused("NUL in the method", .badRequest, "G\0T /g HTTP/1.1\r\nHost: h\r\n\r\n"),
      .refused("NUL in the target", .badRequest, get("/g\0x")),
      .refused("NUL in the version", .badRequest, "GET /g HTTP/1.1\0\r\nHost: h\r\n\r\n"),
      .refused("NUL in a name", .badRequest, get("/g", "X\0Y: z\r\n")),
      .refused("NUL in a value", .badRequest, get("/g", "X: y\0z\r\n")),
      .refused("DEL in a value", .badRequest, get("/g", "X: y\u{7F}z\r\n")),
      .refused("ESC in a value", .badRequest, get("/g", "X: y\u{1B}[0m\r\n")),
    ]
      + (0..<32).filter { $0 != 13 }.map { code in
        .refused(
          "control \(code) behind a value", .badRequest,
          bytes: Array("GET /g HTTP/1.1\r\nHost: h\r\nX: y".utf8) + [UInt8(code)]
            + Array("\r\n\r\n".utf8))
      }
  }

  /// Header lines that are none, or that readers take differently.
  private static var headerLines: [RequestCase] {
    [
      .refused("obs-fold", .badRequest, get("/g", "X: a\r\n b\r\n")),
      .refused("obs-fold by tab", .badRequest, get("/g", "X: a\r\n\tb\r\n")),
      .refused("first header folded", .badRequest, "GET /g HTTP/1.1\r\n Host: h\r\n\r\n"),
      .refused("no colon", .badRequest, get("/g", "X\r\n")),
      .refused("empty name", .badRequest, get("/g", ": y\r\n")),
      .refused("space in a name", .badRequest, get("/g", "X Y: z\r\n")),
      .refused("name in quotes", .badRequest, get("/g", "\"X\": z\r\n")),
      .refused("name with letters outside ASCII", .badRequest, get("/g", "X\u{E9}: z\r\n")),
      .refused(
        "name with Latin-1", .badRequest,
        bytes: Array("GET /g HTTP/1.1\r\nHost: h\r\nX".utf8) + [0xE9] + Array(": z\r\n\r\n".utf8)),
      .refused("value outside ASCII", .badRequest, get("/g", "X: \u{E9}\r\n")),
      .refused("long s that folds to s", .badRequest, "GET /g HTTP/1.1\r\nHo\u{17F}t: h\r\n\r\n"),
      .refused(
        "If-None-Match twice", .badRequest,
        get("/g", "If-None-Match: \"a\"\r\nIf-None-Match: \"b\"\r\n")),
    ]
  }

  private static var hosts: [RequestCase] {
    func host(_ value: String) -> RequestCase {
      .refused("Host '\(value)'", .badRequest, "GET /g HTTP/1.1\r\nHost: \(value)\r\n\r\n")
    }
    return [
      .refused("no Host", .badRequest, "GET /g HTTP/1.1\r\n\r\n"),
      .refused("two Hosts", .badRequest, get("/g", "Host: i\r\n")),
      .refused("the same Host twice", .badRequest, get("/g", "Host: h\r\n")),
      host(""), host("h/x"), host("u@h"), host("h i"), host("h, i"), host("h:"), host("h:x"),
      host("h:123456"), host("h:1:2"), host("h..i"), host(".h"), host("[::1"), host("[]"),
      host("[::1]x"), host("h\\x"), host("h?x"), host("http://h"),
    ]
  }

  private static var targets: [RequestCase] {
    func target(_ text: String) -> RequestCase {
      .refused("target \(text)", .badRequest, get(text))
    }
    return [
      target("http://h/g"), target("https://other/g"), target("h:443"), target("*"), target("g"),
      target("//h/g"), target("/a//b"), target("/../g"), target("/a/./g"), target("/a/%2e%2E/g"),
      target("/a/.%2e"), target("/a%00b"), target("/a%"), target("/a%4"), target("/a%zz"),
      target("/a#b"), target("/a\\b"), target("/a\"b"), target("/a<b>"), target("/a|b"),
      target("/a^b"), target("/a{b}"), target("/\u{E9}"), target("/a?\u{E9}"), target("/a\tb"),
    ]
  }

  private static var requestLines: [RequestCase] {
    let rest = "\r\nHost: h\r\n\r\n"
    return [
      .refused("HTTP/0.9", .badRequest, "GET /g\r\n"),
      .refused("HTTP/1.0", .versionNotSupported, "GET /g HTTP/1.0" + rest),
      .refused("HTTP/1.2", .versionNotSupported, "GET /g HTTP/1.2" + rest),
      .refused("HTTP/1.10", .versionNotSupported, "GET /g HTTP/1.10" + rest),
      .refused("HTTP/01.1", .versionNotSupported, "GET /g HTTP/01.1" + rest),
      .refused("HTTP/2.0", .versionNotSupported, "GET /g HTTP/2.0" + rest),
      .refused("http/1.1", .badRequest, "GET /g http/1.1" + rest),
      .refused("HTTP/2 preface", .versionNotSupported, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      .refused("TLS hello", .badRequest, bytes: [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3]),
      .refused("lower-case method", .notImplemented, "get /g HTTP/1.1" + rest),
      .refused("CONNECT", .notImplemented, "CONNECT h:443 HTTP/1.1" + rest),
      .refused("TRACE", .notImplemented, "TRACE /g HTTP/1.1" + rest),
      .refused("OPTIONS *", .notImplemented, "OPTIONS * HTTP/1.1" + rest),
      .refused("HEAD", .notImplemented, "HEAD /g HTTP/1.1" + rest),
      .refused("empty method", .badRequest, "  /g HTTP/1.1" + rest),
      .refused("two spaces", .badRequest, "GET  /g HTTP/1.1" + rest),
      .refused("space at the end", .badRequest, "GET /g HTTP/1.1 " + rest),
      .refused("space in the target", .badRequest, "GET /g x HTTP/1.1" + rest),
      .refused("tab as space", .badRequest, "GET\t/g\tHTTP/1.1" + rest),
    ]
  }

  private static var connections: [RequestCase] {
    let first = SeenRequest(method: "GET", target: "/g", bodyBytes: 0)
    return [
      .refused("Upgrade", .badRequest, get("/g", "Upgrade: websocket\r\n")),
      .refused("Connection: Upgrade", .badRequest, get("/g", "Connection: Upgrade\r\n")),
      .refused(
        "h2c", .badRequest,
        get("/g", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n")),
      .refused("HTTP2-Settings", .badRequest, get("/g", "HTTP2-Settings: AAM\r\n")),
      .refused(
        "Connection: Content-Length", .badRequest,
        post("Content-Length: 5\r\nConnection: close, Content-Length\r\n")),
      .refused("Connection: Host", .badRequest, get("/g", "Connection: Host\r\n")),
      .refused("Connection empty", .badRequest, get("/g", "Connection:\r\n")),
      .refused(
        "Connection twice", .badRequest,
        get("/g", "Connection: keep-alive\r\nConnection: close\r\n")),
      .refused("junk behind", .badRequest, get() + "\0\0\0", behind: [first]),
      .refused("CR LF behind", .badRequest, get() + "\r\n", behind: [first]),
      .refused(
        "body longer than CL", .notImplemented,
        post("Content-Length: 5\r\n", "helloX /s HTTP/1.1\r\n"),
        behind: [SeenRequest(method: "POST", target: "/p", bodyBytes: 5)]),
    ]
  }

  private static var sizes: [RequestCase] {
    func times(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }
    return [
      .refused("header of 1 MB", .headersTooLarge, get("/g", "X: \(times("a", 1 << 20))\r\n")),
      .refused("name of 1 MB", .headersTooLarge, get("/g", "\(times("a", 1 << 20)): b\r\n")),
      .refused("10,000 headers", .headersTooLarge, get("/g", times("X: y\r\n", 10_000))),
      .refused("65 headers", .headersTooLarge, get("/g", times("X: y\r\n", 64))),
      .refused("target of 64 KiB", .targetTooLong, get("/" + times("a", 1 << 16))),
      .refused("target one over", .targetTooLong, get("/" + times("a", 2_048))),
      .refused("method of 64 KiB", .targetTooLong, times("A", 1 << 16)),
      .refused(
        "head one over", .headersTooLarge,
        get("/g", "X: \(times("a", 8_192 - get("/g", "X: \r\n").utf8.count + 1))\r\n")),
    ]
  }

  /// What must be taken, though it looks like one of the above.
  private static var lawful: [RequestCase] {
    func seen(_ method: String, _ target: String, _ bodyBytes: Int = 0) -> SeenRequest {
      SeenRequest(method: method, target: target, bodyBytes: bodyBytes)
    }
    func times(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }
    let get = seen("GET", "/g")
    let post = seen("POST", "/p", 5)
    return [
      .taken("GET", [get], self.get()),
      .taken("GET with CL 0", [get], self.get("/g", "Content-Length: 0\r\n")),
      .taken("POST", [post], self.post("Content-Length: 5\r\n")),
      .taken("POST without body", [seen("POST", "/p")], self.post("", "")),
      .taken("CL in odd case", [post], self.post("cOnTeNt-LeNgTh: 5\r\n")),
      .taken("CL with spaces around", [post], self.post("Content-Length:   5   \r\n")),
      .taken("CL without a space", [post], self.post("Content-Length:5\r\n")),
      .taken(
        "a body that looks like a request", [seen("POST", "/p", self.get().utf8.count), get],
        self.post("Content-Length: \(self.get().utf8.count)\r\n", self.get()) + self.get()),
      .taken(
        "three in a row", [post, get, post],
        self.post("Content-Length: 5\r\n") + self.get() + self.post("Content-Length: 5\r\n")),
      .taken(
        "nothing counts behind close", [get],
        self.get("/g", "Connection: Close\r\n") + self.get("/hidden")),
      .taken("close in a list", [get], self.get("/g", "Connection: keep-alive , close\r\n") + "x"),
      .taken("keep-alive", [get, get], self.get("/g", "Connection: Keep-Alive\r\n") + self.get()),
      .taken("empty value", [get], self.get("/g", "X:\r\n")),
      .taken("colons in a value", [get], self.get("/g", "X: a: b:\r\n")),
      .taken("a header twice", [get], self.get("/g", "Via: 1.1 a\r\nVia: 1.1 b\r\n")),
      .taken("X-Transfer-Encoding", [get], self.get("/g", "X-Transfer-Encoding: chunked\r\n")),
      .taken(
        "query with marks", [seen("GET", "/g?a=1&b=/?:@%2F..//")],
        self.get("/g?a=1&b=/?:@%2F..//")),
      .taken(
        "path with marks", [seen("GET", "/a.b/..c/%41;x=1,2/")], self.get("/a.b/..c/%41;x=1,2/")),
      .taken("Host with port", [get], "GET /g HTTP/1.1\r\nHost: mp1.site.example:8443\r\n\r\n"),
      .taken("Host as IPv6", [get], "GET /g HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\n\r\n"),
      .taken("64 headers", [get], self.get("/g", times("X: y\r\n", 63))),
      .taken(
        "target of the limit", [seen("GET", "/" + times("a", 2_047))],
        self.get("/" + times("a", 2_047))),
      .taken(
        "head of the limit", [get],
        self.get("/g", "X: \(times("a", 8_192 - self.get("/g", "X: \r\n").utf8.count))\r\n")),
      .taken(
        "body of the limit", [seen("POST", "/p", 65_536)],
        self.post("Content-Length: 65536\r\n", times("b", 65_536))),
      .taken(
        "1,000 in a row, taken as they come", Array(repeating: get, count: 1_000),
        times(self.get(), 1_000)),
    ]
  }
}
