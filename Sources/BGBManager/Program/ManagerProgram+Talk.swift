// What the program says to whoever started it.

import Reactor

extension ManagerProgram {
  /// Writes one line to a person at a terminal, or to who collects what programs print.
  static func say(_ text: String, isError: Bool) {
    if isError { return StandardError.write(text + "\n") }
    print(text)
    StandardOutput.flush()
  }
}
