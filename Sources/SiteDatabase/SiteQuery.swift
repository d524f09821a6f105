// The query language of collection rules: a small tree over what the site knows of a client,
// evaluated with three truth values, so that nobody is taken, or spared, for want of knowledge.

public import BGBModel

/// A condition on a client, such as `os =~ "Debian*" && !(tag == "kiosk")`.
///
/// Attributes: `hostname`, `name`, `os`, `agent`, `site`, `tag`, `address`. Comparisons: `==`, `!=`
/// and `=~` with `*` and `?`, all without regard to the case of ASCII letters. They join with `!`,
/// `&&`, `||` and parentheses. Values stand in quotes, or bare when they are plain words. `tag` and
/// `address` hold several values: `==` and `=~` ask for one that fits, `!=` for none that is equal.
///
/// A client that lacks an attribute fits neither a comparison with it nor its negation (Kleene's
/// three-valued logic): `!(os =~ "Debian*")` takes no client that never told its system.
public struct SiteQuery: Hashable, Sendable {
  /// Bytes of an expression at most.
  public static let bytesMax = 4_096
  /// Parentheses and negations within each other at most.
  public static let depthMax = 32

  /// What can be asked about a client.
  public enum Attribute: String, Hashable, Sendable, CaseIterable {
    /// The name it tells of itself.
    case hostname
    /// The name an administrator gave it.
    case name
    /// Operating system and version.
    case os
    /// The agent's version.
    case agent
    /// The site's code.
    case site
    /// Its tags.
    case tag
    /// Its addresses.
    case address
  }

  /// How an attribute and a value are compared.
  public enum Comparison: String, Hashable, Sendable, CaseIterable {
    /// Equal.
    case equal = "=="
    /// Not equal.
    case unequal = "!="
    /// Fits a pattern of `*` and `?`.
    case like = "=~"
  }

  /// A node of the tree.
  public indirect enum Condition: Hashable, Sendable {
    /// A comparison.
    case test(Attribute, Comparison, String)
    /// The contrary.
    case not(Condition)
    /// All of them.
    case all([Condition])
    /// At least one of them.
    case any([Condition])
  }

  /// The tree.
  public let condition: Condition

  /// Reads an expression.
  public init(_ text: String) throws(SiteQueryError) {
    var parser = try SiteQueryParser(text)
    condition = try parser.wholeCondition()
  }

  /// Whether the condition is certainly true of a client.
  public func takes(_ client: ClientRecord, of site: SiteCode) -> Bool {
    truth(of: condition, client, site) == .yes
  }

  /// Kleene's three values.
  private enum Truth { case yes, no, unknown }

  private func truth(of node: Condition, _ client: ClientRecord, _ site: SiteCode) -> Truth {
    switch node {
    case .test(let attribute, let comparison, let value):
      return test(values(of: attribute, client, site), comparison, value)
    case .not(let inner):
      switch truth(of: inner, client, site) {
      case .yes: return .no
      case .no: return .yes
      case .unknown: return .unknown
      }
    case .all(let parts):
      var result = Truth.yes
      for part in parts {
        switch truth(of: part, client, site) {
        case .no: return .no
        case .unknown: result = .unknown
        case .yes: continue
        }
      }
      return result
    case .any(let parts):
      var result = Truth.no
      for part in parts {
        switch truth(of: part, client, site) {
        case .yes: return .yes
        case .unknown: result = .unknown
        case .no: continue
        }
      }
      return result
    }
  }

  /// An empty text is something the client never told: it counts as missing.
  private func values(
    of attribute: Attribute, _ client: ClientRecord, _ site: SiteCode
  ) -> [String] {
    let values =
      switch attribute {
      case .hostname: [client.facts.hostname]
      case .name: [client.name]
      case .os: [client.facts.operatingSystem]
      case .agent: [client.facts.agentVersion]
      case .site: [site.description]
      case .tag: client.tags
      case .address: client.facts.addresses
      }
    return values.filter { !$0.isEmpty }
  }

  private func test(_ values: [String], _ comparison: Comparison, _ wanted: String) -> Truth {
    guard !values.isEmpty else { return .unknown }
    let pattern = wanted.utf8.map(SiteQuery.lowered)
    let fits =
      switch comparison {
      case .equal: values.contains { $0.utf8.lazy.map(SiteQuery.lowered).elementsEqual(pattern) }
      case .unequal: !values.contains { $0.utf8.lazy.map(SiteQuery.lowered).elementsEqual(pattern) }
      case .like: values.contains { SiteQuery.fits($0.utf8.map(SiteQuery.lowered), pattern) }
      }
    return fits ? .yes : .no
  }

  private static func lowered(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
  }

  /// Matches with one point of return, the last `*`: at worst text times pattern, never
  /// exponential.
  private static func fits(_ text: [UInt8], _ pattern: [UInt8]) -> Bool {
    var position = 0
    var wanted = 0
    var star: (after: Int, from: Int)?
    while position < text.count {
      if wanted < pattern.count, pattern[wanted] == UInt8(ascii: "*") {
        star = (wanted + 1, position)
        wanted += 1
      } else if wanted < pattern.count, pattern[wanted] == UInt8(ascii: "?") {
        // One character, not one byte: the rest of a UTF-8 sequence goes along.
        position += 1
        while position < text.count, text[position] & 0xC0 == 0x80 { position += 1 }
        wanted += 1
      } else if wanted < pattern.count, pattern[wanted] == text[position] {
        position += 1
        wanted += 1
      } else if let last = star {
        star = (last.after, last.from + 1)
        position = last.from + 1
        wanted = last.after
      } else {
        return false
      }
    }
    return pattern[wanted...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}

extension MembershipRule {
  /// A rule that is ready to be asked about many clients.
  package enum Ready: Sendable {
    /// Takes all.
    case everybody
    /// Takes these.
    case direct(Set<ClientID>)
    /// Takes those that fit.
    case query(SiteQuery)

    /// Whether it takes a client.
    package func takes(_ client: ClientRecord, of site: SiteCode) -> Bool {
      switch self {
      case .everybody: true
      case .direct(let clients): clients.contains(client.clientID)
      case .query(let query): query.takes(client, of: site)
      }
    }
  }

  /// Rules made ready: all direct ones become one set, queries become trees.
  package static func ready(_ rules: [MembershipRule]) throws(StoreError) -> [Ready] {
    var direct: Set<ClientID> = []
    var ready: [Ready] = []
    for rule in rules {
      switch rule {
      case .everybody: return [.everybody]
      case .direct(let clientID): direct.insert(clientID)
      case .query(let text): ready.append(.query(try StoreChecks.query(text)))
      }
    }
    if !direct.isEmpty { ready.append(.direct(direct)) }
    return ready
  }
}
