// What can go wrong between a program and the site database, sorted by what the caller does next.

/// Why the site database did not do what was asked.
public enum StoreError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Somebody else holds it or it is away; nothing was changed; try again after a while.
  case unavailable(String)
  /// The thing asked for does not exist.
  case notFound(String)
  /// It contradicts what is there: a name taken, a key used for something else.
  case conflict(String)
  /// The request itself is not acceptable.
  case invalid(String)
  /// The file is damaged or of a version this program does not serve; a person must act.
  case damaged(String)

  /// A sentence for logs and people.
  public var description: String {
    switch self {
    case .unavailable(let text): "the site database is not available: \(text)"
    case .notFound(let text): "not found: \(text)"
    case .conflict(let text): "conflict: \(text)"
    case .invalid(let text): "not acceptable: \(text)"
    case .damaged(let text): "the site database cannot be used: \(text)"
    }
  }
}
