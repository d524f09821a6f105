// The doctor's look at this computer: settings, the files that they name, our own certificate, and
// what of it the ways need. Every fault is told, not only the first.

import BGBModel
import Glibc
import HTTPClient
import Reactor
import ServiceSettings
import Transports

/// What the ways need of this computer.
struct DoctorParts {
  let settings: AgentSettings
  let site: SiteCode
  /// From our certificate.
  let clientID: ClientID
  let tcp: TLSContext
  let https: TLSContext
  /// The days of our certificate, in seconds since 1970.
  let validity: (notBefore: Int64, notAfter: Int64)?
  let proxy: ProxyChoice
}

/// Reads settings and files and notes what is wrong.
struct DoctorFiles {
  private(set) var checks: [DoctorCheck] = []
  private(set) var settingsFile: String
  private(set) var clientID: ClientID?
  private(set) var site: String?
  private let now: WallTime

  /// Begins with the path of the settings, as it was given.
  init(settingsFile: String, now: WallTime) {
    self.settingsFile = settingsFile
    self.now = now
  }

  /// Looks at everything; nil when the ways cannot be tried.
  mutating func examine(environment: [String: String]) -> DoctorParts? {
    let (read, milliseconds) = timed { readSettings(environment) }
    guard case .success(let (settings, site, proxy)) = read else {
      if case .failure(let error) = read {
        note(.settings, milliseconds, .failed(.settings, error.description))
      }
      return nil
    }
    note(.settings, milliseconds, .ok("\(settingsFile) can be read"))
    self.site = "\(site)"
    let faults = unreadable(of: settings)
    let (opened, fileMilliseconds) = timed { openFiles(settings) }
    guard faults.isEmpty, case .success(let (client, tcp, https)) = opened else {
      var words = faults
      if words.isEmpty, case .failure(let error) = opened { words = [error.description] }
      note(
        .files, fileMilliseconds,
        .failed(
          .settings,
          words.joined(separator: "; ")
            + ": the folder that 'bgb client add' made has them all, for the agent's user alone"))
      return nil
    }
    clientID = client
    note(
      .files, fileMilliseconds,
      .ok("certificate, key, authority and task keys can be read and belong together"))
    let own = tcp.ownCertificate
    if let own {
      let verdict = DoctorWords.own(
        notBefore: own.notBefore, notAfter: own.notAfter, now: now)
      note(.certificate, 0, verdict)
    }
    return DoctorParts(
      settings: settings, site: site, clientID: client, tcp: tcp, https: https,
      validity: own.map { ($0.notBefore, $0.notAfter) }, proxy: proxy)
  }

  private mutating func note(
    _ hop: DoctorHop, _ milliseconds: UInt64, _ verdict: DoctorVerdict
  ) {
    checks.append(
      DoctorCheck(
        place: .here, hop: hop, target: hop == .settings ? settingsFile : "",
        milliseconds: milliseconds, verdict: verdict))
  }

  private mutating func readSettings(
    _ environment: [String: String]
  ) -> Result<(AgentSettings, SiteCode, ProxyChoice), AgentError> {
    guard let file = AgentFile.absolute(settingsFile) else {
      return .failure(
        AgentError("there is no file \(settingsFile): 'bgb client add NAME' makes one"))
    }
    settingsFile = file
    let settings: AgentSettings
    do throws(SettingsError) {
      settings = try ServiceSettings.load(
        AgentSettings.self, file: file, environmentPrefix: AgentSettings.environmentPrefix,
        environment: environment)
    } catch {
      return .failure(AgentError(error.description))
    }
    if let fault = settings.fault { return .failure(AgentError("\(file): \(fault)")) }
    guard let site = SiteCode(settings.site) else {
      return .failure(
        AgentError("\(file): site '\(settings.site)' is not three of A-Z and 0-9"))
    }
    do throws(AgentError) {
      return .success((settings, site, try settings.proxyChoice(environment: environment)))
    } catch {
      return .failure(error)
    }
  }

  /// The files that cannot be read, each with the kernel's reason.
  private func unreadable(of settings: AgentSettings) -> [String] {
    [settings.certificate, settings.key, settings.ca, settings.taskKeys].compactMap { file in
      do throws(FileError) {
        let bytes = try AgentFile.read(file.path, limit: 1 << 20)
        return bytes == nil ? "there is no file \(file.path)" : nil
      } catch {
        return error.description
      }
    }
  }

  private func openFiles(
    _ settings: AgentSettings
  ) -> Result<(ClientID, TLSContext, TLSContext), AgentError> {
    do throws(AgentError) {
      let client = try AgentParts.clientID(in: settings.certificate.path)
      _ = try AgentParts.keys(in: settings.taskKeys.path)
      let identity = AgentIdentity(
        clientID: client, certificateFile: settings.certificate.path, keyFile: settings.key.path,
        authorityFile: settings.ca.path, facts: ClientFacts())
      let contexts = try AgentLoop.contexts(
        of: identity, settings.httpsTls == .tls12 ? .tls12 : .tls13)
      return .success((client, contexts.tcp, contexts.https))
    } catch {
      return .failure(error)
    }
  }
}

/// Does something and says how many milliseconds it took.
func timed<Value>(_ body: () -> Value) -> (value: Value, milliseconds: UInt64) {
  let start = MonotonicClock.now()
  let value = body()
  return (value, MonotonicClock.now().since(start))
}
