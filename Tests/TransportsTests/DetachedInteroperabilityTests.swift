// Foreign implementations against a detached server, with what only the record layer sees: key
// updates that they ask for, padding, closing in good order.
import Glibc
import Reactor
import Testing

@testable import Transports

@Suite("Detached TLS: interoperability")
struct DetachedInteroperabilityTests {
  let site = Site()

  static let hasGnuTLS = ChildProcess.exists("gnutls-cli")
  /// A Python that has tlslite-ng: the one that scripts/packages makes, or the system's own.
  static let tlslite = ["\(root)/.build/python/bin/python3", "python3"].first { python in
    (try? ChildProcess(python, ["-c", "import tlslite"]).exitCode()) == 0
  }
  private static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

  private func server() throws -> InteroperabilityTests.CapitalsServer {
    try InteroperabilityTests.capitalsServer(site, detached: true)
  }

  @Test(
    "openssl s_client updates its key and asks for ours",
    .enabled(if: InteroperabilityTests.hasOpenSSL),
    arguments: [
      "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
    ])
  func opensslKeyUpdates(_ suite: String) throws {
    let server = try server()
    let child = try ChildProcess(
      "openssl",
      [
        "s_client", "-connect", "127.0.0.1:\(server.port)", "-CAfile", site.client.caFile, "-cert",
        site.client.chainFile ?? "", "-key", site.client.keyFile ?? "", "-ciphersuites", suite,
        "-record_padding", "512",
      ])
    child.tell("one\n")
    let step = try server.serveOne { answers in
      switch answers {
      case 1:
        _ = try child.await("ONE")
        child.tell("k\n")
        _ = try child.await("KEYUPDATE")
        child.tell("two\n")
      case 2:
        _ = try child.await("TWO")
        child.tell("K\n")
        // Not in one read with the command, or it would be taken for a part of that.
        _ = try child.await("TWO\nKEYUPDATE")
        child.tell("three\n")
      case 3:
        _ = try child.await("THREE")
        child.tell("four\n")
      default:
        _ = try child.await("FOUR")
        child.tell("Q\n")
      }
    }
    #expect(step == .ended)
    #expect(try child.exitCode() == 0, "\(child.said)")
    #expect(server.table?.keyUpdatesReceived == 2)
    #expect(server.table?.keyUpdatesSent == 1)
    #expect(server.table?.detached == 1)
    #expect(server.table?.count == 0)
  }

  @Test("gnutls-cli updates keys of both sides", .enabled(if: hasGnuTLS))
  func gnutls() throws {
    let server = try server()
    let child = try ChildProcess(
      "gnutls-cli",
      [
        "--x509cafile", site.client.caFile, "--x509certfile", site.client.chainFile ?? "",
        "--x509keyfile", site.client.keyFile ?? "", "--verify-hostname", "mp.test",
        "--inline-commands", "--port", "\(server.port)", "127.0.0.1",
      ])
    child.tell("one\n")
    let step = try server.serveOne { answers in
      switch answers {
      case 1:
        _ = try child.await("ONE")
        child.tell("^rekey^\n")
        _ = try child.await("Rekey was")
        child.tell("two\n")
      default:
        _ = try child.await("TWO")
        child.endInput()
      }
    }
    #expect(step == .ended)
    #expect(try child.exitCode() == 0, "\(child.said)")
    #expect(server.table?.keyUpdatesReceived == 1)
    #expect(server.table?.detached == 1)
  }

  @Test(
    "tlslite-ng shows its certificate, talks, updates keys and closes",
    .enabled(if: tlslite != nil))
  func tlslitePeer() throws {
    let server = try server()
    // It would send its certificate compressed because its own ClientHello takes such ones, though
    // the server's request for it does not: OpenSSL 3.0 then ends the handshake. So without that.
    let script = """
      import socket, sys
      from tlslite.api import TLSConnection, HandshakeSettings, X509CertChain, parsePEMKey
      settings = HandshakeSettings()
      settings.minVersion = (3, 4)
      settings.certificate_compression_send = []
      chain = X509CertChain()
      chain.parsePemList(open(sys.argv[2]).read())
      key = parsePEMKey(open(sys.argv[3]).read(), private=True)
      tls = TLSConnection(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
      tls.handshakeClientCert(chain, key, settings=settings)
      def ask(text):
          tls.sendall(text)
          got = b""
          while len(got) < len(text):
              got += tls.recv(65536)
          assert got == text.upper(), got[:40]
      ask(b"first")
      for kind in (0, 1):
          for _ in tls.send_keyupdate_request(kind):
              pass
          ask(b"second " * 5000)
      ask(b"third")
      tls.close()
      print("closed", flush=True)
      """
    let child = try ChildProcess(
      Self.tlslite ?? "python3",
      [
        "-c", script, "\(server.port)", site.client.chainFile ?? "", site.client.keyFile ?? "",
      ])
    #expect(try server.serveOne() == .ended)
    #expect(try child.exitCode() == 0, "\(child.said)")
    #expect(server.peers.map { $0?.commonName } == ["client-1"])
    #expect(server.table?.detached == 1)
    #expect(server.table?.keyUpdatesReceived == 2)
  }
}
