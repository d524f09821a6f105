// Where detached connections keep what they need to go on: flat slots in a few large pieces of
// memory, nothing between them. A slot is a head of 16 bytes and, for each way, sequence number,
// vector, key and traffic secret (the secret only for key updates). Lengths follow the suite, so
// each suite has pieces of its own: 144 bytes for the suite that we prefer, 208 for the longest.
//
// Pieces never move or shrink: no copy of a key is left behind anywhere, and pages of a piece that
// were never used are not resident. A slot that is freed is wiped and goes on the free list.
import COpenSSL
import Reactor

/// A slot by name: its suite and its place among the slots of that suite.
struct SlotName: Equatable, Hashable {
  let raw: UInt32

  private static let placeBits: UInt32 = 30
  static let placesMax = 1 << 30

  init(_ suite: CipherSuite, _ place: Int) {
    raw = UInt32(suite.rawValue) << Self.placeBits | UInt32(place)
  }

  var suite: CipherSuite { CipherSuite(rawValue: UInt8(raw >> Self.placeBits)) ?? .aes128 }
  var place: Int { Int(raw & (1 << Self.placeBits - 1)) }
}

/// The first sixteen bytes of a slot.
struct SlotHead: BitwiseCopyable, Equatable {
  /// What is true of a connection besides its phase.
  struct Flags: OptionSet, BitwiseCopyable {
    let rawValue: UInt8

    /// Undecrypted or undelivered bytes lie in the table's side store.
    static let holdsInput = Flags(rawValue: 1)
    /// Part of a sealed record waits for room in the socket.
    static let holdsOutput = Flags(rawValue: 2)
    /// What is held can be delivered, or an end or failure was not told yet.
    static let hasNews = Flags(rawValue: 4)
    /// The peer sent close_notify.
    static let peerEnded = Flags(rawValue: 8)
    /// A KeyUpdate of ours must go before the next record.
    static let owesUpdate = Flags(rawValue: 16)
    /// That KeyUpdate asks the peer for one in return.
    static let asksForUpdate = Flags(rawValue: 32)
    /// Part of a handshake message has come.
    static let hasFragment = Flags(rawValue: 64)
    /// We sent close_notify.
    static let finished = Flags(rawValue: 128)
  }

  /// Bits that never change after detaching.
  struct Nature: OptionSet, BitwiseCopyable {
    let rawValue: UInt8
    static let isClient = Nature(rawValue: 1)
    static let resumed = Nature(rawValue: 2)
    /// The kernel opens the peer's records.
    static let kernelReads = Nature(rawValue: 4)
    /// The kernel seals ours.
    static let kernelWrites = Nature(rawValue: 8)
  }

  var flags: Flags = []
  var nature: Nature = []
  /// Key updates that the peer may still make.
  var updatesLeft: UInt8 = 0
  /// Records in a row that brought no byte.
  var barrenRecords: UInt8 = 0
  /// The kind of failure, plus one; 0 for none.
  var failure: UInt8 = 0
  /// Whether the kernel has a key of it.
  var isInKernel: Bool { !nature.isDisjoint(with: [.kernelReads, .kernelWrites]) }
  /// Whether the kernel may have bytes to read: after an event, and after a read that filled its
  /// room, until one did not.
  var mayHaveMore = false
  private var spare: (UInt8, UInt8) = (0, 0)
  /// The failure's numbers; on the free list, the place of the next free slot.
  var failureReason: Int32 = 0
  var failureErrno: Int32 = 0

  static func == (left: Self, right: Self) -> Bool {
    left.flags == right.flags && left.nature == right.nature
      && left.updatesLeft == right.updatesLeft && left.barrenRecords == right.barrenRecords
      && left.failure == right.failure && left.mayHaveMore == right.mayHaveMore
      && left.failureReason == right.failureReason
      && left.failureErrno == right.failureErrno
  }
}

/// The slots of all suites.
///
/// `@safe`: the memory is made and freed here alone, and every place is checked against the count.
@safe
final class DetachedSlots {
  static let headBytes = 16
  static let slotsPerPiece = 1024

  /// The slots of one suite.
  @safe private struct Shelf {
    let suite: CipherSuite
    var pieces: [UnsafeMutableRawPointer] = unsafe []
    var made = 0
    var firstFree: Int?
  }

  // A fixed place of our own: an array in a class is asked for its owner and for overlapping
  // accesses each time, and every record asks some ten times.
  private let shelves: UnsafeMutableBufferPointer<Shelf>
  /// Slots in use.
  private(set) var inUse = 0

  /// Bytes of one way's part of a slot.
  static func wayBytes(_ suite: CipherSuite) -> Int {
    4 + CipherSuite.vectorBytes + suite.keyBytes + suite.secretBytes
  }

  /// Bytes of a slot.
  static func slotBytes(_ suite: CipherSuite) -> Int { headBytes + 2 * wayBytes(suite) }

  init() {
    unsafe shelves = .allocate(capacity: CipherSuite.allCases.count)
    for (index, suite) in CipherSuite.allCases.enumerated() {
      unsafe shelves.initializeElement(at: index, to: Shelf(suite: suite))
    }
  }

