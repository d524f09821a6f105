// Body of Reconnect: address, after milliseconds 4, reason.

import BGBModel

extension Reconnect {
  func encode(into writer: inout ByteWriter) {
    writer.text(address, limit: Limits.endpointBytesMax)
    writer.integer(afterMilliseconds)
    writer.text(reason, limit: Limits.reasonBytesMax)
  }

  init(from reader: inout ByteReader) throws(CodingError) {
    address = try reader.text(limit: Limits.endpointBytesMax)
    afterMilliseconds = try reader.integer()
    reason = try reader.text(limit: Limits.reasonBytesMax)
  }
}
