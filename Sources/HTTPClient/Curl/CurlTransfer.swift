// The module's unsafe room: the only file that touches libcurl. Safe from outside because every
// handle and list is freed by the scope that made it, the collector outlives the transfer (it is
// kept alive across the loop), and no pointer leaves this file.

import CCurl

/// One transfer with libcurl.
@safe enum CurlTransfer {
  /// How often `shouldStop` is asked.
  private static let turnMilliseconds: Int32 = 100

  /// Once a process, before the first handle.
  private static let isReady: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

  /// Runs a request to its end.
  static func run(
    _ request: HTTPRequest, lines: ((String) -> Bool)?, shouldStop: () -> Bool
  ) throws(HTTPError) -> HTTPResponse {
    guard isReady, let handle = unsafe curl_easy_init() else {
      throw .invalid("libcurl cannot be started")
    }
    defer { unsafe curl_easy_cleanup(handle) }
    let collector = AnswerCollector(bodyBytesMax: request.bodyBytesMax, lines: lines)
    let message = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CCURL_ERROR_BYTES))
    unsafe message.initialize(repeating: 0, count: Int(CCURL_ERROR_BYTES))
    defer { unsafe message.deallocate() }
    unsafe ccurl_set_error_buffer(handle, message)
    let headers = unsafe try list(of: request)
    defer { unsafe curl_slist_free_all(headers) }
    unsafe try prepare(handle, request)
    unsafe ccurl_set_headers(handle, headers)
    let context = unsafe Unmanaged.passUnretained(collector).toOpaque()
    unsafe ccurl_set_receivers(handle, receiveHeader, receiveBody, context)
    let code = try withExtendedLifetime(collector) { () throws(HTTPError) -> CURLcode in
      unsafe try perform(handle, shouldStop)
    }
    let words = unsafe String(cString: message)
    return try result(code, words, collector)
  }

  /// Turns the transfer until it is done.
  ///
  /// A group of one is used because only groups can be waited for with a bound, and Ctrl-C must not
  /// wait for a silent stream.
  private static func perform(_ handle: UnsafeMutableRawPointer, _ shouldStop: () -> Bool)
    throws(HTTPError) -> CURLcode
  {
    guard let group = unsafe curl_multi_init() else { throw .invalid("libcurl has no memory") }
    defer { unsafe curl_multi_cleanup(group) }
    unsafe curl_multi_add_handle(group, handle)
    defer { unsafe curl_multi_remove_handle(group, handle) }
    while true {
      var running: Int32 = 0
      guard unsafe curl_multi_perform(group, &running) == CURLM_OK else {
        throw .invalid("libcurl failed")
      }
      let code = unsafe ccurl_result(group)
      if code >= 0 { return CURLcode(rawValue: UInt32(code)) }
      if shouldStop() { throw .stopped }
      if running == 0 { throw .malformed("the exchange ended without a result") }
      unsafe curl_multi_poll(group, nil, 0, turnMilliseconds, nil)
    }
  }

  private static func result(_ code: CURLcode, _ words: String, _ collector: AnswerCollector)
    throws(HTTPError) -> HTTPResponse
  {
    switch collector.refusal {
    case .satisfied: return collector.response
    case .tooLong: throw .tooLong
    case .malformed: throw .malformed("status line")
    case nil: break
    }
    guard code != CURLE_OK else { return collector.response }
    let text = words.isEmpty ? unsafe String(cString: curl_easy_strerror(code)) : words
    switch code {
    case CURLE_OPERATION_TIMEDOUT: throw .timeout(text)
    case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM, CURLE_PEER_FAILED_VERIFICATION,
      CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR:
      throw .tls(text)
    case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: throw .invalid(text)
    case CURLE_WEIRD_SERVER_REPLY: throw .malformed(text)
    default: throw .unreachable(text)
    }
  }

  /// Sets everything but headers and receivers.
  private static func prepare(_ handle: UnsafeMutableRawPointer, _ request: HTTPRequest)
    throws(HTTPError)
  {
    var code = CURLE_OK
    func text(_ option: CURLoption, _ value: String?) {
      guard let value, code == CURLE_OK else { return }
      code = unsafe ccurl_set_text(handle, option, value)
    }
    func number(_ option: CURLoption, _ value: Int) {
      guard code == CURLE_OK else { return }
      code = unsafe ccurl_set_number(handle, option, value)
    }
    guard !request.url.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else {
      throw .invalid("the URL holds a blank or a control character")
    }
    text(CURLOPT_URL, request.url)
    text(CURLOPT_PROTOCOLS_STR, "http,https")
    // The environment must not be able to send a local call or a policy request elsewhere.
    text(CURLOPT_PROXY, request.proxy ?? "")
    text(CURLOPT_UNIX_SOCKET_PATH, request.unixSocket)
    text(CURLOPT_CAINFO, request.caFile)
    text(CURLOPT_SSLCERT, request.clientCertificate)
    text(CURLOPT_SSLKEY, request.clientKey)
    number(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
    number(CURLOPT_NOSIGNAL, 1)
    number(CURLOPT_FOLLOWLOCATION, 0)
    number(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
    number(CURLOPT_TIMEOUT_MS, max(0, request.timeoutMilliseconds))
    number(CURLOPT_CONNECTTIMEOUT_MS, max(1, request.connectTimeoutMilliseconds))
    if let body = request.body {
      code = unsafe body.withUnsafeBytes { bytes in
        // An empty array has no address, and a null body means "read it from a callback".
        if let first = bytes.baseAddress, bytes.count > 0 {
          return unsafe ccurl_set_body(handle, first, bytes.count)
        }
        return unsafe ccurl_set_body(handle, "", 0)
      }
    } else if request.method == .get {
      number(CURLOPT_HTTPGET, 1)
    } else if request.method != .delete {
      code = unsafe ccurl_set_body(handle, "", 0)
    }
    text(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
    guard code == CURLE_OK else {
      throw .invalid(unsafe String(cString: curl_easy_strerror(code)))
    }
  }

  /// The header fields; fields that could end a line early are refused.
  private static func list(of request: HTTPRequest) throws(HTTPError)
    -> UnsafeMutablePointer<curl_slist>?
  {
    // libcurl would wait a second for "100 Continue" before a long body.
    var lines = ["Expect:"]
    for (name, value) in request.headers {
      let line = value.isEmpty ? "\(name);" : "\(name): \(value)"
      guard !name.isEmpty, !line.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
        throw .invalid("the header field \(name) holds a control character")
      }
      lines.append(line)
    }
    var list: UnsafeMutablePointer<curl_slist>?
    for line in lines { unsafe list = curl_slist_append(list, line) }
    return unsafe list
  }
}

/// libcurl's header callback: unwraps and goes to the collector.
private func receiveHeader(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
  _ context: UnsafeMutableRawPointer?
) -> Int {
  guard let collector = unsafe collector(context) else { return 0 }
  return collector.takeHeader(unsafe copy(bytes, size &* count)) ? size &* count : 0
}

/// libcurl's body callback: unwraps and goes to the collector.
private func receiveBody(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
  _ context: UnsafeMutableRawPointer?
) -> Int {
  guard let collector = unsafe collector(context) else { return 0 }
  return collector.takeBody(unsafe copy(bytes, size &* count)) ? size &* count : 0
}

private func collector(_ context: UnsafeMutableRawPointer?) -> AnswerCollector? {
  guard let context = unsafe context else { return nil }
  return unsafe Unmanaged<AnswerCollector>.fromOpaque(context).takeUnretainedValue()
}

private func copy(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> [UInt8] {
  guard let bytes = unsafe bytes, count > 0 else { return [] }
  return unsafe Array(UnsafeRawBufferPointer(start: bytes, count: count))
}
