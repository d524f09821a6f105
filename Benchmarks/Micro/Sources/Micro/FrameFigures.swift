// Frames of the wire: decoding and encoding the small messages that a connection sees all day.

import BGBModel
import BGBWire

func measureFrames() throws {
  printTitle("frames")
  let ack = TaskAck(pushID: 9, taskID: TaskID(Bits128(high: 1, low: 2)))
  let messages: [(String, Message)] = [
    ("KeepAlive", .keepAlive(KeepAlive(clock: WallTime(milliseconds: 1_767_225_600_000)))),
    ("TaskAck", .taskAck(ack)),
    ("OutcomeStored", .outcomeStored(OutcomeStored(upTo: 77))),
  ]
  for (name, message) in messages {
    let bytes = MessageCodec.encode(message)
    try measure("decode \(name), \(bytes.count) bytes", operations: 200_000) {
      var reader = FrameReader()
      var count = 0
      let spent = try cpuNanoseconds {
        for _ in 0..<200_000 {
          reader.append(bytes)
          while try reader.next() != nil { count += 1 }
        }
      }
      precondition(count == 200_000, "a frame is missing")
      return spent
    }
    measure("encode \(name)", operations: 200_000) {
      var sum = 0
      return cpuNanoseconds {
        for _ in 0..<200_000 { sum &+= MessageCodec.encode(message).count }
        precondition(sum > 0, "something was encoded")
      }
    }
  }
}
