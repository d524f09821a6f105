// The HTTPS listener as such: deadlines of whole requests, a client's share of connections, what
// the server shows a client of itself.

import BGBModel
import BGBWire
import Reactor
import Testing
import Transports

@testable import BGBServer

struct ShardHTTPSTests {
  private func answer(_ harness: ShardHarness, _ peer: PollPeer, _ what: String) throws
    -> HTTPAnswer
  {
    let count = peer.answers.count
    try harness.turn(what) {
      peer.turn()
      return peer.answers.count > count
    }
    return peer.answers[count]
  }

  @Test func aWholeRequestHasTenSecondsHoweverItsBytesTrickle() throws {
    let harness = try ShardHarness()
    let peer = try PollPeer(harness, Sample.client(1))
    try harness.turn("the handshake") {
      peer.turn()
      return harness.shard.counters.handshakesFull == 1
    }
    for byte in Array("POST /bgb/l".utf8).dropLast(2) {
      peer.send([byte])
      peer.turn()
      try harness.pass(1_000)
      peer.turn()
      #expect(!peer.isClosed)
    }
    try harness.pass(1_000)
    try harness.turn("cut at ten seconds") {
      peer.turn()
      return peer.isClosed
    }
    #expect(harness.shard.connections.count == 0)
  }

  @Test func aSlowRequestBehindAHeldPollIsCutToo() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    session.poll()
    #expect(try session.settle() == 0)
    session.peer.send(Array("POST /bgb/continue HT".utf8))
    #expect(try session.settle() == 0)
    try harness.pass(9_999)
    session.peer.turn()
    #expect(!session.peer.isClosed)
    try harness.pass(1)
    try harness.turn("cut") {
      session.peer.turn()
      return session.peer.isClosed
    }
    #expect(session.isOnline, "the session waits for another connection")
  }

  @Test func halfARequestThatCameWithTheHeldOneIsCutToo() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    var bytes = "POST /bgb/continue HTTP/1.1\r\nHost: mp\r\n"
    for line in session.fields(session.sent) { bytes += line + "\r\n" }
    session.peer.send(Array((bytes + "\r\nPOST /bgb/cont").utf8))
    #expect(try session.settle() == 0)
    try harness.pass(9_999)
    session.peer.turn()
    #expect(!session.peer.isClosed)
    try harness.pass(1)
    try harness.turn("cut") {
      session.peer.turn()
      return session.peer.isClosed
    }
  }

  @Test func whoAsksAndDoesNotReadIsNotAnsweredWithoutEnd() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    let peer = session.peer
    let question = Array("GET /bgb/self HTTP/1.1\r\nHost: mp\r\n\r\n".utf8)
    for _ in 0..<2_000 { peer.send(question) }
    peer.reads = false
    try harness.turn("the server stops reading") {
      peer.turn()
      var isPaused = false
      harness.shard.connections.forEach { _, connection in
        if connection.requests != nil, !connection.channel.receives { isPaused = true }
      }
      return isPaused
    }
    let views = harness.shard.counters.views
    #expect(views < 2_000)
    var waiting = 0
    harness.shard.connections.forEach { _, one in waiting += one.channel.outboundCount }
    #expect(waiting <= Limits.outboundBytesMax + 4_096, "one answer beyond the bound at most")
    peer.reads = true
    try harness.turn("all are answered in the end") {
      peer.turn()
      return peer.answers.count == 2_001
    }
  }

  @Test func anAnswerThatIsStillGoingOutIsNotCutByTheNextRequestsDeadline() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    session.peer.get("/bgb/policy")
    try harness.turn("the question") {
      session.peer.turn()
      return !harness.policyQuestions.isEmpty
    }
    session.peer.reads = false
    let question = try #require(harness.policyQuestions.first)
    let body = [UInt8](repeating: 0x20, count: 900_000)
    harness.shardBox.post(.answer(question.token, HTTPResponse(status: 200, body: body)))
    try harness.settle()
    try harness.pass(12_000)
    session.peer.reads = true
    try harness.turn("the whole policy") {
      session.peer.turn()
      return session.peer.answers.count == 2
    }
    #expect(session.peer.answers[1].body.count == 900_000)
  }

  @Test func aConnectionWithoutARequestIsCutAfterTenSeconds() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    try harness.pass(10_000)
    try harness.turn("cut") {
      session.peer.turn()
      return session.peer.isClosed
    }
    #expect(session.isOnline)
  }

  @Test func aClientHasItsShareOfConnectionsAndTheOldestGoesFirst() throws {
    let harness = try ShardHarness()
    var peers: [PollPeer] = []
    let context = try harness.site.clientContext(Sample.client(1))
    for number in 1...Limits.httpConnectionsPerClientMax + 2 {
      let peer = try PollPeer(harness, Sample.client(1), context: context)
      peers.append(peer)
      try harness.turn("connection \(number)") {
        peers.forEach { $0.turn() }
        return harness.shard.counters.handshakesFull
          + harness.shard.counters.handshakesResumed == UInt64(number)
      }
    }
    try harness.turn("the two oldest are cut") {
      peers.forEach { $0.turn() }
      return peers.filter(\.isClosed).count == 2
    }
    #expect(peers[0].isClosed)
    #expect(peers[1].isClosed)
    #expect(harness.shard.connections.count == Limits.httpConnectionsPerClientMax)
    #expect(harness.shard.counters.httpCrowded == 2)
    let other = try PollPeer(harness, Sample.client(2))
    other.get("/bgb/self")
    #expect(try answer(harness, other, "another client is served").status == 200)
    for peer in peers { peer.cut() }
    other.cut()
    try harness.turn("all are gone") { harness.shard.connections.count == 0 }
    #expect(harness.shard.httpConnections.isEmpty)
  }

  @Test func aClientSeesWhatTheServerKnowsOfIt() throws {
    let harness = try ShardHarness()
    let peer = try PollPeer(harness, Sample.client(1))
    peer.get("/bgb/self")
    let offline = try answer(harness, peer, "a view")
    #expect(offline.status == 200)
    let text = String(decoding: offline.body, as: UTF8.self)
    #expect(text.hasPrefix("{\"clientID\":\"\(Sample.client(1))\",\"blocked\":false,"))
    #expect(text.contains("\"online\":false"))
    let session = try PollSession(harness, 1)
    harness.shardBox.post(.denyList([Sample.client(9)]))
    session.peer.get("/bgb/self")
    let online = try session.take(await: "a view of a session")
    let shown = String(decoding: online.body, as: UTF8.self)
    #expect(shown.contains("\"online\":true,\"channel\":\"https\",\"since\":\""))
    #expect(shown.contains("\"session\":\(session.number)"))
  }

  @Test func whoSomebodyIsComesFromTheCertificateAndWhereFromTheSocket() throws {
    let harness = try ShardHarness()
    let peer = try PollPeer(harness, Sample.client(1))
    let forged = [
      "X-Client-Cert: \(Sample.client(2))", "X-Forwarded-For: 192.0.2.66",
      "Forwarded: for=192.0.2.66", "X-Real-IP: 192.0.2.66", "Cookie: client=\(Sample.client(2))",
      "Authorization: Bearer \(Sample.client(2))", "BGB-Client: \(Sample.client(2))",
    ]
    for line in forged {
      peer.send(Array("GET /bgb/self HTTP/1.1\r\nHost: other\r\n\(line)\r\n\r\n".utf8))
      let text = String(decoding: try answer(harness, peer, "a view").body, as: UTF8.self)
      #expect(text.contains("\"clientID\":\"\(Sample.client(1))\""), "\(line)")
      #expect(text.contains("\"seenFrom\":\"127.0.0.1\""), "\(line)")
    }
  }

  @Test func aViewCanBeHeldToTryThePath() throws {
    let harness = try ShardHarness { $0.pollSeconds = 60 }
    let peer = try PollPeer(harness, Sample.client(1))
    peer.get("/bgb/self?hold=60")
    try harness.turn("held") {
      peer.turn()
      return harness.shard.counters.views == 1
    }
    try harness.pass(59_999)
    peer.turn()
    #expect(peer.answers.isEmpty)
    try harness.pass(1)
    #expect(try answer(harness, peer, "the view").status == 200)
    for query in ["hold=61", "hold=-1", "hold", "hold=1=2", "wait=3", "hold=99999"] {
      let odd = try PollPeer(harness, Sample.client(2))
      odd.get("/bgb/self?\(query)")
      #expect(try answer(harness, odd, "a refusal").status == 400, "\(query)")
    }
    peer.get("/bgb/self?hold=0")
    #expect(try answer(harness, peer, "at once").status == 200)
  }

  @Test(arguments: [
    ("GET /bgb/login HTTP/1.1", 405), ("POST /bgb/self HTTP/1.1", 405),
    ("POST /bgb/policy HTTP/1.1", 405), ("GET / HTTP/1.1", 404),
    ("GET /bgb/continue/x HTTP/1.1", 404), ("POST /bgb/continue HTTP/1.1", 400),
    ("DELETE /bgb/self HTTP/1.1", 501), ("GET /bgb/self HTTP/1.0", 505),
  ])
  func oddRequestsAreRefusedAndTheirConnectionEnds(_ line: String, _ status: Int) throws {
    let harness = try ShardHarness()
    let peer = try PollPeer(harness, Sample.client(1))
    peer.send(Array("\(line)\r\nHost: mp\r\n\r\n".utf8))
    #expect(try answer(harness, peer, "a refusal").status == UInt16(status))
    try harness.turn("the end") {
      peer.turn()
      return peer.isClosed
    }
    #expect(harness.shard.counters.httpRefused == 1)
  }

  @Test func aPolicyAndAPollShareAConnection() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    session.peer.get("/bgb/policy")
    session.poll()
    try harness.turn("the question") {
      session.peer.turn()
      return !harness.policyQuestions.isEmpty
    }
    let question = try #require(harness.policyQuestions.first)
    harness.shardBox.post(.answer(question.token, HTTPResponse(status: 200, body: [0x7B, 0x7D])))
    let policy = try session.take(await: "the policy")
    #expect(policy.body == [0x7B, 0x7D])
    #expect(try session.settle() == 0, "the poll behind it is held")
    #expect(harness.shard.counters.polls == 1)
  }
}
