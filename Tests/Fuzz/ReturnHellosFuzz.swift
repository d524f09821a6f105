// Fuzz target: hellos of clients that come back. The first byte says which suites the server has,
// the others are its peer's first bytes. What ReturnHello makes of them must be what a reader by
// arrays makes, with which it shares nothing; and whatever it finds lies within the bytes.

import Reactor

@testable import Transports

/// The parts of a hello, as arrays.
private struct PlainHello: Equatable {
  var suite: CipherSuite
  var sessionID: [UInt8] = []
  var share: [UInt8] = []
  var identity: [UInt8] = []
  var binder: [UInt8] = []
  var recordBytes = 0

  typealias Part = (content: [UInt8], rest: [UInt8])

  /// Splits a vector off the front.
  static func vector(_ bytes: [UInt8], _ lengthBytes: Int) -> Part? {
    guard bytes.count >= lengthBytes else { return nil }
    let count = bytes.prefix(lengthBytes).reduce(0) { $0 * 256 + Int($1) }
    let rest = bytes.dropFirst(lengthBytes)
    guard rest.count >= count else { return nil }
    return (Array(rest.prefix(count)), Array(rest.dropFirst(count)))
  }

  /// The one vector that these bytes are.
  static func only(_ bytes: [UInt8], _ lengthBytes: Int) -> [UInt8]? {
    guard let part = vector(bytes, lengthBytes), part.rest.isEmpty else { return nil }
    return part.content
  }

  /// Numbers and the vectors behind them.
  static func pairs(_ bytes: [UInt8]) -> [(kind: Int, content: [UInt8])]? {
    if bytes.isEmpty { return [] }
    guard bytes.count >= 2, let part = vector(Array(bytes[2...]), 2), let others = pairs(part.rest)
    else { return nil }
    return [(Int(bytes[0]) * 256 + Int(bytes[1]), part.content)] + others
  }

  static func numbers(_ bytes: [UInt8]?) -> [Int]? {
    guard let bytes, bytes.count % 2 == 0 else { return nil }
    return stride(from: 0, to: bytes.count, by: 2).map {
      Int(bytes[$0]) * 256 + Int(bytes[$0 + 1])
    }
  }

  init?(_ bytes: [UInt8], _ suites: [CipherSuite]) {
    guard bytes.count > 5, bytes[0] == 22, bytes[1] == 3,
      let record = Self.vector(Array(bytes[3...]), 2), record.content.first == 1,
      let body = Self.only(Array(record.content[1...]), 3), body.count > 34,
      body.starts(with: [3, 3]), let session = Self.vector(Array(body[34...]), 1),
      session.content.count <= 32, let offered = Self.vector(session.rest, 2),
      let numbers = Self.numbers(offered.content), offered.rest.starts(with: [1, 0]),
      let all = Self.only(Array(offered.rest[2...]), 2), let list = Self.pairs(all)
    else { return nil }
    let common = suites.filter { numbers.contains(Int($0.registryNumber)) }
    guard let suite = common.first, suite != .aes256 else { return nil }
    self.suite = suite
    recordBytes = 5 + record.content.count
    sessionID = session.content
    let kinds = list.map(\.kind)
    let known: Set = [0, 10, 11, 13, 22, 23, 35, 41, 43, 45, 49, 50, 51]
    guard Set(kinds).count == kinds.count, known.isSuperset(of: kinds), kinds.last == 41 else {
      return nil
    }
    guard read(Dictionary(uniqueKeysWithValues: list)) else { return nil }
  }

  private mutating func read(_ extensions: [Int: [UInt8]]) -> Bool {
    guard let versions = Self.numbers(extensions[43].flatMap { Self.only($0, 1) }),
      versions.contains(0x0304),
      let groups = Self.numbers(extensions[10].flatMap { Self.only($0, 2) }), groups.contains(29),
      let modes = extensions[45].flatMap({ Self.only($0, 1) }), modes.contains(1),
      let shares = extensions[51].flatMap({ Self.only($0, 2) }).flatMap(Self.pairs)
    else { return false }
    let ours = shares.filter { $0.kind == 29 }
    guard ours.count == 1, ours[0].content.count == 32, let offer = extensions[41],
      let identities = Self.vector(offer, 2), let first = Self.vector(identities.content, 2),
      !first.content.isEmpty, first.rest.count == 4, let binders = Self.only(identities.rest, 2),
      let binder = Self.only(binders, 1), binder.count == 32
    else { return false }
    share = ours[0].content
    identity = first.content
    self.binder = binder
    return true
  }
}

private func checkHello(_ bytes: [UInt8], _ suites: [CipherSuite]) {
  let reference = PlainHello(bytes, suites)
  guard let hello = ReturnHello(bytes.span, suites: suites) else {
    precondition(reference == nil, "the reference reads no more")
    return
  }
  for range in [hello.sessionID, hello.share, hello.identity, hello.binder] {
    precondition(range.lowerBound >= 5, "behind the header")
    precondition(range.upperBound <= hello.recordBytes, "within the record")
  }
  precondition(hello.recordBytes <= bytes.count, "within the bytes")
  precondition(hello.sessionID.count <= 32 && hello.share.count == 32, "sizes")
  precondition(hello.binder.count == 32 && !hello.identity.isEmpty, "sizes of the offer")
  precondition(hello.binder.upperBound == hello.recordBytes, "the binder is last")
  precondition(hello.boundEnd == hello.recordBytes - 35, "all but the binders is bound")
  var read = PlainHello(suite: hello.suite)
  read.sessionID = Array(bytes[hello.sessionID])
  read.share = Array(bytes[hello.share])
  read.identity = Array(bytes[hello.identity])
  read.binder = Array(bytes[hello.binder])
  read.recordBytes = hello.recordBytes
  precondition(read == reference, "the reference reads the same")
}

extension PlainHello {
  init(suite: CipherSuite) { self.suite = suite }
}

/// The entry that libFuzzer calls.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzReturnHellos(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
  guard let first = bytes.first else { return 0 }
  let orders: [[CipherSuite]] = [
    [.aes128, .chacha20], [.chacha20, .aes256, .aes128], [.aes256, .aes128], [],
  ]
  checkHello(Array(bytes.dropFirst()), orders[Int(first & 3)])
  return 0
}
