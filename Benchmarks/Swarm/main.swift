// bgb-swarm's program; see SwarmCommand. Wrong usage ends it with 2, so that 1 means a verdict.

import ArgumentParser
import Glibc
import Reactor

do {
  var command = try SwarmCommand.parseAsRoot()
  try command.run()
} catch {
  guard SwarmCommand.exitCode(for: error) == .validationFailure else {
    SwarmCommand.exit(withError: error)
  }
  StandardError.write(SwarmCommand.fullMessage(for: error) + "\n")
  exit(2)
}
