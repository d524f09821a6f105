// Fuzz target: report files. An odd first byte lets the rest be a whole file; an even one lets it
// be header and records, to which this target adds the right checksum, for no mutation would find
// it. A file that is accepted must be exactly what our writer writes.

import BGBModel
import BGBReport

/// The entry that libFuzzer calls.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzReports(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
  guard let first = bytes.first else { return 0 }
  bytes.removeFirst()
  if first & 1 == 0 {
    let records = max(0, bytes.reduce(0) { $0 + ($1 == 10 ? 1 : 0) } - 1)
    let digits = String(CRC32C.checksum(bytes), radix: 16)
    let sum = String(repeating: "0", count: 8 - digits.count) + digits
    bytes += Array("END count=\(records) crc32c=\(sum)\nSIGNATURE -\n".utf8)
  }
  guard let report = try? ReportFile.decode(bytes, verify: { _, _, _ in true }) else { return 0 }
  // The signature is the only part that a report does not hold.
  let last = bytes.dropLast().lastIndex(of: 10) ?? 0
  let text = String(decoding: bytes[(last + 11)...].dropLast(), as: UTF8.self)
  let signature = Base64.decode(text)
  let again = ReportFile.encode(report, sign: signature.map { bytes in { _ in bytes } })
  precondition(again == bytes, "a report has one spelling")
  _ = ReportName(String(decoding: bytes.prefix(40), as: UTF8.self))
  return 0
}
