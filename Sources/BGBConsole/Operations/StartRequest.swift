// The words of `bgb op start` turned into the API's request, checked against the table of actions
// here so that a misspelled parameter is told at once.

import BGBModel

/// What an operator asked for.
struct StartRequest: Hashable {
  var action: ClientAction
  var parameters: ActionParameters
  var target: JSONValue
  /// The target in words.
  var targetName: String
  var validitySeconds: Int64
  var spreadSeconds: Int64
  var ratePerSecond: Int64

  /// Reads the words; every fault is a usage error.
  init(
    action word: String, collection: String?, clients: [String], parameters: [String],
    validity: String, spread: String, rate: Int64
  ) throws(ConsoleError) {
    guard let action = ClientAction(named: word) else {
      let near = ClientAction.allCases.map(\.name).filter { $0.contains(word) || word.contains($0) }
      throw ConsoleError(
        .usage, "there is no action '\(word)'",
        hint: near.isEmpty ? "List them with: bgb actions" : "Did you mean \(near[0])?")
    }
    self.action = action
    var values: [ActionParameters.Value] = []
    for parameter in parameters {
      guard let sign = parameter.firstIndex(of: "="), sign != parameter.startIndex else {
        throw ConsoleError(.usage, "--param wants name=value, not '\(parameter)'")
      }
      values.append(
        ActionParameters.Value(
          name: String(parameter[..<sign]), text: String(parameter[parameter.index(after: sign)...])
        ))
    }
    self.parameters = ActionParameters(values)
    do { try self.parameters.check(for: action) } catch {
      let names = action.parameters.map { $0.name + ($0.isRequired ? "" : " (optional)") }
      throw ConsoleError(
        .usage, "\(error)",
        hint: names.isEmpty
          ? "\(action.name) takes no parameters."
          : "\(action.name) takes: \(names.joined(separator: ", "))")
    }
    switch (collection, clients.isEmpty) {
    case (let collection?, true):
      target = .members(["collection": .text(collection)])
      targetName = "'\(collection)'"
    case (nil, false):
      target = .members(["clients": .texts(clients)])
      targetName = clients.count == 1 ? clients[0] : "\(clients.count) clients"
    default:
      throw ConsoleError(.usage, "give either --collection NAME or --client ID, not both or none")
    }
    validitySeconds = try StartRequest.seconds(
      validity, name: "--validity",
      within: Limits.validityMinimumMilliseconds / 1000...Limits.validityMaximumMilliseconds / 1000)
    spreadSeconds = try StartRequest.seconds(spread, name: "--spread", within: 0...86_400)
    guard (0...1_000_000).contains(rate) else {
      throw ConsoleError(.usage, "--rate must be from 0 to 1000000 pushes a second")
    }
    ratePerSecond = rate
  }

  private static func seconds(
    _ text: String, name: String, within range: ClosedRange<Int64>
  ) throws(ConsoleError) -> Int64 {
    guard let seconds = NumberText.seconds(of: text), range.contains(seconds) else {
      let low = NumberText.duration(seconds: range.lowerBound)
      let high = NumberText.duration(seconds: range.upperBound)
      throw ConsoleError(
        .usage, "\(name) must be a duration from \(low) to \(high) such as 90s, 10m or 1h30m")
    }
    return seconds
  }

  /// The body of the API's request.
  var body: JSONValue {
    .members([
      "action": .text(action.name),
      "parameters": .object(
        parameters.values.map { JSONValue.Member(name: $0.name, value: .text($0.text)) }),
      "target": target, "validitySeconds": .integer(validitySeconds),
      "spreadSeconds": .integer(spreadSeconds), "ratePerSecond": .integer(ratePerSecond),
    ])
  }
}
