// Body of ReconnectIdentity: identity as a block, key 32, life in seconds 4.

import BGBModel

extension ReconnectIdentity {
  func encode(into writer: inout ByteWriter) {
    writer.block(identity.prefix(Limits.reconnectIdentityBytesMax))
    let filled = key + Array(repeating: 0, count: max(0, Limits.reconnectKeyBytes - key.count))
    writer.raw(filled.prefix(Limits.reconnectKeyBytes))
    writer.integer(lifeSeconds)
  }

  init(from reader: inout ByteReader) throws(CodingError) {
    identity = Array(try reader.block(limit: Limits.reconnectIdentityBytesMax))
    key = Array(try reader.raw(Limits.reconnectKeyBytes))
    lifeSeconds = try reader.integer()
    guard !identity.isEmpty else { throw .badValue }
  }
}
