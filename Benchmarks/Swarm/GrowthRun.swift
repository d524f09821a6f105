// What a full handshake costs beside all other connections, by what it costs beside none: a stage
// of the goals' table.
//
// The host's pace changes within seconds and by more than the two differ: one measured minutes
// after the other says nothing. Here the same sessions come back in turns: beside all, alone,
// alone, beside all. A change of pace meets both, and what goes on evenly cancels out.

import SwarmKit
import SwarmPeers

extension Laboratory {
  /// Notes the means of all turns and their ratio; nothing if no turns are asked for.
  func measureGrowth(_ count: Int) throws(SwarmError) {
    guard options.growthTurns > 0, count > 0, count < crew.sessions else { return }
    var crowded: [Double] = []
    var lonely: [Double] = []
    for _ in 0..<options.growthTurns {
      crowded.append(try measureComebacks(count, forgets: true, online: crew.sessions))
      try thinOut(to: count)
      for _ in 0..<2 {
        lonely.append(try measureComebacks(count, forgets: true, online: count))
      }
      try fillUp()
      crowded.append(try measureComebacks(count, forgets: true, online: crew.sessions))
    }
    let (all, alone) = (crowded.reduce(0, +), lonely.reduce(0, +))
    note(.crowdedHandshakes, all / Double(crowded.count))
    note(.lonelyHandshakes, alone / Double(lonely.count))
    note(.handshakeGrowth, all / alone)
  }

  /// Leaves only those connected whose handshakes are measured.
  private func thinOut(to count: Int) throws(SwarmError) {
    crew.activity = "all but \(count) go"
    try awaitGoing(crew.tally[.online] - count) { crew.tell("thin-out", count: count) }
    try crew.pause(milliseconds: 1_000)
  }

  private func fillUp() throws(SwarmError) {
    crew.activity = "all come back"
    crew.tell(ControlLine("fill-up", ["underWay": String(options.session.connecting)]))
    try awaitBack(crew.sessions)
    try crew.pause(milliseconds: 1_000)
  }
}
