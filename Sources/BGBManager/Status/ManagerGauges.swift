// The numbers that the manager shows at /metrics, in one table: name, kind and help beside each
// other, so that a number cannot exist without its words.

import Synchronization

/// Counts from any thread; a snapshot is what Prometheus reads.
final class ManagerGauges: Sendable {
  /// One number.
  enum Name: String, CaseIterable, Sendable {
    case presenceReports = "bgb_manager_presence_reports_total"
    case outcomeReports = "bgb_manager_outcome_reports_total"
    case reportRecords = "bgb_manager_report_records_total"
    case duplicateReports = "bgb_manager_duplicate_reports_total"
    case staleReports = "bgb_manager_stale_reports_total"
    case gapReports = "bgb_manager_gap_reports_total"
    case badReports = "bgb_manager_bad_reports_total"
    case inboxFiles = "bgb_manager_inbox_files"
    case inboxReadable = "bgb_manager_inbox_readable"
    case operationsStarted = "bgb_manager_operations_started_total"
    case operationsCancelled = "bgb_manager_operations_cancelled_total"
    case certificatesIssued = "bgb_manager_certificates_issued_total"
    case requests = "bgb_manager_api_requests_total"
    case requestsRefused = "bgb_manager_api_requests_refused_total"
    case peersRefused = "bgb_manager_api_peers_refused_total"
    case progressStreams = "bgb_manager_progress_streams"
    case databaseReady = "bgb_manager_database_ready"
    case lastRound = "bgb_manager_last_round_milliseconds"

    /// What it means.
    var help: String {
      switch self {
      case .presenceReports: "Online reports (BOS) imported."
      case .outcomeReports: "Task-status reports (BTS) imported."
      case .reportRecords: "Records of imported reports."
      case .duplicateReports: "Reports that had been imported before."
      case .staleReports: "Reports that newer ones had overtaken."
      case .gapReports: "Online reports before which one is missing."
      case .badReports: "Files refused and moved to the folder bad."
      case .inboxFiles: "Report files that wait."
      case .inboxReadable: "1 while the inbox can be read."
      case .operationsStarted: "Operations started."
      case .operationsCancelled: "Operations cancelled."
      case .certificatesIssued: "Certificates issued to clients and servers."
      case .requests: "API requests answered."
      case .requestsRefused: "API requests answered with an error."
      case .peersRefused: "API requests of accounts without the right."
      case .progressStreams: "Open progress streams."
      case .databaseReady: "1 while the site database answers."
      case .lastRound: "When the last round ended, in milliseconds since 1970."
      }
    }

    /// Whether it only grows.
    var isCounter: Bool { rawValue.hasSuffix("_total") }
  }

  private let values = Mutex<[Name: Int64]>([:])

  /// Adds to a number.
  func add(_ name: Name, _ amount: Int) {
    values.withLock { $0[name, default: 0] &+= Int64(amount) }
  }

  /// Sets a number.
  func set(_ name: Name, _ value: some BinaryInteger) {
    values.withLock { $0[name] = Int64(clamping: value) }
  }

  /// One number now.
  subscript(name: Name) -> Int64 { values.withLock { $0[name] ?? 0 } }

  /// All numbers as Prometheus reads them (text exposition format 0.0.4).
  var exposition: String {
    let snapshot = values.withLock { $0 }
    var text = ""
    for name in Name.allCases {
      text += "# HELP \(name.rawValue) \(name.help)\n"
      text += "# TYPE \(name.rawValue) \(name.isCounter ? "counter" : "gauge")\n"
      text += "\(name.rawValue) \(snapshot[name] ?? 0)\n"
    }
    return text
  }
}
