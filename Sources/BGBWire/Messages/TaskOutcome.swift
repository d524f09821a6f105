// Body of TaskOutcome: push 8, sequence 8, task id 16, state 1, code 4, when 8, text.

import BGBModel

extension OutcomeReport {
  func encode(into writer: inout ByteWriter) {
    writer.integer(pushID)
    writer.numbered(outcome, sequence)
  }

  init(from reader: inout ByteReader) throws(CodingError) {
    pushID = try reader.integer()
    (sequence, outcome) = try reader.numberedOutcome()
    guard outcome.state.isAgents, sequence > 0 else { throw .badValue }
  }
}

extension TaskState {
  /// Whether an agent may say this of a task: all but what only the server or the site can know.
  var isAgents: Bool {
    switch self {
    case .queued, .pushed: false
    case .delivered, .started, .deferred, .succeeded, .failed, .expired, .cancelled, .rejected,
      .unknown:
      true
    }
  }
}
