// What can be wrong with a peer's bytes, in four trivial cases: text is made by whoever prints it.

public import BGBModel

/// Why a frame was refused; the connection that brought it is closed with `closeCode`.
public enum WireError: Error, Equatable, Sendable {
  /// The kind is not one of ours; there are no skippable kinds.
  case unknownKind(UInt8)
  /// The frame is longer than what may be held for this peer now.
  case tooLong
  /// The flags are not zero, or the body cannot be read as its kind.
  case malformed(CodingError)
  /// The kind is known but not allowed in this state or direction.
  case wrongState

  /// The code that a Refused message and the audit line carry for it.
  public var closeCode: CloseCode {
    switch self {
    case .unknownKind: .unknownKind
    case .tooLong, .malformed(.tooLong): .tooLong
    case .malformed: .malformed
    case .wrongState: .wrongState
    }
  }
}
