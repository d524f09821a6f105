// A small site: one authority, one server, one client, and the contexts they connect with.
import COpenSSL
import Transports

/// An authority with a good server and a good client.
final class Site {
  static let clientPrefix = "urn:test:client:"

  let folder = TemporaryFolder()
  let authority = TestCertificate(.authority)
  let server: Credentials
  let client: Credentials

  init() {
    server = Credentials(
      authority.issue(.server), trusting: [authority], in: folder, name: "server")
    client = Credentials(authority.issue(), trusting: [authority], in: folder, name: "client")
  }

  func serverContext(
    _ options: TLSOptions = TLSOptions(), reconnects: ReconnectDesk? = nil
  ) throws -> TLSContext {
    try context(.server, server, options, reconnects: reconnects)
  }

  func clientContext(_ options: TLSOptions = TLSOptions()) throws -> TLSContext {
    try context(.client, client, options)
  }

  func context(
    _ role: TLSRole, _ credentials: Credentials, _ options: TLSOptions = TLSOptions(),
    reconnects: ReconnectDesk? = nil
  ) throws -> TLSContext {
    try TLSContext(
      role: role, certificateChainFile: credentials.chainFile,
      privateKeyFile: credentials.keyFile, caFile: credentials.caFile, options: options,
      reconnects: reconnects)
  }
}
