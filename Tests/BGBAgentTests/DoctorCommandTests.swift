// The doctor's command line: what it takes, and that its help is the documented table.

import ArgumentParser
import Testing

@testable import BGBAgent

@Suite struct DoctorCommandTests {
  @Test func lengthsOfTimeAreBounded() {
    for (arguments, isGood) in [
      ([], true), (["--hold", "0"], true), (["--hold", "90s"], true), (["--hold", "1h"], true),
      (["--hold", "61m"], false), (["--hold", "1500ms"], false), (["--hold", "5"], false),
      (["--timeout", "100ms"], true), (["--timeout", "99ms"], false), (["--timeout", "3m"], false),
      (["-o", "json"], true), (["-o", "xml"], false),
    ] as [([String], Bool)] {
      let command = try? DoctorCommand.parse(["--config", "agent.yaml"] + arguments)
      #expect((command != nil) == isGood, "\(arguments)")
    }
  }

  @Test func theHelpNamesEveryCode() {
    let help = DoctorCommand.helpMessage(columns: 200)
    for failure in DoctorFailure.allCases {
      #expect(help.contains("  \(failure.rawValue)"))
      #expect(help.contains(failure.meaning))
    }
  }

  @Test func theManualHasTheSameTable() throws {
    let folder = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let manual = try #require(AgentFile.text("/\(folder)/docs/OPERATING.md"))
    for failure in DoctorFailure.allCases {
      #expect(manual.contains("\n| \(failure.rawValue) | \(failure.meaning) |"))
    }
  }
}
