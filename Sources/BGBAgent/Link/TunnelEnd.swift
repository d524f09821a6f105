// A connected descriptor on its way from the thread that opened a tunnel to the loop. Whoever takes
// it owns it; one that nobody takes, because the loop has ended or wants it no more, closes itself.

import Reactor
import Synchronization

/// Our end of a tunnel through a proxy.
public final class TunnelEnd: Sendable {
  private let number: Mutex<Int32?>

  /// Takes over a descriptor by its number.
  init(owning number: Int32) { self.number = Mutex(number) }

  deinit { take()?.close() }

  /// The descriptor, once.
  func take() -> Descriptor? {
    number.withLock { number in
      defer { number = nil }
      return number
    }.map { Descriptor(owning: $0) }
  }
}
