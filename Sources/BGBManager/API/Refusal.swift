// What the API answers when it does not do what it was asked: a status, a stable code that scripts
// may test, a sentence, and the next step. Every "no" of the API is one of the makers below.

import BGBModel
import SiteDatabase

/// A request that is not fulfilled, and why.
struct Refusal: Error, Hashable, Sendable {
  /// The HTTP status.
  var status: Int
  /// The number of the code `BGB-nnnn`.
  var number: Int
  /// What is wrong.
  var message: String
  /// What to do next.
  var hint: String
  /// Seconds after which trying again makes sense.
  var retryAfterSeconds: Int?

  /// The code as callers see it.
  var code: String { "BGB-\(number)" }

  /// The body of the answer.
  var json: JSONValue {
    .members([
      "error": .members([
        "code": .text(code), "message": .text(message), "hint": .text(hint),
      ])
    ])
  }
}

extension Refusal {
  private static let documentHint = "See docs/openapi.yaml for what this route takes."

  static func badJSON(_ error: JSONError) -> Refusal {
    Refusal(status: 400, number: 2000, message: "\(error)", hint: documentHint)
  }

  static func unknownField(_ name: String, known: [String]) -> Refusal {
    Refusal(
      status: 400, number: 2001, message: "there is no field '\(name)' here",
      hint: "Fields are: \(known.joined(separator: ", ")).")
  }

  static func missingField(_ name: String) -> Refusal {
    Refusal(
      status: 400, number: 2002, message: "the field '\(name)' is missing", hint: documentHint)
  }

  static func wrongKind(_ name: String, wanted: String) -> Refusal {
    Refusal(
      status: 400, number: 2003, message: "the field '\(name)' must be \(wanted)",
      hint: documentHint)
  }

  static func outOfBounds(_ name: String, bounds: String) -> Refusal {
    Refusal(
      status: 400, number: 2004, message: "'\(name)' is outside its bounds",
      hint: "It must be \(bounds).")
  }

  static func unknownAction(_ name: String) -> Refusal {
    Refusal(
      status: 400, number: 2005, message: "there is no action '\(name.cut(toBytes: 64))'",
      hint: "GET /v1/actions lists the actions; 'bgb op start --help' shows them.")
  }

  static func badParameter(_ error: ParameterError, of action: ClientAction) -> Refusal {
    let names = action.parameters.map(\.name).joined(separator: ", ")
    return Refusal(
      status: 400, number: 2006, message: "\(error)",
      hint: names.isEmpty
        ? "The action \(action.name) takes no parameters."
        : "The action \(action.name) takes: \(names).")
  }

  static func invalid(_ message: String) -> Refusal {
    Refusal(
      status: 400, number: 2007, message: message, hint: "Change the request and send it again.")
  }

  static func badName(_ name: String, hint: String) -> Refusal {
    Refusal(
      status: 400, number: 2009, message: "'\(name.cut(toBytes: 64))' cannot be a name here",
      hint: hint)
  }

  static func badCertificateRequest(_ reason: String) -> Refusal {
    Refusal(
      status: 400, number: 2010, message: reason,
      hint: "Send a PEM certificate request with a P-256 key, signed with that key.")
  }

  static func notFound(_ what: String) -> Refusal {
    Refusal(
      status: 404, number: 2100, message: "there is no \(what)",
      hint: "List what there is and check the spelling.")
  }

  static let noRoute = Refusal(
    status: 404, number: 2101, message: "there is no such path",
    hint: "See docs/openapi.yaml for the paths.")

  static func conflict(_ message: String) -> Refusal {
    Refusal(
      status: 409, number: 2200, message: message, hint: "Look at what is there and decide.")
  }

  static let forbidden = Refusal(
    status: 403, number: 2300, message: "this local account may not administer the site",
    hint: "Use root, the account of the manager, or a member of its group.")

  static func tooLarge(_ bytes: Int) -> Refusal {
    Refusal(
      status: 413, number: 2400, message: "the request body is larger than \(bytes) bytes",
      hint: "Send it in smaller parts.")
  }

  static let tooManyStreams = Refusal(
    status: 503, number: 2502, message: "too many progress streams are open",
    hint: "Close some, or ask for the operation from time to time.", retryAfterSeconds: 5)

  static let stopping = Refusal(
    status: 503, number: 2503, message: "the manager is stopping",
    hint: "Try again when it has started.", retryAfterSeconds: 5)

  static func `internal`(_ message: String) -> Refusal {
    Refusal(
      status: 500, number: 2999, message: message, hint: "The log bgbmgr.log has the details.")
  }

  /// What a caller is told of an error of the site database.
  init(_ error: StoreError) {
    switch error {
    case .notFound(let what): self = .notFound(what)
    case .conflict(let text): self = .conflict(text)
    case .invalid(let text): self = .invalid(text)
    case .unavailable(let text):
      self = Refusal(
        status: 503, number: 2500, message: "the site database is busy: \(text)",
        hint: "Nothing was changed; try again.", retryAfterSeconds: 2)
    case .damaged(let text):
      self = Refusal(
        status: 500, number: 2501, message: "the site database cannot be used: \(text)",
        hint: "An administrator must look at it; see docs/OPERATING.md.")
    }
  }
}

/// Runs a call of the site database and turns its errors into refusals.
func asking<Value>(_ call: () throws(StoreError) -> Value) throws(Refusal) -> Value {
  do { return try call() } catch { throw Refusal(error) }
}
