// OpenSSL's error queue belongs to the thread, not to a connection: an error that one connection
// left behind would be read as the fate of the next. So it is cleared before every call and what
// was found is counted; a count that grows is a bug of ours in some path that did not drain it.
import COpenSSL
import Reactor

/// The thread's error queue.
enum ErrorQueue {
  /// Empties the queue and returns how many stale entries it held.
  static func clear() -> Int {
    var stale = 0
    while ERR_get_error() != 0 { stale &+= 1 }
    return stale
  }

  /// Empties the queue and returns its first entry, which is the cause of those after it.
  static func takeFirst() -> OpenSSLError? {
    let code = ERR_get_error()
    ERR_clear_error()
    return code == 0 ? nil : OpenSSLError(code: code)
  }
}

extension ErrorQueue {
  /// Empties the queue and returns the first entry of the TLS library, or the first of any.
  ///
  /// A damaged signature, say, leaves the complaints of the library below before the one that TLS
  /// makes of it.
  static func takeFirstOfTLS() -> OpenSSLError? {
    var first: OpenSSLError?
    while true {
      let code = ERR_get_error()
      if code == 0 { return first }
      let error = OpenSSLError(code: code)
      if error.library == ERR_LIB_SSL {
        ERR_clear_error()
        return error
      }
      if first == nil { first = error }
    }
  }
}

/// One entry of the error queue.
struct OpenSSLError: Equatable {
  let code: UInt

  var library: Int32 { copenssl_ERR_GET_LIB(code) }
  var reason: Int32 { copenssl_ERR_GET_REASON(code) }

  /// The words of OpenSSL's own table, for set-up errors that a person reads.
  var text: String {
    if library == ERR_LIB_SYS { return Errno(rawValue: reason).description }
    guard let words = unsafe ERR_reason_error_string(code) else { return "error \(code)" }
    return unsafe String(cString: words)
  }
}

/// The number of the fatal alert in a reason code of the TLS library, if it stands for one.
func alertNumber(ofReason reason: Int32) -> Int32? {
  let offset = Int32(SSL_AD_REASON_OFFSET)
  return (offset..<offset + 256).contains(reason) ? reason - offset : nil
}

/// The words for a reason code of the TLS library.
func opensslReasonText(_ reason: Int32) -> String {
  // The words are loaded with the first context, which may not have been made yet.
  OPENSSL_init_ssl(UInt64(OPENSSL_INIT_LOAD_SSL_STRINGS), nil)
  if reason == 0 { return "no reason given" }
  return OpenSSLError(code: copenssl_ERR_PACK(ERR_LIB_SSL, 0, reason)).text
}

/// The words for an alert's number.
func opensslAlertText(_ alert: Int32) -> String {
  guard let words = unsafe SSL_alert_desc_string_long(alert) else { return "alert \(alert)" }
  return unsafe "alert \(alert), \(String(cString: words))"
}

/// The words for an X.509 verification code.
func opensslVerifyText(_ code: Int32) -> String {
  guard let words = unsafe X509_verify_cert_error_string(Int(code)) else { return "code \(code)" }
  return unsafe String(cString: words)
}
