// The swift-log handler: collects the parts of an event and hands them to the output. A logger
// without a level of its own follows the shared one, so that a running service can be made verbose.

import Logging

/// One logger's handler, a value as swift-log demands.
struct ServiceLogHandler: LogHandler {
  private let output: LogOutput
  private var ownLevel: Logger.Level?
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?

  init(output: LogOutput) { self.output = output }

  var logLevel: Logger.Level {
    get { ownLevel ?? output.sharedLevel }
    set { ownLevel = newValue }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var merged = metadata
    if let provided = metadataProvider?.get() {
      merged.merge(provided) { _, newer in newer }
    }
    if let given = event.metadata {
      merged.merge(given) { _, newer in newer }
    }
    if let error = event.error { merged["error"] = "\(error)" }
    let entries = merged.sorted { $0.key < $1.key }.map { (key: $0.key, value: "\($0.value)") }
    let file = event.file.split(separator: "/").last.map(String.init) ?? event.file
    output.write(
      LogLine(
        moment: .now(), level: event.level, component: output.component,
        message: event.message.description, metadata: entries, thread: currentThreadNumber(),
        origin: "\(file):\(event.line)"))
  }
}
