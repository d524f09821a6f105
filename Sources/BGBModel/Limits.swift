// Every bound that a peer, an operator or a document meets, once, with its unit and its reason.
// Programs read them from here; documents quote them and Tests/TidyTests compares.

/// The limits and defaults of the protocol and of the parts that speak it.
public enum Limits {
  // MARK: Frames

  /// Bytes of a frame's header: kind, flags, length.
  public static let frameHeaderBytes = 4
  /// Bytes of a frame's body at most: what a 16-bit length can say.
  public static let frameBodyBytesMax = 65_535
  /// Bytes held for a peer before its identity is known, so that strangers cost little.
  public static let bytesBeforeIdentityMax = 4_096
  /// Bytes waiting to be sent to one client before it counts as a slow reader.
  public static let outboundBytesMax = 65_536
  /// Bytes waiting to be sent to all clients of one process together.
  public static let outboundBytesPerProcessMax = 256 << 20
  /// Bytes of one HTTP answer at most: a client's policies must fit.
  public static let responseBytesMax = 1 << 20
  /// Bytes of a polled session that its client is not known to have: what one lost answer may cost.
  ///
  /// The queue behind it has its own limit.
  public static let pollWindowBytes = 65_536
  /// Connections to the HTTPS listener that one client may have; a further one ends the oldest.
  ///
  /// A poll, the one that supersedes it, a policy download, a look from the doctor.
  public static let httpConnectionsPerClientMax = 4
  /// Tasks pushed to one client and not yet acknowledged.
  public static let unacknowledgedPushesMax = 32

  // MARK: Text fields, in bytes of UTF-8

  /// A computer's name.
  public static let hostnameBytesMax = 255
  /// A name of an operating system, a version, an agent.
  public static let descriptionBytesMax = 255
  /// Addresses that a client tells of itself.
  public static let addressesMax = 16
  /// One address in text form.
  public static let addressBytesMax = 64
  /// The text of one outcome; more belongs into a log collection.
  public static let outcomeTextBytesMax = 1_024
  /// A reason given in Refused, Reconnect or Goodbye.
  public static let reasonBytesMax = 255
  /// Values of live data in one message.
  public static let liveDataValuesMax = 32
  /// A name of live data.
  public static let liveDataNameBytesMax = 64
  /// A value of live data: 32 * (2 + 64 + 2 + 1,024) bytes fit a frame.
  public static let liveDataBytesMax = 1_024
  /// The URL from which policies are fetched.
  public static let policyURLBytesMax = 1_024
  /// `host:port` in Reconnect.
  public static let endpointBytesMax = 262

  // MARK: Coming back

  /// Bytes of a reconnect identity, which travels in clear in the first flight of a handshake.
  public static let reconnectIdentityBytesMax = 255
  /// Bytes of the key that goes with it: the output of SHA-256.
  public static let reconnectKeyBytes = 32
  /// How long a reconnect identity is good for by default: a day.
  public static let reconnectLifeSeconds: Int64 = 86_400
  /// How long after it last showed its certificate a client may come back without, by default: a
  /// week.
  public static let reconnectProofSeconds: Int64 = 7 * 86_400
  /// The age at which the key that makes reconnect identities is replaced by default: a day.
  public static let reconnectRotationSeconds: Int64 = 86_400

  // MARK: Tasks

  /// Parameters of one task.
  public static let parametersMax = 8
  /// Bytes of one parameter's text.
  public static let parameterBytesMax = 4_096
  /// Bytes of a parameter's name.
  public static let parameterNameBytesMax = 32
  /// Bytes of a statement: 119 fixed ones, and eight parameters of 2 + 32 + 2 + 4,096.
  public static let statementBytesMax = 119 + 8 * (2 + 32 + 2 + 4_096)
  /// Bytes of an Ed25519 signature.
  public static let signatureBytes = 64
  /// Bytes of a SHA-256 hash.
  public static let hashBytes = 32
  /// Hashes of a Merkle path: 2^32 targets need no more.
  public static let merklePathMax = 32
  /// Validity of a task by default: one hour, as the original has it.
  public static let validityDefaultMilliseconds: Int64 = 3_600_000
  /// Validity at least: one minute.
  public static let validityMinimumMilliseconds: Int64 = 60_000
  /// Validity at most: thirty days.
  public static let validityMaximumMilliseconds: Int64 = 30 * 86_400_000
  /// Time after the end of validity in which outcomes of tasks begun in time may still arrive.
  public static let outcomeGraceMilliseconds: Int64 = 15 * 60_000
  /// Ended tasks that an agent names at sign-in at most: the latest.
  public static let endedTasksMax = 16
  /// How long an agent remembers tasks beyond the longest validity, so that nothing runs twice.
  public static let journalKeptMilliseconds: Int64 = 37 * 86_400_000

