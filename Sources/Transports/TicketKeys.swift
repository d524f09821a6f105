// The keys that seal session tickets. The tickets lie with the clients; the keys are all that the
// servers of a site share of their sessions, so any of them, restarted or new, can resume any
// client. A rotation keeps the key before it: tickets sealed with it still open, and are replaced
// by fresh ones at once.

/// One key for session tickets: a name by which it is found, and two secrets.
public struct TicketKey: Equatable, Sendable {
  /// Bytes of the name, which travels in clear in each ticket.
  static let nameBytes = 16
  /// Bytes of the AES-256 key that hides a ticket's content.
  static let cipherBytes = 32
  /// Bytes of the HMAC-SHA-256 key that proves a ticket ours.
  static let macBytes = 32

  let name: [UInt8]
  let cipherKey: [UInt8]
  let macKey: [UInt8]
  /// When the key was made, in seconds since 1970.
  public let madeAt: Int64

  /// Makes a key of its parts; nil if one has the wrong size.
  init?(name: [UInt8], cipherKey: [UInt8], macKey: [UInt8], madeAt: Int64) {
    guard name.count == Self.nameBytes else { return nil }
    guard cipherKey.count == Self.cipherBytes else { return nil }
    guard macKey.count == Self.macBytes else { return nil }
    self.name = name
    self.cipherKey = cipherKey
    self.macKey = macKey
    self.madeAt = madeAt
  }
}

/// The current ticket key and the ones before it.
public struct TicketKeys: Equatable, Sendable {
  /// The current key and at most this many keys in all; older tickets mean a full handshake.
  public static let keysMax = 3

  /// The current key first; never empty.
  public private(set) var keys: [TicketKey]

  /// Takes keys as read from a file, the current one first; nil if there are none or too many.
  init?(keys: [TicketKey]) {
    guard (1...Self.keysMax).contains(keys.count) else { return nil }
    self.keys = keys
  }

  /// Makes one fresh key from OpenSSL's random generator.
  /// - Parameter now: seconds since 1970.
  public static func fresh(now: Int64) throws(TLSSetupError) -> TicketKeys {
    guard let keys = TicketKeys(keys: [try freshTicketKey(now: now)]) else {
      throw TLSSetupError("no ticket key could be made")
    }
    return keys
  }

  /// Puts a fresh key in front and drops the oldest beyond ``keysMax``.
  /// - Parameter now: seconds since 1970.
  public mutating func rotate(now: Int64) throws(TLSSetupError) {
    keys.insert(try freshTicketKey(now: now), at: 0)
    if keys.count > Self.keysMax { keys.removeLast(keys.count - Self.keysMax) }
  }

  /// How old the current key is at `now`, in seconds; never negative.
  public func ageSeconds(now: Int64) -> Int64 {
    guard let current = keys.first, now > current.madeAt else { return 0 }
    return now &- current.madeAt
  }

  /// The key with this name.
  func key(named name: [UInt8]) -> TicketKey? {
    keys.first { $0.name == name }
  }
}

extension TicketKeys {
  /// The first line of a file of ticket keys: its format's name and version.
  static let fileHeading = "ticket-keys 1"

  /// The text of the file: the heading, then one line per key, the current one first.
  var fileText: String {
    var lines = [Self.fileHeading]
    for key in keys {
      let parts = [key.name, key.cipherKey, key.macKey].map(hexadecimal)
      lines.append("\(key.madeAt) \(parts.joined(separator: " "))")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Reads the text of a file; nil if it is not such a file, whole and in order.
  init?(fileText: String) {
    var lines = fileText.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.popLast() == "", lines.first == Self.fileHeading[...] else { return nil }
    var keys: [TicketKey] = []
    for line in lines.dropFirst() {
      let parts = line.split(separator: " ", omittingEmptySubsequences: false)
      guard parts.count == 4, let madeAt = Int64(parts[0]),
        let name = bytes(hexadecimal: parts[1]), let cipherKey = bytes(hexadecimal: parts[2]),
        let macKey = bytes(hexadecimal: parts[3]),
        let key = TicketKey(name: name, cipherKey: cipherKey, macKey: macKey, madeAt: madeAt)
      else { return nil }
      keys.append(key)
    }
    self.init(keys: keys)
  }
}

/// The bytes in lower-case hexadecimal.
public func hexadecimal(_ bytes: [UInt8]) -> String {
  let digits = Array("0123456789abcdef".utf8)
  var text: [UInt8] = []
  text.reserveCapacity(bytes.count * 2)
  for byte in bytes {
    text.append(digits[Int(byte >> 4)])
    text.append(digits[Int(byte & 15)])
  }
  return String(decoding: text, as: UTF8.self)
}

/// The bytes for hexadecimal digits; nil unless there is an even number of nothing else.
func bytes(hexadecimal text: Substring) -> [UInt8]? {
  let digits = text.utf8.map { digit -> UInt8? in
    switch digit {
    case 0x30...0x39: digit - 0x30
    case 0x61...0x66: digit - 0x61 + 10
    default: nil
    }
  }
  guard digits.count % 2 == 0 else { return nil }
  var bytes: [UInt8] = []
  for index in stride(from: 0, to: digits.count, by: 2) {
    guard let high = digits[index], let low = digits[index + 1] else { return nil }
    bytes.append(high << 4 | low)
  }
  return bytes
}
