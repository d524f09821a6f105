// One message of each kind with its golden bytes. The hexadecimal was made by a program that shares
// no code with ours, from docs/PROTOCOL.md; the same lines stand there, and a test compares.

import BGBModel
import BGBWire
import Testing

/// A message and the bytes that it must have, for ever.
struct WireSample: Sendable, CustomTestStringConvertible {
  var message: Message
  var hex: String
  var testDescription: String { "\(message.kind)" }
  var frame: [UInt8] { bytes(hex) }
  var body: [UInt8] { Array(frame.dropFirst(4)) }
}

let clock = WallTime(milliseconds: 1_795_456_800_123)
let client = ClientID(Bits128(high: 0x0123_4567_89ab_4cde, low: 0x8f01_2345_6789_abcd))
let task = TaskID(Bits128(high: 0xfedc_ba98_7654_4321, low: 0x8fed_cba9_8765_4321))
let pushed = PushTask(
  pushID: 9, serverTime: clock,
  task: SignedTask(statement: Array(1...12), signature: Array(repeating: 0x5a, count: 64)),
  leafIndex: 2,
  path: MerklePath(
    bytes: Array(repeating: 0xa1, count: 32) + Array(repeating: 0xb2, count: 32)))

let samples: [WireSample] = [
  WireSample(
    message: .signIn(
      SignIn(
        version: 1, clientID: client, incarnation: 0x1122_3344_5566_7788, previousSession: 41,
        outcomesStored: 7, clock: clock,
        facts: ClientFacts(
          hostname: "pc-7.example", operatingSystem: "Debian 12", agentVersion: "bgb-agent 1.0",
          addresses: ["192.0.2.7", "2001:db8::7"]))),
    hex: """
      0100007300010123456789ab4cde8f0123456789abcd112233445566778800000000000000290000000000000007\
      000001a20990957b000c70632d372e6578616d706c65000944656269616e203132000d6267622d6167656e742031\
      2e300200093139322e302e322e37000b323030313a6462383a3a37
      """),
  WireSample(
    message: .welcome(
      Welcome(
        version: 1, serverID: ServerID(3), session: 42, serverTime: clock, keepAliveSeconds: 900,
        crashWindowSeconds: 60, policyURL: "https://mp1.example:8443")),
    hex: """
      02000038000100000003000000000000002a000001a20990957b000003840000003c001868747470733a2f2f6d70\
      312e6578616d706c653a38343433
      """),
  WireSample(message: .keepAlive(KeepAlive(clock: clock)), hex: "03000008000001a20990957b"),
  WireSample(
    message: .reconnectIdentity(
      ReconnectIdentity(
        identity: Array("AQ-x_9".utf8), key: Array(repeating: 0xc3, count: 32),
        lifeSeconds: 86_400)),
    hex: """
      0500002c000641512d785f39c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c300\
      015180
      """),
  WireSample(
    message: .pushTask(pushed),
    hex: """
      100000a50000000000000009000001a20990957b000c0102030405060708090a0b0c00405a5a5a5a5a5a5a5a5a5a\
      5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\
      5a5a5a5a5a5a5a5a0000000202a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1b2\
      b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2
      """),
  WireSample(
    message: .taskAck(TaskAck(pushID: 9, taskID: task)),
    hex: "110000180000000000000009fedcba98765443218fedcba987654321"),
  WireSample(
    message: .taskOutcome(
      OutcomeReport(
        pushID: 9, sequence: 8,
        outcome: TaskOutcome(
          taskID: task, state: .failed, code: -2, text: "clamd: größer", at: clock))),
    hex: """
      1200003e00000000000000090000000000000008fedcba98765443218fedcba98765432106fffffffe000001a209\
      90957b000f636c616d643a206772c3b6c39f6572
      """),
  WireSample(message: .outcomeStored(OutcomeStored(upTo: 8)), hex: "130000080000000000000008"),
  WireSample(
    message: .cancelTask(CancelTask(taskID: task)),
    hex: "14000010fedcba98765443218fedcba987654321"),
  WireSample(
    message: .liveData(
      LiveData([
        LiveData.Value(name: "addresses", text: "192.0.2.8"),
        LiveData.Value(name: "battery", text: ""),
      ])),
    hex: "2000002202000961646472657373657300093139322e302e322e380007626174746572790000"),
  WireSample(message: .goodbye(Goodbye(reason: "stopped")), hex: "30000009000773746f70706564"),
  WireSample(
    message: .reconnect(
      Reconnect(address: "mp2.example:10123", afterMilliseconds: 5000, reason: "maintenance")),
    hex: """
      3100002400116d70322e6578616d706c653a313031323300001388000b6d61696e74656e616e6365
      """),
  WireSample(
    message: .refused(Refused(code: 13, retryAfterMilliseconds: 30_000, reason: "full")),
    hex: "3200000c000d00007530000466756c6c"),
]

/// The sign-in of the samples with everything that is optional.
let signInOverHTTPS: WireSample = {
  var message = samples[0].message
  if case .signIn(var signIn) = message {
    signIn.fallback = .timedOut
    message = .signIn(signIn)
  }
  return WireSample(
    message: message,
    hex: """
      0100007800010123456789ab4cde8f0123456789abcd112233445566778800000000000000290000000000000007\
      000001a20990957b000c70632d372e6578616d706c65000944656269616e203132000d6267622d6167656e742031\
      2e300200093139322e302e322e37000b323030313a6462383a3a370001000101
      """)
}()

/// The sign-in of the samples of an agent that takes reconnect identities.
let signInTakingIdentities: WireSample = {
  var message = samples[0].message
  if case .signIn(var signIn) = message {
    signIn.takesReconnect = true
    message = .signIn(signIn)
  }
  return WireSample(
    message: message,
    hex: """
      0100007800010123456789ab4cde8f0123456789abcd112233445566778800000000000000290000000000000007\
      000001a20990957b000c70632d372e6578616d706c65000944656269616e203132000d6267622d6167656e742031\
      2e300200093139322e302e322e37000b323030313a6462383a3a370002000101
      """)
}()

/// The sign-in of the samples of an agent for which two tasks are over.
let signInAfterTasks: WireSample = {
  var message = samples[0].message
  if case .signIn(var signIn) = message {
    signIn.endedTasks = [
      TaskID(Bits128(high: 1, low: 2)), TaskID(Bits128(high: 0xff, low: 0xfe)),
    ]
    message = .signIn(signIn)
  }
  return WireSample(
    message: message,
    hex: """
      0100009700010123456789ab4cde8f0123456789abcd112233445566778800000000000000290000000000000007\
      000001a20990957b000c70632d372e6578616d706c65000944656269616e203132000d6267622d6167656e742031\
      2e300200093139322e302e322e37000b323030313a6462383a3a3700030020000000000000000100000000000000\
      0200000000000000ff00000000000000fe
      """)
}()

/// The bytes of hexadecimal text.
func bytes(_ hex: String) -> [UInt8] {
  let digits = hex.utf8.compactMap { UInt8(String(UnicodeScalar($0)), radix: 16) }
  return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// The hexadecimal text of bytes.
func hex(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

/// A frame of any kind, flags and body, whatever they mean.
func frame(_ kind: UInt8, flags: UInt8 = 0, _ body: [UInt8]) -> [UInt8] {
  [kind, flags, UInt8(body.count >> 8), UInt8(body.count & 0xFF)] + body
}

/// A source of randomness that gives the same numbers for the same seed (SplitMix64).
struct Seeded: RandomNumberGenerator {
  var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
