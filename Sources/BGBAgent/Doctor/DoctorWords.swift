// What went wrong, in sentences that say what to do about it. Pure.

import BGBModel
import Glibc
import HTTPClient
import Reactor
import Transports

/// Sentences of the doctor.
enum DoctorWords {
  // MARK: Names and connections

  static func unresolved(_ host: String, _ reason: String, setting: String) -> String {
    "the name \(host) has no address (\(reason)): put it into DNS, or correct \(setting)"
  }

  static func lookUpTimedOut(_ host: String, milliseconds: UInt64) -> String {
    "the name \(host) was not looked up within \(length(milliseconds: milliseconds)): look at the "
      + "DNS servers in /etc/resolv.conf"
  }

  static func unreachable(_ address: String, _ error: Errno) -> String {
    switch error.rawValue {
    case ECONNREFUSED:
      "nothing listens on \(address), or a firewall rejects it: start bgb-server there, or open "
        + "the port"
    case ETIMEDOUT: "\(address) does not answer: a firewall drops it; open the port on the way"
    case ENETUNREACH, EHOSTUNREACH, ENETDOWN, EADDRNOTAVAIL:
      "there is no route to \(address): look at this computer's network"
    case EACCES, EPERM:
      "this computer lets nobody connect to \(address): look at its firewall and confinement"
    default: "cannot connect to \(address): \(error)"
    }
  }

  static func connectTimedOut(_ address: String, milliseconds: UInt64) -> String {
    "\(address) does not answer within \(length(milliseconds: milliseconds)): a firewall drops it; "
      + "open the port on the way"
  }

  // MARK: Proxies

  static func proxy(_ source: ProxyChoice.Source, _ server: ProxyServer?) -> String {
    switch source {
    case .setting:
      server.map { "\($0), by the setting proxy.url" } ?? "no proxy: proxy.url is none"
    case .environment(let variable):
      server.map { "\($0), by the variable \(variable)" } ?? "no proxy, by the variable \(variable)"
    case .none: "no proxy is set"
    case .exempt(let entry): "no proxy: the host is exempt by '\(entry)'"
    }
  }

  static func tunnel(_ error: TunnelError) -> String {
    switch error {
    case .proxyUnresolved: "\(error): correct the proxy's name, or put it into DNS"
    case .proxyUnreachable: "\(error): start it, or correct its address"
    case .timeout: "\(error): look at the proxy's log"
    case .authentication: "\(error): set proxy.user and proxy.password-file"
    case .refused(let status) where (300..<400).contains(status): "\(error): log in to the network"
    case .refused(403): "\(error): let it permit CONNECT to this host and port"
    case .refused: "\(error): look at the proxy's log"
    case .notAProxy: "\(error): correct proxy.url or the environment"
    case .stopped: "\(error)"
    case .invalid: "\(error): correct proxy.url or the environment"
    }
  }

  // MARK: TLS

  /// Why TLS failed; `peer` is the certificate that was refused, if one was.
  static func tls(
    _ error: TransportError, peer: PeerIdentity?, site: SiteCode, now: WallTime
  ) -> String {
    if let refusal = CertificateRefusal(error) {
      return refused(refusal, peer: peer, site: site, now: now)
    }
    return lost(error)
  }

  /// Why a certificate is none of a server of our site.
  static func refused(
    _ refusal: CertificateRefusal, peer: PeerIdentity?, site: SiteCode, now: WallTime
  ) -> String {
    let name = peer.map { "the server's certificate (\($0.commonName))" } ?? "the certificate there"
    switch refusal {
    case .notTLS:
      return
        "what answers does not speak TLS, such as a captive portal or a proxy's page: log in to "
        + "the network, or let this port through untouched"
    case .unknownAuthority, .selfSigned:
      return "\(name) is not of our site's authority: something on the way opens TLS (exempt this "
        + "host there), this is another site's server, or 'ca' is an old file"
    case .expired:
      return
        "\(name) ended on \(day(peer?.notAfter)): renew it at the server; this computer's clock "
        + "says \(now)"
    case .notYetValid:
      return
        "\(name) begins on \(day(peer?.notBefore)) only: this computer's clock says \(now), is "
        + "it right?"
    case .wrongPurpose, .badName, .authorityAsPeer:
      return
        "\(name) is of no notification server of site \(site) (\(refusal)): another machine "
        + "answers at this address; correct management-points"
    case .protocolVersion, .noSharedCipher:
      return
        "the peer speaks no TLS that we take (\(refusal)): for HTTPS, https-tls: \"1.2\" takes "
        + "older ones"
    default: return "\(name) was refused (\(refusal)): look at the server's certificate"
    }
  }

