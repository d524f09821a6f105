// How keys are spelled, and which known key a misspelled one was meant to be.

/// Spelling of keys.
enum Spelling {
  /// The key of a property name: `policyListen` is `policy-listen`, `policyURL` is `policy-url`.
  static func key(of name: String) -> String {
    let characters = Array(name)
    var result = ""
    for (position, character) in characters.enumerated() {
      guard character.isUppercase else {
        result.append(character)
        continue
      }
      let afterLower = position > 0 && !characters[position - 1].isUppercase
      let beforeLower =
        position > 0 && position + 1 < characters.count && characters[position + 1].isLowercase
      if (afterLower || beforeLower), result.last != "-", result.last != "." { result.append("-") }
      result += character.lowercased()
    }
    return result
  }

  /// The known key nearest to a misspelled one, if any is near enough to be meant.
  static func nearest(_ word: String, in known: some Collection<String>) -> String? {
    let candidates = known.map { (key: $0, distance: distance(word, $0)) }
    let best = candidates.min { ($0.distance, $0.key) < ($1.distance, $1.key) }
    guard let best, best.distance <= max(2, word.count / 3), best.distance < word.count else {
      return nil
    }
    return best.key
  }

  /// The least number of single-letter changes and swaps between two words (optimal string
  /// alignment).
  static func distance(_ left: String, _ right: String) -> Int {
    let left = Array(left.utf8)
    let right = Array(right.utf8)
    if left.isEmpty || right.isEmpty { return max(left.count, right.count) }
    var older: [Int] = []
    var above = Array(0...right.count)
    for row in 1...left.count {
      var current = [row]
      for column in 1...right.count {
        let change = left[row - 1] == right[column - 1] ? 0 : 1
        var best = min(
          above[column] + 1, current[column - 1] + 1, above[column - 1] + change)
        if row > 1, column > 1, left[row - 1] == right[column - 2],
          left[row - 2] == right[column - 1]
        {
          best = min(best, older[column - 2] + 1)
        }
        current.append(best)
      }
      older = above
      above = current
    }
    return above[right.count]
  }
}
