// A fleet: the credentials of up to millions of clients in one file of slots of equal size, for load
// generators. A folder with four files for each of 100,000 clients would be 500,000 files; a slot is
// found by its number and read with one call, so that nobody needs to hold the others.
//
// The file begins with one slot of header: the eight bytes `BGBFLEET`, then as big-endian numbers
// the version (2 bytes, 1), the bytes of a slot (2 bytes), and the number of clients (4 bytes). Each
// slot behind it holds one client: its id (16 bytes), the lengths of its name (1 byte), certificate
// (2 bytes) and key (2 bytes), then name, certificate in DER and key in PKCS #8 DER, then zeros.

public import BGBModel
import Glibc

/// One client of a fleet.
public struct FleetMember: Equatable, Sendable {
  /// Who it is.
  public var clientID: ClientID
  /// Its name at the site.
  public var name: String
  /// Its certificate, DER.
  public var certificate: [UInt8]
  /// Its private key, PKCS #8 in DER.
  public var key: [UInt8]

  /// Joins the parts.
  public init(clientID: ClientID, name: String, certificate: [UInt8], key: [UInt8]) {
    self.clientID = clientID
    self.name = name
    self.certificate = certificate
    self.key = key
  }

  /// Takes the certificate and the key as PEM; nil when one is none.
  public init?(clientID: ClientID, name: String, certificatePEM: String, keyPEM: String) {
    guard let certificate = FleetMember.bytes(ofPEM: certificatePEM),
      let key = FleetMember.bytes(ofPEM: keyPEM)
    else { return nil }
    self.init(clientID: clientID, name: name, certificate: certificate, key: key)
  }

  /// What stands between the first pair of PEM's lines.
  static func bytes(ofPEM text: String) -> [UInt8]? {
    var inside = ""
    var isInside = false
    for line in text.split(whereSeparator: \.isNewline) {
      if line.hasPrefix("-----BEGIN ") {
        isInside = true
      } else if line.hasPrefix("-----END ") {
        return Base64.decode(inside)
      } else if isInside {
        inside += line
      }
    }
    return nil
  }

  /// The slot's bytes; nil when they do not fit.
  func slot() -> [UInt8]? {
    let name = Array(name.utf8)
    guard name.count <= Int(UInt8.max), certificate.count <= Int(UInt16.max),
      key.count <= Int(UInt16.max)
    else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(FleetFile.slotBytes)
    bytes += clientID.bits.bytes
    bytes.append(UInt8(name.count))
    bytes += FleetFile.bigEndian(UInt16(certificate.count))
    bytes += FleetFile.bigEndian(UInt16(key.count))
    bytes += name
    bytes += certificate
    bytes += key
    guard bytes.count <= FleetFile.slotBytes else { return nil }
    bytes += [UInt8](repeating: 0, count: FleetFile.slotBytes - bytes.count)
    return bytes
  }

  /// Reads a slot; nil when its lengths do not fit it.
  init?(slot bytes: [UInt8]) {
    let head = 21
    guard bytes.count >= head, let bits = Bits128(bytes: bytes[..<16]) else { return nil }
    let nameEnd = head + Int(bytes[16])
    let certificateEnd = nameEnd + Int(FleetFile.number(bytes[17..<19]))
    let end = certificateEnd + Int(FleetFile.number(bytes[19..<21]))
    guard end <= bytes.count,
      let name = String(validating: bytes[head..<nameEnd], as: UTF8.self)
    else { return nil }
    self.init(
      clientID: ClientID(bits), name: name, certificate: Array(bytes[nameEnd..<certificateEnd]),
      key: Array(bytes[certificateEnd..<end]))
  }
}

/// A fleet's file: read by any thread, a slot at a time.
public final class FleetFile: Sendable {
  /// Bytes of a slot: a P-256 client of ours needs some 750.
  public static let slotBytes = 1_024
  static let version: UInt16 = 1
  static let magic = Array("BGBFLEET".utf8)