  /// Why a connection was lost.
  static func lost(_ error: TransportError) -> String {
    switch error.kind {
    case .alertReceived:
      "the server refuses our certificate or our TLS (\(error)): its log says why; "
        + "'bgb client add' makes a new certificate"
    case .connectionReset, .truncated, .system:
      "the connection was cut (\(error)): a firewall or proxy on the way does not let TLS "
        + "through, or the server ended"
    default: "\(error): look at what is on the way"
    }
  }

  static func tlsTimedOut(milliseconds: UInt64) -> String {
    "no TLS within \(length(milliseconds: milliseconds)): what accepts the connection there is no "
      + "server of ours, or is stuck"
  }

  // MARK: Certificates

  /// Certificates that end within so many days are worth a warning.
  static let warningDays: Int64 = 14

  /// Whole days until a certificate ends.
  static func daysLeft(_ notAfter: Int64, now: WallTime) -> Int64 {
    let (left, overflow) = notAfter.subtractingReportingOverflow(now.milliseconds / 1_000)
    return overflow ? 0 : left / 86_400
  }

  /// Our own certificate.
  static func own(notBefore: Int64, notAfter: Int64, now: WallTime) -> DoctorVerdict {
    let seconds = now.milliseconds / 1_000
    guard seconds >= notBefore else {
      return .failed(
        .tls,
        "our certificate begins on \(day(notBefore)) only: this computer's clock says \(now), "
          + "is it right?")
    }
    guard seconds < notAfter else {
      return .failed(
        .tls, "our certificate ended on \(day(notAfter)): make a new one with 'bgb client add'")
    }
    let days = daysLeft(notAfter, now: now)
    let until = "\(count(days, "day")) left, until \(day(notAfter))"
    guard days >= warningDays else {
      return .warning("our certificate has \(until): make a new one with 'bgb client add'")
    }
    return .ok("our certificate has \(until)")
  }

  /// A server that was admitted.
  static func server(_ peer: PeerIdentity, _ agreement: String?, now: WallTime) -> DoctorVerdict {
    let days = daysLeft(peer.notAfter, now: now)
    let text =
      "\(agreement ?? "TLS"); a server of our site (\(peer.commonName)), its certificate has "
      + "\(count(days, "day")) left"
    return days >= warningDays ? .ok(text) : .warning(text + ": renew it at the server")
  }

  // MARK: HTTP

  /// What an answer is that is not our server's; nil for one that can be.
  static func notOurs(_ answer: HTTPAnswer) -> String? {
    let type = answer["content-type"]?.lowercased() ?? ""
    let isPage = type.hasPrefix("text/html")
    switch answer.status {
    case 200 where type.hasPrefix("application/json"): return nil
    case 407:
      return "a proxy wants to know who we are (407): set proxy.user and proxy.password-file"
    case 300..<400:
      return
        "something on the way sends us elsewhere (\(answer.status)), as a captive portal does: "
        + "log in to the network"
    case 502, 503, 504:
      return "the server, or a gateway before it, has no answer (\(answer.status)): look at the "
        + "server and at gateways on the way"
    case 403: return "the answer is 403: look at the server's log and at gateways on the way"
    case 404:
      return "the server does not know the doctor's question (404): it is older than this agent"
    case _ where isPage:
      return "a page in HTML answers (\(answer.status)), as of a captive portal: log in to the "
        + "network, or exempt this host from what is on the way"
    default:
      return "what answers is not our server (status \(answer.status)): look at gateways on the way"
    }
  }

  /// What bytes are that are no answer at all.
  static func notOurs(_ fault: HTTPAnswerFault) -> String {
    switch fault {
    case .notHTTP: "what answers does not speak HTTP: is this the HTTPS port of the server?"
    case .malformed: "what answers breaks HTTP: look at gateways on the way"
    case .tooLong: "what answers says more than our server ever does: look at gateways on the way"
    case .unsupported:
      "what answers is HTTP, but not as our server speaks it: look at gateways on the way"
    }
  }

  // MARK: Numbers

  /// A day as people write it.
  static func day(_ seconds: Int64?) -> String {
    guard let seconds else { return "an unknown day" }
    let (milliseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
    return String(
      WallTime(milliseconds: overflow ? (seconds < 0 ? .min : .max) : milliseconds).description
        .prefix(10))
  }

  /// A length of time in one unit.
  static func length(milliseconds: UInt64) -> String {
    switch milliseconds {
    case ..<1_000: "\(milliseconds) ms"
    case ..<120_000:
      milliseconds % 1_000 < 100
        ? "\(milliseconds / 1_000) s" : "\(milliseconds / 1_000).\(milliseconds % 1_000 / 100) s"
    case ..<7_200_000: "\(milliseconds / 60_000) min"
    case ..<172_800_000: "\(milliseconds / 3_600_000) h"
    default: "\(milliseconds / 86_400_000) days"
    }
  }

  static func count(_ number: Int64, _ noun: String) -> String {
    number == 1 ? "1 \(noun)" : "\(number) \(noun)s"
  }
}
