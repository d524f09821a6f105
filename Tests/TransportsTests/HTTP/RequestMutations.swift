// Lawful requests broken at random, and the same for the same seed: a byte changed, lost or put in,
// a line doubled, moved or lost, and words that smugglers use put where they may or may not fit.

import Transports

/// A source of mutated streams.
struct RequestMutations {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// SplitMix64.
  private mutating func random(below bound: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return Int((mixed ^ mixed >> 31) % UInt64(bound))
  }

  private static let words = [
    "\r\n", "\n", "\r", "\t", " ", "\0", "\u{B}", "\u{85}", ":", ",", "0", "5", "+", "%00", "%2e",
    "/..",
    "//", "?", "#", "Content-Length: 5\r\n", "Content-Length: 0\r\n", "content-length:3\r\n",
    "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "Connection: keep-alive\r\n",
    "Host: i\r\n", "X-A: b\r\n", "X: \r\n", " HTTP/1.1\r\n", "0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n",
    "Expect: 100-continue\r\n", "If-None-Match: \"x\"\r\n", "Accept: */*\r\n",
    "Range: bytes=0-1\r\n",
    "Cookie: a=b\r\n", "Authorization: Basic YTpi\r\n", "User-Agent: x\r\n", "Date: x\r\n",
    "If-Modified-Since: x\r\n", "X-Forwarded-For: 1.2.3.4\r\n", "TE: trailers\r\n",
    "Via: 1.1 p\r\n",
    "Keep-Alive: 5\r\n", "Proxy-Connection: close\r\n", "Trailer: X\r\n", "If-Match: *\r\n",
    "GET /i HTTP/1.1\r\nHost: h\r\n\r\n", "POST ", "GET ", "z",
  ].map { Array($0.utf8) }

  private static let origins: [[UInt8]] = [
    RequestCase.get(), RequestCase.get("/bgb/policy?a=1&b=%41"),
    RequestCase.get("/a/b.c/~d;e", "Accept: */*\r\nUser-Agent: curl/8\r\nX-Long: a, b, c\r\n"),
    RequestCase.post("Content-Length: 5\r\n"),
    RequestCase.post("Content-Length: 0\r\nContent-Type: x/y\r\n", ""),
    RequestCase.post("Content-Length: 31\r\n", RequestCase.get("/in", "X: y\r\n")),
    RequestCase.post("Connection: keep-alive\r\nContent-Length: 12\r\n", "0\r\n\r\nGET /x "),
    RequestCase.post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
  ].map { Array($0.utf8) }

  /// The next stream: one to three requests, broken at one to three places.
  mutating func next() -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0...random(below: 3) {
      bytes += RequestMutations.origins[random(below: RequestMutations.origins.count)]
    }
    for _ in 0...random(below: 3) { breakOnce(&bytes) }
    return bytes + Array(RequestCase.get("/last").utf8)
  }

  private mutating func breakOnce(_ bytes: inout [UInt8]) {
    guard !bytes.isEmpty else { return }
    let place = random(below: bytes.count)
    switch random(below: 8) {
    case 0: bytes[place] = UInt8(random(below: 256))
    case 1: bytes.remove(at: place)
    case 2: bytes[place] ^= 0x20
    case 3: insertWord(&bytes, at: place)
    case 4, 5, 6: insertWord(&bytes, at: lineStart(bytes, near: place))
    default:
      let start = lineStart(bytes, near: place)
      let end = lineStart(bytes, near: start + 1)
      guard end > start else { return }
      let line = bytes[start..<end]
      bytes.removeSubrange(start..<end)
      guard random(below: 3) > 0 else { return }
      bytes.insert(contentsOf: line, at: lineStart(bytes, near: random(below: bytes.count + 1)))
    }
  }

  private mutating func insertWord(_ bytes: inout [UInt8], at place: Int) {
    let word = RequestMutations.words[random(below: RequestMutations.words.count)]
    bytes.insert(contentsOf: word, at: min(place, bytes.count))
  }

  /// The first place at or behind `place` where a line begins, or the end.
  private func lineStart(_ bytes: [UInt8], near place: Int) -> Int {
    guard place > 0, place < bytes.count else { return min(max(place, 0), bytes.count) }
    return bytes[(place - 1)...].firstIndex(of: 10).map { $0 + 1 } ?? bytes.count
  }
}
