// The file in which the servers of a site keep their ticket keys, made only once when several
// servers start together.

/// A file of ticket keys.
public struct TicketKeyFile: Sendable {
  private let file: SecretFile

  /// Names the file; nothing is read yet.
  public init(path: String) {
    // More than a file of ``TicketKeys/keysMax`` keys can have.
    file = SecretFile(path: path, bytesMax: 4096)
  }

  /// The file's path.
  public var path: String { file.path }

  /// Reads the keys, or answers nil if there is no such file.
  /// - Throws: a sentence if the file cannot be read, is not of this format, or others may read it.
  public func load() throws(TLSSetupError) -> TicketKeys? {
    let bytes: [UInt8]?
    do throws(SecretFile.Failure) {
      bytes = try file.load()
    } catch {
      throw sentence(error)
    }
    guard let bytes else { return nil }
    guard let text = String(validating: bytes, as: UTF8.self),
      let keys = TicketKeys(fileText: text)
    else { throw TLSSetupError("\(path) is not a file of ticket keys: remove it, or restore it") }
    return keys
  }

  /// Reads the keys, or makes the file with one fresh key; of several servers that start together
  /// one makes it and all read the same.
  /// - Parameter now: seconds since 1970.
  public func loadOrMake(now: Int64) throws(TLSSetupError) -> TicketKeys {
    if let keys = try load() { return keys }
    let fresh = try TicketKeys.fresh(now: now)
    do throws(SecretFile.Failure) {
      try file.storeIfAbsent(Array(fresh.fileText.utf8))
    } catch {
      throw sentence(error)
    }
    guard let keys = try load() else {
      throw TLSSetupError("the file of ticket keys \(path) vanished after it was made")
    }
    return keys
  }

  /// Puts a fresh key in front of those in the file and returns them all.
  /// - Parameter now: seconds since 1970.
  public func rotate(now: Int64) throws(TLSSetupError) -> TicketKeys {
    var keys = try loadOrMake(now: now)
    try keys.rotate(now: now)
    do throws(SecretFile.Failure) {
      try file.store(Array(keys.fileText.utf8))
    } catch {
      throw sentence(error)
    }
    return keys
  }

  private func sentence(_ failure: SecretFile.Failure) -> TLSSetupError {
    TLSSetupError("the file of ticket keys \(path) \(failure)")
  }
}
