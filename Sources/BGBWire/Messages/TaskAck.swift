// Body of TaskAck: push 8, task id 16.

import BGBModel

extension TaskAck {
  func encode(into writer: inout ByteWriter) {
    writer.integer(pushID)
    writer.bits128(taskID.bits)
  }

  init(from reader: inout ByteReader) throws(CodingError) {
    pushID = try reader.integer()
    taskID = TaskID(try reader.bits128())
  }
}
