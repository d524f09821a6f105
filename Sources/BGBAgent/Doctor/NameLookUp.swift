// Looking a name up with a deadline: the resolver blocks for as long as it likes, so it does that
// on a thread of its own, which is left behind when the time is over. And what the attempts to
// connect to the addresses of one name mean together.

import HTTPClient
import Reactor

/// Looks names up.
enum NameLookUp {
  /// What a look-up came to.
  enum Answer: Equatable, Sendable {
    case found([SocketAddress])
    case fault(String)
    case timedOut
  }

  /// The addresses of a host, best first.
  static func addresses(_ host: String, _ port: UInt16, until deadline: Ticks) -> Answer {
    do throws(Errno) {
      let mailbox = try Mailbox<Answer>()
      _ = try KernelThread.start(name: "resolve") {
        do throws(ResolveError) {
          mailbox.post(.found(try SocketAddress.resolve(host: host, port: port)))
        } catch {
          mailbox.post(.fault(error.description))
        }
      }
      let poller = try Poller()
      let ready = ReadyList(capacity: 1)
      try poller.add(mailbox.bell.fd, .bell, .readable)
      var answers: [Answer] = []
      while mailbox.takeAll(into: &answers) == 0 {
        let left = deadline.since(MonotonicClock.now())
        guard left > 0 else { return .timedOut }
        _ = try poller.wait(into: ready, timeoutMilliseconds: Int32(clamping: left))
      }
      return answers[0]
    } catch {
      return .fault(error.description)
    }
  }
}

/// What became of connecting to one of a name's addresses.
struct ConnectAttempt: Equatable {
  var address: String
  var milliseconds: UInt64
  /// Nil for a connection.
  var problem: ConnectProblem?

  /// What the attempts mean together.
  ///
  /// An agent goes to the next address only when the kernel refuses the one before at once. A dead
  /// address behind one that works does no harm; before it, it keeps the agent off.
  static func verdicts(
    _ attempts: [ConnectAttempt], timeoutMilliseconds: UInt64
  ) -> [DoctorVerdict] {
    let firstGood = attempts.firstIndex { $0.problem == nil }
    return attempts.enumerated().map { index, attempt in
      let address = attempt.address
      let words: String
      switch attempt.problem {
      case nil: return .ok("\(address) answers")
      case .refused(let error, let atOnce):
        words = DoctorWords.unreachable(address, error)
        if let firstGood, atOnce || index > firstGood { return .warning(words) }
      case .timedOut:
        words = DoctorWords.connectTimedOut(address, milliseconds: timeoutMilliseconds)
        if let firstGood, index > firstGood { return .warning(words) }
      }
      return .failed(.tcp, words)
    }
  }
}
