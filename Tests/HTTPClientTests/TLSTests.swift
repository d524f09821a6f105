// The client's side of mutual TLS against OpenSSL's own server.

import Foundation
import Glibc
import Testing

@testable import HTTPClient

@Suite(.serialized) final class TLSTests {
  private let folder = NSTemporaryDirectory() + "bgb-tls-\(UUID().uuidString.prefix(8))"
  private var server: Process?

  init() throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for name in ["ca", "other"] {
      try openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=\(name) "
          + "-keyout \(name).key -out \(name).pem")
    }
    try "subjectAltName=DNS:localhost".write(
      toFile: folder + "/san", atomically: true, encoding: .utf8)
    for name in ["server", "client"] {
      try openssl(
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=\(name) "
          + "-keyout \(name).key -out \(name).csr")
      try openssl(
        "x509 -req -in \(name).csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
          + "-extfile san -out \(name).pem")
    }
  }

  deinit {
    // Not SIGTERM: a child inherits it blocked when a test of signals runs beside this one.
    if let server {
      kill(server.processIdentifier, SIGKILL)
      server.waitUntilExit()
    }
    try? FileManager.default.removeItem(atPath: folder)
  }

  private func openssl(_ arguments: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
    process.arguments = arguments.split(separator: " ").map(String.init)
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "openssl \(arguments)")
  }

  /// Starts `openssl s_server`, which demands a client certificate, and returns its port.
  private func startServer() throws -> Int {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
    process.arguments =
      "s_server -accept 127.0.0.1:0 -cert server.pem -key server.key -CAfile ca.pem -Verify 1 "
      .appending("-verify_return_error -www -tls1_3").split(separator: " ").map(String.init)
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    try process.run()
    server = process
    var text = ""
    while true {
      let piece = output.fileHandleForReading.availableData
      try #require(!piece.isEmpty, "s_server said: \(text)")
      text += String(decoding: piece, as: UTF8.self)
      let words = text.split(whereSeparator: { $0 == "\n" || $0 == " " })
      if let address = words.last(where: { $0.hasPrefix("127.0.0.1:") }), text.hasSuffix("\n"),
        let port = Int(address.split(separator: ":")[1])
      {
        return port
      }
    }
  }

  private func request(_ port: Int, ca: String, certificate: String? = "client") -> HTTPRequest {
    HTTPRequest(
      .get, url: "https://localhost:\(port)/", caFile: folder + "/" + ca,
      clientCertificate: certificate.map { "\(folder)/\($0).pem" },
      clientKey: certificate.map { "\(folder)/\($0).key" }, timeoutMilliseconds: 10_000)
  }

  @Test func aClientCertificateIsShownAndOnlyOurAuthorityTrusted() throws {
    let port = try startServer()
    let response = try request(port, ca: "ca.pem").send()
    #expect(response.status == 200)
    #expect(String(decoding: response.body, as: UTF8.self).contains("TLSv1.3"))
    let isTLS = { (error: any Error) in
      if case HTTPError.tls = error { true } else { false }
    }
    #expect(performing: { try request(port, ca: "other.pem").send() }, throws: isTLS)
    #expect(performing: { try request(port, ca: "missing.pem").send() }, throws: isTLS)
    #expect(
      performing: { try request(port, ca: "ca.pem", certificate: "gone").send() }, throws: isTLS)
    #expect(throws: HTTPError.self) { try request(port, ca: "ca.pem", certificate: nil).send() }
  }

  @Test func aRequestGoesThroughAProxyThatAsks() throws {
    let port = try startServer()
    let asks =
      "HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic realm=\"r\"\r\n"
      + "Content-Length: 0\r\n\r\n"
    let proxy = try ScriptedProxy([
      .answer(asks), .relay("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
      .answer(asks), .answer(asks), .last("HTTP/1.1 302 Found\r\n\r\n<html>"),
      .last("HTTP/1.1 200 OK\r\n\r\n<html>Please log in</html>"), .last("SSH-2.0\r\n\r\n"),
    ])
    defer { proxy.stop() }
    var request = request(port, ca: "ca.pem")
    request.proxy = ProxyServer(
      host: "127.0.0.1", port: proxy.port, user: "ann", password: "secret")
    let response = try request.send()
    #expect(response.status == 200)
    #expect(String(decoding: response.body, as: UTF8.self).contains("TLSv1.3"))
    #expect(proxy.seen.map { $0.hasPrefix("CONNECT localhost:\(port) ") } == [true, true])
    // From here on the proxy lets nothing through.
    let asked = HTTPError.proxy(.authentication(schemes: ["Basic"]))
    #expect(throws: asked) { try request.send() }
    #expect(!"\(asked)".contains("secret"))
    #expect(throws: HTTPError.proxy(.refused(status: 302))) { try request.send() }
    #expect(
      performing: { try request.send() },
      throws: { error in
        if case HTTPError.tls = error { true } else { false }
      })
    #expect(
      performing: { try request.send() },
      throws: { error in
        if case HTTPError.proxy(.notAProxy) = error { true } else { false }
      })
    request.proxy?.port = try Loopback.closedPort()
    #expect(
      performing: { try request.send() },
      throws: { error in
        if case HTTPError.proxy(.proxyUnreachable) = error { true } else { false }
      })
  }
}
