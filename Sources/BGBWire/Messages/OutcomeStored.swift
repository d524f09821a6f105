// Body of OutcomeStored: up to 8.

import BGBModel

extension OutcomeStored {
  func encode(into writer: inout ByteWriter) { writer.integer(upTo) }

  init(from reader: inout ByteReader) throws(CodingError) { upTo = try reader.integer() }
}
