// The frames of the bare floor: kind, zero, length of the whole in two bytes, payload. Just enough
// to ask the same of a server without an application as of the peers.

enum FloorFrame {
  enum Kind: UInt8 {
    case keepAlive = 0x4B
    case push = 0x50
    case ack = 0x41
  }

  static let headBytes = 4
  /// The longest frame.
  static let frameBytesMax = 4_096

  static func encode(_ kind: Kind, _ payload: [UInt8] = []) -> [UInt8] {
    let count = headBytes + payload.count
    precondition(count <= frameBytesMax, "a frame of the floor is short")
    return [kind.rawValue, 0, UInt8(count >> 8), UInt8(count & 0xFF)] + payload
  }

  /// The kind and the length of the first frame; nil length while it is not complete.
  static func head(in bytes: Span<UInt8>) -> (kind: Kind, bytes: Int?)? {
    guard let kind = Kind(rawValue: bytes[0]) else { return nil }
    guard bytes.count >= headBytes else { return (kind, nil) }
    let count = Int(bytes[2]) << 8 | Int(bytes[3])
    guard bytes[1] == 0, (headBytes...frameBytesMax).contains(count) else { return nil }
    return (kind, bytes.count >= count ? count : nil)
  }

  /// What a client of the floor reads.
  static func next(in bytes: Span<UInt8>) -> PeerStep {
    guard bytes.count > 0 else { return .needsMore }
    guard let head = head(in: bytes) else { return .malformed }
    guard let count = head.bytes else { return .needsMore }
    if head.kind == .keepAlive { return .event(.keepAliveAnswered, bytes: count) }
    guard let number = PeerPayload.number(of: bytes.extracting(headBytes..<count)) else {
      return .malformed
    }
    return .event(.delivered(head.kind == .push ? .push : .ack, number: number), bytes: count)
  }
}
