// The readers of the peers' protocols: what servers send, in one piece and in all pieces, and what
// they must not send.
import Testing

@testable import SwarmPeers

private func step(_ dialect: PeerDialect, _ bytes: [UInt8]) -> PeerStep {
  dialect.next(in: bytes.span)
}

private func step(_ dialect: PeerDialect, _ text: String) -> PeerStep {
  step(dialect, Array(text.utf8))
}

/// A well-formed answer of each kind, with what it means.
private let samples: [(dialect: PeerDialect, bytes: [UInt8], event: PeerEvent)] = [
  (.mqtt, [0x20, 2, 0, 0], .ignored),
  (.mqtt, [0x20, 2, 0, 5], .refused("CONNACK 5")),
  (.mqtt, [0x90, 3, 0, 1, 0], .subscribed),
  (.mqtt, [0x90, 3, 0, 1, 0x80], .refused("SUBACK 128")),
  (.mqtt, [0xD0, 0], .keepAliveAnswered),
  (.nats, Array("INFO {\"tls_required\":true}\r\n".utf8), .greeted),
  (.nats, Array("PING\r\n".utf8), .keepAliveAsked),
  (.nats, Array("PONG\r\n".utf8), .keepAliveAnswered),
  (.nats, Array("+OK\r\n".utf8), .ignored),
  (.nats, Array("-ERR 'Stale Connection'\r\n".utf8), .refused("'Stale Connection'")),
  (
    .nats, Array("MSG bgb.push 1 8\r\n\0\0\0\0\0\0\u{1}\u{2}\r\n".utf8),
    .delivered(.push, number: 258)
  ),
  (.nats, Array("MSG bgb.acks 1 9\r\n\0\0\0\0\0\0\0\u{3}x\r\n".utf8), .delivered(.ack, number: 3)),
  (
    .http, Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".utf8), .keepAliveAnswered
  ),
  (
    .http, Array("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".utf8), .refused("HTTP 503")
  ),
  (.floor, [0x4B, 0, 0, 4], .keepAliveAnswered),
  (.floor, [0x50, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 7], .delivered(.push, number: 7)),
  (.floor, [0x41, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 8], .delivered(.ack, number: 8)),
]

