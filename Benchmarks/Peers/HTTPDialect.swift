// HTTP/1.1 as a sign of life: one GET at a time on a connection that stays, read by the same strict
// reader as the agent's.
import Transports

enum HTTPDialect {
  static let request = Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)

  /// Whole or not at all: a client asks again only after the answer, so nothing may follow it.
  static func next(in bytes: Span<UInt8>) -> PeerStep {
    guard bytes.count > 0 else { return .needsMore }
    var reader = HTTPAnswerReader()
    reader.append(bytes)
    do throws(HTTPAnswerFault) {
      guard let answer = try reader.next() else { return .needsMore }
      guard reader.isEmpty, !answer.endsConnection else { return .malformed }
      let isFine = (200...299).contains(answer.status)
      return .event(
        isFine ? .keepAliveAnswered : .refused("HTTP \(answer.status)"), bytes: bytes.count)
    } catch {
      return .malformed
    }
  }
}
