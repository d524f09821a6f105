// Bytes from a stream into messages. The reader holds at most one partial frame between two turns
// and nothing at all while its peer is silent between frames, for a hundred thousand readers are
// idle at any time. A header is judged as soon as its four bytes are there: a length over the limit
// or an unknown kind is refused before one byte of the body is waited for.

public import BGBModel

/// Cuts a byte stream into messages, whatever pieces it comes in.
///
/// Feed it with `append`, then call `next` until it returns nil. Not a view: messages own what they
/// hold. After an error the stream has no meaning any more; the reader stays failed.
public struct FrameReader: Sendable {
  private var buffer: [UInt8] = []
  // Small numbers: a server has a reader for each of its clients.
  private var readTo: UInt32 = 0
  private var bodyMax: UInt32
  private var failure: WireError?

  /// Begins at a frame's first byte, refusing bodies of more than `bodyBytesMax` bytes.
  public init(bodyBytesMax: Int = Limits.frameBodyBytesMax) {
    bodyMax = UInt32(clamping: bodyBytesMax)
  }

  private var position: Int {
    get { Int(readTo) }
    set { readTo = UInt32(clamping: newValue) }
  }

  /// Bytes that were fed and not yet returned as messages.
  public var bufferedBytes: Int { buffer.count - position }

  /// Allows bodies up to a greater size from here on: once the peer's identity is known.
  public mutating func raiseLimit(to bytes: Int) {
    bodyMax = max(bodyMax, UInt32(clamping: bytes))
  }

  /// Takes bytes that were read; after an error they are dropped.
  public mutating func append(_ bytes: Span<UInt8>) {
    guard failure == nil, !bytes.isEmpty else { return }
    buffer.append(addingCapacity: bytes.count) { room in
      for index in bytes.indices { room.append(bytes[index]) }
    }
  }

  /// Takes bytes that were read; after an error they are dropped.
  public mutating func append(_ bytes: [UInt8]) {
    guard failure == nil, !bytes.isEmpty else { return }
    if buffer.isEmpty { buffer = bytes } else { buffer.append(contentsOf: bytes) }
  }

  /// The next whole message out of bytes that were just read, which are consumed; nil when more are
  /// needed, and what is left of them was taken then.
  ///
  /// As `append` and `next`, without a copy while whole frames come, as they nearly always do.
  public mutating func next(from input: inout ArraySlice<UInt8>) throws(WireError) -> Message? {
    guard failure == nil, buffer.isEmpty else {
      append(taking: &input)
      return try next()
    }
    do throws(WireError) {
      guard let (message, end) = try decode(input, at: input.startIndex) else {
        append(taking: &input)
        return nil
      }
      input = input[end...]
      return message
    } catch {
      failure = error
      throw error
    }
  }

  private mutating func append(taking input: inout ArraySlice<UInt8>) {
    if failure == nil, !input.isEmpty { buffer.append(contentsOf: input) }
    input = []
  }

  /// The next whole message; nil when more bytes are needed.
  ///
  /// Throws the same error again when called after an error.
  public mutating func next() throws(WireError) -> Message? {
    if let failure { throw failure }
    do throws(WireError) {
      return try decodeNext()
    } catch {
      failure = error
      buffer = []
      position = 0
      throw error
    }
  }

  private mutating func decodeNext() throws(WireError) -> Message? {
    guard let (message, end) = try decode(buffer[...], at: position) else {
      compact()
      return nil
    }
    position = end
    return message
  }

  /// The message whose frame begins at a place, and where that ends; nil if it is not whole.
  private func decode(
    _ bytes: ArraySlice<UInt8>, at place: Int
  ) throws(WireError) -> (Message, end: Int)? {
    guard bytes.endIndex - place >= Limits.frameHeaderBytes else { return nil }
    let header = FrameHeader(
      kind: bytes[place], flags: bytes[place + 1],
      bodyBytes: Int(bytes[place + 2]) << 8 | Int(bytes[place + 3]))
    let kind = try header.check(bodyBytesMax: Int(bodyMax))
    let end = place + Limits.frameHeaderBytes + header.bodyBytes
    guard bytes.endIndex >= end else { return nil }
    let body = bytes[place + Limits.frameHeaderBytes..<end]
    return (try MessageCodec.decode(kind: kind, body: body), end)
  }

  /// Gives back the memory of what was returned; keeps the partial frame, if any, and no more.
  private mutating func compact() {
    guard position > 0 else { return }
    buffer = position == buffer.count ? [] : Array(buffer[position...])
    position = 0
  }
}

/// The four bytes before each body.
struct FrameHeader {
  /// The kind as sent.
  var kind: UInt8
  /// The flags as sent; all eight bits are reserved and must be zero.
  var flags: UInt8
  /// Bytes of the body.
  var bodyBytes: Int

  /// The kind, if everything in the header is allowed.
  func check(bodyBytesMax: Int) throws(WireError) -> MessageKind {
    guard let kind = MessageKind(rawValue: kind) else { throw .unknownKind(self.kind) }
    guard flags == 0 else { throw .malformed(.badValue) }
    guard bodyBytes <= bodyBytesMax else { throw .tooLong }
    return kind
  }
}