  // MARK: Time

  /// Keep-alive interval by default, 15 minutes as in the original; the server sets it per session.
  public static let keepAliveSeconds: UInt32 = 900
  /// Keep-alive interval at least.
  public static let keepAliveSecondsMinimum: UInt32 = 1
  /// A client is offline after this many tenths of a keep-alive interval without a message: 1.5.
  public static let keepAliveExpiryTenths: UInt64 = 15
  /// TLS handshake and sign-in together, from the begin of the handshake.
  public static let handshakeMilliseconds: UInt64 = 10_000
  /// From accept to the begin of the handshake; shorter than an agent's patience with a connect, so
  /// that no handshake is begun with somebody who has gone.
  public static let parkedMilliseconds: UInt64 = 8_000
  /// A whole HTTP request, from the moment that it may be sent: idle time and slow bytes alike.
  public static let requestMilliseconds: UInt64 = 10_000
  /// How long the server holds a poll by default: five minutes.
  public static let pollSeconds: UInt32 = 300
  /// A poll is never held shorter than this, whatever a path cuts: below, polling costs more than
  /// the fallback is worth.
  public static let pollSecondsMinimum: UInt32 = 5
  /// A poll is never held longer than this, whatever the settings say: an hour.
  public static let pollSecondsMaximum: UInt32 = 3_600
  /// A session by long polls is over when no poll came for this long after the last one ended.
  public static let pollGapMilliseconds: UInt64 = 60_000
  /// Unacknowledged bytes on a connection for this long end it (TCP_USER_TIMEOUT).
  public static let userTimeoutMilliseconds: UInt32 = 20_000
  /// Output that does not shrink for this long ends the connection: the slow reader's deadline.
  public static let writeDeadlineMilliseconds: UInt64 = 20_000
  /// After a crash of the server, agents spread their reconnects over this window by default: with
  /// the seconds in which the server starts again, nearly all are back within a minute.
  public static let crashWindowSeconds: UInt32 = 50

  // MARK: Workers

  /// Worker processes of one server at most: a server with more has more machines.
  public static let workersMax = 64
  /// A worker that lived shorter than this is started again with a delay, others at once.
  public static let workerProvenMilliseconds: UInt64 = 10_000
  /// The first such delay; it doubles.
  public static let workerDelayMilliseconds: UInt64 = 1_000
  /// The delay that doubling ends at.
  public static let workerDelayMillisecondsMax: UInt64 = 30_000
  /// How long a worker may take to end in order before it is killed.
  public static let workerStopMilliseconds: UInt64 = 30_000
  /// How long a worker may take to be ready, or to reload, while the next one waits.
  public static let workerStepMilliseconds: UInt64 = 60_000
  /// A drain moves all agents of a server within this time by default.
  public static let drainSeconds: UInt32 = 60
  /// Between two portions of a drain: small enough to be even, large enough to cost nothing.
  public static let drainTickMilliseconds: UInt64 = 100

  // MARK: Reports

  /// Period of online reports (BOS) by default.
  public static let presencePeriodMilliseconds: UInt64 = 300_000
  /// Period of task-status reports (BTS) by default.
  public static let outcomePeriodMilliseconds: UInt64 = 10_000
  /// Between two reports that do not wait for their period, because everybody has answered.
  public static let quietReportMilliseconds: UInt64 = 250
  /// Outcomes in one task-status report at most; reached, the report is written at once.
  public static let outcomesPerReportMax = 5_000
  /// So long the manager gathers reports at most, while many outcomes come, before it loads them.
  public static let sweepGatherMilliseconds: UInt64 = 1_000
  /// So long after the last of them it loads them anyway.
  public static let sweepQuietMilliseconds: UInt64 = 300
  /// Bytes of a report file at most: a full report of 200,000 clients at some 240 bytes each.
  public static let reportBytesMax = 48 << 20
  /// Bytes of one line of a report at most.
  public static let reportLineBytesMax = 8_192
}
