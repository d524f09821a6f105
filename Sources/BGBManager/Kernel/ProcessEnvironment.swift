// What the program shares with whoever started it: the environment it was given, and the lines it
// prints. The environment is read once, while nothing else runs that could change it.

import Glibc

extension ManagerProgram {
  /// The environment of this process: names and values.
  ///
  /// `@safe`: called by `main` before any other thread exists, so nobody changes the table
  /// meanwhile.
  @safe
  static func processEnvironment() -> [String: String] {
    var table: [String: String] = [:]
    var entry = unsafe environ
    while let line = unsafe entry.pointee {
      let text = unsafe String(cString: line)
      if let sign = text.firstIndex(of: "=") {
        table[String(text[..<sign])] = String(text[text.index(after: sign)...])
      }
      unsafe entry += 1
    }
    return table
  }

  /// Writes one line to a person at a terminal, or to who collects what programs print.
  static func say(_ text: String, isError: Bool) {
    let line = Array((text + "\n").utf8)
    _ = unsafe write(isError ? STDERR_FILENO : STDOUT_FILENO, line, line.count)
  }
}
