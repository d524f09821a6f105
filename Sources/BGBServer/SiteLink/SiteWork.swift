// The thread that does what the loop asks of the site: handing over reports, answering policy
// downloads, keeping status messages. One thing after the other; a report that cannot be handed
// over is tried again until it can, and nothing is lost meanwhile because the journal keeps it.

import BGBModel
import BGBReport
import BGBSigning
import Logging
import Reactor
import SiteDatabase
import Transports

/// What the loop asks of the site.
enum SiteLetter: Sendable {
  /// Hand over this report; release the journal before `segment` afterwards.
  case report(Report, segment: UInt64?)
  /// Answer this connection's policy download.
  case policy(Token, ClientID, entityTag: String?)
  /// Keep a status message.
  case status(StatusMessage)
  /// Read the keys of reconnect identities anew, and replace the current one if it is too old.
  case tendReconnectKeys(ReconnectKeyFile)
  /// Say how far the drain is.
  case drain(ServerDrain)
  /// Hand over what is there if that goes at once, and end.
  case end
}

/// The site work thread.
struct SiteWork {
  private static let retryMilliseconds: Int32 = 1_000

  private var reports: [(report: Report, segment: UInt64?)] = []
  private var statuses: [StatusMessage] = []
  /// What was not told yet; only the newest counts.
  private var drain: ServerDrain?
  private let link: any SiteLink
  private let reportKey: SigningKey
  private let shard: Mailbox<ShardLetter>
  private let journal: Mailbox<JournalLetter>
  private let time: TimeSource
  private let log: Logger

  init(
    link: any SiteLink, reportKey: SigningKey, shard: Mailbox<ShardLetter>,
    journal: Mailbox<JournalLetter>, time: TimeSource, log: Logger
  ) {
    self.link = link
    self.reportKey = reportKey
    self.shard = shard
    self.journal = journal
    self.time = time
    self.log = log
  }

  /// Works on the letters that came.
  mutating func work(_ letters: [SiteLetter]) -> LetterThreadStep {
    var ends = false
    for letter in letters {
      switch letter {
      case .report(let report, let segment): reports.append((report, segment))
      case .policy(let token, let client, let tag): answerPolicy(token, client, tag)
      case .status(let message): statuses.append(message)
      case .tendReconnectKeys(let file): tend(file)
      case .drain(let news): drain = news
      case .end: ends = true
      }
    }
    deliverReports()
    deliverStatuses()
    deliverDrain()
    if ends { return .end }
    return reports.isEmpty && statuses.isEmpty && drain == nil
      ? .wait : .waitAtMost(SiteWork.retryMilliseconds)
  }

  private mutating func deliverReports() {
    while let (report, segment) = reports.first {
      let header = report.header
      let key = reportKey
      let bytes = ReportFile.encode(report) { key.sign($0) }
      do throws(SiteLinkError) {
        try link.deliver(header, bytes: bytes)
      } catch {
        log.warning("report not handed over", metadata: ["error": "\(error)"])
        return
      }
      log.info(
        "Generated BGB \(header.kind.rawValue) report",
        metadata: [
          "epoch": "\(header.epoch)", "sequence": "\(header.sequence)",
          "scope": "\(header.scope.rawValue)", "records": "\(report.body.count)",
        ])
      if let segment { journal.post(.release(before: segment)) }
      shard.post(.reportDelivered(header.kind, sequence: header.sequence))
      reports.removeFirst()
    }
  }

  private mutating func deliverStatuses() {
    while let message = statuses.first {
      do throws(SiteLinkError) {
        try link.report(message)
      } catch {
        log.warning("status message not kept yet", metadata: ["error": "\(error)"])
        if statuses.count > 1_000 { statuses.removeFirst(statuses.count - 1_000) }
        return
      }
      statuses.removeFirst()
    }
  }

  /// Here and not on the loop, because a rotation is synced to the disk.
  private func tend(_ file: ReconnectKeyFile) {
    do throws(TLSSetupError) {
      shard.post(.reconnectKeys(try file.tend(now: time.wall() / 1000)))
    } catch {
      log.error("the reconnect keys stay as they are", metadata: ["error": "\(error)"])
    }
  }

  private mutating func deliverDrain() {
    guard let news = drain else { return }
    do throws(SiteLinkError) {
      try link.note(news)
      drain = nil
    } catch {
      log.warning("the drain is not told yet", metadata: ["error": "\(error)"])
    }
  }

  private func answerPolicy(_ token: Token, _ client: ClientID, _ entityTag: String?) {
    do throws(SiteLinkError) {
      let now = WallTime(milliseconds: time.wall())
      let bundle = try link.policy(of: client, at: now)
      let body = PolicyDocument.encode(bundle, for: client)
      let tag = "\"" + PolicyDocument.entityTag(of: body) + "\""
      let isKnown = entityTag == tag
      shard.post(
        .answer(
          token,
          HTTPResponse(
            status: isKnown ? 304 : 200,
            headers: ["ETag: \(tag)", "Content-Type: application/json", "Cache-Control: no-store"],
            body: isKnown ? [] : body)))
    } catch {
      log.warning("policy not answered", metadata: ["client": "\(client)", "error": "\(error)"])
      shard.post(.answer(token, .text(503, "the site does not answer; try again later")))
    }
  }
}

extension ReportBody {
  /// How many records there are.
  var count: Int {
    switch self {
    case .presence(let records): records.count
    case .outcomes(let records): records.count
    }
  }
}
