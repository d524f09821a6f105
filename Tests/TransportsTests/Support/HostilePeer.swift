// A peer that has gone through an honest handshake and then does what it likes: it knows its keys
// and seals with OpenSSL's ciphers directly, nothing of our record layer, so that it can also seal
// what that would never send.
import COpenSSL
import Glibc
import Reactor
import Testing

@testable import Transports

/// One end of a duet, turned hostile.
final class HostilePeer {
  /// One way's key, vector and count.
  private struct Half {
    var key: [UInt8]
    var vector: [UInt8]
    var sequence: UInt64

    var nonce: [UInt8] {
      var nonce = vector
      for place in 0..<8 { nonce[11 - place] ^= UInt8(truncatingIfNeeded: sequence >> (8 * place)) }
      return nonce
    }
  }

  let duet: Duet
  /// Our end, which is attacked.
  let victim: ByteChannel
  private let attacker: ByteChannel
  private let way: Wire.Way
  private var sealing: Half
  private var opening: Half

  /// - Parameters:
  ///   - victim: which end is ours.
  ///   - kernel: who seals and opens our end's records; nil for the table.
  init(
    against victim: TLSRole, receiveBytes: Int = 65536, heldBytesMax: Int = 1 << 20,
    kernel: KernelTLS? = nil
  ) throws {
    duet = try Duet(
      .detached, receiveBytes: receiveBytes, heldBytesMax: heldBytesMax,
      kernels: victim == .server ? (kernel, nil) : (nil, kernel))
    try duet.shakeHands()
    self.victim = victim == .server ? duet.server : duet.client
    attacker = victim == .server ? duet.client : duet.server
    way = victim == .server ? .toServer : .toClient
    let table = victim == .server ? duet.tables.client : duet.tables.server
    let slot = try #require(detachedSlot(of: attacker))
    func half(_ way: RecordWay) -> Half {
      Half(
        key: Array(table.slots.key(slot, way)), vector: Array(table.slots.vector(slot, way)),
        sequence: UInt64(table.slots.sequence(slot, way)))
    }
    sealing = half(.write)
    opening = half(.read)
  }