  /// How many clients there are.
  public let count: Int
  private let path: String
  private let descriptor: Int32

  /// Opens a file that `FleetWriter` wrote; refuses one that others may read.
  public init(path: String) throws(SigningError) {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file != -1 else { throw .file(operation: "open", path: path, errno: errno) }
    var facts = stat()
    let isKnown = unsafe fstat(file, &facts) == 0
    let header = FleetFile.read(file, slot: 0)
    guard isKnown, facts.st_mode & 0o077 == 0 else {
      close(file)
      throw .openToOthers(path: path)
    }
    guard let header, header.starts(with: FleetFile.magic),
      FleetFile.number(header[8..<10]) == UInt64(FleetFile.version),
      FleetFile.number(header[10..<12]) == UInt64(FleetFile.slotBytes)
    else {
      close(file)
      throw .file(operation: "understand", path: path, errno: EINVAL)
    }
    let told = Int(FleetFile.number(header[12..<16]))
    guard Int(facts.st_size) / FleetFile.slotBytes - 1 >= told else {
      close(file)
      throw .file(operation: "read all clients of", path: path, errno: ENODATA)
    }
    count = told
    self.path = path
    descriptor = file
  }

  deinit { close(descriptor) }

  /// The client of a number from 0; nil when there is none, or it cannot be read.
  public func member(_ number: Int) -> FleetMember? {
    guard number >= 0, number < count else { return nil }
    return FleetFile.read(descriptor, slot: number + 1).flatMap { FleetMember(slot: $0) }
  }

  private static func read(_ file: Int32, slot: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: slotBytes)
    let got = unsafe pread(file, &bytes, slotBytes, off_t(slot * slotBytes))
    return got == slotBytes ? bytes : nil
  }

  static func header(count: Int) -> [UInt8] {
    var bytes = magic
    bytes += bigEndian(version)
    bytes += bigEndian(UInt16(slotBytes))
    bytes += bigEndian(UInt32(clamping: count))
    return bytes + [UInt8](repeating: 0, count: slotBytes - bytes.count)
  }

  static func bigEndian(_ number: some FixedWidthInteger) -> [UInt8] {
    (0..<number.bitWidth / 8).reversed().map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }

  static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }
}

/// Writes a fleet's file, batch by batch; the header counts only what was written whole.
public final class FleetWriter {
  private let path: String
  private let descriptor: Int32
  /// Clients written so far.
  public private(set) var count = 0

  /// Makes the file, which must not exist yet, for its owner's eyes only.
  public init(path: String) throws(SigningError) {
    let flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    let file = unsafe open(path, flags, 0o600)
    guard file != -1 else { throw .file(operation: "create", path: path, errno: errno) }
    self.path = path
    descriptor = file
    try write(FleetFile.header(count: 0), atSlot: 0)
  }

  deinit { close(descriptor) }

  /// Adds clients behind those that are there.
  public func append(_ members: [FleetMember]) throws(SigningError) {
    var bytes: [UInt8] = []
    for member in members {
      guard let slot = member.slot() else { throw .badName(member.name) }
      bytes += slot
    }
    try write(bytes, atSlot: count + 1)
    count += members.count
    try write(FleetFile.header(count: count), atSlot: 0)
  }

  /// Makes everything durable.
  public func finish() throws(SigningError) {
    guard fsync(descriptor) == 0 else {
      throw .file(operation: "sync", path: path, errno: errno)
    }
  }

  private func write(_ bytes: [UInt8], atSlot slot: Int) throws(SigningError) {
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { source in
        unsafe pwrite(
          descriptor, source.baseAddress?.advanced(by: written), bytes.count - written,
          off_t(slot * FleetFile.slotBytes + written))
      }
      if count == -1, errno == EINTR { continue }
      guard count > 0 else { throw .file(operation: "write", path: path, errno: errno) }
      written += count
    }
  }
}
