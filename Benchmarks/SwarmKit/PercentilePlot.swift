// A percentile curve as SVG, written by hand: time upwards, and to the right the percentiles so
// that each further nine has the same width, for the tail is what one looks for.

/// Curves in one picture.
public struct PercentilePlot: Sendable {
  private static let width = 900.0
  private static let height = 480.0
  private static let margin = (left: 80.0, top: 50.0, right: 30.0, bottom: 60.0)
  private static let colours = ["#1f6fb2", "#c8501e", "#2a8a4a", "#8a4ab0", "#666666", "#b08a1e"]
  private static let shown: [(percentile: Double, text: String)] = [
    (0, "0"), (50, "50"), (90, "90"), (99, "99"), (99.9, "99.9"), (99.99, "99.99"),
    (99.999, "99.999"),
  ]

  private var curves: [(name: String, histogram: LatencyHistogram)] = []
  private let title: String

  /// Begins without curves.
  public init(title: String) { self.title = title }

  /// Adds a curve; one of nothing is left out.
  public mutating func add(_ name: String, _ histogram: LatencyHistogram) {
    if histogram.count > 0 { curves.append((name, histogram)) }
  }

  /// Whether there is anything to see.
  public var isEmpty: Bool { curves.isEmpty }

  /// How many nines a percentile has: 0 for 0, 1 for 90, 2 for 99.
  static func nines(_ percentile: Double) -> Double {
    guard percentile < 100 else { return .infinity }
    var rest = 100 / (100 - percentile)
    var nines = 0.0
    while rest >= 10 {
      rest /= 10
      nines += 1
    }
    // Between two powers of ten the logarithm by a series, for there is no library below this.
    let part = (rest - 1) / (rest + 1)
    let square = part * part
    var term = part
    var logarithm = 0.0
    var divisor = 1.0
    while divisor < 60 {
      logarithm += term / divisor
      term *= square
      divisor += 2
    }
    return nines + 2 * logarithm / 2.302_585_092_994_046
  }

  /// Round steps upwards, some five of them.
  static func step(for longest: Double) -> Double {
    guard longest > 0 else { return 1 }
    var step = 0.001
    let factors = [2, 2.5, 2]
    var index = 0
    while longest / step > 6 {
      step *= factors[index % factors.count]
      index += 1
    }
    return step
  }

  /// The picture.
  public var svg: String {
    let longest = curves.map(\.histogram.maxMilliseconds).max() ?? 1
    let step = PercentilePlot.step(for: longest)
    let top = (longest / step).rounded(.up) * step
    let most = Double(curves.map(\.histogram.count).max() ?? 1)
    let ninesMax = max(1, PercentilePlot.nines(100 - 100 / max(most, 2) / 2))
    let margin = PercentilePlot.margin
    let innerWidth = PercentilePlot.width - margin.left - margin.right
    let innerHeight = PercentilePlot.height - margin.top - margin.bottom
    func x(_ percentile: Double) -> Double {
      margin.left + min(PercentilePlot.nines(percentile) / ninesMax, 1) * innerWidth
    }
    func y(_ milliseconds: Double) -> Double {
      margin.top + (1 - milliseconds / top) * innerHeight
    }
    var text = PercentilePlot.head(title)
    var level = 0.0
    while level <= top * 1.0001 {
      text += PercentilePlot.line(
        margin.left, y(level), PercentilePlot.width - margin.right, y(level), "#dddddd")
      text += PercentilePlot.words(
        NumberForm.short(level), margin.left - 8, y(level) + 4, anchor: "end")
      level += step
    }
    for mark in PercentilePlot.shown where PercentilePlot.nines(mark.percentile) <= ninesMax {
      let place = x(mark.percentile)
      text += PercentilePlot.line(
        place, margin.top, place, PercentilePlot.height - margin.bottom, "#eeeeee")
      text += PercentilePlot.words(
        mark.text, place, PercentilePlot.height - margin.bottom + 20, anchor: "middle")
    }
    text += PercentilePlot.words(
      "percentile", margin.left + innerWidth / 2, PercentilePlot.height - 14, anchor: "middle")
    text += PercentilePlot.words("ms", margin.left - 8, margin.top - 12, anchor: "end")
    for (number, curve) in curves.enumerated() {
      let colour = PercentilePlot.colours[number % PercentilePlot.colours.count]
      let points = curve.histogram.curve().map { point in
        "\(PercentilePlot.place(x(point.percentile))),"
          + PercentilePlot.place(y(point.milliseconds))
      }
      text += "<polyline fill=\"none\" stroke=\"\(colour)\" stroke-width=\"2\" points=\""
      text += points.joined(separator: " ") + "\"/>\n"
      let row = margin.top + 16 * Double(number) + 8
      text += PercentilePlot.line(margin.left + 14, row - 4, margin.left + 38, row - 4, colour)
      text += PercentilePlot.words(
        PercentilePlot.legend(curve), margin.left + 46, row, anchor: "start")
    }
    return text + "</svg>\n"
  }

  private static func legend(_ curve: (name: String, histogram: LatencyHistogram)) -> String {
    let times = [50.0, 99, 100].map { NumberForm.short(curve.histogram.milliseconds(at: $0)) }
    return "\(curve.name): \(curve.histogram.count), p50 \(times[0]), p99 \(times[1]), "
      + "max \(times[2]) ms"
  }

  private static func head(_ title: String) -> String {
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(place(width)) \(place(height))\" "
      + "font-family=\"sans-serif\" font-size=\"12\">\n"
      + "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
      + "<text x=\"\(place(margin.left))\" y=\"24\" font-size=\"16\">\(escaped(title))</text>\n"
  }

  private static func line(
    _ fromX: Double, _ fromY: Double, _ toX: Double, _ toY: Double, _ colour: String
  ) -> String {
    "<line x1=\"\(place(fromX))\" y1=\"\(place(fromY))\" x2=\"\(place(toX))\" "
      + "y2=\"\(place(toY))\" stroke=\"\(colour)\"/>\n"
  }

  private static func words(_ text: String, _ x: Double, _ y: Double, anchor: String) -> String {
    "<text x=\"\(place(x))\" y=\"\(place(y))\" text-anchor=\"\(anchor)\">\(escaped(text))</text>\n"
  }

  private static func place(_ number: Double) -> String {
    NumberForm.short((number * 10).rounded() / 10)
  }

  static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
  }
}
