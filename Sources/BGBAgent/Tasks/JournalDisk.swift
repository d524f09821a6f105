// The seam between the journal and the disk: four verbs, so that a test can play a disk that tears,
// lies or is full.

/// Why the disk did not do what the journal asked.
public struct DiskError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was tried, and the kernel's sentence.
  public let description: String
  /// Wraps a sentence.
  public init(_ description: String) { self.description = description }
}

/// One file that grows at its end and is replaced as a whole.
///
/// Used by one thread at a time.
public protocol JournalDisk: AnyObject {
  /// Everything in the file; nil when there is none.
  func load() throws(DiskError) -> [UInt8]?
  /// Adds bytes at the end; they are safe only after `sync`.
  func append(_ bytes: [UInt8]) throws(DiskError)
  /// Makes everything appended survive a loss of power. After a failure nothing appended since the
  /// last success may be believed, and the file must not be used again.
  func sync() throws(DiskError)
  /// Puts a new file with these bytes in the place of the old one, at once and durably.
  func replace(with bytes: [UInt8]) throws(DiskError)
  /// Keeps bytes that could not be read, for people to look at.
  func quarantine(_ bytes: [UInt8])
}
