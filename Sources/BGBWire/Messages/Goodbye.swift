// Body of Goodbye: reason.

import BGBModel

extension Goodbye {
  func encode(into writer: inout ByteWriter) {
    writer.text(reason, limit: Limits.reasonBytesMax)
  }

  init(from reader: inout ByteReader) throws(CodingError) {
    reason = try reader.text(limit: Limits.reasonBytesMax)
  }
}
