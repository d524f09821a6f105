// records: what sealing and opening one record costs in a detached slot, beside SSL_write and
// SSL_read of OpenSSL on memory BIOs, in one run. The record layer has no public door, so this
// program is built from its sources.
//
//     swift run -c release --package-path Benchmarks/Micro records

import COpenSSL

/// Records in a row under the clock.
let batch = 64

/// Content of so many bytes.
func content(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) } }

/// One kind of work, and the nanoseconds a record in each round.
struct Work {
  let name: String
  /// Readies one batch, beside the clock.
  let prepare: () -> Void
  let run: () -> Void
  var rounds: [Double] = []
}

func measure(_ suite: CipherSuite, bytes: Int, connections: Int) {
  let whose = connections == 1 ? "one connection" : "\(connections) in turn"
  guard let ours = SlotPairs(suite, count: connections, bytes: bytes),
    let theirs = SSLPairs(suite, count: connections, bytes: bytes)
  else { preconditionFailure("OpenSSL has what it takes") }
  var works = [
    Work(name: "\(bytes) bytes, \(whose): seal", prepare: ours.rewind, run: ours.seal),
    Work(name: "  SSL_write", prepare: theirs.drain, run: theirs.write),
    Work(
      name: "\(bytes) bytes, \(whose): open",
      prepare: {
        ours.rewind()
        ours.seal()
      }, run: ours.open),
    Work(
      name: "  SSL_read",
      prepare: {
        theirs.drain()
        theirs.write()
      }, run: theirs.read),
  ]
  // In turn, so that a busy moment of the machine hits all alike.
  let batches = bytes > 1000 ? 4 : 40
  for _ in 0..<41 {
    for index in works.indices {
      var spent: UInt64 = 0
      for _ in 0..<batches {
        works[index].prepare()
        spent += cpuNanoseconds { works[index].run() }
      }
      works[index].rounds.append(Double(spent) / Double(batches * batch))
    }
  }
  for pair in [0, 2] {
    let figure = report(works[pair].name, works[pair].rounds)
    report(works[pair + 1].name, works[pair + 1].rounds, against: figure)
  }
}

printHeader()
for suite in CipherSuite.allCases {
  printTitle(suite.name)
  for bytes in [1, 200, 16_384] {
    for connections in [1, 64] { measure(suite, bytes: bytes, connections: connections) }
  }
}
