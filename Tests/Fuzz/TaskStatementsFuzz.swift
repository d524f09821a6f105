// Fuzz target: signed statements. What is read must be written again byte for byte, and the checks
// of an agent (action, parameters) must survive any values.

import BGBModel

/// The entry that libFuzzer calls.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzTaskStatements(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
  if bytes.first != TaskStatement.domain.first { bytes = TaskStatement.domain + bytes }
  guard let statement = try? TaskStatement(decoding: bytes) else { return 0 }
  precondition(statement.encoded() == bytes, "a statement has one encoding")
  for action in ClientAction.allCases { try? statement.parameters.check(for: action) }
  _ = statement.notBefore.description
  _ = statement.startBefore.since(statement.notBefore)
  return 0
}
