// Words of an enumeration by their bytes: reports have one of them in each line.

/// Finding one of a few words.
enum WordList {
  /// The place of a word among some; nil when it is none of them, to the byte.
  static func index(of word: borrowing Span<UInt8>, in words: [String]) -> Int? {
    for index in words.indices where isSame(words[index].utf8Span.span, word) { return index }
    return nil
  }

  private static func isSame(
    _ left: borrowing Span<UInt8>, _ right: borrowing Span<UInt8>
  ) -> Bool {
    guard left.count == right.count else { return false }
    for position in left.indices where left[position] != right[position] { return false }
    return true
  }
}
