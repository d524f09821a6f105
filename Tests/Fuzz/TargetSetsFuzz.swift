// Fuzz target: target sets. What is read must be sorted, found member by member, and written again
// byte for byte.

import BGBModel

/// The entry that libFuzzer calls.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzTargetSets(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
  guard let targets = try? TargetSet(decoding: bytes) else { return 0 }
  precondition(targets.encoded() == bytes, "a set has one encoding")
  precondition(TargetSet(targets.members) == targets, "members are sorted and unique")
  for (index, member) in targets.members.enumerated() {
    precondition(targets.index(of: member) == index, "members are found at their place")
  }
  return 0
}
