// Makes a site: folders, task key, certificate authority, database. The database comes last and is
// the mark of a whole site: what an interrupted run left behind is used by the next one, never
// replaced.

import BGBModel
import BGBSigning
import SiteDatabase
import SiteDatabaseSQLite

/// The founding of one site.
struct SiteFounding {
  let paths: SitePaths
  let code: SiteCode
  let name: String
  let now: WallTime

  /// The folders inside a site and their modes; others than the owner and the group see nothing.
  private static let folders: [(String, UInt32)] = [
    ("keys", 0o700), ("ca", 0o700), ("inbox", 0o770), ("inbox/bgb.box", 0o770),
    ("inbox/bgb.box/bad", 0o770), ("run", 0o770), ("logs", 0o770), ("servers", 0o750),
    ("clients", 0o750),
  ]

  /// Makes everything; refuses a folder that holds a site already.
  func found() throws(ConsoleError) -> SiteRecord {
    guard !Folder.exists(paths.database) else {
      throw ConsoleError(
        .failure, "there is a site in \(paths.folder) already",
        hint: "Name another folder with --site, or use the one that is there.")
    }
    try makeFolder(paths.folder, 0o750)
    for (folder, mode) in SiteFounding.folders {
      try makeFolder("\(paths.folder)/\(folder)", mode)
    }
    let key: SigningKey
    do {
      key = try taskKey()
      try authority()
    } catch {
      throw ConsoleError(.failure, "the site's keys cannot be made: \(error)")
    }
    try describe()
    let record = SiteRecord(code: code, name: name, taskKeys: [key.publicKey.rawValue])
    do {
      let store = try SQLiteSiteStore.create(at: paths.database, site: record)
      return try store.site()
    } catch { throw ConsoleError(.failure, "the site database cannot be made: \(error)") }
  }

  private func makeFolder(_ path: String, _ mode: UInt32) throws(ConsoleError) {
    let code = Folder.make(path, mode: mode)
    guard code == 0 else {
      throw ConsoleError(.failure, "the folder \(path) cannot be made: \(Folder.words(code))")
    }
  }

  private func taskKey() throws(SigningError) -> SigningKey {
    let key: SigningKey
    if Folder.exists(paths.taskKey) {
      key = try SigningKey.load(paths.taskKey)
    } else {
      key = try SigningKey.generate()
      try key.save(to: paths.taskKey)
    }
    if !Folder.exists(paths.taskPublicKey) { try key.publicKey.save(to: paths.taskPublicKey) }
    return key
  }

  private func authority() throws(SigningError) {
    let certificate = "\(paths.authority)/\(CertificateAuthority.certificateFile)"
    if Folder.exists(certificate) {
      _ = try CertificateAuthority.load(directory: paths.authority)
    } else {
      _ = try CertificateAuthority.create(site: code, directory: paths.authority, now: now)
    }
  }

  private func describe() throws(ConsoleError) {
    guard !Folder.exists(paths.settings) else { return }
    // A JSON text is a YAML text too, whatever the name holds.
    let text =
      "# The site in this folder, made by bgb site init.\ncode: \(code)\nname: "
      + JSONValue.text(name).encoded + "\n"
    do { try SecretFile.create(paths.settings, contents: text.utf8, mode: 0o644) } catch {
      throw ConsoleError(.failure, "\(error)")
    }
  }
}
