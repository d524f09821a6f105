// Fuzz target: the frame reader and the codec. Any bytes, cut at a place that the first byte
// chooses, must give the same messages as the whole; a message that was read must survive its own
// encoding.

import BGBModel
import BGBWire

/// Messages before the first error, and the error.
private func read(_ pieces: [[UInt8]]) -> ([Message], WireError?) {
  var reader = FrameReader(bodyBytesMax: Limits.bytesBeforeIdentityMax)
  var messages: [Message] = []
  for (index, piece) in pieces.enumerated() {
    if index % 2 == 0 { reader.append(piece) } else { reader.append(piece.span) }
    do throws(WireError) {
      while let message = try reader.next() { messages.append(message) }
    } catch {
      precondition(reader.bufferedBytes == 0, "a failed reader holds nothing")
      return (messages, error)
    }
    precondition(reader.bufferedBytes < 4 + Limits.bytesBeforeIdentityMax, "one partial frame")
  }
  return (messages, nil)
}

/// The entry that libFuzzer calls.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzFrames(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
  guard let first = bytes.first else { return 0 }
  let stream = Array(bytes.dropFirst())
  let step = Int(first) + 1
  let pieces = stride(from: 0, to: stream.count, by: step).map {
    Array(stream[$0..<min(stream.count, $0 + step)])
  }
  let whole = read([stream])
  let cut = read(pieces)
  precondition(whole.0 == cut.0 && whole.1 == cut.1, "pieces must not matter")
  for message in whole.0 {
    let frame = MessageCodec.encode(message)
    let again = try? MessageCodec.decode(kind: frame[0], flags: frame[1], body: frame[4...])
    precondition(again == message, "a message must survive its own encoding")
  }
  return 0
}
