// A number of bytes with its unit.

/// A number of bytes such as `64KiB`, `5MB` or `4096`.
public struct ByteSize: SettingValue, Hashable, Comparable, CustomStringConvertible {
  /// The number of bytes.
  public let bytes: Int64

  /// Wraps a number of bytes; negative ones count as none.
  public init(bytes: Int64) { self.bytes = max(0, bytes) }

  /// What a file should say.
  public static var expected: String { "a size such as 64KiB, 5MB or 4096" }

  private static let units: [(name: String, bytes: Int64)] = [
    ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("GB", 1_000_000_000),
    ("MB", 1_000_000), ("kB", 1000), ("KB", 1000), ("B", 1), ("", 1),
  ]

  /// Reads the spelling.
  public init?(setting text: String, folder: String = "") {
    let digits = text.utf8.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    guard let number = Int64(String(decoding: digits, as: UTF8.self)),
      let rest = String(text.utf8.dropFirst(digits.count)),
      let unit = ByteSize.units.first(where: { $0.name == rest })
    else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: unit.bytes)
    guard !overflow else { return nil }
    bytes = product
  }

  /// The size in the greatest binary unit that divides it.
  public var description: String {
    for (name, unit) in ByteSize.units.prefix(3) where bytes > 0 && bytes % unit == 0 {
      return "\(bytes / unit)\(name)"
    }
    return "\(bytes)"
  }

  /// Orders by size.
  public static func < (left: ByteSize, right: ByteSize) -> Bool { left.bytes < right.bytes }
}
