// What the numbers of a failure are made into: a kind, a sentence, an audit word.
import COpenSSL
import Glibc
import Testing

@testable import Transports

@Suite("Transport error")
struct TransportErrorTests {
  @Test("Resets of any kind are told from the kernel's other errors")
  func kinds() {
    for code in [ECONNRESET, EPIPE, ECONNABORTED, ETIMEDOUT, EHOSTUNREACH] {
      #expect(TransportError(errno: code).kind == .connectionReset)
    }
    #expect(TransportError(errno: ENOMEM).kind == .system)
  }

  @Test("Each kind has its own sentence")
  func sentences() {
    let sentences = TransportError.Kind.allCases.map { TransportError($0).description }
    #expect(Set(sentences).count == TransportError.Kind.allCases.count)
    #expect(TransportError(errno: EPIPE).description.contains("Broken pipe (32)"))
    #expect(
      TransportError(.alertReceived, reason: 48).description.contains("alert 48, unknown CA"))
    #expect(
      TransportError(.protocolViolation, reason: SSL_R_HTTP_REQUEST).description
        .contains("http request"))
    #expect(
      TransportError(.certificateRefused, verifyCode: X509_V_ERR_CERT_HAS_EXPIRED).description
        .contains("certificate has expired"))
  }

  @Test("Only a refusal of ours has an audit reason")
  func refusals() {
    for kind in TransportError.Kind.allCases {
      let refused = kind == .certificateRefused || kind == .protocolViolation
      #expect((CertificateRefusal(TransportError(kind)) != nil) == refused)
    }
  }

  @Test("A code that nobody has met yet keeps its number")
  func unknownCodes() {
    #expect(CertificateRefusal(verifyCode: 12345) == .other(12345))
    #expect(CertificateRefusal(reason: 12345).description == "other-12345")
  }

  @Test("A reason code is an alert only in the range of alerts")
  func alerts() {
    #expect(alertNumber(ofReason: 999) == nil)
    #expect(alertNumber(ofReason: 1000) == 0)
    #expect(alertNumber(ofReason: 1255) == 255)
    #expect(alertNumber(ofReason: 1256) == nil)
    #expect(alertNumber(ofReason: -1) == nil)
  }
}
