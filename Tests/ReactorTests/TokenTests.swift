// A token survives the trip through epoll's 64-bit cookie.

import Reactor
import Testing

@Suite struct TokenTests {
  @Test func roundTripsThroughItsRawValue() {
    for token in [
      Token(generation: 1, index: 0), Token(generation: .max, index: 0xFFFF_FEFF),
      Token(generation: 0x8000_0000, index: 0x7FFF_FFFF), .bell, .signals, .listener,
    ] {
      #expect(Token(rawValue: token.rawValue) == token)
    }
  }

  @Test func reservedTokensAreToldApartFromSlots() {
    #expect(Token.bell.isReserved)
    #expect(Token.reserved(200).reservedNumber == 200)
    #expect(Set([Token.bell, .signals, .listener]).count == 3)
    #expect(!Token(generation: 1, index: Token.firstReservedIndex - 1).isReserved)
  }
}
