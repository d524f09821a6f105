// A kernel with TLS, for machines whose kernel has none: it behaves as Linux's net/tls does, on any
// stream socket. It reads keys out of the very bytes that the real one would be given and seals and
// opens with OpenSSL's ciphers directly, nothing of our record layer, so that a wrong key, count or
// order of the handoff is found as the real one would find it: no record opens any more.
import COpenSSL
import Glibc
import Reactor

@testable import Transports

/// The system calls of kernel TLS, played.
final class FakeKernel: KernelTLS {
  /// Whether a direction can be given a second key.
  enum Age: CaseIterable { case since614, before614 }

  /// One direction's key.
  private struct Key {
    let cipher: OpaquePointer
    let key: [UInt8]
    let vector: [UInt8]
    var count: UInt64

    /// Reads a structure of <linux/tls.h>, at the places that the header gives; nil for any other.
    init?(_ info: Span<UInt8>) {
      func bytes(_ range: Range<Int>) -> [UInt8] { range.map { info[$0] } }
      guard info.count >= 4, bytes(0..<2) == [4, 3], info[3] == 0 else { return nil }
      switch (info[2], info.count) {
      case (51, 40):
        cipher = made(EVP_aes_128_gcm())
        key = bytes(12..<28)
        vector = bytes(28..<32) + bytes(4..<12)
      case (52, 56):
        cipher = made(EVP_aes_256_gcm())
        key = bytes(12..<44)
        vector = bytes(44..<48) + bytes(4..<12)
      case (54, 56):
        cipher = made(EVP_chacha20_poly1305())
        key = bytes(16..<48)
        vector = bytes(4..<16)
      default: return nil
      }
      count = bytes(info.count - 8..<info.count).reduce(0) { $0 << 8 | UInt64($1) }
    }

    private mutating func nextNonce() -> [UInt8] {
      var nonce = vector
      for place in 0..<8 { nonce[11 - place] ^= UInt8(truncatingIfNeeded: count >> (8 * place)) }
      count += 1
      return nonce
    }

    mutating func seal(_ inner: [UInt8]) -> [UInt8] {
      let size = inner.count + 16
      var record: [UInt8] = [23, 3, 3, UInt8(size >> 8), UInt8(truncatingIfNeeded: size)]
      var body = [UInt8](repeating: 0, count: size)
      let context = made(EVP_CIPHER_CTX_new())
      defer { EVP_CIPHER_CTX_free(context) }
      var moved: Int32 = 0
      var tag = [UInt8](repeating: 0, count: 16)
      EVP_EncryptInit_ex(context, cipher, nil, key, nextNonce())
      EVP_EncryptUpdate(context, nil, &moved, record, 5)
      EVP_EncryptUpdate(context, &body, &moved, inner, Int32(inner.count))
      EVP_EncryptFinal_ex(context, &tag, &moved)
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, &tag)
      body.replaceSubrange(inner.count..., with: tag)
      record += body
      return record
    }

