// The calls of Linux's kernel TLS on a connected TCP socket: the kernel is given keys, seals what
// is sent and opens what is received, and says of each receipt which type of record it was. Which
// keys and which records is for others to decide.

import CEpollShim
import Glibc

/// What one receive from a socket came to whose records the kernel opens.
public enum TLSReceipt: Equatable, Sendable {
  /// So many bytes of records of one type, none perhaps; several records only of data. The type is
  /// nil where the kernel opens nothing.
  case record(type: UInt8?, count: Int)
  /// Nothing is there; the socket will tell when it is ready.
  case wouldBlock
  /// The stream has ended, with or without the end that TLS demands.
  case ended
  /// The connection is broken, or the peer's records are: `EBADMSG` for one that was forged,
  /// `EMSGSIZE` and `EINVAL` for a wrong header, `EKEYEXPIRED` for one after a change of keys.
  case failed(Errno)
}

/// Sockets whose records the kernel seals and opens.
public enum TLSSocket {
  /// Which way a key is for, as the kernel numbers it.
  public enum Direction: Int32, Sendable {
    /// What we send.
    case send = 1
    /// What we receive.
    case receive = 2
  }

  /// Readies a connected socket for keys; until it gets one, its bytes go through as before.
  ///
  /// Throws `ENOENT` where the kernel has no TLS, `ENOTCONN` on a socket that is not connected.
  /// The corresponding C function is `setsockopt` with `TCP_ULP`.
  public static func attach(_ fd: Int32) throws(Errno) {
    try resultOrErrno(clinux_tls_attach(fd))
  }

  /// What the kernel says to TLS; nil if it has it.
  ///
  /// It is asked with a socket that is not connected: a kernel that has TLS complains of that.
  public static func refusal() -> Errno? {
    do throws(Errno) {
      let number = try resultOrErrno(clinux_stream_socket(CLINUX_AF_INET))
      let socket = Descriptor(owning: number)
      try attach(socket.raw)
      return nil
    } catch {
      return error == Errno(rawValue: ENOTCONN) ? nil : error
    }
  }

  /// Gives the kernel a key, in its own structure for the cipher.
  ///
  /// A second key in one direction throws `EBUSY` on kernels before 6.14. The corresponding C
  /// function is `setsockopt` with `TLS_TX` or `TLS_RX`.
  public static func setKey(
    _ fd: Int32, _ direction: Direction, _ info: Span<UInt8>
  ) throws(Errno) {
    let result = unsafe info.withUnsafeBufferPointer { info in
      unsafe clinux_tls_set_key(fd, direction.rawValue, info.baseAddress, info.count)
    }
    try resultOrErrno(result)
  }

  /// Receives what the kernel has opened; never call it with no room.
  ///
  /// The corresponding C function is `recvmsg`, with `TLS_GET_RECORD_TYPE`.
  public static func receive(_ fd: Int32, into room: inout MutableSpan<UInt8>) -> TLSReceipt {
    precondition(room.count > 0, "an empty read looks like the end of the stream")
    var type: Int32 = -1
    let got = unsafe room.withUnsafeMutableBufferPointer { room in
      unsafe clinux_tls_receive(fd, room.baseAddress, room.count, &type)
    }
    // An empty record that is no data is not the end: the end has no type.
    if got > 0 || got == 0 && type >= 0 { return .record(type: UInt8(exactly: type), count: got) }
    if got == 0 { return .ended }
    let error = Errno.current
    if error == .wouldBlock || error == .interrupted { return .wouldBlock }
    trapIfOurFault(error, "recvmsg")
    return .failed(error)
  }

  /// Sends bytes as one record of a type that is not data; data is sent by
  /// ``StreamSocket/write(_:_:)``.
  ///
  /// The corresponding C function is `sendmsg`, with `TLS_SET_RECORD_TYPE`.
  public static func send(_ fd: Int32, type: UInt8, _ bytes: Span<UInt8>) -> SocketStep {
    let sent = unsafe bytes.withUnsafeBufferPointer { bytes in
      unsafe clinux_tls_send(fd, type, bytes.baseAddress, bytes.count)
    }
    if sent >= 0 { return .moved(sent) }
    let error = Errno.current
    if error == .wouldBlock || error == .interrupted { return .wouldBlock }
    trapIfOurFault(error, "sendmsg")
    return .failed(error)
  }

  /// Takes and forgets the error that a forged record left on the socket, which would else be the
  /// answer to the alert that is sent for it.
  public static func clearError(_ fd: Int32) { _ = clinux_socket_error(fd) }
}
