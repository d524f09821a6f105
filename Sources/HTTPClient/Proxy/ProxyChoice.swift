// Which proxy leads to a host: what is set, else what the environment says, else none. Pure: the
// environment comes as a dictionary.

/// Which proxy leads to a host: setting, else environment, else none.
///
/// A setting stands for itself: the environment can neither replace it nor exempt hosts from it.
public struct ProxyChoice: Hashable, Sendable {
  /// Where an answer comes from.
  public enum Source: Hashable, Sendable {
    /// The setting, be it a proxy or that there is none.
    case setting
    /// A variable of the environment, by its name.
    case environment(String)
    /// Nobody says anything.
    case none
    /// The entry of `no_proxy`, or of the setting's list, that matched.
    case exempt(String)
  }

  /// The variables in the order in which they are asked.
  public static let variables = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]

  /// What is wrong with the setting's list or with a variable, which it names; never its value,
  /// which may hold a password.
  public private(set) var fault: String?
  private var server: ProxyServer?
  private var source: Source
  private var exemptions: [ProxyExemption] = []

  /// Takes what is set and the environment.
  /// - Parameters:
  ///   - setting: the proxy that is set, if any.
  ///   - isOff: whether it is set that there is no proxy, whatever the environment says.
  ///   - exempt: entries as in `no_proxy`, which hold for every proxy.
  ///   - environment: the variables of the process; an empty one counts as not there.
  public init(
    setting: ProxyServer?, isOff: Bool, exempt: [String], environment: [String: String]
  ) {
    guard !isOff, setting == nil else {
      server = isOff ? nil : setting
      source = .setting
      take(exempt, of: "the list of hosts without a proxy")
      return
    }
    let present = { (name: String) in environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    source = .none
    guard let name = ProxyChoice.variables.first(where: { present($0) != nil }),
      let value = present(name)
    else { return }
    source = .environment(name)
    // Without a scheme, curl and wget take it for HTTP, and so it is often written.
    server = ProxyServer(url: value.contains("://") ? value : "http://" + value)
    if server == nil { fault = "\(name) is no URL like http://user:password@host:port" }
    take(exempt, of: "the list of hosts without a proxy")
    if let list = ["no_proxy", "NO_PROXY"].first(where: { present($0) != nil }) {
      let entries = present(list)?.split { $0 == "," || $0 == " " || $0 == "\t" } ?? []
      take(entries.map(String.init), of: list)
    }
  }

  /// The proxy that leads to a host, a name or an address, and who says so.
  public func proxy(for host: String) -> (server: ProxyServer?, source: Source) {
    guard let server else { return (nil, source) }
    if let exemption = exemptions.first(where: { $0.matches(host) }) {
      return (nil, .exempt(exemption.text))
    }
    return (server, source)
  }

  private mutating func take(_ entries: [String], of list: String) {
    for entry in entries {
      if let exemption = ProxyExemption(entry) {
        exemptions.append(exemption)
      } else if fault == nil {
        fault = "\(list) holds an entry that matches nothing: \(entry)"
      }
    }
  }
}
