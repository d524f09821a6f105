// Keys: known vectors, files that only their owner may read, and agreement with the real openssl.

import BGBModel
import Glibc
import Testing

@testable import BGBSigning

func bytes(_ hex: String) -> [UInt8] {
  let digits = hex.utf8.compactMap { UInt8(String(UnicodeScalar($0)), radix: 16) }
  return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

func hex(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

/// The PEM text of a private Ed25519 key with this seed.
func pem(seed: [UInt8]) -> String {
  let der = bytes("302e020100300506032b657004220420") + seed
  return "-----BEGIN PRIVATE KEY-----\n\(Base64.encode(der))\n-----END PRIVATE KEY-----\n"
}

@Suite struct SigningKeyTests {
  let scratch = Scratch()

  private func load(_ text: String) throws -> SigningKey {
    let path = scratch.put("k.key", text)
    chmod(path, 0o600)
    return try SigningKey.load(path)
  }

  /// RFC 8032, section 7.1, tests 1 to 3.
  @Test(arguments: [
    (
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
        + "b46bd25bf5f0595bbe24655141438e7a100b"
    ),
    (
      "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f1"
        + "1d8c387b2eaeb4302aeeb00d291612bb0c00"
    ),
  ])
  func vectorsOfRFC8032(_ seed: String, _ key: String, _ text: String, _ signature: String) throws {
    let signer = try load(pem(seed: bytes(seed)))
    #expect(hex(signer.publicKey.rawValue) == key)
    #expect(hex(signer.sign(bytes(text))) == signature)
    #expect(signer.publicKey.verify(bytes(signature), over: bytes(text)))
  }

  @Test func onlyTheSameBytesVerify() throws {
    let key = try SigningKey.generate()
    let text = Array("task".utf8)
    let signature = key.sign(text)
    #expect(signature.count == 64)
    #expect(key.publicKey.verify(signature, over: text))
    #expect(!key.publicKey.verify(signature, over: text + [0]))
    for place in signature.indices {
      var changed = signature
      changed[place] ^= 1
      #expect(!key.publicKey.verify(changed, over: text))
    }
    for count in [0, 1, 63, 65] {
      #expect(!key.publicKey.verify(Array(repeating: 0, count: count), over: text))
    }
    #expect(try !SigningKey.generate().publicKey.verify(signature, over: text))
  }

  @Test func keyIDIsTheStartOfTheHash() throws {
    let key = try SigningKey.generate().publicKey
    #expect(key.keyID.description == hex(Array(Digest.sha256(key.rawValue).prefix(8))))
    #expect(PublicKey(base64: key.base64) == key)
    #expect(PublicKey(rawValue: Array(repeating: 0, count: 31)) == nil)
    #expect(PublicKey(base64: "AAAA") == nil)
  }

  @Test func digestsAreSHA256() {
    #expect(
      hex(Digest.sha256(Array("abc".utf8)))
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      hex(Digest.sha256([])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }

  @Test func savedKeysAreTheirOwnersAndComeBack() throws {
    let key = try SigningKey.generate()
    try key.save(to: scratch.file("site.key"))
    var facts = stat()
    #expect(stat(scratch.file("site.key"), &facts) == 0 && facts.st_mode & 0o777 == 0o600)
    #expect(try SigningKey.load(scratch.file("site.key")).publicKey == key.publicKey)
    try key.publicKey.save(to: scratch.file("site.pub"))
    #expect(try PublicKey(pemFile: scratch.file("site.pub")) == key.publicKey)
    #expect(try PublicKey(pem: key.publicKey.pem()) == key.publicKey)
  }

  @Test func nothingIsReplaced() throws {
    let path = scratch.put("site.key", "precious")
    let key = try SigningKey.generate()
    #expect(throws: SigningError.file(operation: "create", path: path, errno: EEXIST)) {
      try key.save(to: path)
    }
    symlink("/nowhere/at/all", scratch.file("link.key"))
    #expect(throws: SigningError.self) { try key.save(to: scratch.file("link.key")) }
    #expect(scratch.read("site.key") == "precious")
  }

  @Test(arguments: [0o640, 0o604, 0o620, 0o601, 0o644, 0o777] as [mode_t])
  func aKeyThatOthersMayReadIsRefused(_ mode: mode_t) throws {
    try SigningKey.generate().save(to: scratch.file("site.key"))
    chmod(scratch.file("site.key"), mode)
    #expect(throws: SigningError.openToOthers(path: scratch.file("site.key"))) {
      try SigningKey.load(scratch.file("site.key"))
    }
  }

  @Test func otherFilesAreNoKeys() throws {
    #expect(throws: SigningError.self) { try SigningKey.load(scratch.file("none")) }
    #expect(throws: SigningError.self) { try SigningKey.load(scratch.path) }
    #expect(throws: SigningError.notAKey(scratch.file("k.key"))) { try load("") }
    #expect(throws: SigningError.notAKey(scratch.file("k.key"))) { try load("hello") }
    let (key, _) = try CertificateRequest.make(name: "x")
    #expect(throws: SigningError.notAKey(scratch.file("k.key"))) { try load(key) }
    #expect(throws: SigningError.self) {
      try load(String(repeating: "x", count: 70_000))
    }
    let made = scratch.openssl(
      "genpkey", "-algorithm", "ED25519", "-aes256", "-pass", "pass:x", "-out",
      scratch.file("locked.key"))
    #expect(made.status == 0)
    // A locked key is refused at once: nobody sits at a daemon's terminal.
    #expect(throws: SigningError.notAKey(scratch.file("locked.key"))) {
      try SigningKey.load(scratch.file("locked.key"))
    }
  }

  @Test func opensslReadsOurKeysAndVerifiesOurSignatures() throws {
    let key = try SigningKey.generate()
    try key.publicKey.save(to: scratch.file("site.pub"))
    try key.save(to: scratch.file("site.key"))
    let text = scratch.put("text", "to be signed")
    let signature = scratch.put("signature", key.sign(Array("to be signed".utf8)))
    let verified = scratch.openssl(
      "pkeyutl", "-verify", "-pubin", "-inkey", scratch.file("site.pub"), "-rawin", "-in", text,
      "-sigfile", signature)
    #expect(verified.status == 0, "\(verified.output)")
    let signed = scratch.openssl(
      "pkeyutl", "-sign", "-inkey", scratch.file("site.key"), "-rawin", "-in", text, "-out",
      scratch.file("theirs"))
    #expect(signed.status == 0, "\(signed.output)")
    #expect(scratch.readBytes("theirs") == key.sign(Array("to be signed".utf8)))
  }
}
