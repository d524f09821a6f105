// The watch tells of commits of whatever process or connection, and of nothing else.

import Glibc
import SiteDatabase
import Testing

@testable import SiteDatabaseSQLite

struct CommitWatchTests {
  private func isReadable(_ descriptor: Int32) -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, 0) == 1
  }

  @Test func itTellsOfCommitsAndNotOfLooks() throws {
    let fill = try StoreUnderTest(.sqlite)
    let path = fill.directory.path + "/site.db"
    let other = try SQLiteSiteStore.open(at: path)
    let watch = try #require(CommitWatch(of: path))
    let descriptor = watch.descriptor
    #expect(!isReadable(descriptor))
    for number in 1...3 {
      _ = try other.addClient(
        clientID(number), name: "pc-\(number)", tags: [], by: "ann", at: time(0))
      #expect(isReadable(descriptor))
      watch.forget()
      #expect(try fill.store.client(clientID(number)) != nil)
      #expect(!isReadable(descriptor))
    }
  }

  @Test func withoutALogThereIsNothingToWatch() {
    let isThere = CommitWatch(of: "/nonexistent/site.db") != nil
    #expect(!isThere)
  }
}
