// What GET /bgb/policy answers: a client's policy documents, and the signed tasks that also travel
// by policy, each with the client's Merkle path. JSON with keys in a fixed order, so that equal
// policies are equal bytes and the entity tag is their digest.

import BGBModel
import BGBSigning
import SiteDatabase
import Transports

/// The bytes of a policy answer.
enum PolicyDocument {
  /// The answer for one client.
  static func encode(_ bundle: PolicyBundle, for client: ClientID) -> [UInt8] {
    var json = "{\"policies\":["
    for (position, policy) in bundle.policy.documents.enumerated() {
      if position > 0 { json += "," }
      json += "{\"name\":\(quoted(policy.name)),\"version\":\(policy.version),"
      json += "\"document\":\(policy.document)}"
    }
    json += "],\"tasks\":["
    var isFirst = true
    for (record, targets) in bundle.tasks {
      guard let task = encode(record, targets, client) else { continue }
      if !isFirst { json += "," }
      isFirst = false
      json += task
    }
    json += "]}"
    return Array(json.utf8)
  }

  /// Sixteen bytes of the SHA-256 of the answer, in hexadecimal.
  static func entityTag(of body: [UInt8]) -> String {
    hexadecimal(Array(Digest.sha256(body).prefix(16)))
  }

  private static func encode(
    _ record: TaskRecord, _ targets: [TargetRecord], _ client: ClientID
  ) -> String? {
    guard let leaf = targets.firstIndex(where: { $0.clientID == client }) else { return nil }
    let tree = MerkleTree(leaves: targets.map(\.clientID))
    let hashes = tree.path(at: leaf).map { "\"" + Base64.encode($0) + "\"" }
    let path = hashes.joined(separator: ",")
    return "{\"statement\":\"\(Base64.encode(record.signed.statement))\","
      + "\"signature\":\"\(Base64.encode(record.signed.signature))\","
      + "\"leafIndex\":\(leaf),\"path\":[\(path)]}"
  }

  /// A JSON string (RFC 8259, section 7).
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
