// The one place that reads the machine's clocks.
//
// CLOCK_BOOTTIME and not CLOCK_MONOTONIC: a task is valid for an hour of the world's time, and a
// laptop that slept through the hour must not run it on waking. On a server, which never sleeps,
// they are the same. The kernel's own waits stop while the machine sleeps; that is why Loop puts a
// ceiling on one wait.

import CEpollShim

/// The machine's monotonic clock.
public enum MonotonicClock {
  /// The present moment, rounded down to the millisecond; callable from any thread.
  public static func now() -> Ticks {
    Ticks(milliseconds: clinux_boot_nanoseconds() / 1_000_000)
  }

  /// The present moment in nanoseconds, for budgets and measurements within a turn.
  public static func nanoseconds() -> UInt64 { clinux_boot_nanoseconds() }
}

/// The machine's calendar clock, which may jump in either direction.
public enum WallClock {
  /// Milliseconds since 1970 in UTC; callable from any thread.
  public static func nowMilliseconds() -> Int64 { clinux_wall_milliseconds() }
}
