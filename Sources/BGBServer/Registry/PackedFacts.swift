// What a client told of itself, in one piece of memory: its texts one after the other, each behind
// its length. As separate strings and an array of strings they take five times as much, and a
// server holds them for every client it has.

import BGBModel

/// The facts of one client, packed.
struct PackedFacts: Equatable {
  /// Hostname, then operating system and agent version unless the platform's number stands for
  /// them, then the addresses: each one byte of length and its bytes.
  private let bytes: [UInt8]
  /// The platform's number in a ``PlatformTable``.
  let platform: UInt16

  /// Packs facts whose platform has this number.
  ///
  /// Texts are as `Limits` bounds them, below 256 bytes; what is longer is cut.
  init(_ facts: ClientFacts, platform: UInt16) {
    self.platform = platform
    var texts = [facts.hostname]
    if platform == PlatformTable.none { texts += [facts.operatingSystem, facts.agentVersion] }
    texts += facts.addresses
    var bytes: [UInt8] = []
    bytes.reserveCapacity(texts.reduce(0) { $0 + 1 + min(255, $1.utf8.count) })
    for text in texts {
      let cut = text.cut(toBytes: 255)
      bytes.append(UInt8(truncatingIfNeeded: cut.utf8.count))
      bytes.append(contentsOf: cut.utf8)
    }
    self.bytes = bytes
  }

  /// The facts again; `named` is the platform with ``platform``.
  func facts(_ named: Platform?) -> ClientFacts {
    var texts = texts
    var facts = ClientFacts()
    if !texts.isEmpty { facts.hostname = texts.removeFirst() }
    if let named {
      facts.operatingSystem = named.operatingSystem
      facts.agentVersion = named.agentVersion
    } else if texts.count >= 2 {
      facts.operatingSystem = texts.removeFirst()
      facts.agentVersion = texts.removeFirst()
    }
    facts.addresses = texts
    return facts
  }

  private var texts: [String] {
    var texts: [String] = []
    var place = 0
    while place < bytes.count {
      let end = min(bytes.count, place + 1 + Int(bytes[place]))
      texts.append(String(decoding: bytes[place + 1..<end], as: UTF8.self))
      place = end
    }
    return texts
  }
}
