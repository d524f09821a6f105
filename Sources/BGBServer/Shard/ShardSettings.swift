// What a shard is told to do: numbers that its owner read from a file, with the defaults of
// `Limits`.

import BGBModel

/// The numbers that rule one shard.
struct ShardSettings: Sendable, Equatable {
  /// Connections at most; the listener rests while there are so many.
  var connectionsMax = 18_000
  /// Whether connections go on without OpenSSL's object once they are established.
  var detaches = true
  /// Whether the kernel is given the keys of those connections.
  var kernelSeals = false
  /// Handshakes under way at most: each holds some 40 KB until it is done.
  var handshakesMax = 128
  /// Newcomers at most, those in a handshake and those that wait for one; beyond it accepting rests
  /// and the kernel's queue holds them.
  var parkedMax = 1_024
  /// How long a handshake may keep its place when others wait and all places are taken.
  var handshakePatienceMilliseconds: UInt64 = 2_000
  /// Time for handshakes in one turn, in nanoseconds: what a push may wait because of a storm.
  var handshakeBudgetNanoseconds: UInt64 = 10_000_000
  /// Accepts in one turn.
  var acceptsPerTurn = 64
  /// Targets looked at in one round of pushes.
  var looksPerRound = 4_096
  /// Pushes made in one round; each takes a block of output until it is flushed.
  var pushesPerRound = 128
  /// Rounds of pushes in one turn, each with its flush.
  var pushRoundsPerTurn = 4
  /// Sockets served in one turn while a task goes out: deliveries come first, and what their
  /// receivers answer waits a few turns in the kernel, with everybody else in line.
  var eventsWhilePushing = 128
  /// Whether agents are told at once that outcomes are durable; otherwise with the next frame they
  /// get.
  var confirmsAtOnce = false
  /// Keep-alive interval that agents are told.
  var keepAliveSeconds = Limits.keepAliveSeconds
  /// Window over which agents come back after a crash.
  var crashWindowSeconds = Limits.crashWindowSeconds
  /// How long a poll is held at most, in seconds.
  var pollSeconds = Limits.pollSeconds
  /// Period of online reports.
  var presencePeriodMilliseconds = Limits.presencePeriodMilliseconds
  /// Period of task-status reports.
  var outcomePeriodMilliseconds = Limits.outcomePeriodMilliseconds
  /// Outcomes that wait for the journal at most; beyond it sessions end and agents tell again.
  var unstoredOutcomesMax = 100_000
  /// Where agents fetch policies.
  var policyURL = ""
}