@Suite("Readers of the peers' protocols")
struct PeerDialectTests {
  @Test("each answer is read whole, and no beginning of it is read as anything")
  func answers() {
    for sample in samples {
      for count in 0..<sample.bytes.count {
        #expect(
          step(sample.dialect, Array(sample.bytes[..<count])) == .needsMore,
          "\(sample.dialect), \(count) bytes of \(sample.bytes)")
      }
      #expect(
        step(sample.dialect, sample.bytes) == .event(sample.event, bytes: sample.bytes.count),
        "\(sample.dialect), \(sample.bytes)")
    }
  }

  @Test("what follows an answer is left alone", arguments: [PeerDialect.mqtt, .nats, .floor])
  func following(_ dialect: PeerDialect) {
    for sample in samples where sample.dialect == dialect {
      let expected = PeerStep.event(sample.event, bytes: sample.bytes.count)
      #expect(step(dialect, sample.bytes + sample.bytes) == expected)
      #expect(step(dialect, sample.bytes + [0xFF]) == expected)
    }
  }

  @Test("an HTTP answer that nobody asked for ends the connection")
  func unasked() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    #expect(step(.http, answer + answer) == .malformed)
    #expect(
      step(.http, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n") == .malformed
    )
  }

  @Test(
    "what a broker must not send is malformed",
    arguments: [
      [0x00], [0x10, 0], [0x31, 0], [0x32, 0], [0xE0, 0], [0xD0, 1, 0],
      [0x20, 1, 0], [0x20, 2, 2, 0], [0x20, 2, 0, 6], [0x90, 2, 0, 1], [0x90, 3, 0, 1, 1],
      [0x30, 0], [0x30, 1, 0], [0x30, 3, 0, 9, 1], [0x30, 4, 0xFF, 0xFF, 1, 1],
      // A length of five bytes, and one that is longer than we read.
      [0x30, 0x80, 0x80, 0x80, 0x80, 0x01], [0x30, 0xFF, 0xFF, 0xFF, 0x7F],
      // Our topic, and a payload too short for a number; and another topic.
      [0x30, 11, 0, 8, 0x62, 0x67, 0x62, 0x2F, 0x70, 0x75, 0x73, 0x68, 1],
      [0x30, 11, 0, 1, 0x62, 1, 2, 3, 4, 5, 6, 7, 8],
    ] as [[UInt8]])
  func malformedMQTT(_ bytes: [UInt8]) {
    #expect(step(.mqtt, bytes) == .malformed)
  }

  @Test(
    "what a NATS server must not send is malformed",
    arguments: [
      "X", "PINGS", "PING \r\n", "ping\r\n", "\r\n", "+OKAY\r\n", "INFO []\r\n", "INFO  {}\r\n",
      "MSG bgb.push 1\r\n", "MSG bgb.push 2 8\r\n12345678\r\n", "MSG bgb.other 1 8\r\n12345678\r\n",
      "MSG bgb.push 1 x\r\n", "MSG bgb.push 1 -1\r\n", "MSG bgb.push 1 \r\n",
      "MSG bgb.push 1 99999\r\n", "MSG bgb.push 1 9999999999\r\n",
      "MSG bgb.push 1 reply 8\r\n12345678\r\n", "MSG bgb.push 1 8\r\n12345678xx",
      "MSG bgb.push 1 7\r\n1234567\r\n", "MSG  bgb.push 1 8\r\n12345678\r\n",
    ])
  func malformedNATS(_ text: String) {
    #expect(step(.nats, text) == .malformed)
  }

  @Test("a control line of NATS has an end in time")
  func endlessLine() {
    let start = Array("INFO {".utf8)
    let filler = [UInt8](repeating: 0x20, count: NATS.lineBytesMax)
    #expect(step(.nats, start + filler[..<1_000]) == .needsMore)
    #expect(step(.nats, start + filler) == .malformed)
  }

  @Test(
    "what is no frame of the floor is malformed",
    arguments: [
      [0x00], [0x4B, 1, 0, 4], [0x4B, 0, 0, 3], [0x4B, 0, 0x10, 1],
      [0x50, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0],
    ] as [[UInt8]])
  func malformedFloor(_ bytes: [UInt8]) {
    #expect(step(.floor, bytes) == .malformed)
  }

  @Test("no bytes trap a reader, and none is read beyond its end", arguments: PeerDialect.allCases)
  func survival(_ dialect: PeerDialect) {
    var state: UInt64 = 88_172_645_463_325_252
    func random() -> UInt64 {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return state
    }
    let seeds = samples.filter { $0.dialect == dialect }
    for _ in 0..<5_000 {
      var bytes = seeds[Int(random() % UInt64(seeds.count))].bytes
      for _ in 0...(random() % 3) {
        bytes[Int(random() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random())
      }
      if case .event(_, let count) = step(dialect, bytes) {
        #expect(count > 0 && count <= bytes.count)
      }
    }
  }

  @Test("what a client writes")
  func written() {
    #expect(
      MQTT.connect(clientID: "bgb-7", keepAliveSeconds: 900)
        == [0x10, 17, 0, 4] + Array("MQTT".utf8) + [4, 2, 3, 0x84, 0, 5] + Array("bgb-7".utf8))
    #expect(
      MQTT.subscribe(to: .push, identifier: 1)
        == [0x82, 13, 0, 1, 0, 8] + Array("bgb/push".utf8) + [0])
    #expect(NATS.subscribe(to: .ack) == Array("SUB bgb.acks 1\r\n".utf8))
    let message = PeerDialect.nats.message(.push, number: 5, bytes: 200)
    #expect(message.starts(with: Array("PUB bgb.push 200\r\n".utf8)))
    #expect(message.count == 18 + 200 + 2)
  }

  @Test(
    "a message of MQTT and of the floor is read as it was written", arguments: [8, 100, 200, 3_000])
  func roundTrip(_ bytes: Int) {
    for dialect in [PeerDialect.mqtt, .floor] {
      for subject in [PeerSubject.push, .ack] {
        let message = dialect.message(subject, number: 1 << 60 + 9, bytes: bytes)
        #expect(
          step(dialect, message)
            == .event(.delivered(subject, number: 1 << 60 + 9), bytes: message.count))
      }
    }
  }
}
