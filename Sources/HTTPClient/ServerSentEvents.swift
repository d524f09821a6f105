// The text/event-stream format (HTML Standard, "Server-sent events"), line by line: a pure machine
// that takes lines and gives events.

/// One event.
public struct ServerSentEvent: Hashable, Sendable {
  /// Its type; `message` when the server names none.
  public var name: String
  /// Its data, lines joined by line feeds.
  public var data: String

  /// Joins the two.
  public init(name: String, data: String) {
    self.name = name
    self.data = data
  }
}

/// Collects lines into events.
public struct ServerSentEventReader: Sendable {
  /// Bytes of one event's data at most; more is cut off with the event.
  public static let dataBytesMax = 4 << 20

  private var name = ""
  private var data: [String] = []
  private var bytes = 0
  private var isFirst = true

  /// Begins before the first line.
  public init() {}

  /// Takes a line without its end; gives an event when an empty line completes one.
  public mutating func take(_ given: String) -> ServerSentEvent? {
    var line = given[...]
    if isFirst, line.unicodeScalars.first == "\u{FEFF}" {
      line = Substring(line.unicodeScalars.dropFirst())
    }
    isFirst = false
    guard !line.isEmpty else { return complete() }
    guard !line.hasPrefix(":") else { return nil }
    let colon = line.firstIndex(of: ":")
    let field = colon.map { line[..<$0] } ?? line
    var value = colon.map { line[line.index(after: $0)...] } ?? ""
    if value.hasPrefix(" ") { value = value.dropFirst() }
    switch field {
    case "event": name = String(value)
    case "data":
      bytes += value.utf8.count + 1
      if bytes <= ServerSentEventReader.dataBytesMax { data.append(String(value)) }
    default: break
    }
    return nil
  }

  private mutating func complete() -> ServerSentEvent? {
    defer {
      name = ""
      data = []
      bytes = 0
    }
    guard !data.isEmpty, bytes <= ServerSentEventReader.dataBytesMax else { return nil }
    return ServerSentEvent(
      name: name.isEmpty ? "message" : name, data: data.joined(separator: "\n"))
  }
}
