// What an operator gets wrong: files that are not there, not readable, not a pair; each has its
// sentence.
import Glibc
import Reactor
import Testing

@testable import Transports

@Suite("TLS context")
struct TLSContextTests {
  let site = Site()

  private func sentence(
    _ role: TLSRole = .server, chain: String?, key: String?, ca: String?,
    options: TLSOptions = TLSOptions()
  ) -> String {
    do {
      _ = try TLSContext(
        role: role, certificateChainFile: chain, privateKeyFile: key, caFile: ca, options: options)
      return "no error"
    } catch {
      return error.description
    }
  }

  @Test("Each file that does not serve is named, with the reason")
  func files() throws {
    let chain = try #require(site.server.chainFile)
    let key = try #require(site.server.keyFile)
    let ca = site.server.caFile
    let nothing = "\(site.folder.path)/nothing"
    let junk = site.folder.write("junk", "-----BEGIN CERTIFICATE-----\nAAAA\n")
    let empty = site.folder.write("empty", "")
    #expect(sentence(chain: chain, key: key, ca: ca) == "no error")
    for bad in [nothing, junk, empty, key] {
      #expect(sentence(chain: bad, key: key, ca: ca).contains("certificate in \(bad)"))
      if bad != key { #expect(sentence(chain: chain, key: bad, ca: ca).contains("key in \(bad)")) }
      #expect(sentence(chain: chain, key: key, ca: bad).contains("authorities in \(bad)"))
    }
    #expect(sentence(chain: nothing, key: key, ca: ca).contains("No such file"))
    let other = try #require(site.client.keyFile)
    #expect(sentence(chain: chain, key: other, ca: ca).contains("private key in \(other)"))
    #expect(sentence(chain: chain, key: other, ca: ca).contains("key values mismatch"))
  }

  @Test("A server without certificate or authorities is refused at once, not at its first client")
  func incomplete() throws {
    let chain = site.server.chainFile
    let key = site.server.keyFile
    #expect(sentence(chain: nil, key: nil, ca: site.server.caFile).contains("needs a certificate"))
    #expect(sentence(chain: chain, key: nil, ca: site.server.caFile).contains("private key"))
    #expect(sentence(chain: chain, key: key, ca: nil).contains("authorities"))
    var options = TLSOptions()
    options.peerCertificate = .ignored
    #expect(sentence(chain: chain, key: key, ca: nil, options: options) == "no error")
    #expect(sentence(.client, chain: nil, key: nil, ca: site.client.caFile) == "no error")
    #expect(sentence(.client, chain: nil, key: nil, ca: nil).contains("authorities"))
  }

  @Test("An encrypted key is an error, and no question on the terminal")
  func encrypted() throws {
    let encrypted = site.folder.write("encrypted", site.authority.encryptedKeyPEM("secret"))
    let sentence = sentence(
      chain: site.server.chainFile, key: encrypted, ca: site.server.caFile)
    #expect(sentence.contains("private key in \(encrypted)"))
  }

  @Test("Settings that OpenSSL does not have are refused by name")
  func settings() throws {
    func sentence(_ change: (inout TLSOptions) -> Void) -> String {
      var options = TLSOptions()
      change(&options)
      return self.sentence(
        chain: site.server.chainFile, key: site.server.keyFile, ca: site.server.caFile,
        options: options)
    }
    #expect(sentence { $0.groups = "P-255" }.contains("P-255"))
    #expect(sentence { $0.cipherSuites = "TLS_NULL" }.contains("TLS_NULL"))
    #expect(sentence { $0.sessionContext = "" }.contains("1 to 32 bytes"))
    #expect(
      sentence { $0.sessionContext = String(repeating: "x", count: 33) }.contains("1 to 32 bytes"))
  }

  @Test("A context knows its own certificate, so that its end can be announced")
  func ownCertificate() throws {
    let context = try site.serverContext()
    let own = try #require(context.ownCertificate)
    #expect(own.commonName == "server-1")
    #expect(own.uris == ["urn:test:server:mp-1"])
    #expect(own.purposes == .serverAuthentication)
    #expect(!own.isAuthority)
    #expect(own.notAfter - own.notBefore == 30 * 86400 + 3600)
    #expect(own.serial.hasPrefix("4a"))
    #expect(own.fingerprint.description.count == 64)
    let bare = try site.context(
      .client, Credentials(nil, trusting: [site.authority], in: site.folder, name: "bare"))
    #expect(bare.ownCertificate == nil)
  }

  @Test("A connection outlives the context that made it")
  func reload() throws {
    let (near, far) = socketPair()
    let pool = BlockPool(limit: 8)
    var options = TLSOptions()
    options.ticketKeys = try TicketKeys.fresh(now: 1)
    func channel(_ fd: Int32, _ context: TLSContext) throws -> ByteChannel {
      ByteChannel(
        .tls(try TLSTransport(Descriptor(owning: fd), context: context)),
        token: Token(generation: 1, index: 1), pool: pool, outboundBytesMax: 100, now: .zero)
    }
    // Neither context is kept: only the connections hold what they need of them.
    let client = try channel(near, try site.clientContext())
    let server = try channel(far, try site.serverContext(options))
    try connect(client, server)
    #expect(server.enqueue([1, 2].span, now: .zero) == .stored)
    #expect(server.flush(now: .zero) == .progressed(2))
    var buffer = ReceiveBuffer(capacity: 10)
    #expect(client.receive(into: &buffer) == .progressed(2))
    #expect(client.takeNewSession() != nil)
  }
}
