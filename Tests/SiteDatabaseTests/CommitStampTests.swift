// The stamp tells of each commit of whatever process, and of nothing else.

import BGBModel
import SiteDatabase
import Testing

@testable import SiteDatabaseSQLite

struct CommitStampTests {
  @Test func eachCommitChangesItAndALookDoesNot() throws {
    let fill = try StoreUnderTest(.sqlite)
    let path = fill.directory.path + "/site.db"
    let other = try SQLiteSiteStore.open(at: path)
    var last = try #require(CommitStamp(of: path))
    for number in 1...20 as ClosedRange<UInt64> {
      _ = try fill.store.addClient(
        clientID(number), name: "pc-\(number)", tags: [], by: "ann", at: time(0))
      let stamp = try #require(CommitStamp(of: path))
      #expect(stamp != last)
      #expect(try other.client(clientID(number)) != nil)
      #expect(CommitStamp(of: path) == stamp)
      last = stamp
    }
  }

  @Test func whereThereIsNoLogThereIsNoStamp() {
    #expect(CommitStamp(of: "/nonexistent/site.db") == nil)
  }
}