  deinit {
    for place in unsafe shelves.indices {
      let shelf = unsafe shelves[place]
      var left = shelf.made
      for index in unsafe shelf.pieces.indices {
        // What was never used was never written: to wipe it would only make it resident.
        let used = min(left, Self.slotsPerPiece)
        unsafe OPENSSL_cleanse(shelf.pieces[index], used * Self.slotBytes(shelf.suite))
        left -= used
        unsafe shelf.pieces[index].deallocate()
      }
    }
    unsafe shelves.deinitialize()
    unsafe shelves.deallocate()
  }

  /// Takes a slot, zeroed.
  func take(_ suite: CipherSuite) -> SlotName? {
    let index = Int(suite.rawValue)
    let place: Int
    if let free = unsafe shelves[index].firstFree {
      place = free
      let next = head(SlotName(suite, place)).failureReason
      unsafe shelves[index].firstFree = next < 0 ? nil : Int(next)
    } else {
      place = unsafe shelves[index].made
      guard place < SlotName.placesMax else { return nil }
      if unsafe place == shelves[index].pieces.count * Self.slotsPerPiece {
        unsafe shelves[index].pieces.append(
          .allocate(
            byteCount: Self.slotsPerPiece * Self.slotBytes(suite),
            alignment: MemoryLayout<UInt64>.alignment))
      }
      unsafe shelves[index].made += 1
    }
    let name = SlotName(suite, place)
    unsafe OPENSSL_cleanse(base(name), Self.slotBytes(suite))
    inUse += 1
    return name
  }

  /// Wipes a slot and puts it on the free list.
  func giveBack(_ name: SlotName) {
    precondition(inUse > 0, "more slots came back than were taken")
    unsafe OPENSSL_cleanse(base(name), Self.slotBytes(name.suite))
    let index = Int(name.suite.rawValue)
    var head = SlotHead()
    head.failureReason = Int32(unsafe shelves[index].firstFree ?? -1)
    setHead(name, head)
    unsafe shelves[index].firstFree = name.place
    inUse -= 1
  }

  private func base(_ name: SlotName) -> UnsafeMutableRawPointer {
    let index = Int(name.suite.rawValue)
    precondition(unsafe name.place < shelves[index].made, "no such slot")
    let (piece, offset) = name.place.quotientAndRemainder(dividingBy: Self.slotsPerPiece)
    return unsafe shelves[index].pieces[piece] + offset * Self.slotBytes(name.suite)
  }

  /// Tells the processor that a slot will be needed in a moment.
  func foresee(_ name: SlotName) {
    Foresight.bring(
      at: unsafe UInt(bitPattern: base(name)), bytes: Self.slotBytes(name.suite))
  }

  func head(_ name: SlotName) -> SlotHead { unsafe base(name).load(as: SlotHead.self) }

  func setHead(_ name: SlotName, _ head: SlotHead) {
    unsafe base(name).storeBytes(of: head, as: SlotHead.self)
  }

  // MARK: One way's part: sequence number, vector, key, secret

  private func part(_ name: SlotName, _ way: RecordWay) -> UnsafeMutableRawPointer {
    unsafe base(name) + Self.headBytes + way.rawValue * Self.wayBytes(name.suite)
  }

  /// Records sealed or opened under the present key.
  func sequence(_ name: SlotName, _ way: RecordWay) -> UInt32 {
    unsafe part(name, way).load(as: UInt32.self)
  }

  func setSequence(_ name: SlotName, _ way: RecordWay, _ sequence: UInt32) {
    unsafe part(name, way).storeBytes(of: sequence, as: UInt32.self)
  }

  func vector(_ name: SlotName, _ way: RecordWay) -> UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(
      start: part(name, way) + 4, count: CipherSuite.vectorBytes)
  }

  func key(_ name: SlotName, _ way: RecordWay) -> UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(
      start: part(name, way) + 4 + CipherSuite.vectorBytes, count: name.suite.keyBytes)
  }

  func secret(_ name: SlotName, _ way: RecordWay) -> UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(
      start: part(name, way) + 4 + CipherSuite.vectorBytes + name.suite.keyBytes,
      count: name.suite.secretBytes)
  }

  /// All bytes of a slot, for tests of wiping.
  func bytes(_ name: SlotName) -> [UInt8] {
    unsafe Array(UnsafeRawBufferPointer(start: base(name), count: Self.slotBytes(name.suite)))
  }

  // MARK: Keys

  /// Derives key and vector from the secret that stands in the slot, and counts from 0.
  func deriveKeys(_ name: SlotName, _ way: RecordWay) -> Bool {
    setSequence(name, way, 0)
    let secret = unsafe UnsafeRawBufferPointer(secret(name, way))
    return unsafe KeySchedule.expand(
      name.suite, secret: secret, label: "key", into: key(name, way))
      && KeySchedule.expand(name.suite, secret: secret, label: "iv", into: vector(name, way))
  }

  /// Goes on to the next secret, as a key update demands.
  func advanceKeys(_ name: SlotName, _ way: RecordWay) -> Bool {
    let secret = unsafe secret(name, way)
    guard
      unsafe KeySchedule.expand(
        name.suite, secret: UnsafeRawBufferPointer(secret), label: "traffic upd", into: secret)
    else { return false }
    return deriveKeys(name, way)
  }
}

@available(*, unavailable)
extension DetachedSlots: Sendable {}
