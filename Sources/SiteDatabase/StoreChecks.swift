// What every backend demands of names, texts and headers before it writes them, so that all
// backends accept and refuse the same and no text can break out of the column it is stored in.

package import BGBModel

/// Checks and bounds that all backends share.
package enum StoreChecks {
  /// Bytes of a name of a client, collection, policy or server.
  package static let nameBytesMax = 255
  /// Bytes of one tag, and tags of one client.
  package static let tagBytesMax = 64
  package static let tagsMax = 64
  /// Rules of one collection: enough to list a large site by hand.
  package static let rulesMax = 100_000
  /// Bytes of a policy document.
  package static let documentBytesMax = 262_144
  /// Bytes of free text: an audit detail, a status message.
  package static let textBytesMax = 4_096

  /// A name as people give it: printable, bounded, without blanks at its ends.
  package static func checkName(_ name: String, of what: String) throws(StoreError) {
    guard !name.isEmpty, name.utf8.count <= nameBytesMax, name.isPrintable,
      !name.hasPrefix(" "), !name.hasSuffix(" ")
    else {
      throw .invalid(
        "the name of a \(what) is 1 to \(nameBytesMax) bytes of printable text"
          + " without blanks at its ends")
    }
  }

  /// A client's name; one that reads as a client id would make two things look alike.
  package static func checkClientName(_ name: String) throws(StoreError) {
    try checkName(name, of: "client")
    guard ClientID(name) == nil else {
      throw .invalid("a client cannot be named like a client id: '\(name)'")
    }
  }

  /// Tags without repetition, in their order.
  ///
  /// Commas separate them in the database.
  package static func checkedTags(_ tags: [String]) throws(StoreError) -> [String] {
    var unique: [String] = []
    for tag in tags where !unique.contains(where: { isSame($0, tag) }) {
      guard !tag.isEmpty, tag.utf8.count <= tagBytesMax, tag.isPrintable,
        !tag.contains(where: { $0 == "," || $0 == "\"" || $0.isWhitespace })
      else {
        throw .invalid(
          "a tag is 1 to \(tagBytesMax) bytes of printable text without blanks, commas or quotes:"
            + " '\(bounded(tag, bytes: tagBytesMax))'")
      }
      unique.append(tag)
    }
    guard unique.count <= tagsMax else { throw .invalid("a client has at most \(tagsMax) tags") }
    return unique
  }

  /// Rules of a collection: few enough, and queries that can be read.
  package static func checkRules(_ rules: [MembershipRule]) throws(StoreError) {
    guard rules.count <= rulesMax else {
      throw .invalid("a collection has at most \(rulesMax) rules")
    }
    for case .query(let text) in rules { _ = try query(text) }
  }

  /// The built-in collection stays as it is.
  package static func checkChangeable(collection name: String) throws(StoreError) {
    guard !isSame(name, CollectionRecord.allSystems) else {
      throw .invalid("'\(CollectionRecord.allSystems)' is built in and stays as it is")
    }
  }

  /// A query rule as a tree.
  package static func query(_ text: String) throws(StoreError) -> SiteQuery {
    do throws(SiteQueryError) {
      return try SiteQuery(text)
    } catch {
      throw .invalid("the query cannot be read: \(error)")
    }
  }

  /// The public key that signs a server's reports.
  package static func checkReportKey(_ key: [UInt8]) throws(StoreError) {
    guard key.count == 32 else { throw .invalid("a report key is 32 bytes of Ed25519") }
  }

  /// A policy document.
  package static func checkDocument(_ document: String) throws(StoreError) {
    guard document.utf8.count <= documentBytesMax, !document.utf8.contains(0) else {
      throw .invalid("a policy document is at most \(documentBytesMax) bytes of text without NUL")
    }
  }

  /// A report that belongs to this call and to this site.
  package static func checkHeader(
    _ header: ReportHeader, kind: ReportKind, site: SiteCode
  ) throws(StoreError) {
    guard header.kind == kind else {
      throw .invalid("a \(header.kind.rawValue) report where a \(kind.rawValue) belongs")
    }
    guard header.site == site else {
      throw .invalid("a report of site \(header.site) in the database of site \(site)")
    }
    // Databases count in signed integers.
    guard header.sequence > 0, header.sequence < UInt64(Int64.max),
      header.epoch < UInt64(Int64.max)
    else { throw .invalid("report sequences begin with 1 and end long before 2^63") }
  }

  /// A request whose texts can be stored.
  package static func check(_ request: OperationRequest) throws(StoreError) {
    guard request.requestedBy.utf8.count <= nameBytesMax, request.requestedBy.isPrintable else {
      throw .invalid("who asks is named in at most \(nameBytesMax) bytes of printable text")
    }
    guard let key = request.idempotencyKey else { return }
    guard !key.isEmpty, key.utf8.count <= nameBytesMax, key.isPrintable else {
      throw .invalid("an idempotency key is 1 to \(nameBytesMax) bytes of printable text")
    }
  }

  /// Free text: cut, and without NUL, where databases end a text.
  package static func bounded(_ text: String, bytes: Int = textBytesMax) -> String {
    guard text.utf8.contains(0) || text.utf8.count > bytes else { return text }
    let whole = String(decoding: text.utf8.filter { $0 != 0 }, as: UTF8.self)
    return String(whole.cut(toBytes: bytes))
  }

  /// A client's facts within the limits of the protocol.
  ///
  /// An address with a comma is none, and would become two in the database's list.
  package static func bounded(_ facts: ClientFacts) -> ClientFacts {
    let addresses = facts.addresses.lazy
      .map { bounded($0, bytes: Limits.addressBytesMax) }
      .filter { !$0.isEmpty && !$0.utf8.contains(UInt8(ascii: ",")) }
    return ClientFacts(
      hostname: bounded(facts.hostname, bytes: Limits.hostnameBytesMax),
      operatingSystem: bounded(facts.operatingSystem, bytes: Limits.descriptionBytesMax),
      agentVersion: bounded(facts.agentVersion, bytes: Limits.descriptionBytesMax),
      addresses: Array(addresses.prefix(Limits.addressesMax)))
  }

  /// News within its bounds.
  package static func bounded(_ outcome: TaskOutcome) -> TaskOutcome {
    var outcome = outcome
    outcome.text = bounded(outcome.text, bytes: Limits.outcomeTextBytesMax)
    return outcome
  }

  /// A status message within its bounds.
  package static func bounded(_ message: StatusMessage) -> StatusMessage {
    var message = message
    message.component = bounded(message.component, bytes: nameBytesMax)
    message.machine = bounded(message.machine, bytes: nameBytesMax)
    message.text = bounded(message.text)
    return message
  }

  /// Whether two texts are the same bytes, as databases compare; `==` of strings is more generous.
  package static func isSame(_ left: String, _ right: String) -> Bool {
    left.utf8.elementsEqual(right.utf8)
  }

  /// The order of the bytes, as databases sort.
  package static func precedes(_ left: String, _ right: String) -> Bool {
    left.utf8.lexicographicallyPrecedes(right.utf8)
  }
}

