// Whether the manager can do its work now: the database answers, the inbox can be read, the rounds
// go on.

import BGBModel
import SiteDatabase

/// Answers what stands in the way, for `/readyz`.
struct ManagerHealth: Sendable {
  /// Without a finished round for this long the manager counts as stuck.
  static let roundMillisecondsMax: Int64 = 60_000

  let store: any SiteStore
  let gauges: ManagerGauges

  /// A sentence for each thing that is not as it should be; none when ready.
  func faults(at now: WallTime) -> [String] {
    var faults: [String] = []
    do { _ = try store.site() } catch { faults.append("\(error)") }
    if gauges[.inboxReadable] == 0 { faults.append("the inbox bgb.box cannot be read") }
    let last = WallTime(milliseconds: gauges[.lastRound])
    if now.since(last) > ManagerHealth.roundMillisecondsMax {
      faults.append("no round was finished since \(last)")
    }
    return faults
  }
}
