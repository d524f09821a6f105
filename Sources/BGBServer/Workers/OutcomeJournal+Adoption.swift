// What a worker that is not started any more has left: outcomes that it confirmed to their agents
// and told in no report. The first worker takes them over when it starts, or they would be lost
// with a smaller number of workers.

import BGBModel
import Reactor

extension OutcomeJournal {
  /// Takes over what the journal in another folder holds, and empties it.
  ///
  /// Does nothing while a process uses that folder, or when there is none. Removed only after
  /// everything is durable here: after a crash in between it is taken over twice, and told twice,
  /// which the import sees.
  func adopt(_ other: String, into recovery: inout Recovery) throws(Errno) {
    guard let names = try? Folder.names(in: other).filter({ OutcomeJournal.number(of: $0) != nil }),
      !names.isEmpty, let lock = try ProcessLock.take("\(other)/lock")
    else { return }
    defer { withExtendedLifetime(lock) {} }
    var found = Recovery()
    for name in names {
      OutcomeJournal.replay(try Folder.read("\(other)/\(name)", limit: 1 << 30), into: &found)
    }
    if !found.records.isEmpty {
      try append(found.records)
      try sync()
    }
    for name in names { try Folder.remove("\(other)/\(name)") }
    try Folder.sync(other)
    recovery.records += found.records
    recovery.damaged += found.damaged
    recovery.torn += found.torn
  }
}
