// Fuzz target: the agent's reader of answers. Any bytes, cut at a place that the first byte
// chooses, must give the same answers and the same fault as the whole; what is taken keeps the
// bounds.

import HTTP

private struct Reading: Equatable {
  var answers: [HTTPAnswer] = []
  var fault: HTTPAnswerFault?
  var isEmpty = true
}

private func read(_ pieces: [[UInt8]]) -> Reading {
  var reader = HTTPAnswerReader()
  var reading = Reading()
  for piece in pieces where reading.fault == nil {
    reader.append(piece.span)
    do throws(HTTPAnswerFault) {
      while let answer = try reader.next() { reading.answers.append(answer) }
    } catch {
      reading.fault = error
    }
  }
  reading.isEmpty = reader.isEmpty
  return reading
}

/// The entry that libFuzzer calls.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHTTPAnswers(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
  guard let first = bytes.first else { return 0 }
  let stream = Array(bytes.dropFirst())
  let step = Int(first) + 1
  let pieces = stride(from: 0, to: stream.count, by: step).map {
    Array(stream[$0..<min(stream.count, $0 + step)])
  }
  let whole = read([stream])
  precondition(whole == read(pieces), "pieces must not matter")
  let limits = HTTPLimits()
  for answer in whole.answers {
    precondition(answer.status >= 200, "no interim answer is taken")
    precondition(answer.status < 600, "a status has its range")
    precondition(answer.body.count <= limits.bodyBytesMax, "the body keeps its bound")
    precondition(answer.headers.count <= limits.headersMax, "the headers keep their bound")
    precondition(answer["transfer-encoding"] == nil, "no transfer coding is taken")
  }
  for answer in whole.answers.dropLast() {
    precondition(!answer.endsConnection, "nothing follows the last answer")
  }
  return 0
}
