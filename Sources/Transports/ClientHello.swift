// The one question that admission asks before the expensive part: does this peer offer to resume?
// A resumed handshake costs a quarter of a full one, so in a storm those who can resume come first.
// The answer is only an ordering: whoever lies is still judged by OpenSSL and waits no less.
//
// Pure, and total: any bytes have an answer. RFC 8446, 4.1.2 (ClientHello) and 4.2 (extensions).

/// What a peer wants that has connected and was not answered yet.
public enum Greeting: Equatable, Sendable {
  /// Nothing has come.
  case none
  /// It has gone again.
  case gone
  /// It offers a session or a key that both may know already.
  case resumption
  /// Anything else; a full handshake, most likely.
  case handshake
}

/// A look into the first message of a TLS client.
enum ClientHello {
  /// Extension `pre_shared_key` (RFC 8446, 4.2.11), which is the last one where it is offered.
  private static let preSharedKey = 41

  /// Whether the bytes begin with a ClientHello that offers a pre-shared key.
  ///
  /// False for anything else: for a hello that is not whole, not TLS 1.3, or not TLS.
  static func offersResumption(_ bytes: Span<UInt8>) -> Bool {
    var walk = HelloWalk(bytes)
    // The record: handshake, its version, its length.
    guard walk.number(1) == 22, walk.number(2) != nil, walk.number(2) != nil,
      // The message: ClientHello, its length, the old version, the random number.
      walk.number(1) == 1, walk.number(3) != nil, walk.number(2) != nil, walk.take(32) != nil,
      // Session id, cipher suites, compression methods, and the length of the extensions.
      walk.vector(1) != nil, walk.vector(2) != nil, walk.vector(1) != nil, let all = walk.number(2)
    else { return false }
    let end = walk.place + all
    while walk.place < end {
      guard let kind = walk.number(2) else { return false }
      if kind == preSharedKey { return true }
      guard walk.vector(2) != nil else { return false }
    }
    return false
  }
}

/// A reader of big-endian numbers and vectors that never reads beyond its end.
struct HelloWalk: ~Escapable {
  private let bytes: Span<UInt8>
  private(set) var place: Int
  private(set) var end: Int

  /// Begins at the first byte.
  @_lifetime(copy bytes)
  init(_ bytes: Span<UInt8>) {
    self.bytes = bytes
    place = 0
    end = bytes.count
  }

  /// Whether nothing is left.
  var isAtEnd: Bool { place == end }

  /// The next number, of so many bytes; nil if there are not as many.
  mutating func number(_ count: Int) -> Int? {
    guard end - place >= count else { return nil }
    var value = 0
    for index in place..<place + count { value = value << 8 | Int(bytes[index]) }
    place += count
    return value
  }

  /// Passes over so many bytes, and says where they are; nil if there are not as many.
  mutating func take(_ count: Int) -> Range<Int>? {
    guard end - place >= count else { return nil }
    place += count
    return place - count..<place
  }

  /// Passes over a vector behind its length, and says where its content is.
  mutating func vector(_ lengthBytes: Int) -> Range<Int>? {
    guard let count = number(lengthBytes) else { return nil }
    return take(count)
  }

  /// A reader of a part of the same bytes.
  ///
  /// - Precondition: the part lies within what this reader has passed.
  @_lifetime(copy self)
  func part(_ range: Range<Int>) -> HelloWalk {
    precondition(range.upperBound <= place, "a part that was passed")
    var part = self
    part.place = range.lowerBound
    part.end = range.upperBound
    return part
  }
}
