// The bytes of one HTTP connection as lines and bodies, in the order they came: what the readers
// of requests and of answers share. Each byte of a head is looked at once, in order, so that no
// way of cutting the stream into pieces changes the verdict or its cost. Only CR LF ends a line,
// and a line holds visible ASCII and spaces: a tab, a bare CR or LF, or a letter outside ASCII is
// what two parsers read differently.

/// What is wrong with the bytes of a line.
enum HTTPLineFault: Error, Equatable {
  /// A byte that no line of ours holds.
  case badByte
  /// The line is longer than allowed.
  case tooLong
}

/// Bytes that were read and not yet understood.
struct HTTPLines: Sendable {
  private var bytes: [UInt8] = []
  /// Where what was not yet taken begins.
  private var start = 0
  /// Up to here the line that begins at `start` was looked at.
  private var looked = 0
  /// Bytes came for which there was no room.
  private(set) var isCut = false

  /// Whether nothing is held.
  var isEmpty: Bool { start == bytes.count }

  /// How many bytes are held.
  var count: Int { bytes.count - start }

  /// Takes what was read, as far as it fits into `bytesMax`; what does not fit cuts the stream, and
  /// nothing is taken any more.
  mutating func append(_ more: Span<UInt8>, upTo bytesMax: Int) {
    guard !isCut else { return }
    let fitting = min(more.count, bytesMax - count)
    for index in 0..<fitting { bytes.append(more[index]) }
    isCut = fitting < more.count
  }

  /// Forgets everything, its memory too.
  mutating func clear() { self = HTTPLines() }

  /// Whether what is held begins like `text`, as far as it goes.
  func couldBegin(with text: String) -> Bool {
    zip(bytes[start...], text.utf8).allSatisfy { $0 == $1 }
  }

  /// The next line without its CR LF, or nil when its end has not come.
  mutating func nextLine(atMost bytesMax: Int) throws(HTTPLineFault) -> [UInt8]? {
    while looked < bytes.count {
      guard looked - start < bytesMax else { throw .tooLong }
      let byte = bytes[looked]
      let followsCR = looked > start && bytes[looked - 1] == 13
      if followsCR {
        guard byte == 10 else { throw .badByte }
        let line = Array(bytes[start..<looked - 1])
        drop(looked + 1 - start)
        return line
      }
      guard byte == 13 || (byte >= 32 && byte < 127) else { throw .badByte }
      looked += 1
    }
    return nil
  }

  /// The next so many bytes, or nil when they have not all come.
  mutating func take(_ wanted: Int) -> [UInt8]? {
    guard count >= wanted else { return nil }
    let taken = Array(bytes[start..<start + wanted])
    drop(wanted)
    return taken
  }

  /// Steps over bytes.
  ///
  /// They are moved out only when they are most of the memory, which costs each byte one move at
  /// most; an idle connection keeps none.
  private mutating func drop(_ count: Int) {
    start += count
    if start == bytes.count {
      bytes = []
      start = 0
    } else if start >= 4_096, start >= bytes.count - start {
      bytes.removeFirst(start)
      start = 0
    }
    looked = start
  }
}
