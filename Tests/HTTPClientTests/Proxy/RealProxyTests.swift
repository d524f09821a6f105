// The proxies that people run, squid and tinyproxy: open, with authentication, and closed. What a
// proxy of our own does is what we think of; what these do is what is.

import Foundation
import Glibc
import Testing

@testable import HTTPClient

@Suite(.serialized) struct RealProxyTests {
  private let echo: EchoServer

  init() throws { echo = try EchoServer() }

  private func open(_ proxy: RealProxy, _ user: String? = nil, _ password: String? = nil)
    throws(TunnelError) -> Int32
  {
    try ProxyTunnel.open(
      to: "127.0.0.1", port: echo.port,
      through: ProxyServer(host: "127.0.0.1", port: proxy.port, user: user, password: password),
      timeoutMilliseconds: 20_000, shouldStop: { false })
  }

  /// Sends through a tunnel and expects it back, more than any buffer on the way holds.
  private func expectEcho(_ tunnel: Int32) {
    let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 131 &+ $0 >> 8) }
    Thread.detachNewThread { _ = Loopback.send(tunnel, bytes) }
    #expect(Loopback.read(tunnel, bytes.count) == bytes)
    shutdown(tunnel, Int32(SHUT_WR))
    #expect(Loopback.read(tunnel, 1).isEmpty, "the end travels too")
    close(tunnel)
  }

  @Test(.enabled(if: RealProxy.hasSquid, "squid is not installed"))
  func squidOpen() throws {
    let squid = try RealProxy.squid("http_access allow all")
    expectEcho(try open(squid))
    expectEcho(try open(squid, "nobody", "asks"))
    echo.stop()
    // Squid itself cannot reach this one.
    let port = try Loopback.closedPort()
    #expect(throws: TunnelError.refused(status: 503)) {
      try ProxyTunnel.open(
        to: "127.0.0.1", port: port, through: ProxyServer(host: "127.0.0.1", port: squid.port),
        timeoutMilliseconds: 20_000, shouldStop: { false })
    }
  }

  @Test(.enabled(if: RealProxy.hasSquid, "squid is not installed"))
  func squidClosed() throws {
    let squid = try RealProxy.squid("http_access deny all")
    defer { echo.stop() }
    #expect(throws: TunnelError.refused(status: 403)) { try open(squid) }
  }

  @Test(.enabled(if: RealProxy.hasSquid, "squid is not installed"))
  func squidWithBasic() throws {
    let squid = try RealProxy.squid("basic", users: ["ann": "p:w @ü"])
    defer { echo.stop() }
    expectEcho(try open(squid, "ann", "p:w @ü"))
    let asked = TunnelError.authentication(schemes: ["Basic"])
    #expect(throws: asked) { try open(squid, "ann", "other") }
    #expect(throws: asked) { try open(squid, "bob", "p:w @ü") }
    #expect(throws: asked) { try open(squid, "ann") }
    #expect(throws: asked) { try open(squid) }
  }

  @Test(.enabled(if: RealProxy.hasSquid, "squid is not installed"))
  func squidWithDigest() throws {
    let squid = try RealProxy.squid("digest", users: ["ann": "secret word"])
    defer { echo.stop() }
    expectEcho(try open(squid, "ann", "secret word"))
    let asked = TunnelError.authentication(schemes: ["Digest"])
    #expect(throws: asked) { try open(squid, "ann", "other") }
    #expect(throws: asked) { try open(squid, "bob", "secret word") }
    #expect(throws: asked) { try open(squid) }
  }

  @Test(.enabled(if: RealProxy.hasTinyproxy, "tinyproxy is not installed"))
  func tinyproxyOpen() throws {
    let tinyproxy = try RealProxy.tinyproxy("ConnectPort \(echo.port)")
    expectEcho(try open(tinyproxy))
    echo.stop()
  }

  @Test(.enabled(if: RealProxy.hasTinyproxy, "tinyproxy is not installed"))
  func tinyproxyClosed() throws {
    let tinyproxy = try RealProxy.tinyproxy("ConnectPort 1")
    defer { echo.stop() }
    #expect(throws: TunnelError.refused(status: 403)) { try open(tinyproxy) }
  }

  @Test(.enabled(if: RealProxy.hasTinyproxy, "tinyproxy is not installed"))
  func tinyproxyWithBasic() throws {
    let tinyproxy = try RealProxy.tinyproxy("ConnectPort \(echo.port)\nBasicAuth ann secret")
    defer { echo.stop() }
    expectEcho(try open(tinyproxy, "ann", "secret"))
    let asked = TunnelError.authentication(schemes: ["Basic"])
    #expect(throws: asked) { try open(tinyproxy) }
    // It says 401 here, not 407.
    #expect(throws: asked) { try open(tinyproxy, "ann", "other") }
  }
}
