// What the settings say of reconnect identities, read and ready to be used: at the start, and again
// at each reload. The desk itself stays through reloads, with what it counted.

import BGBModel
import Reactor
import ServiceSettings
import Transports

/// The file, the rules and the keys that settings ask for.
struct ReconnectPlan {
  let file: ReconnectKeyFile
  let rules: ReconnectRules
  let keys: ReconnectKeys

  /// Reads the keys, or makes their file; nil when the settings want no identities.
  init?(_ settings: ServerSettings, now: Int64) throws(TLSSetupError) {
    guard let file = settings.reconnectFile else { return nil }
    self.file = file
    rules = settings.reconnectRules
    keys = try file.tend(now: now)
  }

  /// The desk for new contexts: the one that there is, or a new one.
  func desk(_ present: ReconnectDesk?, site: SiteCode, time: TimeSource) -> ReconnectDesk {
    present
      ?? ReconnectDesk(
        keys: keys, rules: rules, audience: site.description, wall: { time.wall() / 1000 })
  }

  /// Puts a plan, or the wish for none, into force.
  static func apply(_ plan: ReconnectPlan?, _ desk: ReconnectDesk?, to shard: Shard) {
    shard.reconnects = desk
    shard.reconnectFile = plan?.file
    guard let plan, let desk else { return }
    desk.keys = plan.keys
    desk.rules = plan.rules
    let file = plan.file
    desk.reread = { (try? file.load()) ?? nil }
    // The age at which a key must be replaced may be another one now.
    shard.planHouse()
  }
}

extension ServerSettings {
  /// The file of the reconnect keys; nil when no identities are wanted.
  var reconnectFile: ReconnectKeyFile? {
    guard reconnectRules.lifeSeconds > 0 else { return nil }
    return ReconnectKeyFile(
      path: reconnectKeys.path, rotationSeconds: max(60, reconnectRotation.seconds),
      // A key is replaced by one process and known to silent others at most ten minutes later.
      keptSeconds: reconnectRules.lifeSeconds + 600)
  }

  /// How long identities are good for.
  var reconnectRules: ReconnectRules {
    ReconnectRules(
      lifeSeconds: min(reconnectLife.seconds, Int64(UInt32.max)),
      proofSeconds: reconnectProof.seconds)
  }
}
