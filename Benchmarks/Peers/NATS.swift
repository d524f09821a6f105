// NATS's text protocol as one subscriber and one publisher need it (docs.nats.io, "Client
// Protocol"). The server says INFO in clear, then TLS begins; releases before 2.10 know no other
// order.

enum NATS {
  /// The longest control line that is read; INFO carries a page of JSON.
  static let lineBytesMax = 32_768
  /// The longest payload that is read.
  static let payloadBytesMax = 65_536
  static let ping = Array("PING\r\n".utf8)
  static let pong = Array("PONG\r\n".utf8)

  /// What the server's lines begin with or consist of.
  private enum Words {
    static let message = Array("MSG".utf8)
    static let messageStart = Array("MSG ".utf8)
    static let ping = Array("PING".utf8)
    static let pong = Array("PONG".utf8)
    static let fine = Array("+OK".utf8)
    static let fineLine = Array("+OK\r\n".utf8)
    static let info = Array("INFO {".utf8)
    static let error = Array("-ERR ".utf8)
    static let push = Array("bgb.push".utf8)
    static let acks = Array("bgb.acks".utf8)
    static let subscription = Array("1".utf8)
  }

  private static func subject(_ subject: PeerSubject) -> String {
    String(decoding: subject == .push ? Words.push : Words.acks, as: UTF8.self)
  }

  // MARK: Written

  static func connect(name: String) -> [UInt8] {
    let options =
      #"{"verbose":false,"pedantic":false,"tls_required":true,"echo":false,"#
      + #""lang":"swift","version":"1","protocol":0,"name":"\#(name)"}"#
    return Array("CONNECT \(options)\r\n".utf8)
  }

  static func subscribe(to subject: PeerSubject) -> [UInt8] {
    Array("SUB \(self.subject(subject)) 1\r\n".utf8)
  }

  static func publish(_ payload: [UInt8], to subject: PeerSubject) -> [UInt8] {
    Array("PUB \(self.subject(subject)) \(payload.count)\r\n".utf8) + payload
      + Array("\r\n".utf8)
  }

  // MARK: Read

  static func next(in bytes: Span<UInt8>) -> PeerStep {
    guard bytes.count > 0 else { return .needsMore }
    guard let end = lineEnd(in: bytes) else {
      return bytes.count > lineBytesMax || !couldBegin(bytes) ? .malformed : .needsMore
    }
    let after = end + 2
    let line = bytes.extracting(0..<end)
    if matchesPrefix(line, at: 0, Words.messageStart) {
      return message(line, after: after, in: bytes)
    }
    if matches(line, 0..<end, Words.ping) { return .event(.keepAliveAsked, bytes: after) }
    if matches(line, 0..<end, Words.pong) { return .event(.keepAliveAnswered, bytes: after) }
    if matches(line, 0..<end, Words.fine) { return .event(.ignored, bytes: after) }
    if end > 5, matchesPrefix(line, at: 0, Words.info) { return .event(.greeted, bytes: after) }
    if end > 5, matchesPrefix(line, at: 0, Words.error) {
      var text: [UInt8] = []
      for index in 5..<min(end, 105) { text.append(line[index]) }
      return .event(.refused(String(decoding: text, as: UTF8.self)), bytes: after)
    }
    return .malformed
  }

  /// `MSG SUBJECT SID BYTES`, the payload and a line's end; we ask for no reply subject.
  private static func message(_ line: Span<UInt8>, after: Int, in bytes: Span<UInt8>) -> PeerStep {
    let words = words(of: line)
    guard words.count == 4, matches(line, words[0], Words.message),
      matches(line, words[2], Words.subscription),
      let length = number(line, words[3]), length <= payloadBytesMax
    else { return .malformed }
    let subject: PeerSubject
    if matches(line, words[1], Words.push) {
      subject = .push
    } else if matches(line, words[1], Words.acks) {
      subject = .ack
    } else {
      return .malformed
    }
    let end = after + length
    guard bytes.count >= end + 2 else { return .needsMore }
    guard bytes[end] == 0x0D, bytes[end + 1] == 0x0A,
      let number = PeerPayload.number(of: bytes.extracting(after..<end))
    else { return .malformed }
    return .event(.delivered(subject, number: number), bytes: end + 2)
  }

  /// Where the first line ends: the place of its CR.
  private static func lineEnd(in bytes: Span<UInt8>) -> Int? {
    var index = 1
    let limit = min(bytes.count, lineBytesMax + 2)
    while index < limit {
      if bytes[index] == 0x0A && bytes[index - 1] == 0x0D { return index - 1 }
      index += 1
    }
    return nil
  }

  /// Whether a line that has not ended may still become one that we know.
  private static func couldBegin(_ bytes: Span<UInt8>) -> Bool {
    matchesPrefix(bytes, at: 0, Words.messageStart) || matchesPrefix(bytes, at: 0, ping)
      || matchesPrefix(bytes, at: 0, pong) || matchesPrefix(bytes, at: 0, Words.info)
      || matchesPrefix(bytes, at: 0, Words.fineLine) || matchesPrefix(bytes, at: 0, Words.error)
  }

  /// The words between single blanks; more than five are not told apart.
  private static func words(of line: Span<UInt8>) -> [Range<Int>] {
    var words: [Range<Int>] = []
    var start = 0
    for index in 0..<line.count where line[index] == 0x20 {
      words.append(start..<index)
      start = index + 1
      if words.count > 4 { return words }
    }
    words.append(start..<line.count)
    return words
  }

  /// A decimal number of at most nine digits.
  private static func number(_ line: Span<UInt8>, _ range: Range<Int>) -> Int? {
    guard (1...9).contains(range.count) else { return nil }
    var value = 0
    for index in range {
      guard (0x30...0x39).contains(line[index]) else { return nil }
      value = value * 10 + Int(line[index] - 0x30)
    }
    return value
  }
}
