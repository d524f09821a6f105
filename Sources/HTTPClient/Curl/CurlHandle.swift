// One easy handle of libcurl with what must live as long: its error text and its receivers. Safe
// from outside because the handle frees what it made, nothing it lends leaves this folder, and the
// receivers are held while a transfer runs.

import CCurl
import Glibc

/// An easy handle.
@safe final class CurlHandle {
  /// How often `shouldStop` is asked.
  private static let turnMilliseconds: Int32 = 100

  /// Once a process, before the first handle.
  private static let isReady: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

  /// How a transfer ended.
  enum End {
    case done(CURLcode)
    case stopped
    /// libcurl did not do its part.
    case failed(String)
  }

  /// The handle itself.
  let easy: UnsafeMutableRawPointer
  private let message: UnsafeMutablePointer<CChar>
  private var receiver: CurlReceiver?
  /// The first option's fault.
  private var code = CURLE_OK

  init?() {
    guard CurlHandle.isReady, let easy = unsafe curl_easy_init() else { return nil }
    unsafe self.easy = unsafe easy
    unsafe message = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CCURL_ERROR_BYTES))
    unsafe message.initialize(repeating: 0, count: Int(CCURL_ERROR_BYTES))
    unsafe ccurl_set_error_buffer(easy, message)
  }

  deinit {
    unsafe curl_easy_cleanup(easy)
    unsafe message.deallocate()
  }

  /// Sets a text; nil changes nothing.
  func text(_ option: CURLoption, _ value: String?) {
    guard let value, code == CURLE_OK else { return }
    code = unsafe ccurl_set_text(easy, option, value)
  }

  /// Sets a number.
  func number(_ option: CURLoption, _ value: Int) {
    guard code == CURLE_OK else { return }
    code = unsafe ccurl_set_number(easy, option, value)
  }

  /// Sets the body to send.
  func body(_ body: [UInt8]) {
    guard code == CURLE_OK else { return }
    code = unsafe body.withUnsafeBytes { bytes in
      // An empty array has no address, and a null body means "read it from a callback".
      if let first = bytes.baseAddress, bytes.count > 0 {
        return unsafe ccurl_set_body(easy, first, bytes.count)
      }
      return unsafe ccurl_set_body(easy, "", 0)
    }
  }

  /// Sets the proxy, or that there is none, whatever the environment says.
  ///
  /// User and password never stand in a URL, so that no error text can hold them.
  func proxy(_ proxy: ProxyServer?) {
    text(CURLOPT_PROXY, proxy.map { "http://" + $0.authority } ?? "")
    // libcurl asks the environment even when a proxy is set.
    text(CURLOPT_NOPROXY, "")
    guard let user = proxy?.user else { return }
    text(CURLOPT_PROXYUSERNAME, user)
    text(CURLOPT_PROXYPASSWORD, proxy?.password ?? "")
    number(CURLOPT_PROXYAUTH, CCURL_AUTH_BASIC | CCURL_AUTH_DIGEST)
  }

  /// Sets who gets the header lines and the body; false from either ends the transfer.
  func receive(header: @escaping ([UInt8]) -> Bool, body: @escaping ([UInt8]) -> Bool) {
    let receiver = CurlReceiver(header: header, body: body)
    self.receiver = receiver
    let context = unsafe Unmanaged.passUnretained(receiver).toOpaque()
    unsafe ccurl_set_receivers(easy, receiveHeader, receiveBody, context)
  }

  /// What was wrong with an option, if anything.
  var optionFault: String? {
    code == CURLE_OK ? nil : unsafe String(cString: curl_easy_strerror(code))
  }

  /// libcurl's own words for how a transfer ended, or its general ones.
  func words(_ code: CURLcode) -> String {
    let words = unsafe String(cString: message)
    return words.isEmpty ? unsafe String(cString: curl_easy_strerror(code)) : words
  }

  /// The status of the last answer to CONNECT; 0 for none.
  var tunnelStatus: Int { unsafe ccurl_number(easy, CURLINFO_HTTP_CONNECTCODE) }

  /// The ways of authentication that the proxy has named.
  var proxySchemes: [String] {
    let named = unsafe ccurl_number(easy, CURLINFO_PROXYAUTH_AVAIL)
    let known = [
      (CCURL_AUTH_BASIC, "Basic"), (CCURL_AUTH_DIGEST, "Digest"),
      (CCURL_AUTH_NEGOTIATE, "Negotiate"), (CCURL_AUTH_NTLM, "NTLM"),
    ]
    return known.filter { named & $0.0 != 0 }.map(\.1)
  }

  /// A descriptor of our own for the connection that was made; nil when there is none.
  ///
  /// libcurl closes its own with the handle, which leaves the connection to ours.
  func takeSocket() -> Int32? {
    let socket = unsafe ccurl_socket(easy)
    guard socket >= 0 else { return nil }
    let own = fcntl(socket, F_DUPFD_CLOEXEC, 3)
    guard own >= 0 else { return nil }
    let flags = fcntl(own, F_GETFL, 0)
    guard flags >= 0, fcntl(own, F_SETFL, flags | O_NONBLOCK) == 0 else {
      close(own)
      return nil
    }
    return own
  }

  /// Turns the transfer until it is done.
  ///
  /// A group of one is used because only groups can be waited for with a bound, and Ctrl-C must not
  /// wait for a silent stream.
  /// - Parameter atEnd: called when the transfer is done, while its connection is still there.
  func perform(_ shouldStop: () -> Bool, atEnd: (CURLcode) -> Void = { _ in }) -> End {
    guard let group = unsafe curl_multi_init() else { return .failed("libcurl has no memory") }
    defer { unsafe curl_multi_cleanup(group) }
    unsafe curl_multi_add_handle(group, easy)
    defer { unsafe curl_multi_remove_handle(group, easy) }
    return withExtendedLifetime((self, receiver)) {
      while true {
        var running: Int32 = 0
        guard unsafe curl_multi_perform(group, &running) == CURLM_OK else {
          return .failed("libcurl failed")
        }
        let number = unsafe ccurl_result(group)
        if number >= 0 {
          let code = CURLcode(rawValue: UInt32(number))
          atEnd(code)
          return .done(code)
        }
        if shouldStop() { return .stopped }
        if running == 0 { return .failed("the exchange ended without a result") }
        unsafe curl_multi_poll(group, nil, 0, CurlHandle.turnMilliseconds, nil)
      }
    }
  }
}

