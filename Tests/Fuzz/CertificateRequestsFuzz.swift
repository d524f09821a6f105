// Fuzz target: certificate requests and certificates. The bytes are tried as PEM text as they are,
// and wrapped as the DER of a request and of a certificate. Nothing may trap, and OpenSSL's error
// queue must not keep one stranger's errors for the next.

import BGBModel
import BGBSigning

private func wrapped(_ bytes: [UInt8], as what: String) -> String {
  var lines = "-----BEGIN \(what)-----\n"
  let text = Array(Base64.encode(bytes).utf8)
  for start in stride(from: 0, to: text.count, by: 64) {
    lines += String(decoding: text[start..<min(text.count, start + 64)], as: UTF8.self) + "\n"
  }
  return lines + "-----END \(what)-----\n"
}

/// The entry that libFuzzer calls.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCertificateRequests(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
  if bytes.first == UInt8(ascii: "-") {
    let text = String(decoding: bytes, as: UTF8.self)
    try? CertificateRequest.check(text)
    _ = try? CertificateFacts.read(pem: text)
    _ = try? PublicKey(pem: text)
  } else {
    try? CertificateRequest.check(wrapped(bytes, as: "CERTIFICATE REQUEST"))
    _ = try? CertificateFacts.read(pem: wrapped(bytes, as: "CERTIFICATE"))
    _ = try? PublicKey(pem: wrapped(bytes, as: "PUBLIC KEY"))
  }
  return 0
}
