// Body of Refused: code 2, retry after milliseconds 4, reason.

import BGBModel

extension Refused {
  func encode(into writer: inout ByteWriter) {
    writer.integer(code)
    writer.integer(retryAfterMilliseconds)
    writer.text(reason, limit: Limits.reasonBytesMax)
  }

  init(from reader: inout ByteReader) throws(CodingError) {
    code = try reader.integer()
    retryAfterMilliseconds = try reader.integer()
    reason = try reader.text(limit: Limits.reasonBytesMax)
  }
}
