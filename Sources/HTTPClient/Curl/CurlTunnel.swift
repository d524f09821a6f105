// CONNECT with libcurl, and the connection taken out of it. The target's URL says http although TLS
// follows: so libcurl adds nothing of its own behind the proxy's answer. It reads that answer byte
// by byte, so that nothing behind it is lost.

import CCurl

/// One CONNECT with libcurl.
enum CurlTunnel {
  /// Opens a way to `HOST:PORT` and returns its descriptor.
  static func open(
    to authority: String, through proxy: ProxyServer, timeoutMilliseconds: Int,
    shouldStop: () -> Bool
  ) throws(TunnelError) -> Int32 {
    guard let handle = CurlHandle() else { throw .invalid("libcurl cannot be started") }
    let answer = TunnelAnswer()
    handle.receive(header: answer.take, body: { _ in true })
    handle.text(CURLOPT_URL, "http://\(authority)/")
    handle.text(CURLOPT_PROTOCOLS_STR, "http")
    handle.proxy(proxy)
    handle.number(CURLOPT_CONNECT_ONLY, 1)
    handle.number(CURLOPT_HTTPPROXYTUNNEL, 1)
    handle.number(CURLOPT_NOSIGNAL, 1)
    handle.number(CURLOPT_FOLLOWLOCATION, 0)
    handle.number(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
    // 0 would be for ever.
    handle.number(CURLOPT_TIMEOUT_MS, max(1, timeoutMilliseconds))
    if let fault = handle.optionFault { throw .invalid(fault) }
    var socket: Int32?
    let end = handle.perform(shouldStop) { code in
      if code == CURLE_OK { socket = handle.takeSocket() }
    }
    switch end {
    case .stopped: throw .stopped
    case .failed(let text): throw .invalid(text)
    case .done(CURLE_OK):
      guard let socket else { throw .invalid("no descriptor is left for the connection") }
      return socket
    case .done(let code): throw fault(code, answer, handle)
    }
  }

  private static func fault(_ code: CURLcode, _ answer: TunnelAnswer, _ handle: CurlHandle)
    -> TunnelError
  {
    if let refusal = answer.refusal { return .notAProxy(refusal) }
    if let fault = proxyFault(code, answer.status ?? 0, handle) { return fault }
    return .notAProxy(handle.words(code))
  }

  /// What a failed transfer through a proxy says of the proxy; nil when it says nothing.
  static func proxyFault(_ code: CURLcode, _ status: Int, _ handle: CurlHandle) -> TunnelError? {
    switch code {
    case CURLE_COULDNT_RESOLVE_PROXY: .proxyUnresolved(handle.words(code))
    case CURLE_COULDNT_CONNECT: .proxyUnreachable(handle.words(code))
    case CURLE_OPERATION_TIMEDOUT: .timeout(handle.words(code))
    default:
      switch status {
      case 0, 200..<300: nil
      case 401, 407: .authentication(schemes: handle.proxySchemes)
      default: .refused(status: status)
      }
    }
  }
}
