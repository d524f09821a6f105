// Body of Welcome: version 2, server 4, session 8, server time 8, keep-alive seconds 4, crash
// window seconds 4, policy URL.

import BGBModel

extension Welcome {
  func encode(into writer: inout ByteWriter) {
    writer.integer(version)
    writer.integer(serverID.rawValue)
    writer.integer(session)
    writer.wallTime(serverTime)
    writer.integer(keepAliveSeconds)
    writer.integer(crashWindowSeconds)
    writer.text(policyURL, limit: Limits.policyURLBytesMax)
  }

  init(from reader: inout ByteReader) throws(CodingError) {
    version = try reader.integer()
    serverID = ServerID(try reader.integer())
    session = try reader.integer()
    serverTime = try reader.wallTime()
    keepAliveSeconds = try reader.integer()
    crashWindowSeconds = try reader.integer()
    policyURL = try reader.text(limit: Limits.policyURLBytesMax)
    guard keepAliveSeconds >= Limits.keepAliveSecondsMinimum else { throw .badValue }
  }
}
