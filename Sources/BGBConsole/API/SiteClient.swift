// Talks to the site's manager over its Unix socket: requests, pages, errors with their code and
// next step. What it throws already says how the program ends.

import BGBModel
import HTTPClient

/// The manager's HTTP API.
struct SiteClient {
  /// Items asked for at a time.
  static let pageItems = 1000

  /// The socket.
  let socket: String
  let console: Console
  /// Milliseconds for one answer.
  var timeoutMilliseconds = 60_000

  /// Sends a request and reads the JSON of a successful answer; null for an empty one.
  func send(
    _ method: HTTPRequest.Method, _ path: String, _ body: JSONValue? = nil,
    headers: [(name: String, value: String)] = []
  ) throws(ConsoleError) -> JSONValue {
    let response: HTTPResponse
    do {
      response = try request(method, path, body, headers).send(shouldStop: console.isInterrupted)
    } catch { throw explain(error) }
    guard response.isSuccess else { throw SiteClient.refusal(response) }
    if response.body.isEmpty { return .null }
    return try SiteClient.json(response.body)
  }

  /// The items of a list route: all pages, or as many as wanted.
  func items(
    _ path: String, query: [(String, String)] = [], cursor: String = "after", limit: Int? = nil
  ) throws(ConsoleError) -> [JSONValue] {
    var items: [JSONValue] = []
    var next: String?
    repeat {
      let missing = limit.map { $0 - items.count } ?? SiteClient.pageItems
      var all = query + [("limit", String(min(missing, SiteClient.pageItems)))]
      if let next { all.append((cursor, next)) }
      let text = all.map { "\($0.0)=\(SiteClient.escape($0.1))" }.joined(separator: "&")
      let page = try send(.get, "\(path)?\(text)")
      items += page["items"].items
      let following = page["next"].cell
      // A page that does not move on would be asked for for ever.
      next = following.isEmpty || following == next || page["items"].items.isEmpty ? nil : following
    } while next != nil && items.count < limit ?? .max
    return limit.map { Array(items.prefix($0)) } ?? items
  }

  /// A request, not yet sent.
  func request(
    _ method: HTTPRequest.Method, _ path: String, _ body: JSONValue?,
    _ headers: [(name: String, value: String)] = []
  ) -> HTTPRequest {
    var headers = headers
    if body != nil { headers.append((name: "Content-Type", value: "application/json")) }
    return HTTPRequest(
      method, url: "http://bgb-manager" + path, headers: headers,
      body: body.map { Array($0.encoded.utf8) }, unixSocket: socket,
      timeoutMilliseconds: timeoutMilliseconds, connectTimeoutMilliseconds: 5_000,
      bodyBytesMax: 64 << 20)
  }

  /// One part of a path or a value of a query, percent-encoded.
  static func escape(_ text: String) -> String {
    var result = ""
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"), UInt8(ascii: "~"):
        result.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        let digits = String(byte, radix: 16, uppercase: true)
        result += "%" + (digits.utf8.count < 2 ? "0" : "") + digits
      }
    }
    // A part that is nothing but dots would be resolved away by whoever normalises the path.
    return text == "." || text == ".." ? result.replacing(".", with: "%2E") : result
  }

  static func json(_ bytes: [UInt8]) throws(ConsoleError) -> JSONValue {
    do { return try JSONReader.read(bytes) } catch {
      throw ConsoleError(.failure, "the manager's answer is not JSON (byte \(error.position))")
    }
  }

  /// The error that an answer tells.
  static func refusal(_ response: HTTPResponse) -> ConsoleError {
    let error = (try? JSONReader.read(response.body))?["error"] ?? .null
    let status: ExitStatus =
      switch response.status {
      case 400, 413, 422: .usage
      case 401, 403: .notAllowed
      case 429, 503: .unreachable
      default: .failure
      }
    var hint = error["hint"].text
    if let wait = response.header("retry-after") {
      hint = (hint.map { $0 + " " } ?? "") + "Retry after \(wait) s."
    }
    return ConsoleError(
      status, error["message"].text ?? "the manager answered with HTTP status \(response.status)",
      code: error["code"].text, hint: hint)
  }

  /// What a failed exchange means for a person.
  func explain(_ error: HTTPError) -> ConsoleError {
    switch error {
    case .stopped: ConsoleError(.interrupted, "interrupted")
    case .unreachable:
      ConsoleError(
        .unreachable, "the manager of this site is not reachable at \(socket)",
        hint: Folder.exists(socket)
          ? "Is bgb-manager running, and may this user write to the socket?"
          : "Start bgb-manager, or name the site's folder with --site or BGB_SITE.")
    case .timeout:
      ConsoleError(
        .unreachable, "the manager did not answer in time",
        hint: "See its log, or try again; what was asked may have been done.")
    case .tls, .tooLong, .invalid, .malformed, .proxy: ConsoleError(.failure, "\(error)")
    }
  }
}
