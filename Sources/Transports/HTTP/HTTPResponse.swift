// An answer as bytes: status line, a few headers, body; the connection ends after it, unless its
// owner keeps it for the next request.

/// One answer.
public struct HTTPResponse: Equatable, Sendable {
  /// The status code.
  public var status: UInt16
  /// Further headers; names and values are ours, never a peer's.
  public var headers: [String]
  /// The body; left out for 204 and 304.
  public var body: [UInt8]

  /// Joins the parts.
  public init(status: UInt16, headers: [String] = [], body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// An answer of one line of text.
  public static func text(_ status: UInt16, _ text: String) -> HTTPResponse {
    HTTPResponse(
      status: status, headers: ["Content-Type: text/plain; charset=utf-8"],
      body: Array((text + "\n").utf8))
  }

  /// The bytes to send; without `keepAlive` they say that the connection ends behind them.
  public func encoded(keepAlive: Bool = false) -> [UInt8] {
    var head = "HTTP/1.1 \(status) \(HTTPResponse.phrase(status))\r\n"
    for header in headers { head += header + "\r\n" }
    let hasBody = status != 204 && status != 304
    if hasBody { head += "Content-Length: \(body.count)\r\n" }
    head += keepAlive ? "\r\n" : "Connection: close\r\n\r\n"
    return hasBody ? Array(head.utf8) + body : Array(head.utf8)
  }

  private static func phrase(_ status: UInt16) -> String {
    switch status {
    case 200: "OK"
    case 204: "No Content"
    case 304: "Not Modified"
    case 400: "Bad Request"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 410: "Gone"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 417: "Expectation Failed"
    case 421: "Misdirected Request"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 501: "Not Implemented"
    case 503: "Service Unavailable"
    case 505: "HTTP Version Not Supported"
    default: "Status"
    }
  }
}
