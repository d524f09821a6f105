// A stream of bytes that somebody may send to an HTTP listener, with what must come of it; and what
// our reader makes of any stream, for comparison.

import Testing
import Transports

/// One request as two parsers must agree on it.
struct SeenRequest: Equatable, CustomStringConvertible {
  var method: String
  var target: String
  var bodyBytes: Int

  var description: String { "\(method) \(target) \(bodyBytes)" }
}

/// What came of a stream.
struct Reading: Equatable {
  /// The requests that were taken.
  var requests: [SeenRequest] = []
  /// Why the stream was refused behind them.
  var refusal: HTTPRefusal?
  /// The stream ended inside a request.
  var isIncomplete = false

  /// What our reader makes of a stream that comes in pieces of `step` bytes.
  init(of bytes: [UInt8], step: Int = .max) {
    var reader = HTTPRequestReader()
    var rest = bytes[...]
    while !rest.isEmpty, refusal == nil {
      let piece = Array(rest.prefix(step))
      rest = rest.dropFirst(piece.count)
      reader.append(piece.span)
      do throws(HTTPRefusal) {
        while let request = try reader.next() { requests.append(SeenRequest(request)) }
      } catch {
        refusal = error
      }
    }
    isIncomplete = refusal == nil && !reader.isEmpty
  }

  init(_ requests: [SeenRequest], refusal: HTTPRefusal?) {
    self.requests = requests
    self.refusal = refusal
  }
}

extension SeenRequest {
  init(_ request: HTTPRequest) {
    self.init(
      method: request.method,
      target: request.query.isEmpty ? request.path : request.path + "?" + request.query,
      bodyBytes: request.body.count)
  }
}

/// A named stream with the verdict that it must get.
struct RequestCase: CustomTestStringConvertible {
  let name: String
  let bytes: [UInt8]
  let expected: Reading

  var testDescription: String { name }

  /// A stream that is refused, behind `taken` requests.
  static func refused(
    _ name: String, _ refusal: HTTPRefusal, _ text: String, behind taken: [SeenRequest] = []
  ) -> RequestCase {
    RequestCase(
      name: name, bytes: Array(text.utf8), expected: Reading(taken, refusal: refusal))
  }

  /// A stream that is refused and is no UTF-8.
  static func refused(_ name: String, _ refusal: HTTPRefusal, bytes: [UInt8]) -> RequestCase {
    RequestCase(name: name, bytes: bytes, expected: Reading([], refusal: refusal))
  }

  /// A stream that is taken whole.
  static func taken(_ name: String, _ requests: [SeenRequest], _ text: String) -> RequestCase {
    RequestCase(name: name, bytes: Array(text.utf8), expected: Reading(requests, refusal: nil))
  }

  /// A `POST` with these headers behind `Host`, each line with its end, and this body.
  static func post(_ headers: String, _ body: String = "hello") -> String {
    "POST /p HTTP/1.1\r\nHost: h\r\n\(headers)\r\n\(body)"
  }

  /// A `GET` with these headers behind `Host`, each line with its end.
  static func get(_ target: String = "/g", _ headers: String = "") -> String {
    "GET \(target) HTTP/1.1\r\nHost: h\r\n\(headers)\r\n"
  }
}
