// Body of TaskOutcome: push 8, sequence 8, task id 16, state 1, code 4, when 8, text.

import BGBModel

extension OutcomeReport {
  func encode(into writer: inout ByteWriter) {
    writer.integer(pushID)
    writer.integer(sequence)
    writer.bits128(outcome.taskID.bits)
    writer.integer(outcome.state.rawValue)
    writer.signed32(outcome.code)
    writer.wallTime(outcome.at)
    writer.text(outcome.text, limit: Limits.outcomeTextBytesMax)
  }

  init(from reader: inout ByteReader) throws(CodingError) {
    pushID = try reader.integer()
    sequence = try reader.integer()
    let taskID = TaskID(try reader.bits128())
    guard let state = TaskState(rawValue: try reader.integer()), state.isAgents else {
      throw .badValue
    }
    let code = try reader.signed32()
    let at = try reader.wallTime()
    let text = try reader.text(limit: Limits.outcomeTextBytesMax)
    outcome = TaskOutcome(taskID: taskID, state: state, code: code, text: text, at: at)
    guard sequence > 0 else { throw .badValue }
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
