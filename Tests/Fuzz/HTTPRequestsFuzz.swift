// Fuzz target: the strict HTTP/1.1 subset. Any bytes, cut at a place that the first byte chooses,
// must give the same requests and the same refusal as the whole; what is accepted keeps the bounds.

import HTTP

private func read(_ pieces: [[UInt8]]) -> ([HTTPRequest], HTTPRefusal?) {
  var reader = HTTPRequestReader()
  var requests: [HTTPRequest] = []
  for piece in pieces {
    reader.append(piece.span)
    do throws(HTTPRefusal) {
      while let request = try reader.next() { requests.append(request) }
    } catch {
      return (requests, error)
    }
  }
  return (requests, nil)
}

/// The entry that libFuzzer calls.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHTTPRequests(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
  guard let first = bytes.first else { return 0 }
  let stream = Array(bytes.dropFirst())
  let step = Int(first) + 1
  let pieces = stride(from: 0, to: stream.count, by: step).map {
    Array(stream[$0..<min(stream.count, $0 + step)])
  }
  let whole = read([stream])
  let cut = read(pieces)
  precondition(whole.0 == cut.0, "pieces must not matter")
  precondition(whole.1 == cut.1, "pieces must not matter for the refusal")
  let limits = HTTPLimits()
  for request in whole.0 {
    precondition(request.body.count <= limits.bodyBytesMax, "the body keeps its bound")
    precondition(request.headers.count <= limits.headersMax, "the headers keep their bound")
    precondition(request.path.hasPrefix("/"), "a path begins with a slash")
    precondition(request["transfer-encoding"] == nil, "no transfer coding is accepted")
  }
  return 0
}
