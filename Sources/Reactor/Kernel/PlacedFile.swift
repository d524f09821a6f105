// A file that is read here and there, by several threads and processes at once: nobody's place in
// it moves. A loop asks for what is in memory only, so that no disk lets its connections wait.

import CEpollShim
import Glibc

/// A regular file opened for reading, any part of it at any time.
///
/// From any thread. It stays readable when its name is gone.
public final class PlacedFile: Sendable {
  private let descriptor: Descriptor
  /// Its size when it was opened, in bytes.
  public let size: Int

  /// Opens a file; not through a symbolic link, and a pipe or device is refused without waiting.
  ///
  /// The corresponding C function is `open`.
  public init(path: String) throws(Errno) {
    var size = 0
    descriptor = try Folder.openRegular(path, size: &size)
    self.size = size
  }

  /// Reads so many bytes from a place on, and waits for the disk if it must.
  ///
  /// Throws `ERANGE` where the file ends before. The corresponding C function is `pread`.
  public func read(_ count: Int, at place: Int) throws(Errno) -> [UInt8] {
    guard place >= 0, count >= 0, count <= size, place <= size - count else {
      throw Errno(rawValue: ERANGE)
    }
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let got = unsafe bytes.withUnsafeMutableBytes { buffer in
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
        return unsafe pread(descriptor.raw, rest.baseAddress, rest.count, off_t(place + done))
      }
      if got < 0 {
        let error = Errno.current
        if error == .interrupted { continue }
        throw error
      }
      // It has become shorter.
      guard got > 0 else { throw Errno(rawValue: ERANGE) }
      done += got
    }
    return bytes
  }

  /// Puts so many bytes from a place on at the start of the room, if that needs no waiting.
  ///
  /// False if not all of them are in memory, if the file ends before, and on file systems that
  /// cannot tell (`tmpfs`); what the room holds then is of no use. The corresponding C function is
  /// `preadv2` with `RWF_NOWAIT`.
  public func readFromMemory(_ count: Int, at place: Int, into room: inout [UInt8]) -> Bool {
    guard place >= 0, count >= 0, count <= room.count else { return false }
    let got = unsafe room.withUnsafeMutableBytes { buffer in
      unsafe clinux_read_cached(descriptor.raw, buffer.baseAddress, count, Int64(place))
    }
    return got == count
  }
}
