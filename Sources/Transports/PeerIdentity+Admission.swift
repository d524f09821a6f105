// What OpenSSL does not check. It takes a certificate without extended key usage for every purpose,
// an authority's own certificate for a client's, and does not look at URIs at all; and on a resumed
// handshake it checks nothing. These rules are a pure function of the identity, so that one table
// of bad certificates tests them, and so that they hold for resumed connections as for full ones.

extension PeerIdentity {
  /// Admits a peer by its certificate and returns its name: what follows `prefix` in its only URI.
  ///
  /// Whether the name means somebody the owner knows, and is not denied, is for the owner to say.
  /// - Parameters:
  ///   - purpose: what the certificate must be for; stated in it, not left open.
  ///   - prefix: how the URI must begin, such as `urn:example:client:`.
  ///   - now: the time in seconds since 1970; valid iff `notBefore <= now < notAfter`.
  /// - Throws: the first rule that is broken, in the order of the code.
  public func admit(
    for purpose: CertificatePurposes, uriPrefix prefix: String, now: Int64
  ) throws(CertificateRefusal) -> String {
    if now < notBefore { throw .notYetValid }
    if now >= notAfter { throw .expired }
    if isAuthority { throw .authorityAsPeer }
    if !purposes.isSuperset(of: purpose) { throw .wrongPurpose }
    if uriCount == 0 { throw .badName(.none) }
    if uriCount > 1 { throw .badName(.several) }
    guard let uri = uris.first, uri.hasPrefix(prefix) else { throw .badName(.malformed) }
    let name = uri.dropFirst(prefix.count)
    if name.isEmpty { throw .badName(.malformed) }
    // Percent signs, slashes and further colons would give one peer several spellings.
    let allowed = name.utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x2D || byte == 0x2E
    }
    if !allowed { throw .badName(.malformed) }
    return String(name)
  }
}
