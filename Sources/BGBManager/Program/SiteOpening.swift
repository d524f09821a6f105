// From a folder to the parts of a manager, each thing checked in the order in which a person would
// mend it, each failure one sentence with the next step.

import BGBModel
import BGBReport
import BGBSigning
import Glibc
import Logging
import Reactor
import ServiceSettings
import SiteDatabase

/// Opens a site for a manager.
struct SiteOpening {
  let folder: SiteFolder
  /// The settings file that was named, or nil for the site's own if there is one.
  let settingsFile: String?
  let environment: [String: String]

  /// The settings: the file's, under the environment's.
  func settings() throws(StartFault) -> ManagerSettings {
    var file = settingsFile
    if file == nil, (try? SiteFiles.read(folder.settings, limit: 1 << 20)) != nil {
      file = folder.settings
    }
    do {
      let settings = try ServiceSettings.load(
        ManagerSettings.self, file: file,
        environmentPrefix: ManagerSettings.environmentPrefix, environment: environment)
      if let fault = settings.fault { throw StartFault("the settings are not right: \(fault)") }
      return settings
    } catch let fault as StartFault {
      throw fault
    } catch {
      throw StartFault("the settings are not right: \(error)")
    }
  }

  /// Checks that the folder is a site's.
  func checkFolder() throws(StartFault) {
    guard SiteFiles.isFolder(folder.path) else {
      throw StartFault(
        "there is no site folder \(folder.path): make a site with 'bgb site init --site DIR'")
    }
    guard folder.socket.utf8.count <= SiteFolder.socketPathBytesMax else {
      throw StartFault(
        "the path \(folder.socket) is too long for a socket: use a site folder with a shorter path")
    }
  }

  /// Takes the lock that only one manager of a site can have.
  func lock() throws(StartFault) -> SiteLock {
    do {
      try SiteFiles.makeFolder(folder.run, mode: 0o770)
      return try SiteLock(folder.lock)
    } catch {
      if error == .wouldBlock {
        throw StartFault("another manager of the site \(folder.path) is running: stop it first")
      }
      throw StartFault("the lock \(folder.lock) cannot be taken: \(error)")
    }
  }

  /// Opens everything that a manager needs.
  func parts(settings: ManagerSettings, log: Logger) throws(StartFault) -> ManagerParts {
    let store = try database()
    let site: SiteRecord
    do { site = try store.site() } catch {
      throw StartFault("the site database \(folder.database) cannot be used: \(error)")
    }
    let key = try taskKey(of: site)
    return ManagerParts(
      folder: folder, store: store, site: site, authority: try authority(of: site), key: key,
      taskKeysPEM: try taskKeysPEM(), inbox: try inbox(), settings: LiveSettings(settings),
      groupID: try groupID(settings), clock: .system, log: log, machine: SiteFiles.hostName())
  }

  private func database() throws(StartFault) -> any SiteStore {
    // Opening would make an empty database where there is none, which would only mislead.
    guard SiteFiles.isThere(folder.database) else {
      throw StartFault(
        "there is no site database \(folder.database): make a site with 'bgb site init --site DIR'")
    }
    do { return try openSiteDatabase(folder.database) } catch {
      throw StartFault("the site database \(folder.database) cannot be opened: \(error)")
    }
  }

  private func authority(of site: SiteRecord) throws(StartFault) -> CertificateAuthority {
    let authority: CertificateAuthority
    do { authority = try CertificateAuthority.load(directory: folder.authority) } catch {
      throw StartFault("the certificate authority in \(folder.authority) cannot be used: \(error)")
    }
    guard authority.site == site.code else {
      throw StartFault(
        "the certificate authority in \(folder.authority) is of the site \(authority.site), "
          + "the database of \(site.code)")
    }
    return authority
  }

  private func taskKey(of site: SiteRecord) throws(StartFault) -> SigningKey {
    let key: SigningKey
    do { key = try SigningKey.load(folder.taskKey) } catch {
      throw StartFault("the task key \(folder.taskKey) cannot be used: \(error)")
    }
    guard site.taskKeys.contains(key.publicKey.rawValue) else {
      throw StartFault(
        "the task key \(folder.taskKey) is none of the site's: its agents would refuse every task")
    }
    return key
  }

  private func taskKeysPEM() throws(StartFault) -> String {
    do {
      return String(
        decoding: try SiteFiles.read(folder.taskPublicKeys, limit: 65_536), as: UTF8.self)
    } catch { throw StartFault("the file \(folder.taskPublicKeys) cannot be read: \(error)") }
  }

  private func inbox() throws(StartFault) -> DropBox {
    do {
      try SiteFiles.makeFolder("\(folder.path)/inbox", mode: 0o770)
      try SiteFiles.makeFolder(folder.inbox, mode: 0o770)
      return try DropBox(folder.inbox)
    } catch { throw StartFault("the inbox \(folder.inbox) cannot be used: \(error)") }
  }

  private func groupID(_ settings: ManagerSettings) throws(StartFault) -> UInt32 {
    guard let name = settings.group else { return getegid() }
    guard let groupID = LocalAccounts.group(named: name) else {
      throw StartFault("there is no local group '\(name)' as the settings name it")
    }
    return groupID
  }
}
