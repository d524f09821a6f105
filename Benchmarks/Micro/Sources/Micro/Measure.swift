// The measuring loop: several rounds of the same work, CPU time of this thread, least and median
// printed.
//
// CPU time and not wall time, because the machines these run on are shared. The least says what the
// code costs when nothing disturbs it, the median what to expect; ratios are taken between medians
// of one run.

import CEpollShim

/// What one kind of work came to, in nanoseconds per operation.
struct Figure {
  let least: Double
  let median: Double
}

/// CPU nanoseconds of this thread that the work takes.
func cpuNanoseconds(_ work: () throws -> Void) rethrows -> UInt64 {
  let begin = clinux_thread_cpu_nanoseconds()
  try work()
  return clinux_thread_cpu_nanoseconds() - begin
}

/// Runs rounds that each report their nanoseconds, and prints one line.
@discardableResult
func measure(
  _ name: String, operations: Int, rounds: Int = 7, against ours: Figure? = nil,
  _ round: () throws -> UInt64
) rethrows -> Figure {
  var spent: [Double] = []
  for _ in 0..<rounds { spent.append(Double(try round()) / Double(operations)) }
  return report(name, spent, against: ours)
}

/// Prints the line of rounds that were measured elsewhere, such as in turn with others.
@discardableResult
func report(_ name: String, _ rounds: [Double], against ours: Figure? = nil) -> Figure {
  let spent = rounds.sorted()
  let figure = Figure(least: spent[0], median: spent[spent.count / 2])
  let ratio = ours.map { "  \(rounded(figure.median / $0.median))x ours" } ?? ""
  print(pad(name, 44) + left(figure.least, 10) + left(figure.median, 10) + ratio)
  return figure
}

func printHeader() {
  print(pad("ns per operation, CPU time of the thread", 44) + "     least    median")
}

func printRatio(_ name: String, _ ratio: Double) { print(pad(name, 44) + left(ratio, 10)) }

func printTitle(_ title: String) { print("\n" + title) }

private func pad(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(1, width - text.count))
}

private func left(_ value: Double, _ width: Int) -> String {
  let text = rounded(value)
  return String(repeating: " ", count: max(1, width - text.count)) + text
}

/// One digit behind the point, by hand: formatting belongs to Foundation, which stays out of here.
private func rounded(_ value: Double) -> String {
  let tenths = Int((value * 10).rounded())
  return "\(tenths / 10).\(tenths % 10)"
}

/// Numbers that a seed repeats (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
