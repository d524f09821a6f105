// The rules of docs/STYLE.md, run over the real tree. A failure names file, line and what to do.

import Testing

@Suite("The tree obeys the rules of the house")
struct TreeTests {
  @Test("Nothing breaks this rule", arguments: Rule.all)
  func obeys(rule: Rule) {
    let faults = rule.check(.ours).filter { finding in
      !exceptions.contains { $0.allows(finding, of: rule) }
    }
    let list = faults.map(\.description).joined(separator: "\n")
    #expect(faults.isEmpty, "\(faults.count) faults against \(rule.name):\n\(list)")
  }

  @Test("Every exception is still needed and gives a reason")
  func exceptionsAreNeeded() {
    let known = Set(Rule.all.map(\.name))
    for exception in exceptions {
      #expect(known.contains(exception.rule), "no rule is called \(exception.rule)")
      #expect(exception.reason.count > 20, "\(exception.path): say why")
    }
    for rule in Rule.all {
      let mine = exceptions.filter { $0.rule == rule.name }
      guard !mine.isEmpty else { continue }
      let findings = rule.check(.ours)
      for exception in mine {
        let isNeeded = findings.contains { exception.allows($0, of: rule) }
        #expect(isNeeded, "\(exception.rule) \(exception.path): nothing to allow, take it out")
      }
    }
  }

  @Test("The tree was found")
  func treeIsThere() {
    #expect(Tree.ours["Package.swift"] != nil)
    #expect(Tree.ours.code(under: "Sources").count > 100)
  }

  @Test("Every room of unsafe code exists")
  func roomsExist() {
    for room in Rooms.rooms {
      #expect(Tree.ours.has(room.path), "\(room.path) is gone; take the room out")
    }
  }
}
