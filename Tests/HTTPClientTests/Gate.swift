// A wait without end, for servers that shall stay silent.

import Dispatch

enum Gate {
  static let never = DispatchSemaphore(value: 0)
}
