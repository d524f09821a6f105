// Sockets move bytes in exact steps: some, none now, no more, broken.

import Glibc
import Reactor
import Testing

@Suite struct StreamSocketTests {
  @Test func movesBytesBothWays() throws {
    let pair = try ConnectedPair()
    var room = [UInt8](repeating: 0, count: 16)
    #expect(StreamSocket.read(pair.server.raw, into: &room) == .wouldBlock)
    #expect(write([1, 2, 3], to: pair.client.raw) == .moved(3))
    #expect(awaitReadable(pair.server.raw))
    #expect(StreamSocket.read(pair.server.raw, into: &room) == .moved(3))
    #expect(Array(room.prefix(4)) == [1, 2, 3, 0])
    #expect(write([9], to: pair.server.raw) == .moved(1))
    #expect(awaitReadable(pair.client.raw))
    #expect(StreamSocket.read(pair.client.raw, into: &room) == .moved(1))
  }

  @Test func halfCloseEndsOneDirectionOnly() throws {
    let pair = try ConnectedPair()
    var room = [UInt8](repeating: 0, count: 16)
    try StreamSocket.shutdownWrites(pair.client.raw)
    #expect(awaitReadable(pair.server.raw))
    #expect(StreamSocket.read(pair.server.raw, into: &room) == .ended)
    #expect(write([5], to: pair.server.raw) == .moved(1))
    #expect(awaitReadable(pair.client.raw))
    #expect(StreamSocket.read(pair.client.raw, into: &room) == .moved(1))
  }

  @Test func aFullSocketTakesNoMoreUntilItIsRead() throws {
    let pair = try ConnectedPair()
    try StreamSocket.setBufferSizes(pair.client.raw, send: 8_192, receive: nil)
    let chunk = [UInt8](repeating: 1, count: 65_536)
    var sent = 0
    filling: while true {
      switch StreamSocket.write(pair.client.raw, chunk.span) {
      case .moved(let count): sent += count
      case .wouldBlock: break filling
      case .ended, .failed:
        Issue.record("the connection is whole")
        return
      }
    }
    var room = [UInt8](repeating: 0, count: 65_536)
    var received = 0
    while received < sent, awaitReadable(pair.server.raw) {
      guard case .moved(let count) = StreamSocket.read(pair.server.raw, into: &room) else { break }
      received += count
    }
    #expect(received == sent)
    #expect(awaitWritable(pair.client.raw))
  }

  @Test func aResetIsAFailureWithItsName() throws {
    let listener = try Listener(.loopback(port: 0))
    let client = try StreamSocket.connect(to: listener.boundAddress)
    #expect(awaitReadable(listener.fd))
    if case .accepted(let server, _) = listener.accept() {
      try StreamSocket.setAbortiveClose(server.raw)
      server.close()
    }
    #expect(awaitReadable(client.raw))
    var room = [UInt8](repeating: 0, count: 16)
    #expect(StreamSocket.read(client.raw, into: &room) == .failed(.connectionReset))
    #expect(write([1], to: client.raw) == .failed(.brokenPipe), "and no SIGPIPE")
  }

  @Test func aRefusedConnectionIsKnownWhenItIsFinished() throws {
    let unused: SocketAddress
    do { unused = try Listener(.loopback(port: 0)).boundAddress }
    let client = try StreamSocket.connect(to: unused)
    #expect(awaitWritable(client.raw))
    #expect(throws: Errno.connectionRefused) { try StreamSocket.finishConnect(client.raw) }
  }

  @Test func connectsFromAChosenLocalAddress() throws {
    let listener = try Listener(.loopback(port: 0))
    let local = try #require(SocketAddress("127.0.0.99:0"))
    let client = try StreamSocket.connect(to: listener.boundAddress, from: local)
    #expect(try StreamSocket.localAddress(of: client.raw).host == "127.0.0.99")
    #expect(awaitReadable(listener.fd))
    guard case .accepted(let server, let peer) = listener.accept() else {
      Issue.record("nobody came")
      return
    }
    #expect(peer.host == "127.0.0.99")
    #expect(try StreamSocket.peerAddress(of: server.raw) == peer)
  }

  @Test func acceptsItsTuning() throws {
    let pair = try ConnectedPair()
    try StreamSocket.setNoDelay(pair.client.raw)
    try StreamSocket.setUserTimeout(pair.client.raw, milliseconds: 30_000)
    try StreamSocket.setKeepAlive(
      pair.client.raw, idleSeconds: 60, intervalSeconds: 10, probes: 3)
    try StreamSocket.setBufferSizes(pair.client.raw, send: 4_096, receive: 4_096)
    #expect(throws: Errno.self) {
      try StreamSocket.setUserTimeout(pair.client.raw, milliseconds: -1)
    }
    try StreamSocket.setCongestionControl(pair.client.raw, "reno")
    #expect(throws: Errno.notFound) {
      try StreamSocket.setCongestionControl(pair.client.raw, "no-such-thing")
    }
  }

  @Test func aUnixSocketKnowsWhoIsThere() throws {
    let path = "/tmp/bgb-stream-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock"
    defer { unlink(path) }
    let listener = try Listener(.unix(path: path))
    #expect(listener.boundAddress == .unix(path: path))
    let client = try StreamSocket.connect(to: .unix(path: path))
    #expect(awaitReadable(listener.fd))
    guard case .accepted(let server, _) = listener.accept() else {
      Issue.record("nobody came")
      return
    }
    try StreamSocket.finishConnect(client.raw)
    let peer = try StreamSocket.peerCredentials(of: server.raw)
    #expect(peer == PeerCredentials(processID: getpid(), userID: getuid(), groupID: getgid()))
  }

  @Test func aPathThatDoesNotFitIsAnError() {
    let long = "/" + String(repeating: "x", count: 200)
    #expect(throws: Errno.nameTooLong) { _ = try Listener(.unix(path: long)) }
    #expect(throws: Errno.invalidArgument) {
      _ = try StreamSocket.connect(to: .unix(path: "/a\0b"))
    }
  }
}
