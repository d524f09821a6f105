// The settings of the way to the server: which transports, through which proxy. And what the loop
// makes of them.

import BGBModel
import HTTPClient
import ServiceSettings
import Transports

extension AgentSettings {
  /// The proxy on the way to HTTPS listeners.
  struct Proxy: Decodable, Hashable, Sendable {
    /// `http://host:port`, `none`, or nothing: then the environment says.
    var url: String?
    /// The user's name for the proxy.
    var user: String?
    /// The file with the password, one line, for nobody else's eyes.
    var passwordFile: RelativePath?
    /// Hosts that are reached without it.
    var exempt: [String]
  }

  /// The transports that may be used, by their words.
  enum Way: String, Decodable, Sendable {
    case auto, tcp, https

    var rule: TransportRule {
      switch self {
      case .auto: .automatic
      case .tcp: .tcp
      case .https: .https
      }
    }
  }

  /// The oldest TLS version over HTTPS, by its words.
  enum HTTPSVersion: String, Decodable, Sendable {
    case tls13 = "1.3"
    case tls12 = "1.2"
  }

  static let wayDescriptions = [
    SettingDescription(
      "https-management-points", "list of host:port",
      "The servers' HTTPS listeners, for when none of the above can be reached; if not given, port "
        + "443 of the same hosts; [] for none."),
    SettingDescription(
      "transport", "auto, tcp or https", default: "auto",
      "Auto: TCP first, HTTPS when that fails, back to TCP later."),
    SettingDescription(
      "tcp-retry", "duration", default: "15m", "How often TCP is tried again while on HTTPS."),
    SettingDescription(
      "https-tls", "1.3 or 1.2", default: "\"1.3\"",
      "The oldest TLS version over HTTPS; 1.2 for paths that break 1.3."),
    SettingDescription(
      "proxy.url", "http://host:port or none",
      "The proxy to HTTPS listeners; if not given, https_proxy and no_proxy of the environment."),
    SettingDescription("proxy.user", "text", "The user's name for the proxy (Basic or Digest)."),
    SettingDescription("proxy.password-file", "path", "The file that holds the user's password."),
    SettingDescription(
      "proxy.exempt", "list of hosts", default: "[]",
      "Hosts, domains (.example.org) and networks (192.0.2.0/24) that are reached without it."),
  ]

  /// The HTTPS listeners to use.
  var httpsPoints: [String] {
    if let given = httpsManagementPoints { return given.map(\.description) }
    return managementPoints.map { AddressSetting(host: $0.host, port: 443).description }
  }

  /// What the reader cannot check of these by type: a sentence, or nil.
  var wayFault: String? {
    if transport == .https && httpsPoints.isEmpty {
      return "transport is https, but https-management-points is empty"
    }
    guard (1_000...86_400_000).contains(tcpRetry.milliseconds) else {
      return "tcp-retry must be 1s to 24h"
    }
    if let url = proxy.url, url != "none", ProxyServer(url: url) == nil {
      return "proxy.url must be http://host:port or none"
    }
    if proxy.url == nil, proxy.user != nil { return "proxy.user makes no sense without proxy.url" }
    if proxy.user == nil, proxy.passwordFile != nil {
      return "proxy.password-file makes no sense without proxy.user"
    }
    return nil
  }

  /// How proxies are chosen.
  func proxyChoice(environment: [String: String]) throws(AgentError) -> ProxyChoice {
    var server = proxy.url.flatMap { ProxyServer(url: $0) }
    if let user = proxy.user { server?.user = user }
    if let file = proxy.passwordFile {
      guard let text = AgentFile.text(file.path, limit: 4_096) else {
        throw AgentError("the proxy's password file \(file.path) cannot be read")
      }
      server?.password = text.split(separator: "\n", omittingEmptySubsequences: false).first
        .map(String.init)
    }
    let choice = ProxyChoice(
      setting: server, isOff: proxy.url == "none", exempt: proxy.exempt, environment: environment)
    if let fault = choice.fault { throw AgentError(fault) }
    return choice
  }
}

extension AgentConfiguration {
  /// Takes the settings of the way.
  mutating func take(_ settings: AgentSettings, proxy: ProxyChoice) {
    httpsPoints = settings.httpsPoints
    transport = settings.transport.rule
    httpsOldestTLS = settings.httpsTls == .tls12 ? .tls12 : .tls13
    self.proxy = proxy
    let every = UInt64(max(1_000, settings.tcpRetry.milliseconds))
    // The first try comes sooner: most closed ports are a mistake that somebody is mending.
    climb = ClimbRules(firstMilliseconds: min(120_000, every), everyMilliseconds: every)
  }
}
