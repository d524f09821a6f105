// `bgb client add --packed`: many clients into one fleet file. Keys are made batch by batch, and a
// batch that the manager answered is written before the next one is asked for, so that whatever
// interrupts it leaves a file that holds exactly what it counts.

import BGBModel
import BGBSigning
import HTTPClient

/// Adds clients into a fleet file, with `ca.pem` and `task.pub` beside it.
struct FleetPacking {
  /// The file.
  let path: String
  let tags: [String]
  let client: SiteClient

  /// Adds clients by these names and says how many.
  func add(_ names: [String], _ console: Console) throws(ConsoleError) -> Int {
    let folder = FleetPacking.folder(of: path)
    let code = Folder.make(folder, mode: 0o750)
    guard code == 0 else {
      throw ConsoleError(.failure, "the folder \(folder) cannot be made: \(Folder.words(code))")
    }
    let writer: FleetWriter
    do { writer = try FleetWriter(path: path) } catch {
      throw ConsoleError(
        .failure, "\(error)", hint: "Name another file with --packed, or move the old one away.")
    }
    for start in stride(from: 0, to: names.count, by: ClientAdd.batchClients) {
      let batch = Array(names[start..<min(start + ClientAdd.batchClients, names.count)])
      try add(batch, to: writer, isFirst: start == 0)
      console.say("\(NumberText.grouped(writer.count))/\(NumberText.grouped(names.count)) added")
    }
    do { try writer.finish() } catch { throw ConsoleError(.failure, "\(error)") }
    return writer.count
  }

  private func add(
    _ names: [String], to writer: FleetWriter, isFirst: Bool
  ) throws(ConsoleError) {
    var keys: [String] = []
    var items: [JSONValue] = []
    for name in names {
      let (key, request): (String, String)
      do { (key, request) = try CertificateRequest.make(name: name) } catch {
        throw ConsoleError(.failure, "the key of \(name) cannot be made: \(error)")
      }
      keys.append(key)
      items.append(
        .members(["name": .text(name), "tags": .texts(tags), "csr": .text(request)]))
    }
    let answer = try client.send(
      .post, "/v1/clients/batch", .members(["items": .list(items)]))
    let issued = answer["items"].items
    guard issued.count == names.count, let first = issued.first else {
      throw ConsoleError(.failure, "the manager answered for \(issued.count) of \(names.count)")
    }
    var members: [FleetMember] = []
    for (index, item) in issued.enumerated() {
      guard let clientID = ClientID(item["client"]["clientID"].cell),
        let member = FleetMember(
          clientID: clientID, name: names[index], certificatePEM: item["certificate"].cell,
          keyPEM: keys[index])
      else { throw ConsoleError(.failure, "the manager's answer for \(names[index]) is no client") }
      members.append(member)
    }
    do {
      try writer.append(members)
      if isFirst { try writeCompanions(of: first) }
    } catch { throw ConsoleError(.failure, "\(error)") }
  }

  /// What all clients of a site share lies beside the file; what lies there already stays.
  private func writeCompanions(of item: JSONValue) throws {
    let folder = FleetPacking.folder(of: path)
    for (name, text) in [("ca.pem", item["ca"].cell), ("task.pub", item["taskKeys"].cell)] {
      let file = "\(folder)/\(name)"
      if !Folder.exists(file) { try SecretFile.create(file, contents: text.utf8, mode: 0o644) }
    }
  }

  /// The folder of a file.
  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
