// The master keys of reconnect identities. An identity lies with its client, sealed; the servers
// that trust each other share these keys and store nothing else, so any of them, restarted or new,
// knows any client again. A rotation keeps the keys before it until no identity made under them can
// be alive.

/// One master key: a number by which it is found, and the secret from which all else is derived.
public struct ReconnectKey: Equatable, Sendable {
  /// Bytes of the secret.
  static let secretBytes = 32

  /// The number that travels in clear in each identity; random, so that it tells nothing.
  public let number: UInt64
  let secret: [UInt8]
  /// When the key was made, in seconds since 1970.
  public let madeAt: Int64
  /// Derived once, for the sealing and for the keys of handshakes.
  let derived: ReconnectSecrets

  /// Makes a key of its parts; nil if the secret has the wrong size.
  init?(number: UInt64, secret: [UInt8], madeAt: Int64) {
    guard secret.count == Self.secretBytes, let derived = ReconnectSecrets(master: secret) else {
      return nil
    }
    self.number = number
    self.secret = secret
    self.madeAt = madeAt
    self.derived = derived
  }
}

/// The current master key and the ones before it.
public struct ReconnectKeys: Equatable, Sendable {
  /// At most this many keys in all; what is older means a full handshake.
  public static let keysMax = 16

  /// The current key first; never empty.
  public private(set) var keys: [ReconnectKey]

  /// Takes keys as read from a file, the current one first; nil if there are none or too many.
  init?(keys: [ReconnectKey]) {
    guard (1...Self.keysMax).contains(keys.count) else { return nil }
    self.keys = keys
  }

  /// Makes one fresh key from OpenSSL's random generator.
  /// - Parameter now: seconds since 1970.
  public static func fresh(now: Int64) throws(TLSSetupError) -> ReconnectKeys {
    guard let keys = ReconnectKeys(keys: [try freshReconnectKey(now: now)]) else {
      throw TLSSetupError("no reconnect key could be made")
    }
    return keys
  }

  /// Puts a fresh key in front, and drops those under which no living identity can have been made.
  /// - Parameters:
  ///   - now: seconds since 1970.
  ///   - keptSeconds: how long a key is kept after another took its place.
  public mutating func rotate(now: Int64, keptSeconds: Int64) throws(TLSSetupError) {
    keys.insert(try freshReconnectKey(now: now), at: 0)
    // The key at `index` was current until the one before it was made.
    let over = keys.indices.dropFirst().first { index in
      let replacedAt = keys[index - 1].madeAt
      return now >= replacedAt && now &- replacedAt >= keptSeconds
    }
    if let over { keys.removeSubrange(over...) }
    if keys.count > Self.keysMax { keys.removeLast(keys.count - Self.keysMax) }
  }

  /// How old the current key is at `now`, in seconds; never negative.
  public func ageSeconds(now: Int64) -> Int64 {
    guard let current = keys.first, now > current.madeAt else { return 0 }
    return now &- current.madeAt
  }

  /// The key with this number.
  func key(numbered number: UInt64) -> ReconnectKey? {
    keys.first { $0.number == number }
  }
}

extension ReconnectKeys {
  /// The first line of a file of reconnect keys: its format's name and version.
  static let fileHeading = "reconnect-keys 1"

  /// The text of the file: the heading, then one line per key, the current one first.
  var fileText: String {
    var lines = [Self.fileHeading]
    for key in keys {
      let number = hexadecimal(bigEndianBytes(key.number))
      lines.append("\(key.madeAt) \(number) \(hexadecimal(key.secret))")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Reads the text of a file; nil if it is not such a file, whole and in order.
  init?(fileText: String) {
    var lines = fileText.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.popLast() == "", lines.first == Self.fileHeading[...] else { return nil }
    var keys: [ReconnectKey] = []
    for line in lines.dropFirst() {
      let parts = line.split(separator: " ", omittingEmptySubsequences: false)
      guard parts.count == 3, let madeAt = Int64(parts[0]),
        let number = bytes(hexadecimal: parts[1]), number.count == 8,
        let secret = bytes(hexadecimal: parts[2]),
        let key = ReconnectKey(
          number: bigEndianNumber(number[...]), secret: secret, madeAt: madeAt)
      else { return nil }
      keys.append(key)
    }
    self.init(keys: keys)
  }
}

/// The eight bytes of a number.
func bigEndianBytes(_ number: UInt64) -> [UInt8] {
  (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(56 - 8 * $0)) }
}

/// The number of at most eight bytes.
func bigEndianNumber(_ bytes: ArraySlice<UInt8>) -> UInt64 {
  bytes.reduce(0) { $0 << 8 | UInt64($1) }
}
