// The three cipher suites of TLS 1.3 that our contexts offer, as the record layer needs to know
// them: how long keys and secrets are, and how many records one key may seal.

/// A cipher suite of TLS 1.3.
enum CipherSuite: UInt8, CaseIterable {
  case aes128
  case aes256
  case chacha20

  /// The suite of a number in IANA's registry; nil for one that our record layer does not have.
  init?(registryNumber: UInt16) {
    guard let suite = Self.allCases.first(where: { $0.registryNumber == registryNumber }) else {
      return nil
    }
    self = suite
  }

  /// Its number in IANA's registry.
  var registryNumber: UInt16 {
    switch self {
    case .aes128: 0x1301
    case .aes256: 0x1302
    case .chacha20: 0x1303
    }
  }

  /// Bytes of a key.
  var keyBytes: Int { self == .aes128 ? 16 : 32 }

  /// Bytes of a traffic secret, which is one digest of the suite's hash.
  var secretBytes: Int { self == .aes256 ? 48 : 32 }

  /// Bytes that every nonce has.
  static let vectorBytes = 12

  /// Bytes of the tag at the end of every record.
  static let tagBytes = 16

  /// Records that a peer may seal under one key before we give it up.
  ///
  /// 2^24.5 for AES-GCM (RFC 8446, 5.5); ChaCha20 has no such bound, there the counter's width is
  /// one.
  var peerRecordsMax: UInt32 { self == .chacha20 ? .max - 1 : 23_726_566 }

  /// The name that people and OpenSSL know it by.
  var name: String {
    switch self {
    case .aes128: "TLS_AES_128_GCM_SHA256"
    case .aes256: "TLS_AES_256_GCM_SHA384"
    case .chacha20: "TLS_CHACHA20_POLY1305_SHA256"
    }
  }
}

/// Which way records go.
enum RecordWay: Int {
  case read = 0
  case write = 1
}