/// Who gets what arrives.
private final class CurlReceiver {
  let header: ([UInt8]) -> Bool
  let body: ([UInt8]) -> Bool

  init(header: @escaping ([UInt8]) -> Bool, body: @escaping ([UInt8]) -> Bool) {
    self.header = header
    self.body = body
  }
}

/// libcurl's header callback: unwraps and goes to the receiver.
private func receiveHeader(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
  _ context: UnsafeMutableRawPointer?
) -> Int {
  guard let receiver = unsafe receiver(context) else { return 0 }
  return receiver.header(unsafe copy(bytes, size &* count)) ? size &* count : 0
}

/// libcurl's body callback: unwraps and goes to the receiver.
private func receiveBody(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
  _ context: UnsafeMutableRawPointer?
) -> Int {
  guard let receiver = unsafe receiver(context) else { return 0 }
  return receiver.body(unsafe copy(bytes, size &* count)) ? size &* count : 0
}

private func receiver(_ context: UnsafeMutableRawPointer?) -> CurlReceiver? {
  guard let context = unsafe context else { return nil }
  return unsafe Unmanaged<CurlReceiver>.fromOpaque(context).takeUnretainedValue()
}

private func copy(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> [UInt8] {
  guard let bytes = unsafe bytes, count > 0 else { return [] }
  return unsafe Array(UnsafeRawBufferPointer(start: bytes, count: count))
}
