// Body of KeepAlive: clock 8.

import BGBModel

extension KeepAlive {
  func encode(into writer: inout ByteWriter) { writer.wallTime(clock) }

  init(from reader: inout ByteReader) throws(CodingError) { clock = try reader.wallTime() }
}
