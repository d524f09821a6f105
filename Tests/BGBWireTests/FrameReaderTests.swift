// Whatever pieces a stream comes in, the same messages come out; and what must not be waited for is
// refused at once.

import BGBModel
import Testing

@testable import BGBWire

@Suite struct FrameReaderTests {
  static let stream: [UInt8] = samples.flatMap(\.frame)
  static let messages: [Message] = samples.map(\.message)

  private func drain(_ reader: inout FrameReader) throws(WireError) -> [Message] {
    var messages: [Message] = []
    while let message = try reader.next() { messages.append(message) }
    return messages
  }

  @Test func oneByteAtATime() throws {
    var reader = FrameReader()
    var messages: [Message] = []
    for byte in FrameReaderTests.stream {
      reader.append([byte])
      messages += try drain(&reader)
    }
    #expect(messages == FrameReaderTests.messages)
    #expect(reader.bufferedBytes == 0)
  }

  @Test func everySplitInTwo() throws {
    let stream = FrameReaderTests.stream
    for place in 0...stream.count {
      var reader = FrameReader()
      reader.append(Array(stream[..<place]))
      var messages = try drain(&reader)
      reader.append(Array(stream[place...]))
      messages += try drain(&reader)
      #expect(messages == FrameReaderTests.messages, "split at \(place)")
    }
  }

  @Test(arguments: 1...500) func randomSplits(_ seed: UInt64) throws {
    var generator = Seeded(seed)
    var expected: [Message] = []
    for _ in 0..<20 {
      expected.append(
        randomMessage(Int.random(in: samples.indices, using: &generator), &generator))
    }
    let stream = expected.flatMap { MessageCodec.encode($0) }
    var reader = FrameReader()
    var messages: [Message] = []
    var place = 0
    while place < stream.count {
      let step = Int.random(in: 1...Int.random(in: 1...2_000, using: &generator), using: &generator)
      let end = min(stream.count, place + step)
      let piece = Array(stream[place..<end])
      if Bool.random(using: &generator) { reader.append(piece) } else { reader.append(piece.span) }
      // Sometimes nobody asks before the next piece comes.
      if Bool.random(using: &generator) { messages += try drain(&reader) }
      place = end
    }
    messages += try drain(&reader)
    #expect(messages == expected)
    #expect(reader.bufferedBytes == 0)
  }

  @Test(arguments: samples) func waitsForEveryPrefix(_ sample: WireSample) throws {
    for count in 0..<sample.frame.count {
      var reader = FrameReader()
      reader.append(Array(sample.frame[..<count]))
      #expect(try reader.next() == nil)
      #expect(reader.bufferedBytes == count)
    }
  }

  @Test func bytesReturnedAreNotHeld() throws {
    var reader = FrameReader()
    reader.append(FrameReaderTests.stream + [0x03, 0, 0])
    #expect(try drain(&reader).count == samples.count)
    #expect(reader.bufferedBytes == 3)
  }

  @Test func headerIsJudgedBeforeTheBodyArrives() {
    let cases: [([UInt8], WireError)] = [
      ([0x03, 0, 0x0F, 0xFD], .tooLong), ([0x03, 0, 0xFF, 0xFF], .tooLong),
      ([0x04, 0, 0, 1], .unknownKind(4)), ([0x03, 0x80, 0, 8], .malformed(.badValue)),
    ]
    for (header, error) in cases {
      var reader = FrameReader(bodyBytesMax: 4_092)
      reader.append(header)
      #expect(throws: error) { try reader.next() }
    }
  }

  @Test func lengthAtTheLimitIsWaitedFor() throws {
    var reader = FrameReader(bodyBytesMax: 4_092)
    reader.append([0x03, 0, 0x0F, 0xFC])
    #expect(try reader.next() == nil)
  }

  @Test func theLimitCanBeRaisedAndNotLowered() throws {
    var reader = FrameReader(bodyBytesMax: 8)
    reader.raiseLimit(to: 4)
    reader.append(samples[2].frame)
    #expect(try reader.next() == samples[2].message)
    reader.raiseLimit(to: Limits.frameBodyBytesMax)
    reader.append(samples[0].frame)
    #expect(try reader.next() == samples[0].message)
  }

  @Test func failureLasts() {
    var reader = FrameReader()
    reader.append(samples[2].frame + [0xEE, 0, 0, 0])
    #expect(throws: Never.self) { try reader.next() }
    #expect(throws: WireError.unknownKind(0xEE)) { try reader.next() }
    reader.append(samples[2].frame)
    #expect(throws: WireError.unknownKind(0xEE)) { try reader.next() }
    #expect(reader.bufferedBytes == 0)
  }

