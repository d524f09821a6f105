// What an agent keeps to come back with, as bytes: in memory one array a link, because a load
// generator has a hundred thousand of them, and the same bytes on the disk. It holds for one site
// and one client and for nothing else.

import BGBModel
import BGBWire
import Transports

/// A reconnect identity with its key, whom it is for, and until when.
struct KeptReconnect: Equatable {
  /// The first bytes of the file: its format's name and version.
  private static let heading = Array("bgb reconnect 1\n".utf8)
  /// More than one can have.
  static let bytesMax = 512

  let site: SiteCode
  let client: ClientID
  /// When it was received, in milliseconds since 1970 by the agent's clock.
  let receivedAt: WallTime
  let message: ReconnectIdentity

  init(_ message: ReconnectIdentity, site: SiteCode, client: ClientID, at now: WallTime) {
    self.message = message
    self.site = site
    self.client = client
    receivedAt = now
  }

  var bytes: [UInt8] {
    var writer = ByteWriter(capacity: 256)
    writer.raw(KeptReconnect.heading)
    writer.text(site.description, limit: 16)
    writer.bits128(client.bits)
    writer.wallTime(receivedAt)
    writer.integer(message.lifeSeconds)
    writer.block(message.key)
    writer.block(message.identity)
    return writer.bytes
  }

  /// Reads what ``bytes`` wrote; nil for anything else.
  init?(bytes: [UInt8]) {
    do throws(CodingError) {
      var reader = ByteReader(bytes)
      guard try reader.raw(KeptReconnect.heading.count).elementsEqual(KeptReconnect.heading),
        let site = SiteCode(try reader.text(limit: 16))
      else { return nil }
      self.site = site
      client = ClientID(try reader.bits128())
      receivedAt = try reader.wallTime()
      let life: UInt32 = try reader.integer()
      let key = Array(try reader.block(limit: Limits.reconnectKeyBytes))
      let identity = Array(try reader.block(limit: Limits.reconnectIdentityBytesMax))
      message = ReconnectIdentity(identity: identity, key: key, lifeSeconds: life)
      try reader.end()
    } catch {
      return nil
    }
  }

  /// What to offer at `now`; nil if it is for somebody else, or over by the agent's own clock, or
  /// from a future in which that clock was before.
  func grant(for client: ClientID, at site: SiteCode, now: WallTime) -> ReconnectGrant? {
    guard client == self.client, site == self.site, now >= receivedAt,
      now.since(receivedAt) / 1000 < Int64(message.lifeSeconds)
    else { return nil }
    return ReconnectGrant(
      identity: message.identity, key: message.key, lifeSeconds: message.lifeSeconds)
  }
}
