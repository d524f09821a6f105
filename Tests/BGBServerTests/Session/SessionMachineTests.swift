// Every message in every state: the matrix of DESIGN part 6 and FAULTS W4, written as a table here
// and as a switch in the code, so that the two must agree.

import BGBModel
import BGBWire
import Testing

@testable import BGBServer

struct SessionMachineTests {
  private static let task = Sample.task(1)

  /// One message of each kind; a new kind does not compile until it has one.
  private static func message(_ kind: MessageKind) -> Message {
    switch kind {
    case .signIn: .signIn(Sample.signIn(Sample.client(1)))
    case .welcome:
      .welcome(
        Welcome(
          version: 1, serverID: ServerID(1), session: 1, serverTime: Sample.start,
          keepAliveSeconds: 900, crashWindowSeconds: 60, policyURL: ""))
    case .keepAlive: .keepAlive(KeepAlive(clock: Sample.start))
    case .reconnectIdentity:
      .reconnectIdentity(ReconnectIdentity(identity: [1], key: [], lifeSeconds: 1))
    case .pushTask:
      .pushTask(
        PushTask(
          pushID: 1, serverTime: Sample.start, task: SignedTask(statement: [], signature: []),
          leafIndex: 0, path: MerklePath(bytes: [])))
    case .taskAck: .taskAck(TaskAck(pushID: 1, taskID: task))
    case .taskOutcome:
      .taskOutcome(
        OutcomeReport(
          pushID: 1, sequence: 1,
          outcome: TaskOutcome(taskID: task, state: .succeeded, at: Sample.start)))
    case .outcomeStored: .outcomeStored(OutcomeStored(upTo: 1))
    case .cancelTask: .cancelTask(CancelTask(taskID: task))
    case .liveData: .liveData(LiveData([]))
    case .goodbye: .goodbye(Goodbye(reason: "end"))
    case .reconnect:
      .reconnect(Reconnect(address: "", afterMilliseconds: 0, reason: ""))
    case .refused: .refused(Refused(code: 1, retryAfterMilliseconds: 0, reason: ""))
    }
  }

  private static func machine(in state: SessionState) -> SessionMachine {
    var machine = SessionMachine()
    switch state {
    case .awaitingSignIn: break
    case .open: machine.welcomed()
    case .ended: machine.end()
    }
    return machine
  }

  @Test(arguments: SessionState.allCases, MessageKind.allCases)
  func onlyAllowedCellsPass(_ state: SessionState, _ kind: MessageKind) {
    var machine = SessionMachineTests.machine(in: state)
    let step = machine.receive(SessionMachineTests.message(kind))
    let allowed: Set<MessageKind>
    switch state {
    case .awaitingSignIn: allowed = [.signIn, .goodbye]
    case .open: allowed = [.keepAlive, .taskAck, .taskOutcome, .liveData, .goodbye]
    case .ended: allowed = []
    }
    if allowed.contains(kind) {
      #expect(step != .refuse(.wrongState))
    } else {
      #expect(step == .refuse(.wrongState))
    }
  }

  @Test func serverOnlyKindsAreNeverBelieved() {
    for kind in MessageKind.allCases where kind.direction == .fromServer {
      for state in SessionState.allCases {
        var machine = SessionMachineTests.machine(in: state)
        let answer1 = machine.receive(SessionMachineTests.message(kind))
        #expect(answer1 == .refuse(.wrongState))
      }
    }
  }

  @Test func nothingIsBelievedAfterGoodbye() {
    var machine = SessionMachineTests.machine(in: .open)
    let answer2 = machine.receive(.goodbye(Goodbye(reason: "off")))
    #expect(answer2 == .goodbye("off"))
    #expect(machine.state == .ended)
    let answer3 = machine.receive(.keepAlive(KeepAlive(clock: Sample.start)))
    #expect(answer3 == .refuse(.wrongState))
  }

  @Test func signInIsJudgedByVersionIdentityAndDenyList() {
    let me = Sample.client(1)
    #expect(SignInPolicy.refusal(of: Sample.signIn(me), certificate: me, isDenied: false) == nil)
    #expect(
      SignInPolicy.refusal(of: Sample.signIn(me, version: 0), certificate: me, isDenied: false)
        == .version)
    #expect(
      SignInPolicy.refusal(of: Sample.signIn(Sample.client(2)), certificate: me, isDenied: false)
        == .foreignIdentity)
    #expect(
      SignInPolicy.refusal(of: Sample.signIn(me), certificate: me, isDenied: true) == .blocked)
  }

  @Test func aNewerAgentIsNotRefusedForItsVersion() {
    let me = Sample.client(1)
    let newer = Sample.signIn(me, version: ProtocolVersion.current + 1)
    #expect(SignInPolicy.refusal(of: newer, certificate: me, isDenied: false) == nil)
  }
}
