// TLS 1.2 is to be had by option, at the HTTPS listener alone; asked with openssl's own client.

import Foundation
import Testing

@Suite(.serialized) struct HTTPSVersionTests {
  /// Whether a client with a certificate gets through the handshake with this version.
  private func answers(_ stage: Stage, _ port: UInt16, _ version: String) throws -> Bool {
    let folder = stage.path("clients/pc1")
    let finished = try run(
      "/usr/bin/openssl",
      [
        "s_client", "-connect", "127.0.0.1:\(port)", "-cert", "\(folder)/client.crt", "-key",
        "\(folder)/client.key", "-CAfile", "\(folder)/ca.pem", "-verify_return_error", version,
      ])
    return finished.status == 0 && finished.output.contains("Verify return code: 0 (ok)")
  }

  @Test func onlyTheHTTPSListenerTakesTLS12AndOnlyWhenItIsTold() throws {
    let stage = try Stage()
    try stage.startServer()
    try stage.addClients(["pc1"])
    for port in [stage.port, stage.httpsPort] {
      #expect(try answers(stage, port, "-tls1_3"))
      #expect(try !answers(stage, port, "-tls1_2"))
    }
    #expect(stage.server?.stop() == 0)
    try stage.setServer(["https-tls": "1.2"])
    try stage.startServer()
    #expect(try answers(stage, stage.httpsPort, "-tls1_2"))
    #expect(try answers(stage, stage.httpsPort, "-tls1_3"))
    #expect(try !answers(stage, stage.port, "-tls1_2"))
    #expect(try !answers(stage, stage.httpsPort, "-tls1_1"))
    // An agent whose path breaks 1.3 works with 1.2, in its settings as in the server's.
    try stage.addClients(["pc2"], yaml: "transport: https\nhttps-tls: 1.2")
    try stage.startAgent("pc2")
    try stage.waitOnline(1)
  }
}
