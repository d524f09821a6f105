// Fuzz target: the query language of collections. Any text is parsed or refused; what was parsed is
// evaluated without a trap, and a client that told nothing of itself is never taken by its facts.

import BGBModel
import SiteDatabase

/// The entry that libFuzzer calls.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSiteQueries(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
  let text = String(decoding: bytes, as: UTF8.self)
  guard let query = try? SiteQuery(text), let site = SiteCode("S01") else { return 0 }
  let client = ClientRecord(
    resourceID: ResourceID(1), clientID: ClientID(Bits128(high: 1, low: 2)), name: "pc1",
    tags: ["finance"], isBlocked: false, createdAt: WallTime(milliseconds: 0),
    facts: ClientFacts(hostname: "pc1", operatingSystem: "Debian 12", addresses: ["10.0.0.1"]),
    presence: nil)
  let taken = query.takes(client, of: site)
  precondition(query.takes(client, of: site) == taken, "a query has one answer")
  return 0
}
