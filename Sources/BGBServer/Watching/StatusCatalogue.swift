// The numbered status messages of SMS_NOTIFICATION_SERVER. docs/STATUS-MESSAGES.md lists them; 9802
// is the one number that the original is known by, and keeps its meaning here as far as Linux has
// it.

import BGBModel
import SiteDatabase
import Synchronization

/// One kind of status message of this component.
enum StatusCatalogue: UInt32, CaseIterable {
  /// The server runs.
  case started = 9800
  /// The server ended in order.
  case stopped = 9801
  /// A listener could not be opened or used.
  case listenerFailed = 9802
  /// A listener accepts agents.
  case listenerUp = 9803
  /// A task of the queue contradicts its signature.
  case taskRefused = 9804
  /// The journal cannot store outcomes.
  case journalStalled = 9805
  /// The journal held damaged records.
  case journalDamaged = 9806
  /// The server's certificate expires soon.
  case certificateNearExpiry = 9807
  /// A worker ended by itself and was started again.
  case workerRestarted = 9808
  /// The agents are being moved away.
  case drainBegun = 9809
  /// The agents were moved away.
  case drained = 9810
  /// Agents are taken again.
  case undrained = 9811

  /// The component's name in status messages and logs.
  static let component = "SMS_NOTIFICATION_SERVER"
  private static let machineName = Mutex("")

  /// Under which name this process writes its messages; set once at start.
  static func use(machine name: String) { machineName.withLock { $0 = name } }

  /// How bad it is.
  var severity: StatusMessage.Severity {
    switch self {
    case .started, .stopped, .listenerUp, .drainBegun, .drained, .undrained: .information
    case .certificateNearExpiry: .warning
    case .listenerFailed, .taskRefused, .journalStalled, .journalDamaged, .workerRestarted: .error
    }
  }

  /// The message with its sentence.
  func message(at: WallTime, text: String) -> StatusMessage {
    StatusMessage(
      at: at, component: StatusCatalogue.component,
      machine: StatusCatalogue.machineName.withLock { $0 }, messageID: rawValue,
      severity: severity, text: text)
  }
}
