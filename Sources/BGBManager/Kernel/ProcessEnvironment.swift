// The environment of the process, read once at the start, while nothing else runs that could change it.

import Glibc

extension ManagerProgram {
  /// The environment of this process: names and values.
  ///
  /// `@safe`: called by `main` before any other thread exists, so nobody changes the table meanwhile.
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
}
