// The network between two ends, in the test's hands. Each end has its own pair of sockets; the test
// carries the bytes from one to the other, as many at a time as it likes, or not at all. So every
// split and every stall can be played exactly, without a clock.
import Glibc
import Reactor

/// A pair of connected, non-blocking Unix sockets, as numbers that the caller must own.
func socketPair() -> (Int32, Int32) {
  var ends: [Int32] = [-1, -1]
  let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
  precondition(socketpair(AF_UNIX, kind, 0, &ends) == 0)
  return (ends[0], ends[1])
}

/// A pair of connected, non-blocking TCP sockets on the loopback: for resets and the kernel's own
/// buffers.
func tcpPair() throws -> (Int32, Int32) {
  let listener = try Listener(.loopback(port: 0))
  let near = try StreamSocket.connect(to: listener.boundAddress)
  try awaitReady((listener.fd, .readable))
  switch listener.accept() {
  case .accepted(let far, _): return (near.release(), far.release())
  default: preconditionFailure("the loopback did not connect")
  }
}

/// Nothing happened for ten seconds, which is a failure of the test that waited.
struct NothingHappened: Error {}

/// Waits until one of the descriptors is ready for what it waits for.
func awaitReady(_ wishes: (fd: Int32, readiness: Readiness)...) throws {
  var polled = wishes.map { wish in
    let events: Int32 = wish.readiness.contains(.writable) ? POLLOUT : POLLIN
    return pollfd(fd: wish.fd, events: Int16(events), revents: 0)
  }
  guard poll(&polled, nfds_t(polled.count), 10_000) > 0 else { throw NothingHappened() }
}

/// The file behind a descriptor; nil if it is not open.
func inode(_ fd: Int32) -> UInt64? {
  var facts = stat()
  return fstat(fd, &facts) == 0 ? UInt64(facts.st_ino) : nil
}

/// Whether a descriptor is ready at this moment.
func isReady(_ fd: Int32, _ readiness: Readiness) -> Bool {
  let events: Int32 = readiness.contains(.writable) ? POLLOUT : POLLIN
  var wish = pollfd(fd: fd, events: Int16(events), revents: 0)
  return poll(&wish, 1, 0) == 1
}

/// The middle of the network: what came out of one end and was not yet put into the other.
final class Wire {
  /// Which way bytes travel.
  enum Way: CaseIterable { case toServer, toClient }

  private var clientEnd: Descriptor?
  private var serverEnd: Descriptor?
  private var travelling: [Way: [UInt8]] = [.toServer: [], .toClient: []]
  /// Bytes delivered so far.
  private(set) var delivered: [Way: Int] = [.toServer: 0, .toClient: 0]

  /// Makes a wire and hands out its two ends.
  static func make() -> (wire: Wire, client: Int32, server: Int32) {
    let (client, clientEnd) = socketPair()
    let (server, serverEnd) = socketPair()
    return (Wire(clientEnd, serverEnd), client, server)
  }

  private init(_ clientEnd: Int32, _ serverEnd: Int32) {
    self.clientEnd = Descriptor(owning: clientEnd)
    self.serverEnd = Descriptor(owning: serverEnd)
  }

  /// Takes what the sender has sent off its socket; returns what now travels.
  @discardableResult
  func collect(_ way: Way) -> Int {
    guard let fd = way == .toServer ? clientEnd?.raw : serverEnd?.raw else { return 0 }
    var room = [UInt8](repeating: 0, count: 65536)
    while case .moved(let count) = StreamSocket.read(fd, into: &room) {
      travelling[way, default: []] += room[0..<count]
    }
    return travelling[way, default: []].count
  }

  /// Carries at most so many bytes and returns how many were there to carry.
  @discardableResult
  func carry(_ way: Way, atMost maximum: Int = .max) -> Int {
    collect(way)
    guard let fd = way == .toServer ? serverEnd?.raw : clientEnd?.raw else { return 0 }
    let piece = Array(travelling[way, default: []].prefix(maximum))
    guard !piece.isEmpty else { return 0 }
    guard case .moved(let count) = StreamSocket.write(fd, piece.span) else { return 0 }
    travelling[way, default: []].removeFirst(count)
    delivered[way, default: 0] += count
    return count
  }

  /// Loses what travels.
  func drop(_ way: Way) {
    collect(way)
    travelling[way] = []
  }

  /// Puts bytes of a stranger into an end.
  func inject(_ bytes: [UInt8], _ way: Way) {
    travelling[way, default: []] += bytes
    carry(way)
  }

  /// Ends the stream towards the server; its own stream still flows.
  func cutServerReading() {
    guard let fd = serverEnd?.raw else { return }
    shutdown(fd, Int32(SHUT_WR))
  }

  /// Closes the wire's side of the server's socket: the server sees the stream end.
  func cutServer() { Wire.cut(&serverEnd) }

  /// Closes the wire's side of the client's socket.
  func cutClient() { Wire.cut(&clientEnd) }

  /// Shut down and closed: closing alone says nothing to the peer while a child process that other
  /// tests are starting holds a copy.
  private static func cut(_ end: inout Descriptor?) {
    if let raw = end?.raw { shutdown(raw, Int32(SHUT_RDWR)) }
    end = nil
  }
}
