// Signals are read, not suffered. Each test runs in a process of its own: masks belong to
// processes.

import Glibc
import Reactor
import Testing

@Suite struct SignalDescriptorTests {
  @Test func deliversSignalsThroughThePoller() async {
    await #expect(processExitsWith: .success) {
      let signals = try SignalDescriptor([SIGTERM, SIGHUP])
      let poller = try Poller()
      let ready = ReadyList(capacity: 4)
      try poller.add(signals.fd, .signals, .readable)
      try #require(signals.next() == nil)

      // To this thread: the test runner's other threads do not block these signals.
      pthread_kill(pthread_self(), SIGTERM)
      pthread_kill(pthread_self(), SIGHUP)
      try #require(try poller.wait(into: ready, timeoutMilliseconds: 10_000) == 1)
      try #require(ready[0].token == .signals)
      let got = [signals.next(), signals.next()].compactMap { $0 }
      try #require(Set(got) == [SIGTERM, SIGHUP])
      try #require(signals.next() == nil)
    }
  }

  @Test func aThreadStartedLaterInheritsTheMask() async {
    await #expect(processExitsWith: .success) {
      let signals = try SignalDescriptor([SIGUSR1])
      let thread = try KernelThread.start(name: "later") {
        // Would end the process if it were not blocked here.
        pthread_kill(pthread_self(), SIGUSR1)
      }
      thread.join()
      try #require(signals.next() == nil, "the signal was for that thread alone")
    }
  }

  @Test func aVanishedPeerIsAnErrorAndNoSignal() async {
    await #expect(processExitsWith: .success) {
      Signals.ignoreBrokenPipe()
      let ends = try makePipe()
      _ = close(ends.reading)
      var byte: UInt8 = 1
      try #require(write(ends.writing, &byte, 1) == -1)
      try #require(Errno.current == .brokenPipe)
    }
  }
}
