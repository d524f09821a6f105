// A script stops at its first fault, tells how it is used, and can be run.

enum Scripts {
  static let rules = [Rule("scripts", scripts)]

  static func scripts(_ tree: Tree) -> [Finding] {
    tree.files.filter { $0.isScript && $0.lines[0].hasSuffix("bash") }.flatMap {
      file -> [Finding] in
      var found: [Finding] = []
      if !file.lines.contains("set -euo pipefail") {
        found.append(Finding(file.path, 1, "set -euo pipefail is missing"))
      }
      if !file.text.contains("--help") {
        found.append(Finding(file.path, 1, "does not know --help"))
      }
      if !file.isExecutable {
        found.append(Finding(file.path, 1, "is not executable"))
      }
      return found
    }
  }
}
