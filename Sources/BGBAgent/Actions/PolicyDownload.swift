// Fetching a client's policy: one conditional GET, and a store that holds either the old answer or
// the new one. The answer's own text is stored; an optional hook of this computer's own settings is
// told when it changed. Signed tasks inside it go to the desk, which judges them like pushes.

import BGBModel
import Glibc
public import HTTPClient
import Synchronization

/// How policies are fetched and applied.
public struct PolicySettings: Sendable {
  /// The client's certificate, PEM.
  public var certificateFile: String
  /// Its key, PEM.
  public var keyFile: String
  /// The site's authority, PEM.
  public var authorityFile: String
  /// Where the policy is stored.
  public var folder: String
  /// Run after the stored policy changed, with the file's path as last argument; empty for nothing.
  public var applyHook: [String]
  /// Which proxy leads to the management point; nil for none.
  public var proxy: ProxyChoice?

  /// Joins the parts.
  public init(
    certificateFile: String, keyFile: String, authorityFile: String, folder: String,
    applyHook: [String] = [], proxy: ProxyChoice? = nil
  ) {
    self.certificateFile = certificateFile
    self.keyFile = keyFile
    self.authorityFile = authorityFile
    self.folder = folder
    self.applyHook = applyHook
    self.proxy = proxy
  }
}

/// Fetches and stores the policy of one client; may be used from any thread, one at a time inside.
public final class PolicyDownload: Sendable {
  /// Bytes of a policy answer at most.
  static let bytesMax = 4 << 20
  private let settings: PolicySettings
  private let turn = Mutex<Void>(())

  /// Takes the settings.
  public init(_ settings: PolicySettings) { self.settings = settings }

  /// The stored answer.
  var file: String { "\(settings.folder)/policy.json" }
  /// The entity tag of the stored answer, and whether the hook has seen it.
  var tagFile: String { "\(settings.folder)/policy.etag" }

  /// Fetches the policy from `<url>/bgb/policy`.
  public func fetch(from url: String?, _ order: ActionOrder, stop: StopFlag) -> ActionResult {
    turn.withLock { _ in locked(url, order, stop) }
  }

  private func locked(_ url: String?, _ order: ActionOrder, _ stop: StopFlag) -> ActionResult {
    guard let url else { return .failed("the server named no place for policies") }
    guard url.hasPrefix("https://") else {
      return .failed("policies are fetched by https only, not from \(url)")
    }
    var headers = [(name: "Accept", value: "application/json")]
    let tag = AgentFile.text(tagFile, limit: 4_096)
    if let tag, AgentFile.exists(file) { headers.append((name: "If-None-Match", value: tag)) }
    var request = HTTPRequest(
      .get, url: "\(url)/bgb/policy", headers: headers, caFile: settings.authorityFile,
      clientCertificate: settings.certificateFile, clientKey: settings.keyFile,
      timeoutMilliseconds: Int(clamping: min(order.runMilliseconds, 60_000)),
      bodyBytesMax: PolicyDownload.bytesMax)
    request.proxy = request.host.flatMap { settings.proxy?.proxy(for: $0).server }
    let response: HTTPResponse
    do throws(HTTPError) {
      response = try request.send(shouldStop: { stop.isRaised })
    } catch {
      return .failed("the policy was not fetched: \(error)")
    }
    switch response.status {
    case 304: return .succeeded("the policy has not changed")
    case 200: return take(response, order, stop)
    default: return .failed("the management point answered \(response.status)", code: 1)
    }
  }

  private func take(
    _ response: HTTPResponse, _ order: ActionOrder, _ stop: StopFlag
  ) -> ActionResult {
    guard let answer = JSONText(response.body), let policies = answer["policies"] else {
      return .failed("the policy cannot be read: it is not the JSON it should be")
    }
    let tasks = (answer["tasks"]?.elements ?? []).compactMap(PolicyDownload.task)
    do throws(FileError) {
      try AgentFile.makeFolder(settings.folder)
      // The tag goes first and comes back last: with a tag, the stored answer is the one it names.
      AgentFile.remove(tagFile)
      try AgentFile.replace(file, with: response.body)
    } catch {
      return .failed("the policy was not stored: \(error)")
    }
    if let failure = apply(order, stop) { return failure }
    if let tag = response.header("etag"), tag.isPrintable {
      try? AgentFile.replace(tagFile, with: Array(tag.utf8))
    }
    let count = policies.elements.count
    return .succeeded(
      "\(count) \(count == 1 ? "policy" : "policies") stored", policyTasks: tasks)
  }

  private func apply(_ order: ActionOrder, _ stop: StopFlag) -> ActionResult? {
    guard !settings.applyHook.isEmpty else { return nil }
    let run = ProcessRun.run(
      ProcessOrder(settings.applyHook + [file], milliseconds: order.runMilliseconds), stop: stop)
    guard !run.isSuccess else { return nil }
    return .failed("the policy is stored, but its hook failed: \(run.sentence)\n\(run.text)")
  }

  /// One signed task of the answer; nil for what is none.
  private static func task(_ value: JSONText) -> PolicyTask? {
    guard let statement = value["statement"]?.text.flatMap({ Base64.decode($0) }),
      let signature = value["signature"]?.text.flatMap({ Base64.decode($0) }),
      let leaf = value["leafIndex"]?.integer.flatMap({ UInt32(exactly: $0) }),
      statement.count <= Limits.statementBytesMax, let path = value["path"]
    else { return nil }
    let hashes = path.elements.compactMap { $0.text.flatMap { Base64.decode($0) } }
    guard hashes.count <= Limits.merklePathMax, let way = MerklePath(hashes),
      let decoded = try? TaskStatement(decoding: statement),
      ClientAction(rawValue: decoded.actionCode)?.travelsByPolicy == true
    else { return nil }
    return PolicyTask(
      task: SignedTask(statement: statement, signature: signature), leafIndex: leaf, path: way)
  }
}
