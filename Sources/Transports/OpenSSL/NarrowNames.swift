// OpenSSL walks over all names of algorithms that it knows, some hundreds, several times in each
// handshake. A process that shakes hands all day may know only those that TLS needs.
import COpenSSL

/// The names of algorithms that OpenSSL knows in this process.
public enum NarrowNames {
  /// Leaves out those that TLS has no use for; once, before anything of this process uses OpenSSL.
  ///
  /// Fetching by name stays as it was; what is left out are the names under which programs older
  /// than OpenSSL 3 look for ciphers and digests, and of which each library context has a copy.
  /// Returns false when OpenSSL refuses. The corresponding C function is `OPENSSL_init_crypto`.
  @discardableResult
  public static func prepare() -> Bool { copenssl_narrow_names() == 1 }
}