  @Test func badBodyIsAFailureToo() {
    var reader = FrameReader()
    reader.append(frame(MessageKind.outcomeStored.rawValue, [1, 2, 3]))
    #expect(throws: WireError.malformed(.truncated)) { try reader.next() }
    #expect(throws: WireError.malformed(.truncated)) { try reader.next() }
  }
}

/// Whatever pieces a stream comes in, reading straight from them gives what collecting them gives.
@Suite struct DirectReadingTests {
  private func messages(_ pieces: [[UInt8]]) throws -> [Message] {
    var reader = FrameReader()
    var all: [Message] = []
    for piece in pieces {
      // A slice of a larger buffer, as a receive buffer hands out.
      var input = ([9, 9, 9] + piece + [8])[3..<3 + piece.count]
      while let message = try reader.next(from: &input) { all.append(message) }
      #expect(input.isEmpty)
    }
    return all
  }

  @Test func everyCutGivesTheSameMessages() throws {
    let sent: [Message] = [
      .keepAlive(KeepAlive(clock: clock)), .pushTask(pushed),
      .outcomeStored(OutcomeStored(upTo: 7)),
    ]
    let stream = sent.flatMap { MessageCodec.encode($0) }
    for first in 0...stream.count {
      #expect(try messages([Array(stream[..<first]), Array(stream[first...])]) == sent)
    }
    #expect(try messages(stream.map { [$0] }) == sent)
  }

  @Test func anErrorStaysAndNothingIsKept() {
    var reader = FrameReader()
    var input: ArraySlice<UInt8> = [0xEE, 0, 0, 0, 1, 2, 3]
    #expect(throws: WireError.unknownKind(0xEE)) { try reader.next(from: &input) }
    var more = MessageCodec.encode(.keepAlive(KeepAlive(clock: clock)))[...]
    #expect(throws: WireError.unknownKind(0xEE)) { try reader.next(from: &more) }
    #expect(reader.bufferedBytes == 0)
  }
}

@Suite struct PushTemplateTests {
  @Test func framesEqualTheCodecs() {
    let template = PushTemplate(task: pushed.task)
    let frame = template.frame(
      pushID: pushed.pushID, serverTime: pushed.serverTime, leafIndex: pushed.leafIndex,
      path: pushed.path)
    #expect(frame == MessageCodec.encode(.pushTask(pushed)))
    var writer = ByteWriter()
    for _ in 0..<2 {
      writer.clear()
      template.write(
        pushID: pushed.pushID, serverTime: pushed.serverTime, leafIndex: pushed.leafIndex,
        hashCount: pushed.path.count, into: &writer
      ) { writer in
        writer.raw(pushed.path.bytes)
      }
      #expect(writer.bytes == frame)
    }
  }

  @Test func singleTargetNeedsNoPath() throws {
    let frame = PushTemplate(task: pushed.task).frame(
      pushID: 1, serverTime: clock, leafIndex: 0, path: MerklePath(bytes: []))
    guard
      case .pushTask(let push) = try MessageCodec.decode(
        kind: frame[0], flags: frame[1], body: frame[4...])
    else {
      Issue.record("another kind")
      return
    }
    #expect(push.path.isEmpty)
    #expect(push.task == pushed.task)
  }

  @Test func pathIsCutAtItsLimit() throws {
    let frame = PushTemplate(task: pushed.task).frame(
      pushID: 1, serverTime: clock, leafIndex: 0,
      path: MerklePath(bytes: Array(repeating: 1, count: 32 * 40)))
    guard
      case .pushTask(let push) = try MessageCodec.decode(
        kind: frame[0], flags: frame[1], body: frame[4...])
    else {
      Issue.record("another kind")
      return
    }
    #expect(push.path.count == Limits.merklePathMax)
  }
}

@Suite struct WireErrorTests {
  @Test func everyErrorHasItsCloseCode() {
    #expect(WireError.unknownKind(4).closeCode == .unknownKind)
    #expect(WireError.tooLong.closeCode == .tooLong)
    #expect(WireError.wrongState.closeCode == .wrongState)
    for fault: CodingError in [.truncated, .trailingBytes, .badText, .badValue] {
      #expect(WireError.malformed(fault).closeCode == .malformed)
    }
  }

  @Test func kindsHaveTheDirectionsOfTheDocument() {
    let fromAgent: [MessageKind] = [.signIn, .taskAck, .taskOutcome, .liveData]
    let both: [MessageKind] = [.keepAlive, .goodbye]
    for kind in MessageKind.allCases {
      switch kind.direction {
      case .fromAgent: #expect(fromAgent.contains(kind))
      case .both: #expect(both.contains(kind))
      case .fromServer: #expect(!fromAgent.contains(kind) && !both.contains(kind))
      }
    }
  }
}
