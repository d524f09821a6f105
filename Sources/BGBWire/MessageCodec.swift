// A message into its frame and back. Each kind's body is in Messages/<Kind>.swift; this file knows
// what they have in common: the header before the body and the optional tail after it.

public import BGBModel

/// Encodes and decodes whole messages.
public enum MessageCodec {
  /// The whole frame of a message.
  public static func encode(_ message: Message) -> [UInt8] {
    var writer = ByteWriter(capacity: 64)
    encode(message, into: &writer)
    return writer.bytes
  }

  /// Appends the whole frame of a message.
  ///
  /// Fields beyond their limits are cut (texts, lists), so that every frame made here can be read.
  public static func encode(_ message: Message, into writer: inout ByteWriter) {
    writer.frame(message.kind) { writer in
      switch message {
      case .signIn(let body): body.encode(into: &writer)
      case .welcome(let body): body.encode(into: &writer)
      case .keepAlive(let body): body.encode(into: &writer)
      case .reconnectIdentity(let body): body.encode(into: &writer)
      case .pushTask(let body): body.encode(into: &writer)
      case .taskAck(let body): body.encode(into: &writer)
      case .taskOutcome(let body): body.encode(into: &writer)
      case .outcomeStored(let body): body.encode(into: &writer)
      case .cancelTask(let body): body.encode(into: &writer)
      case .liveData(let body): body.encode(into: &writer)
      case .goodbye(let body): body.encode(into: &writer)
      case .reconnect(let body): body.encode(into: &writer)
      case .refused(let body): body.encode(into: &writer)
      }
    }
  }

  /// Reads a body whose header said `kind` and `flags`.
  public static func decode(
    kind: UInt8, flags: UInt8, body: ArraySlice<UInt8>
  ) throws(WireError) -> Message {
    let header = FrameHeader(kind: kind, flags: flags, bodyBytes: body.count)
    return try decode(kind: try header.check(bodyBytesMax: Limits.frameBodyBytesMax), body: body)
  }

  static func decode(kind: MessageKind, body: ArraySlice<UInt8>) throws(WireError) -> Message {
    do throws(CodingError) {
      var reader = ByteReader(body)
      let message = try decode(kind: kind, from: &reader)
      try MessageTail.skip(in: &reader)
      return message
    } catch {
      throw .malformed(error)
    }
  }

  private static func decode(
    kind: MessageKind, from reader: inout ByteReader
  ) throws(CodingError) -> Message {
    switch kind {
    case .signIn: .signIn(try SignIn(from: &reader))
    case .welcome: .welcome(try Welcome(from: &reader))
    case .keepAlive: .keepAlive(try KeepAlive(from: &reader))
    case .reconnectIdentity: .reconnectIdentity(try ReconnectIdentity(from: &reader))
    case .pushTask: .pushTask(try PushTask(from: &reader))
    case .taskAck: .taskAck(try TaskAck(from: &reader))
    case .taskOutcome: .taskOutcome(try OutcomeReport(from: &reader))
    case .outcomeStored: .outcomeStored(try OutcomeStored(from: &reader))
    case .cancelTask: .cancelTask(try CancelTask(from: &reader))
    case .liveData: .liveData(try LiveData(from: &reader))
    case .goodbye: .goodbye(try Goodbye(from: &reader))
    case .reconnect: .reconnect(try Reconnect(from: &reader))
    case .refused: .refused(try Refused(from: &reader))
    }
  }
}

/// The optional fields after a body's fixed ones: how later versions add without breaking this one.
enum MessageTail {
  /// Set in tags that a reader must understand; unknown without it are skipped.
  static let criticalBit: UInt16 = 0x8000

  /// Skips the optional fields of a body that knows none.
  static func skip(in reader: inout ByteReader) throws(CodingError) {
    try read(from: &reader) { (_, _) throws(CodingError) in false }
  }

  /// Reads the optional fields up to the end of the body; `take` says whether it knows a tag.
  ///
  /// Tags ascend, so none comes twice. An unknown one is skipped, unless it is critical.
  static func read(
    from reader: inout ByteReader,
    _ take: (_ tag: UInt16, _ value: ArraySlice<UInt8>) throws(CodingError) -> Bool
  ) throws(CodingError) {
    var last: UInt16?
    while reader.remaining > 0 {
      let tag = try reader.integer(UInt16.self)
      if let last, tag <= last { throw .badValue }
      let value = try reader.block(limit: Limits.frameBodyBytesMax)
      guard try take(tag, value) || tag & criticalBit == 0 else { throw .badValue }
      last = tag
    }
  }
}

extension ByteWriter {
  /// Writes a header, then the body that `encodeBody` writes, then the body's length in the header.
  mutating func frame(_ kind: MessageKind, _ encodeBody: (inout ByteWriter) -> Void) {
    integer(kind.rawValue)
    integer(UInt8(0))
    let place = bytes.count
    integer(UInt16(0))
    encodeBody(&self)
    let bodyBytes = bytes.count - place - 2
    assert(bodyBytes <= Limits.frameBodyBytesMax, "the fields' limits must add up to a frame")
    patch(UInt16(truncatingIfNeeded: bodyBytes), at: place)
  }
}
