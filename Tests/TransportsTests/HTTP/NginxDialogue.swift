// One stream of bytes said to an nginx to its end, and all that nginx answers; and, behind an nginx
// that forwards, our reader over whatever it lets through. One thread, sockets that never block.
import Glibc
import Reactor
import Transports

/// The upstream of a forwarding nginx: our reader behind a plain socket.
final class ReaderBehindNginx {
  /// One connection of nginx to us.
  private final class Connection {
    let socket: Descriptor
    var reader = HTTPRequestReader()

    init(_ socket: consuming Descriptor) { self.socket = socket }
  }

  private let listener: Listener
  private var connections: [Connection] = []
  /// The requests that our reader took since the last ``reset()``.
  private(set) var requests: [HTTPRequest] = []
  /// How many streams it refused since then.
  private(set) var refused = 0

  init(path: String) throws { listener = try Listener(.unix(path: path)) }

  func reset() {
    requests = []
    refused = 0
  }

  /// What to wait for.
  var wishes: [pollfd] {
    ([listener.fd] + connections.map { $0.socket.raw }).map {
      pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
    }
  }

  /// Accepts and answers whatever is there.
  func serve() {
    while case .accepted(let socket, _) = listener.accept() {
      connections.append(Connection(socket))
    }
    connections.removeAll { !goesOn($0) }
  }

  /// Reads one connection dry; false once it is to be closed.
  private func goesOn(_ connection: Connection) -> Bool {
    let fd = connection.socket.raw
    var room = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(fd, &room, room.count, Int32(MSG_DONTWAIT))
      guard count > 0 else { return count < 0 && errno == EAGAIN }
      connection.reader.append(Array(room[..<count]).span)
      do throws(HTTPRefusal) {
        while let request = try connection.reader.next() {
          requests.append(request)
          let ends = request.endsConnection
          say(HTTPResponse.text(200, "taken").encoded(keepAlive: !ends), fd)
          if ends { return false }
        }
      } catch {
        refused += 1
        say(HTTPResponse.text(error.rawValue, "refused").encoded(), fd)
        return false
      }
    }
  }

  /// An answer is short: it fits into the socket's buffer or the peer is gone.
  private func say(_ bytes: [UInt8], _ fd: Int32) {
    _ = send(fd, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }
}

/// Says `bytes` to the Unix socket at `path`, ends the stream, and returns the whole answer.
///
/// The stream is ended only behind `awaited` answers: nginx drops what it has not yet written when
/// it sees the end. Silence for three seconds ends it too, for answers that never come.
func dialogue(
  _ bytes: [UInt8], path: String, awaiting awaited: Int, behind upstream: ReaderBehindNginx? = nil
) throws -> [UInt8] {
  let socket = try StreamSocket.connect(to: .unix(path: path))
  var rest = bytes[...]
  var hasEnded = false
  var answer: [UInt8] = []
  var answers = HTTPAnswerReader()
  var counted = 0
  var room = [UInt8](repeating: 0, count: 65_536)
  while true {
    if !rest.isEmpty {
      let sent = rest.withUnsafeBytes { send(socket.raw, $0.baseAddress, $0.count, flags) }
      // A peer that has refused takes no more, and its answer is still to be read.
      if sent >= 0 { rest = rest.dropFirst(sent) } else if errno != EAGAIN { rest = [] }
    }
    if rest.isEmpty && !hasEnded && counted >= awaited {
      shutdown(socket.raw, Int32(SHUT_WR))
      hasEnded = true
    }
    let count = recv(socket.raw, &room, room.count, flags)
    if count > 0 {
      answer += room[..<count]
      answers.append(Array(room[..<count]).span)
      while let next = try? answers.next() { counted += next.status == 200 ? 1 : awaited }
    }
    if count == 0 || (count < 0 && errno != EAGAIN) { return answer }
    if count > 0 { continue }
    let events = Int32(POLLIN) | (rest.isEmpty ? 0 : Int32(POLLOUT))
    var wishes = [pollfd(fd: socket.raw, events: Int16(events), revents: 0)]
    if let upstream { wishes += upstream.wishes }
    if poll(&wishes, nfds_t(wishes.count), hasEnded ? 10_000 : 3_000) == 0 {
      guard !hasEnded else { throw NothingHappened() }
      counted = awaited
    }
    upstream?.serve()
  }
}

private let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
