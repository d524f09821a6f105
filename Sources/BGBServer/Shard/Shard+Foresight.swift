// Work that goes through many connections in a known order tells the processor ahead which memory
// it will need: of each connection its object, then its channel, whose address stands in the
// object, then its keys, whose place stands in the channel. Each is asked for while those before it
// are worked on, so that none is waited for.

import Reactor
import Transports

extension Shard {
  /// How many connections ahead the object, the channel and the keys are asked for.
  private enum Ahead {
    static let object = 6
    static let channel = 4
    static let keys = 2
  }

  /// Asks for the memory of connections that come soon, while the one at `index` is worked on.
  @inline(__always)
  func foresee(from index: Int, below count: Int, _ token: (Int) -> Token) {
    let object = index &+ Ahead.object
    if object < count { connections.foresee(token(object), bytes: Connection.bytesInUse) }
    let channel = index &+ Ahead.channel
    if channel < count {
      connections.foresee(behind: token(channel)) {
        Foresight.bring($0.channel, bytes: ByteChannel.bytesInUse)
      }
    }
    let keys = index &+ Ahead.keys
    if keys < count { connections.foresee(behind: token(keys)) { $0.channel.foresee() } }
  }
}
