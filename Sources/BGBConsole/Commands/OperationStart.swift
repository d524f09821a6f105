// `bgb op start`: what is asked for, who would get it, the question, the start, and the way to its
// end.

import ArgumentParser
import BGBModel
import HTTPClient

/// Starts an operation.
struct OperationStart: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "start", abstract: "Start an operation on a collection or on single clients.",
    discussion: """
      Shows how many targets there are and how many are online now, and asks. Then follows the \
      operation to its end; Ctrl-C stops watching, not the operation. Targets that are offline get \
      it when they come online within the validity.

      Examples:
        bgb op start quick-scan --collection "All Systems"
        bgb op start download-computer-policy --client pc-17 --yes --wait delivered
        bgb op start exclude-path --param path=/srv/build --client pc-17
        bgb op start restart --collection Kiosks --spread 10m --validity 8h
        bgb op start full-scan --collection Finance --dry-run
        id=$(bgb op start quick-scan --collection Finance --yes --detach -q)

      The words of ConfigMgr's Invoke-CMClientAction work too, such as EndpointProtectionQuickScan.
      """)

  @Argument(help: "The action; see: bgb actions") var action: String
  @Option(help: "All members of this collection.") var collection: String?
  @Option(help: "This client, by name or id; may be repeated.") var client: [String] = []
  @Option(help: "A parameter of the action as name=value; may be repeated.") var param: [String] =
    []
  @Option(help: "How long it may be delivered.") var validity = "1h"
  @Option(help: "Clients start at random within this time.") var spread = "0"
  @Option(help: "Pushes a second at most; 0 for no limit.") var rate: Int64 = 0
  @Flag(help: "Print the id and do not follow.") var detach = false
  @Flag(help: "Show who would get it and start nothing.") var dryRun = false
  @Flag(name: [.short, .long], help: "Start without a question.") var yes = false
  @Option(
    help: "The number of targets, to start a destructive action on many without a question.")
  var confirmTargets: Int64?
  @Option(help: "Started twice with the same key, it begins once.") var idempotencyKey: String?
  @OptionGroup var waiting: WaitOptions
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    console.isQuiet = output.quiet
    let request = try StartRequest(
      action: action, collection: collection, clients: client, parameters: param,
      validity: validity, spread: spread, rate: rate)
    let client = site.client(console)
    let preview = try client.send(
      .post, "/v1/operations/preview", .members(["target": request.target]))
    let targets = preview["targets"].integer ?? 0
    let online = preview["online"].integer ?? 0
    if dryRun {
      let fields: [(title: String, text: String)] = [
        ("action", request.action.name), ("target", request.targetName),
        ("targets", String(targets)), ("online", String(online)),
      ]
      output.print(Sheet(fields: fields, item: preview, name: String(targets)), console)
      return targets == 0 ? .noTarget : .done
    }
    guard targets > 0 else {
      throw ConsoleError(
        .noTarget, "\(request.targetName) has no targets",
        hint: "See who is in it with: bgb collection members NAME")
    }
    try confirm(request, targets: targets, online: online, console)
    let item = try start(request, client, console)
    guard let operation = OperationStatus(item) else {
      throw ConsoleError(.failure, "the manager's answer is not an operation")
    }
    console.say(
      "operation \(operation.operationID) started: \(operation.title) on \(request.targetName), "
        + "\(NumberText.grouped(online)) online now of \(NumberText.grouped(targets)), "
        + "valid for \(NumberText.duration(seconds: request.validitySeconds))")
    let shown = OperationOutput(client: client, console: console, output: output)
    guard detach else { return try shown.follow(operation.operationID, waiting) }
    if output.format == .table {
      console.out(operation.operationID + "\n")
    } else {
      try shown.show(item)
    }
    return .done
  }

  private func confirm(
    _ request: StartRequest, targets: Int64, online: Int64, _ console: Console
  ) throws(ConsoleError) {
    let demand = StartConfirmation.demand(
      title: request.action.title, actionClass: request.action.actionClass,
      target: TerminalText.shown(request.targetName), targets: targets, online: online, yes: yes,
      confirmed: confirmTargets, canAsk: console.canAsk)
    switch demand {
    case .nothing: return
    case .refuse(let message, let hint): throw ConsoleError(.usage, message, hint: hint)
    case .yes(let question), .number(_, let question): console.talk(question)
    }
    guard StartConfirmation.isMet(demand, by: console.answer()) else {
      throw ConsoleError(.failure, "not started")
    }
  }

  /// Starts it; the key makes it safe to ask again when the answer was lost on the way.
  private func start(_ request: StartRequest, _ client: SiteClient, _ console: Console)
    throws(ConsoleError) -> JSONValue
  {
    var randomness = SystemRandomNumberGenerator()
    let key = idempotencyKey ?? Bits128(random: &randomness).text
    var attempt = 1
    while true {
      do {
        return try client.send(
          .post, "/v1/operations", request.body, headers: [(name: "Idempotency-Key", value: key)])
      } catch {
        guard error.status == .unreachable, attempt < 3 else { throw error }
        attempt += 1
        console.pause(1000)
      }
    }
  }
}
