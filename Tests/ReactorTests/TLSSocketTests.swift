// The calls of kernel TLS on sockets of this machine, whether its kernel has TLS or not: without a
// key they move plain bytes, and what the kernel refuses is told by its number.
import Glibc
import Reactor
import Testing

@Suite("Sockets with kernel TLS")
struct TLSSocketTests {
  /// What the kernel itself says that it has.
  static let hasTLS: Bool = {
    guard let file = fopen("/proc/sys/net/ipv4/tcp_available_ulp", "r") else { return false }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, 256, file) != nil else { return false }
    let bytes = line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace).contains(
      "tls")
  }()

  @Test("A kernel without TLS says so")
  func refusal() {
    // A kernel that loads TLS as a module lists it only then.
    if !Self.hasTLS, let refusal = TLSSocket.refusal() { #expect(refusal == .notFound) }
    if Self.hasTLS { #expect(TLSSocket.refusal() == nil) }
  }

  @Test("Without a key the bytes go through as they are, and have no type")
  func plain() throws {
    let pair = try ConnectedPair()
    var room = [UInt8](repeating: 0, count: 10)
    #expect(receive(pair.server.raw, into: &room) == .wouldBlock)
    #expect(send(pair.client.raw, type: 21, [1, 0]) == .moved(2))
    #expect(awaitReadable(pair.server.raw))
    #expect(receive(pair.server.raw, into: &room) == .record(type: nil, count: 2))
    #expect(Array(room.prefix(3)) == [1, 0, 0])
    TLSSocket.clearError(pair.server.raw)
    try StreamSocket.shutdownWrites(pair.client.raw)
    #expect(awaitReadable(pair.server.raw))
    #expect(receive(pair.server.raw, into: &room) == .ended)
  }

  @Test("A key is refused on a socket that is not readied")
  func noKey() throws {
    let pair = try ConnectedPair()
    let fd = pair.client.raw
    let info: [UInt8] = [4, 3, 51, 0] + [UInt8](repeating: 0, count: 36)
    for direction in [TLSSocket.Direction.send, .receive] {
      #expect(throws: Errno(rawValue: ENOPROTOOPT)) {
        try TLSSocket.setKey(fd, direction, info.span)
      }
    }
  }

  private func receive(_ fd: Int32, into room: inout [UInt8]) -> TLSReceipt {
    var span = room.mutableSpan
    return TLSSocket.receive(fd, into: &span)
  }

  private func send(_ fd: Int32, type: UInt8, _ bytes: [UInt8]) -> SocketStep {
    TLSSocket.send(fd, type: type, bytes.span)
  }
}
