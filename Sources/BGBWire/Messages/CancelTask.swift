// Body of CancelTask: task id 16.

import BGBModel

extension CancelTask {
  func encode(into writer: inout ByteWriter) { writer.bits128(taskID.bits) }

  init(from reader: inout ByteReader) throws(CodingError) {
    taskID = TaskID(try reader.bits128())
  }
}
