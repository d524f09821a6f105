// Why a manager cannot start, as one sentence with the next step: what `main` prints before it ends
// with 2.

/// A reason not to start.
struct StartFault: Error, Hashable, Sendable, CustomStringConvertible {
  /// The sentence.
  let description: String

  init(_ description: String) { self.description = description }
}
