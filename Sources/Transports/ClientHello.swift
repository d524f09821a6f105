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
    var walk = Walk(bytes)
    // The record: handshake, its version, its length.
    guard walk.number(1) == 22, walk.number(2) != nil, walk.number(2) != nil,
      // The message: ClientHello, its length, the old version, the random number.
      walk.number(1) == 1, walk.number(3) != nil, walk.number(2) != nil, walk.skip(32),
      // Session id, cipher suites, compression methods, and the length of the extensions.
      walk.skipVector(1), walk.skipVector(2), walk.skipVector(1), let all = walk.number(2)
    else { return false }
    let end = walk.place + all
    while walk.place < end {
      guard let kind = walk.number(2) else { return false }
      if kind == preSharedKey { return true }
      guard walk.skipVector(2) else { return false }
    }
    return false
  }

  /// A reader of big-endian numbers that never reads beyond the end.
  private struct Walk: ~Escapable {
    private let bytes: Span<UInt8>
    private(set) var place = 0

    @_lifetime(copy bytes)
    init(_ bytes: Span<UInt8>) { self.bytes = bytes }

    mutating func number(_ count: Int) -> Int? {
      guard bytes.count - place >= count else { return nil }
      var value = 0
      for index in place..<place + count { value = value << 8 | Int(bytes[index]) }
      place += count
      return value
    }

    mutating func skip(_ count: Int) -> Bool {
      guard bytes.count - place >= count else { return false }
      place += count
      return true
    }

    mutating func skipVector(_ lengthBytes: Int) -> Bool {
      guard let count = number(lengthBytes) else { return false }
      return skip(count)
    }
  }
}
