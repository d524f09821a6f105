// Whether anything was committed since a moment, for the price of one look at a file's facts: every
// commit of whatever process appends to the write-ahead log. It saves those who wait for news a
// query each second in which nothing happened.

import Glibc

/// The facts of a database's write-ahead log that change with each commit.
struct CommitStamp: Equatable {
  private let inode: UInt64
  private let bytes: Int64
  private let seconds: Int
  private let nanoseconds: Int

  /// Takes them now; nil when there is no log to look at.
  init?(of database: String) {
    var facts = stat()
    guard unsafe stat(database + "-wal", &facts) == 0 else { return nil }
    inode = UInt64(facts.st_ino)
    bytes = Int64(facts.st_size)
    seconds = facts.st_mtim.tv_sec
    nanoseconds = facts.st_mtim.tv_nsec
  }
}
