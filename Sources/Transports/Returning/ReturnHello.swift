// A ClientHello that a server can answer without OpenSSL: one that offers a reconnect identity, and
// beside it nothing that it does not know by heart. Our own agents send such ones, and so does
// whoever makes TLS 1.3 as plainly. Everything else is nil here and OpenSSL's to judge: another
// version, another group, a second identity, an extension that is not listed, a hello in pieces, a
// byte too many anywhere.
//
// Pure, and total: any bytes have an answer. RFC 8446, 4.1.2 (ClientHello), 4.2 (extensions), 5.1
// (records).

/// Where the parts of such a hello lie in the bytes of its record, and what of it is agreed upon.
struct ReturnHello: Equatable {
  /// The longest hello that is looked at, in bytes; an agent's has some 400.
  static let bytesMax = 2_048
  /// Bytes of a share of X25519, and of a binder with SHA-256.
  static let shareBytes = 32, binderBytes = 32

  /// Bytes of the record, the header included.
  let recordBytes: Int
  /// Where the part ends that the binder covers (RFC 8446, 4.2.11.2); it begins behind the header.
  let boundEnd: Int
  /// The suite that is agreed upon; its digest is SHA-256.
  let suite: CipherSuite
  /// What is sent back as it is.
  let sessionID: Range<Int>
  /// The client's share of X25519.
  let share: Range<Int>
  /// The identity that is offered.
  let identity: Range<Int>
  /// The proof that the client has the identity's key.
  let binder: Range<Int>

  /// Reads the first bytes of a connection; nil for anything but such a hello, whole.
  /// - Parameter suites: what the server agrees to, in its order of preference.
  init?(_ bytes: Span<UInt8>, suites: [CipherSuite]) {
    var walk = HelloWalk(bytes)
    // The record: a handshake message, of TLS by its major version (the minor one says nothing).
    guard walk.number(1) == Int(ContentType.handshake), walk.number(1) == 3,
      walk.number(1) != nil, let record = walk.vector(2)
    else { return nil }
    recordBytes = record.upperBound
    // One whole message in it, and nothing behind.
    var message = walk.part(record)
    guard message.number(1) == Self.clientHello, let body = message.vector(3), message.isAtEnd
    else { return nil }
    var hello = message.part(body)
    guard hello.number(2) == 0x0303, hello.take(32) != nil,
      let session = hello.vector(1), session.count <= 32, let offered = hello.vector(2),
      // No compression: one method, the null one.
      hello.number(1) == 1, hello.number(1) == 0, let extensions = hello.vector(2), hello.isAtEnd
    else { return nil }
    sessionID = session
    guard let suite = Self.agree(hello.part(offered), suites) else { return nil }
    self.suite = suite
    guard let found = Extensions(hello.part(extensions)), let share = found.share,
      let offer = found.offer, found.speaksVersion, found.hasGroup, found.sharesKeys
    else { return nil }
    self.share = share
    identity = offer.identity
    binder = offer.binder
    boundEnd = offer.boundEnd
  }

  private static let clientHello = 1

  /// The first suite of ours that the client has too, if its digest is that of the identities.
  private static func agree(_ walk: HelloWalk, _ suites: [CipherSuite]) -> CipherSuite? {
    var offered: [CipherSuite] = []
    var walk = walk
    while !walk.isAtEnd {
      guard let number = walk.number(2) else { return nil }
      if let suite = CipherSuite(registryNumber: UInt16(truncatingIfNeeded: number)) {
        offered.append(suite)
      }
    }
    guard let first = suites.first(where: offered.contains), first.secretBytes == binderBytes
    else { return nil }
    return first
  }

  /// The one identity of a `pre_shared_key` extension.
  struct Offer: Equatable {
    let identity: Range<Int>
    let binder: Range<Int>
    let boundEnd: Int
  }

  /// What the extensions say.
  private struct Extensions {
    /// TLS 1.3 is among the versions.
    var speaksVersion = false
    /// X25519 is among the groups.
    var hasGroup = false
    /// A pre-shared key goes with a key exchange.
    var sharesKeys = false
    var share: Range<Int>?
    var offer: Offer?

