// The memory that OpenSSL asks for in a handshake and gives back a moment later: a loop's thread
// keeps it at hand for the next ones (SpareBlocks.c says why and how).
import COpenSSL

/// What the calling thread keeps of the memory that OpenSSL frees in it.
public enum HandshakeMemory {
  /// Bytes that a thread keeps at most: those of some eighty handshakes, 26 KB each.
  public static let bytesMax = 2 << 20

  /// Makes keeping possible; once, before anything of this process uses OpenSSL.
  ///
  /// Returns false when something has: then memory comes from the C library as ever. The
  /// corresponding C function is `CRYPTO_set_mem_functions`.
  @discardableResult
  public static func prepare() -> Bool { copenssl_spare_blocks_prepare() == 1 }

  /// Makes the calling thread keep what OpenSSL frees in it, until ``end()``.
  ///
  /// - Parameter bytesMax: how much at most; a server's bound unless one with more handshakes under
  ///   way, or larger ones, says otherwise.
  public static func keep(bytesMax: Int = bytesMax) { _ = copenssl_spare_blocks_keep(bytesMax) }

  /// Gives back to the C library what the calling thread keeps, in O(blocks); says how many bytes.
  @discardableResult
  public static func giveBack() -> Int { copenssl_spare_blocks_give_back() }

  /// Ends keeping; the last thing that a thread does with OpenSSL.
  public static func end() { copenssl_spare_blocks_end() }
}
