// Addresses read what they write, and refuse what is no address.

import Reactor
import Testing

@Suite struct SocketAddressTests {
  @Test(arguments: [
    "127.0.0.1:10123", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:10123", "[::]:443",
    "[2001:db8::42]:8443", "/run/bgb/manager.sock",
  ])
  func readsWhatItWrites(text: String) throws {
    let address = try #require(SocketAddress(text))
    #expect(address.description == text)
    #expect(SocketAddress.parse(text) == address)
  }

  @Test(arguments: [
    "", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1",
    "127.0.0.1: 1", "127.0.0:1", "127.0.0.1.:1", "0x7f.0.0.1:1", "::1:10123", "[::1]", "[::1:1",
    "[127.0.0.1]:1", "localhost:1", "[]:1", "127.0.0.1\0.example:1", "relative/path", "[::1%1]:1",
  ])
  func refusesWhatIsNoAddress(text: String) {
    #expect(SocketAddress(text) == nil)
  }

  @Test func knowsItsParts() throws {
    let four = try #require(SocketAddress("10.1.2.3:99"))
    #expect(four == .ipv4(0x0A01_0203, port: 99))
    #expect(four.host == "10.1.2.3")
    #expect(four.port == 99)
    #expect(four.withPort(7).description == "10.1.2.3:7")
    let six = try #require(SocketAddress("[fe80::1]:5"))
    #expect(six == .ipv6(high: 0xFE80_0000_0000_0000, low: 1, port: 5, scope: 0))
    #expect(SocketAddress.unix(path: "/x").port == nil)
    #expect(SocketAddress.loopback(port: 1).description == "127.0.0.1:1")
  }

  @Test func resolvesNumbersAndSaysWhyItCannot() throws {
    let found = try SocketAddress.resolve(host: "127.0.0.1", port: 80)
    #expect(found == [.ipv4(0x7F00_0001, port: 80)])
    #expect(try SocketAddress.resolve(host: "::1", port: 1).first?.description == "[::1]:1")
    let error = #expect(throws: ResolveError.self) {
      try SocketAddress.resolve(host: "no such host!", port: 1)
    }
    #expect(error?.description.isEmpty == false)
  }
}