/// Sixty-four bits of FNV-1a, twice: tells texts apart where nobody gains from a collision.
package struct Fingerprint {
  private var low: UInt64 = 0xcbf2_9ce4_8422_2325
  private var high: UInt64 = 0x6c62_272e_07bb_0142

  /// Of nothing.
  package init() {}

  /// Takes in a text and its end.
  package mutating func add(_ text: String) {
    for byte in text.utf8 { add(byte) }
    add(0xFF)
  }

  private mutating func add(_ byte: UInt8) {
    low = (low ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
    high = (high ^ UInt64(byte) ^ low) &* 0x0000_0100_0000_01B3
  }

  /// Thirty-two hexadecimal digits.
  package var text: String { KeyID(high).description + KeyID(low).description }
}

extension OperationRequest {
  /// The same for equal requests: what an idempotency key was first used for.
  package var fingerprint: String {
    var print = Fingerprint()
    print.add(String(action.rawValue))
    for value in parameters.values {
      print.add(value.name)
      print.add(value.text)
    }
    switch target {
    case .collection(let name): print.add("collection \(name)")
    case .clients(let clients): for client in clients { print.add(client.description) }
    }
    print.add("\(validityMilliseconds) \(spreadSeconds) \(ratePerSecond)")
    print.add(requestedBy)
    return print.text
  }

  /// What the audit says of its start.
  package func auditDetail(
    _ operationID: OperationID, on targetName: String, targetCount: Int
  ) -> String {
    let values = parameters.values.map { " \($0.name)=\($0.text)" }.joined()
    return "operation=\(operationID) \(action.name)\(values) on '\(targetName)'"
      + " targets=\(targetCount)"
  }
}

extension OutcomeStep {
  /// Steps in the order of time, with what the site itself concluded.
  package static func ordered(
    _ steps: [OutcomeStep], and known: KnownOutcome, of taskID: TaskID
  ) -> [OutcomeStep] {
    var steps = steps
    if known.isAssumed {
      steps.append(
        OutcomeStep(
          outcome: known.outcome(of: taskID), serverID: nil, reportedAt: nil, importedAt: nil))
    }
    return steps.sorted { left, right in
      left.outcome.at != right.outcome.at
        ? left.outcome.at < right.outcome.at
        : left.outcome.state.rawValue < right.outcome.state.rawValue
    }
  }
}

extension EffectivePolicy {
  /// Joins documents, and makes the tag from their names and versions.
  package init(_ documents: [PolicyRecord]) {
    var print = Fingerprint()
    for document in documents {
      print.add(document.name)
      print.add(String(document.version))
    }
    self.init(entityTag: print.text, documents: documents)
  }
}
