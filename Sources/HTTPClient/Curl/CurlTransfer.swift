// One request with libcurl. Safe from outside because the list of header fields is freed by the
// scope that made it, after the handle's last use of it.

import CCurl

/// One transfer with libcurl.
@safe enum CurlTransfer {
  /// Runs a request to its end.
  static func run(
    _ request: HTTPRequest, lines: ((String) -> Bool)?, shouldStop: () -> Bool
  ) throws(HTTPError) -> HTTPResponse {
    guard let handle = CurlHandle() else { throw .invalid("libcurl cannot be started") }
    let collector = AnswerCollector(bodyBytesMax: request.bodyBytesMax, lines: lines)
    handle.receive(header: collector.takeHeader, body: collector.takeBody)
    let headers = unsafe try list(of: request)
    defer { unsafe curl_slist_free_all(headers) }
    try prepare(handle, request)
    unsafe ccurl_set_headers(handle.easy, headers)
    switch handle.perform(shouldStop) {
    case .stopped: throw .stopped
    case .failed(let text): throw .invalid(text)
    case .done(let code): return try result(code, request, collector, handle)
    }
  }

  private static func result(
    _ code: CURLcode, _ request: HTTPRequest, _ collector: AnswerCollector, _ handle: CurlHandle
  ) throws(HTTPError) -> HTTPResponse {
    switch collector.refusal {
    case .satisfied: return collector.response
    case .tooLong: throw .tooLong
    case .malformed: throw .malformed("status line")
    case nil: break
    }
    guard code != CURLE_OK else { return collector.response }
    let text = handle.words(code)
    // With a proxy, it is the proxy to which the connection could not be made; only a timeout can
    // be anybody's.
    if request.proxy != nil, code != CURLE_OPERATION_TIMEDOUT,
      let fault = CurlTunnel.proxyFault(code, handle.tunnelStatus, handle)
    {
      throw .proxy(fault)
    }
    // Behind a proxy, TLS begins after an answer to CONNECT; what broke before is no proxy.
    if request.proxy != nil, code == CURLE_RECV_ERROR, handle.tunnelStatus == 0,
      request.url.lowercased().hasPrefix("https:")
    {
      throw .proxy(.notAProxy(text))
    }
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
  private static func prepare(_ handle: CurlHandle, _ request: HTTPRequest) throws(HTTPError) {
    guard !request.url.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else {
      throw .invalid("the URL holds a blank or a control character")
    }
    guard request.proxy?.isUsable ?? true else {
      throw .invalid("the proxy is no host and port, or its user or password cannot be sent")
    }
    handle.text(CURLOPT_URL, request.url)
    handle.text(CURLOPT_PROTOCOLS_STR, "http,https")
    // The environment must not be able to send a local call or a policy request elsewhere.
    handle.proxy(request.proxy)
    handle.text(CURLOPT_UNIX_SOCKET_PATH, request.unixSocket)
    handle.text(CURLOPT_CAINFO, request.caFile)
    handle.text(CURLOPT_SSLCERT, request.clientCertificate)
    handle.text(CURLOPT_SSLKEY, request.clientKey)
    handle.number(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
    handle.number(CURLOPT_NOSIGNAL, 1)
    handle.number(CURLOPT_FOLLOWLOCATION, 0)
    handle.number(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
    handle.number(CURLOPT_TIMEOUT_MS, max(0, request.timeoutMilliseconds))
    handle.number(CURLOPT_CONNECTTIMEOUT_MS, max(1, request.connectTimeoutMilliseconds))
    if let body = request.body {
      handle.body(body)
    } else if request.method == .get {
      handle.number(CURLOPT_HTTPGET, 1)
    } else if request.method != .delete {
      handle.body([])
    }
    handle.text(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
    if let fault = handle.optionFault { throw .invalid(fault) }
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
