// What one connection must remember so that its reconnect identity can be renewed: two moments, in
// minutes, because there may be a hundred thousand connections.

/// The moments of one connection's reconnect identity.
struct ReconnectState: Equatable {
  /// When the client last showed its certificate, in minutes since 1970; 0 if that is not known.
  private(set) var shownMinute: UInt32 = 0
  /// When the last identity was given, in minutes since 1970; 0 for a client that takes none.
  private(set) var givenMinute: UInt32 = 0

  /// Notes when the certificate was shown, in seconds since 1970.
  mutating func noteShown(at seconds: Int64?) {
    shownMinute = seconds.map { UInt32(clamping: $0 / 60) } ?? 0
  }

  /// Notes that an identity was given, or tried to.
  mutating func noteGiven(at seconds: Int64) {
    givenMinute = max(1, UInt32(clamping: seconds / 60))
  }

  /// When the certificate was shown, in seconds since 1970, rounded down.
  var shownAt: Int64 { Int64(shownMinute) * 60 }

  /// Whether more than a third of the life has gone by since the last one was given.
  func isDue(at seconds: Int64, lifeSeconds: Int64) -> Bool {
    givenMinute != 0 && seconds / 60 - Int64(givenMinute) > lifeSeconds / 180
  }
}
