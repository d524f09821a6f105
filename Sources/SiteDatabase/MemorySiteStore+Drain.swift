// The memory store: draining servers.

public import BGBModel

extension MemorySiteStore {
  /// Asks a server to move its agents away; see the contract.
  public func drainServer(
    _ serverID: ServerID, _ order: DrainOrder, by actor: String, at: WallTime
  ) throws(StoreError) {
    try write { (site) throws(StoreError) in
      let server = try site.counted(site.existing(serverID).record)
      site.servers[serverID]?.record.drain = ServerDrain(.asked, left: server.onlineCount)
      site.post(.drain(order), to: serverID)
      site.note(actor, "server.drain", "\(server.name) \(order.text)", at: at)
    }
  }

  /// Asks a server to take agents again; see the contract.
  public func undrainServer(
    _ serverID: ServerID, by actor: String, at: WallTime
  ) throws(StoreError) {
    try write { (site) throws(StoreError) in
      let server = try site.existing(serverID)
      site.post(.undrain, to: serverID)
      site.note(actor, "server.undrain", server.record.name, at: at)
    }
  }

  /// A server says how far its drain is.
  public func noteDrain(_ drain: ServerDrain, of serverID: ServerID) throws(StoreError) {
    try write { (site) throws(StoreError) in
      _ = try site.existing(serverID)
      site.servers[serverID]?.record.drain = drain
    }
  }
}
