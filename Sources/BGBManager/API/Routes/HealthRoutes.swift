// For supervisors and Prometheus: alive, ready, numbers.

import BGBModel

extension SiteAdministration {
  var healthRoutes: [Route] {
    [
      Route(.get, "/healthz") { _ throws(Refusal) in .text(200, "ok\n") },
      Route(.get, "/readyz") { _ throws(Refusal) in
        let faults = health.faults(at: clock.now())
        return faults.isEmpty
          ? .text(200, "ready\n") : .text(503, faults.joined(separator: "\n") + "\n")
      },
      Route(.get, "/metrics") { _ throws(Refusal) in .text(200, gauges.exposition) },
    ]
  }
}
