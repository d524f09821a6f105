// Our reader of requests against a real nginx, over the whole table and thousands of broken
// requests. Beside us: what we take, nginx takes as the same requests. In front of us: what nginx
// forwards as one request, we take as that one or not at all. We may always refuse more.

import Testing

@testable import Transports

@Suite("Differential with nginx", .enabled(if: Nginx.program != nil))
struct NginxDifferentialTests {
  private let folder = TemporaryFolder()
  private static let mutations = 3_000

  /// The table, then mutations with a fixed seed.
  private static func streams() -> [(name: String, bytes: [UInt8])] {
    var random = RequestMutations(seed: 3)
    return RequestCase.all.map { ($0.name, $0.bytes) }
      + (0..<mutations).map { ("mutation \($0)", random.next()) }
  }

  /// The bounds of ours, or wider, so that no refusal of nginx is one of size.
  private static let bounds = """
    default_type text/plain;
    keepalive_requests 1000000;
    client_header_buffer_size 16k;
    large_client_header_buffers 8 16k;
    client_body_buffer_size 128k;
    client_max_body_size 128k;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_ignore_client_abort on;
    proxy_next_upstream off;
    """

  /// The bytes of a refused table case may be a megabyte; to quote it, this much is enough.
  private func quoted(_ bytes: [UInt8]) -> String {
    String(decoding: bytes.prefix(400), as: UTF8.self).debugDescription
  }

  private func summary(_ requests: [SeenRequest]) -> String {
    "\(requests.count): \(requests.prefix(6))"
  }

  @Test func whatWeTakeNginxTakesAsTheSame() throws {
    // The outer server reads each body before it forwards, so that the inner one says how long it
    // really was, and not only what a header claimed.
    let nginx = try Nginx(
      """
      http {
        \(Nginx.httpPaths(folder))
        \(Self.bounds)
        upstream inner { server unix:\(folder.path)/inner max_fails=0; keepalive 4; }
        server { listen unix:\(folder.path)/outer; location / { proxy_pass http://inner; } }
        server {
          listen unix:\(folder.path)/inner;
          location / { return 200 "$request_method $request_uri $content_length"; }
        }
      }
      """, in: folder)
    var streams = 0
    var taken = 0
    var disagreements: [String] = []
    for (name, bytes) in Self.streams() {
      let ours = Reading(of: bytes)
      let answer = try dialogue(
        bytes, path: "\(folder.path)/outer", awaiting: ours.requests.count)
      let theirs = requestsSeen(in: answer)
      streams += 1
      taken += ours.requests.count
      // Behind our refusal nginx may read on; without one it must have seen as many as we.
      let agrees =
        ours.refusal == nil
        ? theirs == ours.requests : theirs.starts(with: ours.requests)
      if !agrees {
        disagreements.append(
          "\(name): \(quoted(bytes)); ours \(summary(ours.requests)), "
            + "nginx's \(summary(theirs)), \(quoted(answer))")
      }
    }
    withExtendedLifetime(nginx) {}
    print(
      "nginx beside: \(streams) streams, \(taken) requests taken by us,",
      "\(disagreements.count) disagreements")
    #expect(disagreements.isEmpty, "\(disagreements.prefix(8).joined(separator: "\n"))")
    #expect(taken > 2_000, "the mutations must not all be refused")
  }

  /// The requests that the inner server answered; the first answer that is no success ends them.
  private func requestsSeen(in answer: [UInt8]) -> [SeenRequest] {
    var reader = HTTPAnswerReader()
    var seen: [SeenRequest] = []
    var rest = answer[...]
    while !rest.isEmpty {
      let piece = Array(rest.prefix(16_384))
      rest = rest.dropFirst(piece.count)
      reader.append(piece.span)
      while let next = try? reader.next(), next.status == 200 {
        let words = String(decoding: next.body, as: UTF8.self)
          .split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3 else { break }
        let target = words[1].hasSuffix("?") ? words[1].dropLast() : words[1]
        seen.append(
          SeenRequest(
            method: String(words[0]), target: String(target), bodyBytes: Int(words[2]) ?? 0))
      }
    }
    return seen
  }

  @Test func whatNginxForwardsAsOneWeNeverTakeAsTwo() throws {
    let upstream = try ReaderBehindNginx(path: "\(folder.path)/ours")
    let nginx = try Nginx(
      """
      http {
        \(Nginx.httpPaths(folder))
        \(Self.bounds)
        upstream ours { server unix:\(folder.path)/ours max_fails=0; keepalive 4; }
        server {
          listen unix:\(folder.path)/front;
          location / {
            proxy_set_header Connection "";
            proxy_set_header X-Front-Request $request_id;
            proxy_set_header X-Front-Line "$request_method $request_uri";
            proxy_pass http://ours;
          }
        }
      }
      """, in: folder)
    var streams = 0
    var forwarded = 0
    var refused = 0
    var known: Set<String> = []
    var disagreements: [String] = []
    for (name, bytes) in Self.streams() {
      upstream.reset()
      let said = try? dialogue(
        bytes, path: "\(folder.path)/front", awaiting: Reading(of: bytes).requests.count,
        behind: upstream)
      let answer = try #require(said, "nginx waits for us: \(name): \(quoted(bytes))")
      streams += 1
      forwarded += upstream.requests.count
      refused += upstream.refused
      // Only nginx knows the number that it gives to each request: what is smuggled has none.
      let areAllNginxs = upstream.requests.allSatisfy { request in
        guard let number = request["x-front-request"], known.insert(number).inserted else {
          return false
        }
        let seen = SeenRequest(request)
        return request["x-front-line"] == "\(seen.method) \(seen.target)"
          || request["x-front-line"] == "\(seen.method) \(seen.target)?"
      }
      if !areAllNginxs {
        disagreements.append(
          "\(name): \(quoted(bytes)); we took \(upstream.requests.map(SeenRequest.init)), nginx "
            + "answered \(quoted(answer))")
      }
    }
    withExtendedLifetime(nginx) {}
    print(
      "nginx in front: \(streams) streams, \(forwarded) requests forwarded and taken by us,",
      "\(refused) forwarded and refused, \(disagreements.count) disagreements")
    #expect(disagreements.isEmpty, "\(disagreements.prefix(8).joined(separator: "\n"))")
    #expect(forwarded > 2_000, "nginx must not have refused nearly all")
  }
}
