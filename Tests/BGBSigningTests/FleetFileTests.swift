// A fleet's file: what was written is read again, by number; what is torn, foreign or open to
// others is refused.

import BGBModel
import Foundation
import Testing

@testable import BGBSigning

@Suite struct FleetFileTests {
  let scratch = Scratch()

  private func member(_ number: UInt64, bytes: Int = 300) -> FleetMember {
    FleetMember(
      clientID: ClientID(Bits128(high: 1, low: number)), name: "pc-\(number)",
      certificate: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: bytes),
      key: [9, 8, 7])
  }

  @Test func membersAreReadByTheirNumber() throws {
    let path = scratch.file("fleet")
    let writer = try FleetWriter(path: path)
    try writer.append([member(1), member(2)])
    try writer.append([member(3)])
    try writer.finish()
    let file = try FleetFile(path: path)
    #expect(file.count == 3)
    for number in 0..<3 { #expect(file.member(number) == member(UInt64(number + 1))) }
    #expect(file.member(3) == nil)
    #expect(file.member(-1) == nil)
  }

  @Test func certificatesGoInAsPEMAndComeOutAsDER() throws {
    let site = try #require(SiteCode("S01"))
    let now = WallTime(milliseconds: 1_795_456_800_000)
    let authority = try CertificateAuthority.create(
      site: site, directory: scratch.file("ca"), now: now)
    let client = ClientID(Bits128(high: 5, low: 6))
    let (key, request) = try CertificateRequest.make(name: "pc")
    let pem = try authority.issuer().issueClient(client, request: request, days: 30, now: now)
    let made = try #require(
      FleetMember(clientID: client, name: "pc", certificatePEM: pem, keyPEM: key))
    let slot = try #require(made.slot())
    #expect(slot.count == FleetFile.slotBytes)
    #expect(FleetMember(slot: slot) == made)
    try Data(made.certificate).write(to: URL(fileURLWithPath: scratch.file("c.der")))
    try Data(made.key).write(to: URL(fileURLWithPath: scratch.file("k.der")))
    let shown = scratch.openssl(
      "x509", "-inform", "DER", "-in", scratch.file("c.der"), "-noout", "-text")
    #expect(shown.output.contains(client.uri))
    #expect(
      scratch.openssl("pkey", "-inform", "DER", "-in", scratch.file("k.der"), "-noout").status == 0)
    #expect(FleetMember(clientID: client, name: "pc", certificatePEM: "x", keyPEM: key) == nil)
  }

  @Test func whatDoesNotFitASlotIsRefusedAndNothingIsCounted() throws {
    let path = scratch.file("fleet")
    let writer = try FleetWriter(path: path)
    #expect(throws: SigningError.self) { try writer.append([member(1, bytes: 1_100)]) }
    #expect(writer.count == 0)
    #expect(try FleetFile(path: path).count == 0)
  }

  @Test(arguments: [(20, UInt8(255)), (18, 255), (16, 255)])
  func aSlotWithLengthsBeyondItsEndIsNone(at: Int, value: UInt8) throws {
    var slot = try #require(member(1).slot())
    slot[at - 1] = value
    #expect(FleetMember(slot: slot) == nil || at == 16)
    #expect(FleetMember(slot: Array(slot[..<10])) == nil)
  }

  @Test func aForeignTornOrOpenFileIsRefused() throws {
    let path = scratch.file("fleet")
    let writer = try FleetWriter(path: path)
    try writer.append([member(1), member(2)])
    try writer.finish()
    #expect(throws: SigningError.self) { try FleetWriter(path: path) }
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    func write(_ data: Data, mode: Int = 0o600) throws {
      try data.write(to: URL(fileURLWithPath: path))
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }
    try write(bytes)
    #expect(try FleetFile(path: path).count == 2)
    try write(bytes, mode: 0o644)
    #expect(throws: SigningError.openToOthers(path: path)) { try FleetFile(path: path) }
    try write(bytes.prefix(bytes.count - 1))
    #expect(throws: SigningError.self) { try FleetFile(path: path) }
    bytes[0] = 0
    try write(bytes)
    #expect(throws: SigningError.self) { try FleetFile(path: path) }
    try write(Data())
    #expect(throws: SigningError.self) { try FleetFile(path: path) }
  }
}
