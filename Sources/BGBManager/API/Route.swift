// One route as a value: what the router is built from, what the OpenAPI file is compared with, and
// what a test can call without a socket.

import BGBModel

/// A request as a handler sees it: checked for its caller, read, bounded.
struct Call: Sendable {
  /// Who asks, as the kernel vouches for them: `local:<user name>`.
  var actor: String
  /// The parts of the path that stand for something, decoded.
  var path: [String: String] = [:]
  /// The query, decoded.
  var query: [String: String] = [:]
  /// The body, if there was one.
  var body: JSONValue?
  /// The `Idempotency-Key` header.
  var idempotencyKey: String?

  /// A part of the path.
  func part(_ name: String) -> String { path[name] ?? "" }

  /// How many items a page shall have: 100 unless asked otherwise, 1,000 at most.
  func pageLimit() throws(Refusal) -> Int {
    guard let text = query["limit"] else { return 100 }
    guard let limit = Int(text), (1...1_000).contains(limit) else {
      throw .outOfBounds("limit", bounds: "1 to 1000")
    }
    return limit
  }

  /// A page's cursor: a positive number.
  func cursor(_ name: String) throws(Refusal) -> Int64? {
    guard let text = query[name], !text.isEmpty else { return nil }
    guard let number = Int64(text), number > 0 else {
      throw .outOfBounds(name, bounds: "a cursor from the page before")
    }
    return number
  }

  /// A page's cursor over clients.
  func resourceCursor() throws(Refusal) -> ResourceID? {
    guard let number = try cursor("after") else { return nil }
    guard let raw = UInt32(exactly: number) else {
      throw .outOfBounds("after", bounds: "a cursor from the page before")
    }
    return ResourceID(raw)
  }
}

/// What a handler answers.
enum Answer: Hashable, Sendable {
  /// A JSON document with a status.
  case json(Int, JSONValue)
  /// Plain text, as Prometheus reads it.
  case text(Int, String)
  /// Nothing but success.
  case done
  /// The progress of an operation, as it happens.
  case progress(OperationID)

  /// A page of items with the cursor of the next one, when this one is full.
  static func page<Item>(
    _ items: [Item], limit: Int, cursor: (Item) -> String, json: (Item) -> JSONValue
  ) -> Answer {
    let next = items.count >= limit ? items.last.map(cursor) : nil
    return .json(200, .members(["items": .list(items.map(json)), "next": .optional(next)]))
  }
}

/// A method, a path and what answers there.
struct Route: Sendable {
  /// The methods that the API knows.
  enum Method: String, Sendable {
    case get = "GET"
    case post = "POST"
    case put = "PUT"
    case delete = "DELETE"
  }

  /// The method.
  let method: Method
  /// The path, with parts that stand for something in braces, as OpenAPI writes them.
  let path: String
  /// Answers; may block on the site database.
  let answer: @Sendable (Call) throws(Refusal) -> Answer

  init(
    _ method: Method, _ path: String,
    answer: @escaping @Sendable (Call) throws(Refusal) -> Answer
  ) {
    self.method = method
    self.path = path
    self.answer = answer
  }
}
