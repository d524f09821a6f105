// Long runs that nobody waits for in `scripts/test`: `scripts/campaign` starts them, one by its
// name, and prints what they say.

import Foundation
import Testing

/// What scripts/campaign asks for in the environment.
enum Campaign {
  private static let environment = ProcessInfo.processInfo.environment

  static func isWanted(_ name: String) -> Bool { environment["BGB_CAMPAIGN"] == name }

  static var minutes: Double { environment["BGB_CAMPAIGN_MINUTES"].flatMap(Double.init) ?? 10 }

  /// Appends a line to the report.
  static func say(_ line: String) {
    let time = Date().formatted(.iso8601.time(includingFractionalSeconds: false))
    let text = "\(time) \(line)\n"
    guard let file = environment["BGB_CAMPAIGN_REPORT"],
      let handle = FileHandle(forWritingAtPath: file)
    else { return print(text, terminator: "") }
    handle.seekToEndOfFile()
    handle.write(Data(text.utf8))
    try? handle.close()
  }

  static func verdict(_ faults: [String]) {
    say("verdict: " + (faults.isEmpty ? "holds" : "BROKEN: " + faults.joined(separator: "; ")))
  }

  /// The middle and the most of some times.
  static func summary(_ times: [Double?]) -> String {
    let known = times.compactMap(\.self).sorted()
    guard let last = known.last else { return "never in \(times.count)" }
    return String(
      format: "%d of %d, median %.1f s, most %.1f s", known.count, times.count,
      known[known.count / 2], last)
  }
}

@Suite(.serialized) struct CampaignTests {
  /// The port is closed and opened every 30 seconds, by silence and by resets in turn.
  @Test(.enabled(if: Campaign.isWanted("firewall"), "a campaign: scripts/campaign firewall"))
  func firewall() throws {
    let pairs = max(1, Int(Campaign.minutes))
    let walls: [Wall] = (0..<pairs).map { $0 % 2 == 0 ? .drop : .reject }
    let run = FirewallRun(walls: walls, seconds: 30, operationSeconds: 1.5, say: Campaign.say)
    do {
      let result = try run.run()
      Campaign.say("operations \(result.operations), runs \(result.runs)")
      Campaign.say(
        "sign-ins \(result.signIns), takeovers \(result.takeovers), absences seen "
          + "\(result.absences), sessions at once at most \(result.most)")
      for wall in [Wall.drop, .reject] {
        let times = result.falls.filter { $0.wall == wall }.map(\.seconds)
        if !times.isEmpty {
          Campaign.say("to HTTPS after \(wall.rawValue): \(Campaign.summary(times))")
        }
      }
      Campaign.say("back to TCP: \(Campaign.summary(result.climbs))")
      var faults = result.faults
      // The promise of the fallback is 30 seconds, and a phase has no more.
      let late = (result.falls.map(\.seconds) + result.climbs).filter { $0 == nil }.count
      if late > 0 { faults.append("\(late) changes of transport took more than 30 s") }
      Campaign.verdict(faults)
      #expect(faults == [])
    } catch {
      Campaign.verdict(["\(error)"])
      throw error
    }
  }

  /// A proxy that cuts what is idle for 60 seconds, as many do.
  @Test(.enabled(if: Campaign.isWanted("proxy-cut"), "a campaign: scripts/campaign proxy-cut"))
  func proxyCut() throws {
    do {
      let faults = try ProxyCutRun(minutes: Campaign.minutes, say: Campaign.say).run()
      Campaign.verdict(faults)
      #expect(faults == [])
    } catch {
      Campaign.verdict(["\(error)"])
      throw error
    }
  }
}
