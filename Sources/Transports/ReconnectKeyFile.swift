// The file in which servers that trust each other keep their reconnect keys. It is made once when
// several start together, and rotated by whoever finds first that the time has come; the others
// read it again.

import Reactor

/// A file of reconnect keys, and how old they may become.
public struct ReconnectKeyFile: Sendable, Equatable {
  /// The file's path.
  public let path: String
  /// The age in seconds at which the current key is replaced.
  public var rotationSeconds: Int64
  /// How long a key is kept after it was replaced: no identity may live longer.
  public var keptSeconds: Int64

  /// Names the file; nothing is read yet.
  public init(path: String, rotationSeconds: Int64, keptSeconds: Int64) {
    self.path = path
    self.rotationSeconds = rotationSeconds
    self.keptSeconds = keptSeconds
  }

  // More than a file of ``ReconnectKeys/keysMax`` keys can have.
  private var file: SecretFile { SecretFile(path: path, bytesMax: 4096) }

  /// Reads the keys, or answers nil if there is no such file.
  /// - Throws: a sentence if the file cannot be read, is not of this format, or others may read it.
  public func load() throws(TLSSetupError) -> ReconnectKeys? {
    let bytes: [UInt8]?
    do throws(SecretFile.Failure) {
      bytes = try file.load()
    } catch {
      throw sentence(error)
    }
    guard let bytes else { return nil }
    guard let text = String(validating: bytes, as: UTF8.self),
      let keys = ReconnectKeys(fileText: text)
    else {
      throw TLSSetupError("\(path) is not a file of reconnect keys: remove it, or restore it")
    }
    return keys
  }

  /// Reads the keys, makes the file if there is none, and replaces a current key that is too old.
  ///
  /// Of several processes that find it too old at once, one replaces it and all get the same keys.
  /// - Parameter now: seconds since 1970.
  public func tend(now: Int64) throws(TLSSetupError) -> ReconnectKeys {
    let keys = try loadOrMake(now: now)
    guard keys.ageSeconds(now: now) >= rotationSeconds else { return keys }
    return try rotate(now: now, ifOlderThan: rotationSeconds)
  }

  /// Puts a fresh key in front of those in the file and returns them all.
  /// - Parameters:
  ///   - now: seconds since 1970.
  ///   - age: leaves the file alone if its current key is younger than so many seconds.
  public func rotate(
    now: Int64, ifOlderThan age: Int64 = 0
  ) throws(TLSSetupError) -> ReconnectKeys {
    let lock: ProcessLock
    do throws(SecretFile.Failure) {
      lock = try file.lock()
    } catch {
      throw sentence(error)
    }
    defer { withExtendedLifetime(lock) {} }
    // Another process may have been faster while we waited for the lock.
    var keys = try loadOrMake(now: now)
    guard keys.ageSeconds(now: now) >= age else { return keys }
    try keys.rotate(now: now, keptSeconds: keptSeconds)
    do throws(SecretFile.Failure) {
      try file.store(Array(keys.fileText.utf8))
    } catch {
      throw sentence(error)
    }
    return keys
  }

  private func loadOrMake(now: Int64) throws(TLSSetupError) -> ReconnectKeys {
    if let keys = try load() { return keys }
    let fresh = try ReconnectKeys.fresh(now: now)
    do throws(SecretFile.Failure) {
      try file.storeIfAbsent(Array(fresh.fileText.utf8))
    } catch {
      throw sentence(error)
    }
    guard let keys = try load() else {
      throw TLSSetupError("the file of reconnect keys \(path) vanished after it was made")
    }
    return keys
  }

  private func sentence(_ failure: SecretFile.Failure) -> TLSSetupError {
    TLSSetupError("the file of reconnect keys \(path) \(failure)")
  }
}
