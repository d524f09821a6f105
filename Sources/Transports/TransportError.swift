// Why a connection cannot go on. The packet path only moves these few numbers about; whoever prints
// one pays for its text.
import COpenSSL
import Glibc
import Reactor

/// What ended a connection, as numbers; its `description` is the sentence for a log.
public struct TransportError: Error, Equatable, Sendable {
  /// The kinds of failure that an owner may wish to tell apart.
  public enum Kind: UInt8, Equatable, Sendable, CaseIterable {
    /// The peer or the network reset the connection.
    case connectionReset
    /// Another error of the kernel; `errno` says which.
    case system
    /// The TCP stream ended without TLS's close_notify: an attacker may have cut it short.
    case truncated
    /// The peer's bytes are not TLS, or not as TLS demands; `reason` is OpenSSL's code.
    case protocolViolation
    /// The peer sent a fatal alert; `reason` is the alert's number.
    case alertReceived
    /// We refused the peer's certificate; `verifyCode` is OpenSSL's X.509 code.
    case certificateRefused
    /// The peer asked for more than a connection may (key updates).
    case limitExceeded
    /// OpenSSL could not make or set up an object, mostly for want of memory; `reason` is its code.
    case setup
    /// The transport was used after its end.
    case closed
    /// The kernel seals or opens the records and could not change the key; `errno` says why.
    case keyChange
  }

  /// The kind of failure.
  public let kind: Kind
  /// OpenSSL's reason code, or the alert's number for ``Kind/alertReceived``; 0 if neither.
  public let reason: Int32
  /// The kernel's error number, 0 if it did not come from the kernel.
  public let errno: Int32
  /// OpenSSL's X.509 verification code, 0 if no certificate was refused.
  public let verifyCode: Int32

  /// Makes an error of its numbers.
  public init(_ kind: Kind, reason: Int32 = 0, errno: Int32 = 0, verifyCode: Int32 = 0) {
    self.kind = kind
    self.reason = reason
    self.errno = errno
    self.verifyCode = verifyCode
  }

  /// Makes the error for a failed system call, telling resets from the rest.
  public init(errno: Int32) {
    switch errno {
    case ECONNRESET, EPIPE, ECONNABORTED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ENETDOWN:
      self.init(.connectionReset, errno: errno)
    default:
      self.init(.system, errno: errno)
    }
  }
}

extension TransportError: CustomStringConvertible {
  /// A sentence for a log.
  public var description: String {
    switch kind {
    case .connectionReset: "the connection was reset (\(kernelText))"
    case .system: "the kernel refused (\(kernelText))"
    case .truncated: "the peer ended the stream without saying so in TLS"
    case .protocolViolation: "the peer does not speak TLS as agreed (\(opensslReasonText(reason)))"
    case .alertReceived: "the peer refused us (\(opensslAlertText(reason)))"
    case .certificateRefused:
      "the peer's certificate was refused (\(opensslVerifyText(verifyCode)))"
    case .limitExceeded: "the peer asked for new keys too often"
    case .setup: "OpenSSL could not set up the connection (\(opensslReasonText(reason)))"
    case .closed: "the connection is already closed"
    case .keyChange: "the kernel could not follow a change of keys (\(kernelText))"
    }
  }

  private var kernelText: String {
    errno == 0 ? "no error number" : Errno(rawValue: errno).description
  }
}
