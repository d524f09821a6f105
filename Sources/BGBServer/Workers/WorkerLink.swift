// One end of the socket between the supervisor and a worker, in the loop of its owner. Its end is
// the news that counts most: a worker that reads it has lost its supervisor and ends in order, and
// the supervisor learns of a death before the kernel's signal.

import Reactor

/// One end of a link.
final class WorkerLink {
  /// What may wait for the other end before it counts as dead: some answers to `metrics`.
  private static let outboundBytesMax = 4 << 20

  /// The token by which a worker's loop knows the link.
  static let upward = Token.reserved(2)

  /// The token by which a supervisor's loop knows the link of its n-th worker, from 1 on.
  static func downward(_ number: Int) -> Token {
    .reserved(UInt8(truncatingIfNeeded: 64 + min(number, 64)))
  }

  private let descriptor: Descriptor
  private let token: Token
  private var reader = LinkReader()
  private var outbound: [UInt8] = []
  private var isWaitingToWrite = false
  /// Whether the other end is gone, or no partner any more.
  private(set) var isOver = false

  /// Takes an end over and watches it.
  init(_ descriptor: consuming Descriptor, _ token: Token, in poller: Poller) throws(Errno) {
    try poller.add(descriptor.raw, token, .readable)
    self.descriptor = descriptor
    self.token = token
  }

  /// Reads what has come; complete messages in their order.
  func receive() -> [LinkMessage] {
    var messages: [LinkMessage] = []
    var room = [UInt8](repeating: 0, count: 16_384)
    reading: while !isOver {
      switch StreamSocket.read(descriptor.raw, into: &room) {
      case .moved(let count): reader.append(room.span.extracting(0..<count))
      case .wouldBlock: break reading
      case .ended, .failed: isOver = true
      }
      while let message = reader.next() { messages.append(message) }
      if reader.isBroken { isOver = true }
    }
    return messages
  }

  /// Queues a message and sends what goes at once.
  func send(_ message: LinkMessage, _ poller: Poller) {
    guard !isOver else { return }
    outbound += message.bytes
    guard outbound.count <= WorkerLink.outboundBytesMax else {
      isOver = true
      return
    }
    flush(poller)
  }

  /// Sends what the socket takes now, and asks to be told when it takes more.
  func flush(_ poller: Poller) {
    while !outbound.isEmpty, !isOver {
      switch StreamSocket.write(descriptor.raw, outbound.span) {
      case .moved(let count): outbound.removeFirst(count)
      case .wouldBlock:
        if !isWaitingToWrite { try? poller.modify(descriptor.raw, token, [.readable, .writable]) }
        isWaitingToWrite = true
        return
      case .ended, .failed: isOver = true
      }
    }
    guard isWaitingToWrite else { return }
    isWaitingToWrite = false
    try? poller.modify(descriptor.raw, token, .readable)
  }

  /// Stops watching, before the end is closed with its owner.
  func leave(_ poller: Poller) { try? poller.remove(descriptor.raw) }
}

@available(*, unavailable)
extension WorkerLink: Sendable {}
