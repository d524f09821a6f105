// The thread that writes: the journal, and small files that may wait for nobody. All links of a
// process share it, so that whatever came while one sync was under way is made durable together by
// the next one (group commit). It answers by letters; the loop never waits for a disk.

import Glibc
public import Reactor

/// What the journal's thread says.
public enum JournalAnswer: Equatable, Sendable {
  /// Everything up to the ticket is durable.
  case durable(through: UInt64)
  /// A write or a sync failed. Nothing after the last durable ticket may be believed, and nothing
  /// is written before the whole file is given anew.
  case failed(DiskError)
}

/// The journal's thread.
public final class JournalThread {
  enum Job: Sendable {
    case batch(JournalBatch)
    case file(path: String, bytes: [UInt8])
    case stop
  }

  private let jobs: Mailbox<Job>
  private var thread: KernelThread?

  /// Starts the thread.
  ///
  /// - Parameters:
  ///   - makeDisk: makes the disk, on the new thread.
  ///   - restMilliseconds: how long nothing is written after each sync; whatever comes after a
  ///     longer silence is written at once.
  ///   - answer: called on that thread; posts a letter.
  public init(
    makeDisk: @escaping @Sendable () -> any JournalDisk, restMilliseconds: UInt32 = 0,
    answer: @escaping @Sendable (JournalAnswer) -> Void
  ) throws(Errno) {
    let jobs = try Mailbox<Job>()
    self.jobs = jobs
    thread = try KernelThread.start(name: "journal") {
      JournalThread.work(on: makeDisk(), jobs, restMilliseconds, answer)
    }
  }

  /// Gives bytes to write.
  public func post(_ batch: JournalBatch) { jobs.post(.batch(batch)) }

  /// Gives a small file to replace; a failure is nobody's concern.
  public func post(file path: String, _ bytes: [UInt8]) {
    jobs.post(.file(path: path, bytes: bytes))
  }

  /// Writes what was given and ends the thread.
  public func stop() {
    jobs.post(.stop)
    if let thread = thread.take() { thread.join() }
  }

  private static func work(
    on disk: any JournalDisk, _ jobs: Mailbox<Job>, _ restMilliseconds: UInt32,
    _ answer: @Sendable (JournalAnswer) -> Void
  ) {
    guard let poller = try? Poller() else {
      return answer(.failed(DiskError("no descriptor is left for the journal's thread")))
    }
    try? poller.add(jobs.bell.fd, .bell, .readable)
    let ready = ReadyList(capacity: 1)
    var isDead = false
    var taken: [Job] = []
    while true {
      _ = try? poller.wait(into: ready, timeoutMilliseconds: -1)
      taken.removeAll(keepingCapacity: true)
      jobs.takeAll(into: &taken)
      var written: UInt64?
      var stops = false
      for job in taken {
        switch job {
        case .stop: stops = true
        case .file(let path, let bytes): try? AgentFile.replace(path, with: bytes)
        case .batch(let batch):
          if isDead && !batch.replacesFile { continue }
          do throws(DiskError) {
            try write(batch, to: disk)
            isDead = false
            written = batch.ticket
          } catch {
            isDead = true
            written = nil
            answer(.failed(error))
          }
        }
      }
      if let written { isDead = !sync(disk, written, answer) }
      if stops { return }
      // Only after a sync, and never before one: who comes alone is served at once.
      if written != nil, restMilliseconds > 0 { usleep(restMilliseconds * 1_000) }
    }
  }

  private static func write(_ batch: JournalBatch, to disk: any JournalDisk) throws(DiskError) {
    if batch.replacesFile {
      try disk.replace(with: batch.bytes)
    } else if !batch.bytes.isEmpty {
      try disk.append(batch.bytes)
    }
  }

  private static func sync(
    _ disk: any JournalDisk, _ ticket: UInt64, _ answer: @Sendable (JournalAnswer) -> Void
  ) -> Bool {
    do throws(DiskError) {
      try disk.sync()
      answer(.durable(through: ticket))
      return true
    } catch {
      answer(.failed(error))
      return false
    }
  }
}

@available(*, unavailable)
extension JournalThread: Sendable {}
