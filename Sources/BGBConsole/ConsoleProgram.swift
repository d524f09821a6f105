// The program `bgb`: words in, exit code out. Parsing and help are the argument parser's; every
// error of a command is told on the standard error stream with its code and next step.

import ArgumentParser

/// The program.
public enum ConsoleProgram {
  /// Runs one command line and returns the exit code.
  public static func run(_ arguments: [String]) -> Int32 { run(arguments, in: Console()) }

  static func run(_ arguments: [String], in console: Console) -> Int32 {
    do {
      var command = try BGB.parseAsRoot(spelledOut(arguments))
      if let ours = command as? any ConsoleCommand { return try ours.run(in: console).rawValue }
      try command.run()
      return ExitStatus.done.rawValue
    } catch let error as ConsoleError {
      console.talk(error.lines + "\n")
      return error.status.rawValue
    } catch {
      let text = BGB.fullMessage(for: error)
      switch BGB.exitCode(for: error) {
      case .success:
        // Help and version are what was asked for: data.
        if !text.isEmpty { console.out(text + "\n") }
        return 0
      case .validationFailure:
        console.talk(text + "\n")
        return ExitStatus.usage.rawValue
      case let code:
        if !text.isEmpty { console.talk(text + "\n") }
        return code.rawValue
      }
    }
  }

  /// Gives a bare `--wait` its usual value: the argument parser knows no optional values.
  static func spelledOut(_ arguments: [String]) -> [String] {
    arguments.enumerated().map { position, argument in
      guard argument == "--wait" else { return argument }
      let next = position + 1 < arguments.count ? arguments[position + 1] : ""
      return WaitGoal(rawValue: next) == nil ? "--wait=\(WaitGoal.terminal.rawValue)" : argument
    }
  }
}

/// The root command.
struct BGB: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bgb",
    abstract: "Start operations on many computers and watch them arrive.",
    discussion: """
      Examples:
        bgb site init --code S01                      make a site in ./.bgb
        bgb client add pc-17 --tag finance            make a client's folder with its certificate
        bgb online                                    who is online now
        bgb op start quick-scan --collection Finance  start, confirm, follow
        bgb op watch 7                                follow again
        bgb trace 7@pc-17                             one task's story on one client

      Exit codes:
        0 done   1 error   2 wrong usage   3 no target   4 some targets failed
        5 some targets never got it   6 stopped waiting   7 cancelled   8 not allowed
        9 manager not reachable   130 interrupted
      """,
    version: "0.1.0",
    subcommands: [
      OperationCommands.self, ClientCommands.self, CollectionCommands.self, PolicyCommands.self,
      ServerCommands.self, SiteCommands.self, OnlineCommand.self, ActionsCommand.self,
      StatusCommands.self, AuditCommands.self, TraceCommand.self,
    ])
}