  /// A whole record around these bytes, which end with a content type or padding.
  func seal(inner: [UInt8], version: UInt8 = 3, counts: Bool = true) -> [UInt8] {
    let length = inner.count + 16
    let header: [UInt8] = [
      23, 3, version, UInt8(truncatingIfNeeded: length >> 8), UInt8(truncatingIfNeeded: length),
    ]
    var body = [UInt8](repeating: 0, count: length)
    let context = made(EVP_CIPHER_CTX_new())
    defer { EVP_CIPHER_CTX_free(context) }
    var count: Int32 = 0
    EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), nil, sealing.key, sealing.nonce)
    EVP_EncryptUpdate(context, nil, &count, header, 5)
    if !inner.isEmpty { EVP_EncryptUpdate(context, &body, &count, inner, Int32(inner.count)) }
    body.withUnsafeMutableBufferPointer { body in
      guard let tag = body.baseAddress.map({ $0 + inner.count }) else { return }
      EVP_EncryptFinal_ex(context, tag, &count)
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, tag)
    }
    if counts { sealing.sequence += 1 }
    return header + body
  }

  /// Sends bytes as they are.
  func send(_ bytes: [UInt8]) { duet.wire.inject(bytes, way) }

  /// Seals content of a type and sends it.
  func send(_ content: [UInt8], as type: UInt8) { send(seal(inner: content + [type])) }

  func data(_ content: [UInt8]) { send(content, as: 23) }
  func handshake(_ content: [UInt8]) { send(content, as: 22) }
  func alert(_ content: [UInt8]) { send(content, as: 21) }

  /// Sends a key update and goes on to the next key, as an honest peer would.
  func updateKey(secret: inout [UInt8], request: UInt8) {
    handshake([24, 0, 0, 1, request])
    follow(&secret)
  }

  /// Sends the last byte of a key update whose others were sent before.
  func updateKeyByItsEnd(secret: inout [UInt8], request: UInt8) {
    handshake([request])
    follow(&secret)
  }

  private func follow(_ secret: inout [UInt8]) {
    secret = expand(secret, "traffic upd", 32)
    sealing = Half(key: expand(secret, "key", 16), vector: expand(secret, "iv", 12), sequence: 0)
  }

  /// The secret under which this end seals.
  func sealingSecret() throws -> [UInt8] {
    let table = way == .toServer ? duet.tables.client : duet.tables.server
    return Array(table.slots.secret(try #require(detachedSlot(of: attacker)), .write))
  }

  /// Receives at the victim until nothing is left, and says how that ended and what arrived.
  func settle() -> (step: IOStep, bytes: [UInt8]) {
    var arrived: [UInt8] = []
    for _ in 0..<100_000 {
      let step = duet.receive(on: victim, appendingTo: &arrived)
      guard case .progressed = step else { return (step, arrived) }
    }
    return (.progressed(0), arrived)
  }

  /// What the victim sent, opened: type and content of each record.
  func heard() -> [(type: UInt8, content: [UInt8])] {
    duet.wire.carry(way == .toServer ? .toClient : .toServer)
    var room = [UInt8](repeating: 0, count: 65536)
    guard case .moved(let count) = StreamSocket.read(attacker.descriptor, into: &room) else {
      return []
    }
    var records: [(type: UInt8, content: [UInt8])] = []
    var rest = room[..<count]
    while rest.count >= 5 {
      let header = Array(rest.prefix(5))
      let length = Int(header[3]) << 8 | Int(header[4])
      let inner = open(header, Array(rest.dropFirst(5).prefix(length)))
      records.append((inner.last ?? 0, Array(inner.dropLast())))
      rest = rest.dropFirst(5 + length)
    }
    return records
  }

  private func open(_ header: [UInt8], _ body: [UInt8]) -> [UInt8] {
    var inner = [UInt8](repeating: 0, count: body.count)
    var tag = Array(body.suffix(16))
    let context = made(EVP_CIPHER_CTX_new())
    defer { EVP_CIPHER_CTX_free(context) }
    var count: Int32 = 0
    EVP_DecryptInit_ex(context, EVP_aes_128_gcm(), nil, opening.key, opening.nonce)
    EVP_DecryptUpdate(context, nil, &count, header, 5)
    EVP_DecryptUpdate(context, &inner, &count, body, Int32(body.count - 16))
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, &tag)
    var last: UInt8 = 0
    #expect(EVP_DecryptFinal_ex(context, &last, &count) == 1)
    opening.sequence += 1
    return Array(inner.dropLast(16))
  }
}

/// HKDF-Expand-Label by OpenSSL's own HKDF, to hold ours against.
func expand(_ secret: [UInt8], _ label: String, _ count: Int) -> [UInt8] {
  let full = Array("tls13 \(label)".utf8)
  var info: [UInt8] = [0, UInt8(count), UInt8(full.count)] + full + [0]
  var secret = secret
  var output = [UInt8](repeating: 0, count: count)
  let context = made(EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nil))
  defer { EVP_PKEY_CTX_free(context) }
  var size = count
  EVP_PKEY_derive_init(context)
  EVP_PKEY_CTX_set_hkdf_mode(context, Int32(EVP_PKEY_HKDEF_MODE_EXPAND_ONLY))
  EVP_PKEY_CTX_set_hkdf_md(context, secret.count == 48 ? EVP_sha384() : EVP_sha256())
  EVP_PKEY_CTX_set1_hkdf_key(context, &secret, Int32(secret.count))
  EVP_PKEY_CTX_add1_hkdf_info(context, &info, Int32(info.count))
  precondition(EVP_PKEY_derive(context, &output, &size) == 1)
  return output
}
