// One entry of a list of hosts that are reached without a proxy, as in `no_proxy`: nobody has
// written down what may stand there, so this takes what curl and most others agree on.

/// A host, a domain, an address or a network that needs no proxy; `*` is every host.
struct ProxyExemption: Hashable, Sendable {
  /// As it was written.
  let text: String
  private let rule: Rule

  private enum Rule: Hashable, Sendable {
    case every
    case domain(String)
    case network(IPAddress, bits: Int)
  }

  /// Reads an entry; nil for what can match nothing, such as a name with a port.
  init?(_ text: String) {
    self.text = text
    if text == "*" {
      rule = .every
      return
    }
    if let address = IPAddress(text) {
      rule = .network(address, bits: address.bits)
      return
    }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    if parts.count == 2 {
      guard let address = IPAddress(parts[0]), let bits = Int(parts[1]),
        (0...address.bits).contains(bits), parts[1].first?.isNumber == true
      else { return nil }
      rule = .network(address, bits: bits)
      return
    }
    // `example.com`, `.example.com` and `*.example.com` are the same to curl or to browsers.
    var name = ProxyExemption.folded(text)
    if name.hasPrefix("*.") { name = String(name.dropFirst()) }
    if name.hasPrefix(".") { name = String(name.dropFirst()) }
    // `10.` or `10.1.2` is meant as a network, and would be taken for a domain.
    guard ProxyServer.isName(name), name.contains(where: { !$0.isNumber && $0 != "." }) else {
      return nil
    }
    rule = .domain(name)
  }

  /// Whether a host, a name or an address, is meant.
  func matches(_ host: String) -> Bool {
    switch rule {
    case .every: return true
    case .network(let network, let bits):
      return IPAddress(host).map { $0.shares(bits, with: network) } ?? false
    case .domain(let domain):
      guard IPAddress(host) == nil else { return false }
      let name = ProxyExemption.folded(host)
      return name == domain || name.hasSuffix("." + domain)
    }
  }

  /// In lower case, without the dot that ends a full name.
  private static func folded(_ name: String) -> String {
    let lower = name.lowercased()
    return lower.hasSuffix(".") ? String(lower.dropLast()) : lower
  }
}
