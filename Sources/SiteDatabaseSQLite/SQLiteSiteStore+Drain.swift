// Draining servers in SQLite: the question is a message of the queue, the answer three columns of
// the server's row.

public import BGBModel
import GRDB
public import SiteDatabase

extension SQLiteSiteStore {
  /// Asks a server to move its agents away; see the contract.
  public func drainServer(
    _ serverID: ServerID, _ order: DrainOrder, by actor: String, at: WallTime
  ) throws(StoreError) {
    try writeAndRing { db in
      let server = try db.existing(serverID)
      try db.note(ServerDrain(.asked, left: server.onlineCount), of: serverID)
      try db.post(.drain(order), to: serverID)
      try db.note(actor, "server.drain", "\(server.name) \(order.text)", at: at)
    }
  }

  /// Asks a server to take agents again; see the contract.
  public func undrainServer(
    _ serverID: ServerID, by actor: String, at: WallTime
  ) throws(StoreError) {
    try writeAndRing { db in
      let server = try db.existing(serverID)
      try db.post(.undrain, to: serverID)
      try db.note(actor, "server.undrain", server.name, at: at)
    }
  }

  /// A server says how far its drain is.
  public func noteDrain(_ drain: ServerDrain, of serverID: ServerID) throws(StoreError) {
    try write { db in
      _ = try db.existing(serverID)
      try db.note(drain, of: serverID)
    }
  }
}

extension Database {
  fileprivate func note(_ drain: ServerDrain, of serverID: ServerID) throws {
    try run(
      "UPDATE BGB_Server SET DrainState = ?, DrainTotal = ?, DrainLeft = ? WHERE ServerID = ?",
      [Int64(drain.state.rawValue), Int64(drain.total), Int64(drain.left), serverID.column])
  }
}

extension ServerDrain {
  /// Reads three columns from the given one on.
  init(row: Row, from first: Int) throws {
    self.init(
      UInt8(exactly: try row.number(first)).flatMap(DrainState.init(rawValue:)) ?? .serving,
      total: Int(try row.number(first + 1)), left: Int(try row.number(first + 2)))
  }
}
