// The settings files that enrolment writes: what must be said, and the defaults as comments.

/// Texts of settings files.
enum SettingsText {
  /// A value as YAML takes it, quoted as JSON is.
  static func quoted(_ text: String) -> String { JSONValue.text(text).encoded }

  /// The `server.yaml` of a notification server.
  static func server(
    name: String, listen: String, httpsListen: String, httpsURL: String, health: String,
    workers: Int
  ) -> String {
    """
    # Settings of the notification server \(name). Paths are relative to this file.
    # `bgb-server --explain all` describes every key.
    name: \(quoted(name))
    site: ../..
    listen: \(quoted(listen))
    https-listen: \(quoted(httpsListen))   # for agents that cannot reach the port above
    https-url: \(quoted(httpsURL))      # where agents fetch policies
    health-listen: \(quoted(health))
    certificate: server.crt
    key: server.key
    ca: ca.pem
    report-key: report.key
    ticket-keys: ../tickets.keys   # shared by all servers, so that agents resume at any
    reconnect-keys: ../reconnect.keys   # likewise; a server that they do not trust has its own
    workers: \(workers)                     # processes side by side on these ports
    # keep-alive: 15m
    # poll-length: 5m
    # presence-period: 5m
    # outcome-period: 10s
    # crash-window: 50s
    # connections-max: 18000       # of each worker
    log:
      file: logs/BGBServer.log
      format: text                 # text, cmtrace or json
      level: info

    """
  }

  /// The `agent.yaml` of a client.
  static func agent(
    name: String, site: String, managementPoints: [String], httpsPoints: [String]
  ) -> String {
    """
    # Settings of the notification agent on \(name). Paths are relative to this file.
    # `bgb-agent check --config FILE` says what is wrong with it.
    management-points: [\(managementPoints.map(quoted).joined(separator: ", "))]
    # Used when none of those can be reached, through a proxy if need be.
    https-management-points: [\(httpsPoints.map(quoted).joined(separator: ", "))]
    site: \(quoted(site))
    certificate: client.crt
    key: client.key
    ca: ca.pem
    task-keys: task.pub
    state: state
    log:
      file: logs/CcmNotificationAgent.log
      format: text                 # text, cmtrace or json
      level: info
    # policy-interval: 60m
    # action-deadline: 30m

    """
  }
}
