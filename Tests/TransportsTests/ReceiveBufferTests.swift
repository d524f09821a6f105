// The buffer that all connections of a loop share.
import Testing

@testable import Transports

@Suite("Receive buffer")
struct ReceiveBufferTests {
  @Test("What was put in is shown, in a variable and through a closure")
  func shows() {
    var buffer = ReceiveBuffer(capacity: 10)
    put([1, 2, 3], into: &buffer)
    put([4], into: &buffer)
    #expect(buffer.count == 4)
    #expect(buffer.free == 6)
    let bytes = buffer.bytes
    #expect((0..<bytes.count).map { bytes[$0] } == [1, 2, 3, 4])
    #expect(buffer.withBytes { span in (0..<span.count).map { span[$0] } } == [1, 2, 3, 4])
  }

  @Test("Each receive begins anew, and never shows what came before")
  func clears() {
    var buffer = ReceiveBuffer(capacity: 4)
    put([1, 2, 3, 4], into: &buffer)
    #expect(buffer.free == 0)
    buffer.clear()
    #expect(buffer.count == 0)
    #expect(buffer.withBytes { $0.count } == 0)
    put([9], into: &buffer)
    #expect(buffer.withBytes { $0[0] } == 9)
    #expect(buffer.capacity == 4)
  }

  private func put(_ bytes: [UInt8], into buffer: inout ReceiveBuffer) {
    var room = buffer.freeBytes
    for index in bytes.indices { room[index] = bytes[index] }
    buffer.advance(bytes.count)
  }
}
