// An error number compares, and speaks.

import Glibc
import Reactor
import Testing

@Suite struct ErrnoTests {
  @Test func namesAndNumbersAgree() {
    #expect(Errno.wouldBlock == Errno(rawValue: EWOULDBLOCK))
    #expect(Errno.connectionRefused.rawValue == 111)
    #expect(Errno.processFilesExhausted != .systemFilesExhausted)
  }

  @Test func takesTheNumberOfTheLastFailure() {
    #expect(open("/nowhere/at/all", O_RDONLY) == -1)
    #expect(Errno.current == .notFound)
  }

  @Test func describesItselfInTheKernelsWords() {
    #expect(Errno.connectionRefused.description == "Connection refused (111)")
    #expect(Errno(rawValue: 9_999).description.contains("9999"))
  }
}
