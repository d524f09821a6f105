// The command line of bgb-swarm: thousands of real agent sessions in one process or in many.

import ArgumentParser

/// `bgb-swarm`: many agents, for load, for storms and for demonstration.
struct SwarmCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bgb-swarm",
    abstract: "Runs many real agent sessions and reports what they saw.",
    discussion: """
      Each session is the agent's own code: TLS with its certificate, sign-in, signature check,
      journal, answers.

      Without --scenario all sessions are in one process, and actions are really done unless
      --instant is given:
        bgb client add pc --count 200 --out .bgb/swarm
        bgb-swarm run --management-point 127.0.0.1:10123 --clients .bgb/swarm --sessions 200
        bgb-swarm run ... --instant --expect-tasks 1 --report swarm.json
        bgb-swarm run ... --transport mixed --https-point 127.0.0.1:8443 --https-sessions 40

      With --scenario it is the storm laboratory: as many processes as the limit of open files asks,
      samples of the servers, a report, a plot and a verdict (docs/HACKING.md):
        bgb client add pc --count 100000 --packed fleet/clients
        bgb-swarm run --management-point 127.0.0.1:10123 --fleet fleet/clients --scenario push \\
          --server-pid "$(pidof -s bgb-server)" --report push.json --plot push.svg
        bgb-swarm run ... --scenario storm --storm slots --push-during --bound 'storm.s95<=60s'
        bgb-swarm run ... --scenario idle --for 15m --bound 'rss.perConnection<=1536B'

      Exit codes: 0 all bounds were kept, 1 one was not or the run failed, 2 wrong usage.
      """,
    subcommands: [
      Run.self, Slice.self, PeerCommand.self, FloorCommand.self, HandshakesCommand.self,
      PeerFiguresCommand.self, GoalsCommand.self,
    ], defaultSubcommand: Run.self)
}

/// Why the swarm could not run.
struct SwarmError: Error, CustomStringConvertible {
  let description: String
}