    /// The numbers of RFC 8446, 4.2, and of IANA's registry.
    private enum Kind: Int {
      case serverName = 0
      case supportedGroups = 10
      case pointFormats = 11
      case signatureAlgorithms = 13
      case encryptThenMAC = 22
      case extendedMasterSecret = 23
      case sessionTicket = 35
      case preSharedKey = 41
      case supportedVersions = 43
      case keyExchangeModes = 45
      case postHandshakeAuthentication = 49
      case certificateSignatureAlgorithms = 50
      case keyShare = 51
    }

    private static let version13 = 0x0304
    private static let x25519 = 29
    private static let withKeyExchange = 1

    init?(_ all: HelloWalk) {
      var walk = all
      var seen: UInt64 = 0
      while !walk.isAtEnd {
        guard let number = walk.number(2), let kind = Kind(rawValue: number),
          let content = walk.vector(2), seen & 1 << UInt64(number) == 0
        else { return nil }
        seen |= 1 << UInt64(number)
        guard read(kind, walk.part(content)) else { return nil }
        // It is the last one, or the binder would not cover all of the hello.
        if kind == .preSharedKey, !walk.isAtEnd { return nil }
      }
    }

    /// Reads one extension; false if it is not as it should be.
    private mutating func read(_ kind: Kind, _ content: HelloWalk) -> Bool {
      var walk = content
      switch kind {
      case .serverName, .pointFormats, .signatureAlgorithms, .encryptThenMAC,
        .extendedMasterSecret, .sessionTicket, .postHandshakeAuthentication,
        .certificateSignatureAlgorithms:
        // Of certificates and of older versions, which a reconnect has nothing of; a server name
        // is good for choosing a certificate.
        return true
      case .supportedVersions:
        guard let list = walk.vector(1), walk.isAtEnd else { return false }
        return Self.find(Self.version13, of: 2, in: walk.part(list), &speaksVersion)
      case .supportedGroups:
        guard let list = walk.vector(2), walk.isAtEnd else { return false }
        return Self.find(Self.x25519, of: 2, in: walk.part(list), &hasGroup)
      case .keyExchangeModes:
        guard let list = walk.vector(1), walk.isAtEnd else { return false }
        return Self.find(Self.withKeyExchange, of: 1, in: walk.part(list), &sharesKeys)
      case .keyShare:
        guard let list = walk.vector(2), walk.isAtEnd else { return false }
        return readShares(walk.part(list))
      case .preSharedKey: return readOffer(walk)
      }
    }

    /// Looks for a number in a list of numbers; false if the list ends within one.
    private static func find(
      _ wanted: Int, of bytes: Int, in list: HelloWalk, _ found: inout Bool
    ) -> Bool {
      var list = list
      while !list.isAtEnd {
        guard let number = list.number(bytes) else { return false }
        if number == wanted { found = true }
      }
      return true
    }

    private mutating func readShares(_ shares: HelloWalk) -> Bool {
      var shares = shares
      while !shares.isAtEnd {
        guard let group = shares.number(2), let key = shares.vector(2) else { return false }
        guard group == Self.x25519 else { continue }
        guard share == nil, key.count == ReturnHello.shareBytes else { return false }
        share = key
      }
      return true
    }

    /// One identity with its age, which says nothing of an external key, and one binder.
    private mutating func readOffer(_ content: HelloWalk) -> Bool {
      var walk = content
      guard let identities = walk.vector(2) else { return false }
      let boundEnd = walk.place
      guard let binders = walk.vector(2), walk.isAtEnd else { return false }
      var list = walk.part(identities)
      guard let identity = list.vector(2), !identity.isEmpty, list.take(4) != nil, list.isAtEnd
      else { return false }
      list = walk.part(binders)
      guard let binder = list.vector(1), binder.count == ReturnHello.binderBytes, list.isAtEnd
      else { return false }
      offer = Offer(identity: identity, binder: binder, boundEnd: boundEnd)
      return true
    }
  }
}
