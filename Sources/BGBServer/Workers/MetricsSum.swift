// The figures of several workers as those of one server: the same names, their values added. What
// a dead worker had counted stays in the sum as far as it was known, so that a counter of the
// server never goes back because one of its processes was started anew.

/// A sum of Prometheus texts (exposition format 0.0.4).
struct MetricsSum {
  /// Figures of which the smallest counts and not the sum: one worker without its site is an alarm.
  static let smallest: Set<String> = ["bgb_site_reachable"]

  private struct Family {
    var comments: [Substring] = []
    var names: [Substring] = []
  }

  private var families: [Substring: Family] = [:]
  private var order: [Substring] = []
  private var values: [Substring: Double] = [:]

  /// Of nothing.
  init() {}

  /// Adds the text of one worker; lines that are no figures are passed over.
  mutating func add(_ text: String) {
    var family: Substring = ""
    for line in text.split(separator: "\n") {
      if line.hasPrefix("# ") {
        let words = line.split(separator: " ", maxSplits: 3)
        guard words.count > 2 else { continue }
        family = words[2]
        keep(family)
        if families[family]?.comments.contains(line) == false {
          families[family]?.comments.append(line)
        }
        continue
      }
      guard let blank = line.lastIndex(of: " "),
        let value = Double(line[line.index(after: blank)...])
      else { continue }
      let name = line[..<blank]
      // A figure without a comment of its own is a family of its own.
      let owner = name.hasPrefix(family) && !family.isEmpty ? family : name
      keep(owner)
      guard let known = values[name] else {
        values[name] = value
        families[owner]?.names.append(name)
        continue
      }
      values[name] = MetricsSum.smallest.contains(String(name)) ? min(known, value) : known + value
    }
  }

  /// Adds what workers that are gone had counted, where somebody still counts it.
  mutating func add(counted: [String: Double]) {
    for (name, value) in counted {
      if let known = values[name[...]] { values[name[...]] = known + value }
    }
  }

  /// The counters of a text: what only grows while a process lives.
  static func counters(of text: String) -> [String: Double] {
    var sum = MetricsSum()
    sum.add(text)
    var counted: [String: Double] = [:]
    for (name, value) in sum.values where isCounter(name) { counted[String(name)] = value }
    return counted
  }

  /// One figure of the sum.
  func value(_ name: String) -> Double? { values[name[...]] }

  /// The text of the sum, in the order in which the figures came first.
  var text: String {
    var text = ""
    for name in order {
      guard let family = families[name] else { continue }
      for comment in family.comments { text += comment + "\n" }
      for name in family.names { text += "\(name) \(MetricsSum.number(values[name] ?? 0))\n" }
    }
    return text
  }

  private mutating func keep(_ family: Substring) {
    guard families[family] == nil else { return }
    families[family] = Family()
    order.append(family)
  }

  private static func isCounter(_ name: Substring) -> Bool {
    let bare = name.prefix { $0 != "{" }
    return bare.hasSuffix("_total") || bare.hasSuffix("_count") || bare.hasSuffix("_bucket")
      || bare.hasSuffix("_sum")
  }

  /// Whole numbers without a point, as they came.
  static func number(_ value: Double) -> String {
    guard value.isFinite, value.rounded() == value, abs(value) < 9e15 else { return "\(value)" }
    return "\(Int64(value))"
  }
}
