// What the console tells when it cannot do what it was asked: the code, the cause, the next step.

/// Why a command did not do what it was asked.
struct ConsoleError: Error, Equatable {
  /// The exit code.
  var status: ExitStatus
  /// The API's code, such as `BGB-2100`.
  var code: String?
  /// The cause.
  var message: String
  /// What to do next.
  var hint: String?

  init(_ status: ExitStatus, _ message: String, code: String? = nil, hint: String? = nil) {
    self.status = status
    self.code = code
    self.message = message
    self.hint = hint
  }

  /// The lines for the standard error stream.
  var lines: String {
    var text = "bgb: " + TerminalText.shown(message)
    if let code { text += " (\(TerminalText.shown(code)))" }
    if let hint, !hint.isEmpty { text += "\n  " + TerminalText.shown(hint) }
    return text
  }
}