    /// Content, type and padding; nil if the record is not the next one under this key.
    mutating func open(_ record: ArraySlice<UInt8>) -> [UInt8]? {
      let header = Array(record.prefix(5))
      let sealed = Array(record.dropFirst(5).dropLast(16))
      var tag = Array(record.suffix(16))
      var inner = [UInt8](repeating: 0, count: max(1, sealed.count))
      let context = made(EVP_CIPHER_CTX_new())
      defer { EVP_CIPHER_CTX_free(context) }
      var moved: Int32 = 0
      var last: UInt8 = 0
      EVP_DecryptInit_ex(context, cipher, nil, key, nextNonce())
      EVP_DecryptUpdate(context, nil, &moved, header, 5)
      if !sealed.isEmpty {
        EVP_DecryptUpdate(context, &inner, &moved, sealed, Int32(sealed.count))
      }
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, &tag)
      guard EVP_DecryptFinal_ex(context, &last, &moved) == 1 else {
        ERR_clear_error()
        return nil
      }
      return Array(inner.prefix(sealed.count))
    }
  }

  /// What this kernel knows of a socket.
  private final class State {
    let fd: Int32
    var sealing: Key?
    var opening: Key?
    /// Bytes from the peer, from the start of a record.
    var arrived: [UInt8] = []
    /// A record that was opened and not fetched whole.
    var opened: (type: UInt8, content: ArraySlice<UInt8>)?
    /// Sealed bytes that the socket had no room for.
    var leaving: [UInt8] = []
    /// A KeyUpdate was delivered, and the key that it announces not given.
    var awaitsKey = false
    var broken: Errno?
    var ending: SocketStep?

    init(_ fd: Int32) { self.fd = fd }
  }

  let age: Age
  /// What it says to the first call on each socket; nil for yes.
  var attachRefusal: Errno?
  /// What it says to a key of one way; nil for yes.
  var keyRefusals: [RecordWay: Errno] = [:]
  /// By inode: the numbers of descriptors are used again.
  private var states: [UInt64: State] = [:]

  init(_ age: Age = .since614) {
    self.age = age
    super.init()
  }

  private func state(_ fd: Int32) -> State? { inode(fd).flatMap { states[$0] } }

  override func attach(_ fd: Int32) throws(Errno) {
    if let attachRefusal { throw attachRefusal }
    guard let inode = inode(fd) else { throw Errno(rawValue: EBADF) }
    guard states[inode] == nil else { throw .exists }
    states[inode] = State(fd)
  }

  override func setKey(_ fd: Int32, _ way: RecordWay, _ info: Span<UInt8>) throws(Errno) {
    if let refusal = keyRefusals[way] { throw refusal }
    guard let state = state(fd) else { throw Errno(rawValue: ENOPROTOOPT) }
    guard let key = Key(info) else { throw .invalidArgument }
    let isFirst = way == .write ? state.sealing == nil : state.opening == nil
    guard isFirst || age == .since614 else { throw Errno(rawValue: EBUSY) }
    if way == .write {
      state.sealing = key
    } else {
      state.opening = key
      state.awaitsKey = false
    }
  }

  /// Sends what waits for room, on all sockets.
  func work() {
    for (inode, state) in states where TransportsTests.inode(state.fd) == inode { push(state) }
  }

  private func push(_ state: State) {
    while !state.leaving.isEmpty {
      switch StreamSocket.write(state.fd, state.leaving.span) {
      case .moved(let count): state.leaving.removeFirst(count)
      case .wouldBlock: return
      case .ended: return
      case .failed(let error):
        state.broken = error
        return
      }
    }
  }

  override func send(_ fd: Int32, type: UInt8, _ content: Span<UInt8>) -> SocketStep {
    guard let state = state(fd), state.sealing != nil else { return .failed(.invalidArgument) }
    push(state)
    if let error = state.broken { return .failed(error) }
    guard state.leaving.isEmpty else { return .wouldBlock }
    let count = min(content.count, 16384)
    let sealed = state.sealing?.seal((0..<count).map { content[$0] } + [type])
    state.leaving = sealed ?? []
    push(state)
    if let error = state.broken { return .failed(error) }
    return .moved(count)
  }

  override func clearError(_ fd: Int32) { state(fd)?.broken = nil }

  override func receive(_ fd: Int32, into room: inout MutableSpan<UInt8>) -> TLSReceipt {
    guard let state = state(fd), state.opening != nil else { return .failed(.invalidArgument) }
    var type: UInt8?
    var copied = 0
    while copied < room.count {
      if state.opened == nil, let stop = openNext(state) {
        if copied > 0 { break }
        return stop
      }
      guard let (next, content) = state.opened, type == nil || next == type else { break }
      type = next
      let count = min(content.count, room.count - copied)
      for (offset, byte) in content.prefix(count).enumerated() { room[copied + offset] = byte }
      copied += count
      let rest = content.dropFirst(count)
      state.opened = rest.isEmpty ? nil : (next, rest)
      if next != 23 { break }
    }
    return .record(type: type, count: copied)
  }

  /// Opens the next record; else what a receive that has nothing yet answers.
  private func openNext(_ state: State) -> TLSReceipt? {
    if let error = state.broken { return .failed(error) }
    if state.awaitsKey { return .failed(Errno(rawValue: EKEYEXPIRED)) }
    var room = [UInt8](repeating: 0, count: 65536)
    while state.ending == nil {
      let step = StreamSocket.read(state.fd, into: &room)
      if step == .wouldBlock { break }
      if case .moved(let count) = step {
        state.arrived += room[..<count]
      } else {
        state.ending = step
      }
    }
    func fail(_ error: Int32) -> TLSReceipt {
      state.broken = Errno(rawValue: error)
      return .failed(Errno(rawValue: error))
    }
    let bytes = state.arrived
    if bytes.count >= 5 {
      let length = Int(bytes[3]) << 8 | Int(bytes[4])
      if length > 16384 + 17 { return fail(EMSGSIZE) }
      if length < 16 { return fail(EBADMSG) }
      if bytes[1] != 3 || bytes[2] != 3 { return fail(EINVAL) }
      if bytes.count >= 5 + length {
        guard let inner = state.opening?.open(bytes[..<(5 + length)]),
          let end = inner.lastIndex(where: { $0 != 0 })
        else { return fail(EBADMSG) }
        state.arrived.removeFirst(5 + length)
        state.opened = (inner[end], inner[..<end])
        if age == .since614 && inner[end] == 22 && inner.first == 24 { state.awaitsKey = true }
        return nil
      }
    }
    switch state.ending {
    case .failed(let error): return .failed(error)
    case .ended: return .ended
    default: return .wouldBlock
    }
  }
}
