// What a table asks of the kernel when that is to seal and open its records: five system calls. A
// class whose methods can be taken over, so that tests bring a kernel of their own to machines
// whose kernel has no TLS; a call through a class is paid for by connections of the kernel only.
public import Reactor

/// The kernel's TLS, as a table of detached connections uses it.
///
/// Belongs to the thread of its ``DetachedTable``.
public class KernelTLS {
  /// Makes the real one; whether the kernel has TLS shows in ``refusal()`` and with each
  /// connection.
  public init() {}

  /// What this machine's kernel answers to TLS; nil if it has it.
  public static func refusal() -> Errno? { TLSSocket.refusal() }

  /// Readies a connected socket for keys.
  func attach(_ fd: Int32) throws(Errno) { try TLSSocket.attach(fd) }

  /// Gives the kernel the key of one way, in its own structure.
  func setKey(_ fd: Int32, _ way: RecordWay, _ info: Span<UInt8>) throws(Errno) {
    try TLSSocket.setKey(fd, way == .write ? .send : .receive, info)
  }

  /// Receives what the kernel has opened, of one type.
  func receive(_ fd: Int32, into room: inout MutableSpan<UInt8>) -> TLSReceipt {
    TLSSocket.receive(fd, into: &room)
  }

  /// Sends content of one record.
  func send(_ fd: Int32, type: UInt8, _ content: Span<UInt8>) -> SocketStep {
    type == ContentType.applicationData
      ? StreamSocket.write(fd, content) : TLSSocket.send(fd, type: type, content)
  }

  /// Forgets the error that a record left on the socket.
  func clearError(_ fd: Int32) { TLSSocket.clearError(fd) }
}

@available(*, unavailable)
extension KernelTLS: Sendable {}
