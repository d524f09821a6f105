// What a slice does when its parent says so: one verb each. The parent's half is Crew.

import BGBAgent
import BGBModel
import Reactor
import SwarmKit

extension SliceRun {
  /// Obeys a line; one that is not understood is answered with `what`.
  func obey(_ text: String) {
    guard let line = ControlLine(line: text) else { return }
    switch line.verb {
    case "cut": cut(line.number("count"), comesBackAtOnce: line["how"] == "at-once")
    case "send-away":
      away += sendAway(chosen(line.number("count")), forgets: line["forgets"] == "yes")
    case "call-back": callBack(&away, underWay: line.number("underWay"))
    case "thin-out": thinOut(line.number("count"))
    case "fill-up": callBack(&thinnedOut, underWay: line.number("underWay"))
    case "keep-alives": beginKeepAlives(underWay: line.number("underWay"))
    case "ignore-pushes": ignorePushes(line["ignores"] == "yes")
    case "ignored": say(ControlLine("ignored", ["count": String(loop.pushesIgnored)]))
    case "online": say(ControlLine("online", ["count": String(ledger.tally[.online])]))
    case "churn":
      let wasOff = churn.perSecond == 0
      churn = (line.number("perSecond"), line.number("restMilliseconds"))
      if wasOff { leave() }
    case "deafen": deafen(line.number("count"))
    case "flood":
      let wasOff = flooders == 0
      flooders = line.number("count")
      if wasOff { flood() }
    case "half-open": halfOpen(line.number("count"))
    case "tally": tellTally(always: true)
    case "latency": tellLatency(line)
    case "first": tellFirst(line)
    case "comebacks": tellComebacks(line)
    case "stop": loop.mailbox.post(.stop(reason: "the run is over"))
    default: say(ControlLine("what", ["verb": line.verb]))
    }
  }

  /// Numbers of so many sessions, evenly over the slice.
  private func chosen(_ count: Int) -> [Int] {
    let all = ledger.clients.count
    guard all > 0 else { return [] }
    let wanted = min(max(0, count), all)
    return (0..<wanted).map { $0 * all / wanted }
  }

  private func cut(_ count: Int, comesBackAtOnce: Bool) {
    for number in chosen(count) where ledger.sessions[number].isOnline {
      ledger.expectEnd(of: number, as: .cuts)
      loop.cut(ledger.clients[number], comesBackAtOnce: comesBackAtOnce)
    }
  }

  /// Cuts those who are online, and says who they are; they stay away until they are called.
  private func sendAway(_ numbers: [Int], forgets: Bool = false) -> [Int] {
    let going = numbers.filter { ledger.sessions[$0].isOnline }
    for number in going {
      ledger.expectEnd(of: number, as: .cuts)
      loop.sendAway(ledger.clients[number], forgets: forgets)
    }
    return going
  }

  /// All of these connect now, so many at a time.
  private func callBack(_ numbers: inout [Int], underWay: Int) {
    loop.limitAttempts(to: underWay)
    for number in numbers { loop.hurry(ledger.clients[number]) }
    numbers = []
  }

  /// Sends away all but those who `send-away` with this count would.
  private func thinOut(_ count: Int) {
    let kept = Set(chosen(count))
    thinnedOut += sendAway(ledger.clients.indices.filter { !kept.contains($0) })
  }

  /// Lets each session send one keep-alive, so many unanswered at a time; says when all are
  /// answered.
  ///
  /// Looked at in each turn, and so as soon as an answer came: as the clients of peers are.
  private func beginKeepAlives(underWay: Int) {
    let before = loop.keepAlivesHeard
    var asked = 0
    var next = 0
    loop.watchTurns { [self] loop in
      let heard = loop.keepAlivesHeard - before
      while next < ledger.clients.count, asked - heard < underWay {
        asked += loop.flood(ledger.clients[next], keepAlives: 1)
        next += 1
      }
      if next < ledger.clients.count || heard < asked { return true }
      say(ControlLine("keep-alives", ["heard": String(heard)]))
      return false
    }
  }

  /// Lets no session answer a push from here on, or all of them again; says that it is so.
  private func ignorePushes(_ ignores: Bool) {
    loop.ignoresPushes = ignores
    say(ControlLine("ignore-pushes"))
  }

  /// Sends some away ten times a second.
  private func leave() {
    guard churn.perSecond > 0, !ledger.clients.isEmpty else { return }
    var left = max(1, churn.perSecond / 10)
    var looked = 0
    while left > 0, looked < ledger.clients.count {
      let number = nextToLeave % ledger.clients.count
      nextToLeave += 1
      looked += 1
      guard ledger.sessions[number].isOnline else { continue }
      left -= 1
      ledger.expectEnd(of: number, as: .rests)
      loop.rest(ledger.clients[number], milliseconds: UInt64(max(1, churn.restMilliseconds)))
    }
    let pause = churn.perSecond < 10 ? 1_000 / UInt64(churn.perSecond) : 100
    loop.call(afterMilliseconds: pause) { [unowned self] _ in leave() }
  }

  /// So many sessions read no more, the others do.
  private func deafen(_ count: Int) {
    let deaf = Set(chosen(count))
    for (number, client) in ledger.clients.enumerated() {
      loop.setReading(client, !deaf.contains(number))
    }
    ledger.tally[.deaf] = deaf.count
  }

  /// Lets the flooders send what their queues take, a hundred times a second.
  private func flood() {
    guard flooders > 0 else { return }
    for number in chosen(flooders) {
      ledger.tally[.flooded] += loop.flood(ledger.clients[number], keepAlives: 64)
    }
    loop.call(afterMilliseconds: 10) { [unowned self] _ in flood() }
  }

  private func halfOpen(_ count: Int) {
    if crowd == nil, count > 0 { crowd = try? makeCrowd() }
    crowd?.hold(count)
  }

  private func tellFirst(_ line: ControlLine) {
    guard let task = line["id"].flatMap({ TaskID($0) }) else { return }
    let first = ledger.firstReceipt(of: task).map { String($0) } ?? "none"
    say(ControlLine("first", ["at": first]))
  }

  private func tellLatency(_ line: ControlLine) {
    guard let task = line["id"].flatMap({ TaskID($0) }) else { return }
    let histogram = ledger.latency(
      of: task, from: UInt64(max(0, line.number("zero"))), onlineBefore: line.number("quiet") == 1)
    say(ControlLine("latency", ["times": histogram.text]))
  }

  private func tellComebacks(_ line: ControlLine) {
    let zero = UInt64(max(0, line.number("zero")))
    let begun = line["begun"].flatMap { UInt64($0) } ?? zero
    let (ended, back) = ledger.comebacks(since: zero, from: begun)
    say(ControlLine("comebacks", ["ended": String(ended), "times": back.text]))
  }
}
