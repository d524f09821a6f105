// micro: what the lower layers cost, per operation, beside libev and libuv at the same work.
//
//     swift run -c release micro [wheel|turn|letters|memory|frames|registry ...]

let wanted = Set(CommandLine.arguments.dropFirst())
let parts: [(name: String, run: () throws -> Void)] = [
  ("wheel", measureWheel), ("turn", measureTurns), ("letters", measureLetters),
  ("memory", measureMemory), ("frames", measureFrames),
  ("registry", measureRegistry),
]
printHeader()
for part in parts where wanted.isEmpty || wanted.contains(part.name) { try part.run() }
