// docs/PROTOCOL.md says what the code does: its vectors, its tables and its numbers are read and
// compared.

import BGBModel
import BGBWire
import Glibc
import Testing

/// The protocol's document.
private let document: String = {
  let here = #filePath
  let root = here.split(separator: "/").dropLast(3).joined(separator: "/")
  guard let file = fopen("/\(root)/docs/PROTOCOL.md", "r") else { return "" }
  defer { fclose(file) }
  var bytes = [UInt8](repeating: 0, count: 1 << 20)
  let count = fread(&bytes, 1, bytes.count, file)
  return String(decoding: bytes[..<count], as: UTF8.self)
}()

/// The vectors by their names.
private let vectors: [String: String] = {
  var vectors: [String: String] = [:]
  var name = ""
  var isInside = false
  for line in document.split(separator: "\n", omittingEmptySubsequences: false) {
    if line.hasPrefix("```") {
      isInside = line == "```golden"
    } else if isInside, line.hasPrefix("  ") {
      vectors[name, default: ""] += line.dropFirst(2)
    } else if isInside {
      name = String(line)
    }
  }
  return vectors
}()

@Suite struct DocumentTests {
  @Test(arguments: samples) func vectorsAreTheTests(_ sample: WireSample) {
    #expect(vectors["\(sample.message.kind)"] == sample.hex)
  }

  @Test func optionalFieldsHaveVectorsAndRows() {
    #expect(vectors["signIn-fallback"] == signInOverHTTPS.hex)
    #expect(vectors["signIn-reconnect"] == signInTakingIdentities.hex)
    for reason in FallbackReason.allCases {
      #expect(document.contains("| \(reason.rawValue) | `\(reason.name)` |"), "\(reason)")
    }
  }

  @Test func theDocumentedTaskCanBeRead() throws {
    let statement = try TaskStatement(decoding: bytes(vectors["statement"] ?? ""))
    #expect(hex(statement.targetRoot) == vectors["target-root"])
    #expect(statement.keyID.description == vectors["key-id"])
    #expect(statement.parameters["delay-seconds"] == "600")
  }

  @Test(arguments: MessageKind.allCases) func everyKindHasItsRowAndSection(_ kind: MessageKind) {
    let number = "0x" + (kind.rawValue < 16 ? "0" : "") + String(kind.rawValue, radix: 16)
    let name = "\(kind)".prefix(1).uppercased() + "\(kind)".dropFirst()
    let from =
      switch kind.direction {
      case .fromAgent: "agent"
      case .fromServer: "server"
      case .both: "both"
      }
    #expect(document.contains("| \(number) | \(name) | \(from) |"))
    #expect(document.contains("### \(number) \(name)\n"))
  }

  @Test(arguments: CloseCode.allCases) func everyCloseCodeHasItsRowAndAdvice(_ code: CloseCode) {
    let advice =
      switch code.reconnect {
      case .slowly: "slowly"
      case .afterAdvice: "as advised"
      case .never: "not now"
      }
    let row = document.split(separator: "\n").first {
      $0.hasPrefix("| \(code.rawValue) | \(code) |")
    }
    #expect(row?.hasSuffix("| \(advice) |") == true)
  }

  @Test(arguments: ClientAction.allCases) func everyActionIsNamed(_ action: ClientAction) {
    #expect(document.contains("\(action.rawValue)"))
    for parameter in action.parameters { #expect(document.contains("`\(parameter.name)`")) }
  }

  @Test func limitsAreTheCodes() {
    #expect(document.contains("block(\(Limits.statementBytesMax))"))
    #expect(document.contains("text(\(Limits.policyURLBytesMax))"))
    #expect(document.contains("text(\(Limits.endpointBytesMax))"))
    #expect(document.contains("text(\(Limits.liveDataNameBytesMax))"))
    #expect(document.contains("bodies of at most 4,092"))
    #expect(Limits.bytesBeforeIdentityMax - Limits.frameHeaderBytes == 4_092)
    #expect(document.contains("at most \(Limits.unacknowledgedPushesMax) pushes"))
    #expect(Limits.keepAliveExpiryTenths == 15 && document.contains("**1.5 intervals**"))
    #expect(document.contains("tasks for \(Limits.journalKeptMilliseconds / 86_400_000) days"))
  }
}
