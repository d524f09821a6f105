// What a server's settings mean for its workers: what each has for itself, what all of them share.

import BGBModel
import ServiceSettings
import SiteDatabase

extension ServerSettings {
  /// The name of the whole server, whichever worker's settings these are.
  var serverName: String { String(name.prefix { $0 != "#" }) }

  /// The settings of the n-th worker: a name and a journal of its own, no health listener.
  func worker(_ number: Int) -> ServerSettings {
    var settings = self
    settings.name = ServerRecord.workerName(serverName, number)
    settings.healthListen = nil
    if number > 1 { settings.journal = RelativePath("\(journal.path)-\(number)") }
    return settings
  }

  /// Where the workers leave each other tables of targets, by the settings of the n-th of them.
  func targetTables(ofWorker number: Int) -> String {
    let first = number > 1 ? String(journal.path.dropLast("-\(number)".count)) : journal.path
    return "\(first)-targets"
  }

  /// Where workers beyond their number had their journals.
  var leftJournals: [String] {
    (2...Limits.workersMax).filter { $0 > workers }.map { "\(journal.path)-\($0)" }
  }

  /// How often workers are asked whether they still turn; nil for never.
  var pulseMilliseconds: UInt64? {
    workerPulse.milliseconds == 0 ? nil : max(1_000, UInt64(clamping: workerPulse.milliseconds))
  }

  /// What about the number of workers cannot be; nil when it can.
  var workerFault: String? {
    guard (1...Limits.workersMax).contains(workers) else {
      return "workers: \(workers) is not between 1 and \(Limits.workersMax)"
    }
    guard workers > 1 else { return nil }
    guard !name.contains("#") else { return "name: '\(name)' cannot be a server with workers" }
    for address in listen + httpsListen where address.port == 0 {
      return "\(address): workers share a port, so it must be named and not 0"
    }
    return nil
  }
}
