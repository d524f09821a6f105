// The five bytes before every record, and the sizes that RFC 8446 gives to records (5.1 to 5.4).

import COpenSSL
import Reactor

/// Sizes of records, and how much of what brings nothing is borne.
enum RecordLimits {
  /// Content type, version and length.
  static let headerBytes = 5
  /// Bytes of content in one record at most.
  static let contentBytesMax = 1 << 14
  /// Bytes behind a header at most: content, type, padding and tag.
  static let bodyBytesMax = contentBytesMax + 256
  /// Bytes of a whole record at most.
  static let recordBytesMax = headerBytes + bodyBytesMax
  /// Records in a row that bring no byte (empty ones, tickets, warnings), as many as OpenSSL bears.
  static let barrenRecordsMax: UInt8 = 32
  /// Bytes of a session ticket message at most.
  static let ticketBytesMax = 16 * 1024
  /// Records that we seal under one key before we change it: below the 2^24.5 of AES-GCM.
  static let ownRecordsMax: UInt32 = 1 << 24
  /// Records under one key of the peer's after which we ask it for the next: later than a peer like
  /// us changes it by itself.
  static let askAfterRecords: UInt32 = 1 << 24 + 1 << 16
}

/// A record's content type.
enum ContentType {
  static let changeCipherSpec: UInt8 = 20
  static let alert: UInt8 = 21
  static let handshake: UInt8 = 22
  static let applicationData: UInt8 = 23
}

/// The alerts that we send or understand by name.
enum Alert {
  static let closeNotify: UInt8 = 0
  static let unexpectedMessage: UInt8 = 10
  static let badRecordMAC: UInt8 = 20
  static let recordOverflow: UInt8 = 22
  static let illegalParameter: UInt8 = 47
  static let decodeError: UInt8 = 50
  static let decryptError: UInt8 = 51
  static let internalError: UInt8 = 80
  static let userCanceled: UInt8 = 90

  static let warning: UInt8 = 1
  static let fatal: UInt8 = 2
}

/// The header of a protected record.
enum RecordHeader {
  /// What the five bytes say.
  enum Reading: Equatable {
    /// A body of so many bytes follows.
    case body(Int)
    /// No protected record looks like this.
    case wrongType, wrongVersion, tooLong, tooShort

    /// OpenSSL's code for what is wrong with it, and the alert for the peer; nil for a body.
    var fault: (reason: Int32, alert: UInt8)? {
      switch self {
      case .body: nil
      case .wrongType: (SSL_R_BAD_RECORD_TYPE, Alert.unexpectedMessage)
      case .wrongVersion: (SSL_R_WRONG_VERSION_NUMBER, Alert.decodeError)
      case .tooLong: (SSL_R_ENCRYPTED_LENGTH_TOO_LONG, Alert.recordOverflow)
      case .tooShort: (SSL_R_LENGTH_TOO_SHORT, Alert.badRecordMAC)
      }
    }
  }

  /// Reads the header at `offset`.
  static func read(_ bytes: [UInt8], at offset: Int) -> Reading {
    // Nothing travels in the clear after the handshake: not even an alert or a change of ciphers.
    guard bytes[offset] == ContentType.applicationData else { return .wrongType }
    guard bytes[offset + 1] == 3, bytes[offset + 2] == 3 else { return .wrongVersion }
    let length = Int(bytes[offset + 3]) << 8 | Int(bytes[offset + 4])
    guard length <= RecordLimits.bodyBytesMax else { return .tooLong }
    guard length >= CipherSuite.tagBytes else { return .tooShort }
    return .body(length)
  }

  /// Puts a header for so many bytes, one by one.
  @inline(__always)
  static func write(bodyBytes: Int, _ put: (Int, UInt8) -> Void) {
    put(0, ContentType.applicationData)
    put(1, 3)
    put(2, 3)
    put(3, UInt8(truncatingIfNeeded: bodyBytes >> 8))
    put(4, UInt8(truncatingIfNeeded: bodyBytes))
  }
}

/// Room for records on their way, shared by all connections of a table.
///
/// A type of its own because a span into a property of a class may not leave the expression that
/// reaches the property.
struct RecordRoom {
  var bytes: [UInt8]

  init(_ count: Int) { bytes = [UInt8](repeating: 0, count: count) }

  /// Reads once from the socket into this part of the room.
  mutating func receive(_ fd: Int32, into range: Range<Int>) -> SocketStep {
    var whole = bytes.mutableSpan
    var room = whole._mutatingExtracting(range)
    return StreamSocket.read(fd, into: &room)
  }

  /// Looks at what the socket has, and leaves it there.
  mutating func peek(_ fd: Int32, into range: Range<Int>) -> SocketStep {
    var whole = bytes.mutableSpan
    var room = whole._mutatingExtracting(range)
    return StreamSocket.peek(fd, into: &room)
  }

  /// Writes the start of the room to the socket.
  func send(_ fd: Int32, first count: Int) -> SocketStep {
    StreamSocket.write(fd, bytes.span.extracting(first: count))
  }
}
