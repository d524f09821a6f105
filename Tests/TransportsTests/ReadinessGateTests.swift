// The bookkeeping of who waits for what, without any socket.
import Reactor
import Testing

@testable import Transports

@Suite("Readiness gate")
struct ReadinessGateTests {
  @Test("Each operation wakes for what it asked, and for nothing else")
  func crossedDirections() {
    var gate = ReadinessGate()
    #expect(gate.wanted == .readable)
    #expect(!gate.mayFlush(on: .writable))
    gate.noteReceive(.wouldBlock(.writable))
    #expect(gate.wanted == .writable)
    #expect(!gate.mayReceive(on: .readable))
    #expect(gate.mayReceive(on: .writable))
    gate.noteFlush(.wouldBlock(.readable), isEmpty: false)
    #expect(gate.wanted == [.readable, .writable])
    #expect(gate.mayFlush(on: .readable))
    #expect(!gate.mayFlush(on: .writable))
    gate.noteReceive(.progressed(1))
    gate.noteFlush(.progressed(1), isEmpty: true)
    #expect(gate.wanted == .readable)
  }

  @Test("A handshake asks for one direction at a time")
  func handshake() {
    var gate = ReadinessGate()
    gate.noteHandshake(.wouldBlock(.writable))
    #expect(gate.wanted == .writable)
    gate.noteHandshake(.wouldBlock(.readable))
    #expect(gate.wanted == .readable)
    gate.noteHandshake(.done)
    #expect(gate.wanted == .readable)
  }

  @Test("A paused reader hears of death, but not of bytes")
  func paused() {
    var gate = ReadinessGate()
    gate.receives = false
    #expect(gate.wanted == [])
    #expect(!gate.mayReceive(on: .readable))
    #expect(gate.mayReceive(on: [.readable, .hangup]))
    #expect(gate.mayReceive(on: .error))
  }

  @Test("After the end only output is of interest")
  func ended() {
    var gate = ReadinessGate()
    gate.noteFlush(.wouldBlock(.writable), isEmpty: false)
    gate.noteReceive(.ended)
    #expect(gate.wanted == .writable)
    #expect(!gate.mayReceive(on: [.readable, .hangup]))
    #expect(gate.mayFlush(on: .hangup))
    gate.noteFlush(.failed(TransportError(.closed)), isEmpty: false)
    #expect(gate.wanted == [])
  }

  @Test("A flush that ran out of budget goes on as soon as there is room")
  func budget() {
    var gate = ReadinessGate()
    gate.noteFlush(.progressed(100), isEmpty: false)
    #expect(gate.wanted == [.readable, .writable])
    #expect(gate.mayFlush(on: .writable))
  }

  @Test("Epoll is told once, and again only of a change")
  func settle() throws {
    let (near, far) = socketPair()
    let mine = Descriptor(owning: near)
    let theirs = Descriptor(owning: far)
    let poller = try Poller()
    let ready = ReadyList(capacity: 2)
    let token = Token(generation: 3, index: 9)
    var gate = ReadinessGate()
    try gate.settle(poller, mine.raw, token)
    // Registered behind the gate's back: a second call would be refused, a change would show.
    try poller.modify(mine.raw, token, .writable)
    try gate.settle(poller, mine.raw, token)
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 0) == 1)
    gate.noteFlush(.wouldBlock(.writable), isEmpty: false)
    try gate.settle(poller, mine.raw, token)
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 0) == 1)
    gate.noteFlush(.progressed(1), isEmpty: true)
    try gate.settle(poller, mine.raw, token)
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 0) == 0)
    #expect(StreamSocket.write(theirs.raw, [1].span) == .moved(1))
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 0) == 1)
    #expect(ready[0].token == token)
  }
  @Test("Who tells what is left is watched for changes, in the state of rest alone")
  func onceEach() {
    var gate = ReadinessGate()
    gate.tellsWhatIsLeft = true
    #expect(gate.wanted == [.readable, .peerClosed, .onceEach])
    gate.noteFlush(.wouldBlock(.writable), isEmpty: false)
    #expect(gate.wanted == [.readable, .writable])
    gate.noteFlush(.progressed(1), isEmpty: true)
    gate.receives = false
    #expect(gate.wanted == [])
    gate.receives = true
    gate.noteReceive(.wouldBlock(.writable))
    #expect(gate.wanted == .writable)
    gate.noteReceive(.ended)
    #expect(gate.wanted == [])
  }

  @Test(
    "An end that shows once is remembered until it was read",
    arguments: [Readiness.peerClosed, .error, .hangup])
  func endNears(_ sign: Readiness) {
    var gate = ReadinessGate()
    gate.noteEvent([.readable, sign])
    #expect(!gate.endNears, "what is not watched so is told again")
    gate.tellsWhatIsLeft = true
    gate.noteEvent(.readable)
    #expect(!gate.endNears)
    gate.noteEvent([.readable, sign])
    #expect(gate.endNears)
    gate.noteReceive(.progressed(100))
    #expect(gate.endNears)
    gate.noteReceive(.wouldBlock(.readable), leaves: true)
    gate.noteReceive(.wouldBlock(.readable))
    #expect(gate.endNears, "half a record is nothing, and may stand before the end")
    gate.noteReceive(.wouldBlock(.readable))
    #expect(!gate.endNears, "nobody asks without end")
    gate.noteEvent([.readable, sign])
    gate.noteReceive(.ended)
    #expect(!gate.endNears)
    gate.noteEvent([.readable, sign])
    #expect(!gate.endNears)
  }
}
