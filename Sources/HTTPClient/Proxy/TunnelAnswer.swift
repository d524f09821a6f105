// A proxy's answers to CONNECT, line by line. libcurl is lenient (it takes any line before the
// first that looks like a status), and has no limit for the sum of lines; here is the strictness.

/// The answers under way: several when the proxy asks who we are.
final class TunnelAnswer {
  /// Bytes of the header lines of all answers at most.
  static let bytesMax = 64 << 10

  /// The status of the last answer that came to its end.
  private(set) var status: Int?
  /// Why no more is taken.
  private(set) var refusal: String?
  private var statusUnderWay: Int?
  private var bytes = 0

  /// Takes one line with its end; says whether more is wanted.
  func take(_ line: [UInt8]) -> Bool {
    bytes += line.count
    guard bytes <= TunnelAnswer.bytesMax else { return refuse("its answer has no end") }
    guard let underWay = statusUnderWay else {
      guard let begun = TunnelAnswer.status(of: line) else {
        return refuse("its answer is not HTTP/1")
      }
      status = nil
      statusUnderWay = begun
      return true
    }
    if line == [0x0D, 0x0A] || line == [0x0A] {
      status = underWay
      statusUnderWay = nil
    }
    return true
  }

  /// The three digits of `HTTP/1.x NNN`.
  private static func status(of line: [UInt8]) -> Int? {
    let isDigit = { (byte: UInt8) in (0x30...0x39).contains(byte) }
    guard line.count > 12, line.starts(with: "HTTP/1.".utf8), isDigit(line[7]),
      line[8] == UInt8(ascii: " "), line[9..<12].allSatisfy(isDigit), line[9] != 0x30,
      [0x20, 0x0D, 0x0A].contains(line[12])
    else { return nil }
    return line[9..<12].reduce(0) { $0 * 10 + Int($1 - 0x30) }
  }

  private func refuse(_ reason: String) -> Bool {
    refusal = reason
    return false
  }
}
