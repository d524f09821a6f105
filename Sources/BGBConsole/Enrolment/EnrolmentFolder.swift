// The folder of one server or client: made with its keys before the site is asked, so that a
// certificate never comes for a key that could not be kept, and removed again when the site
// refuses.

import BGBSigning

/// A folder under way.
struct EnrolmentFolder {
  /// The folder.
  let path: String
  /// The name of the key and certificate files, `client` or `server`.
  let role: String
  /// The request for the key inside.
  let request: String

  /// Makes the folder with a new P-256 key.
  init(path: String, role: String, name: String) throws(ConsoleError) {
    self.path = path
    self.role = role
    let code = Folder.makeNew(path, mode: 0o750)
    guard code == 0 else {
      throw ConsoleError(
        .failure, "the folder \(path) cannot be made: \(Folder.words(code))",
        hint: "Name another folder with --out, or move the old one away.")
    }
    do {
      let (key, request) = try CertificateRequest.make(name: name)
      self.request = request
      try SecretFile.create("\(path)/\(role).key", contents: key.utf8)
    } catch {
      Folder.remove(path, files: ["\(role).key"])
      throw ConsoleError(.failure, "the key of \(name) cannot be made: \(error)")
    }
  }

  /// Writes a file that everybody may read; the folder itself keeps strangers out.
  func write(_ name: String, _ text: String) throws(ConsoleError) {
    do { try SecretFile.create("\(path)/\(name)", contents: text.utf8, mode: 0o644) } catch {
      throw ConsoleError(.failure, "\(error)")
    }
  }

  /// Makes a folder inside.
  func makeFolder(_ name: String) throws(ConsoleError) {
    let code = Folder.make("\(path)/\(name)", mode: 0o750)
    guard code == 0 else {
      throw ConsoleError(
        .failure, "the folder \(path)/\(name) cannot be made: \(Folder.words(code))")
    }
  }

  /// Removes what was made, after a refusal.
  func undo() { Folder.remove(path, files: ["\(role).key", "report.key"]) }
}
