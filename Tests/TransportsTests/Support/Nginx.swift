// A real nginx of the test's own: its settings, sockets and files in a temporary folder, in the
// foreground, ended with the test.
import Glibc

/// A running nginx.
final class Nginx {
  private let folder: TemporaryFolder
  private let process: ChildProcess

  /// The program, or nil where it is not installed.
  static let program: String? = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"]
    .first { access($0, X_OK) == 0 }

  /// Starts it with these blocks of settings and waits until its sockets listen.
  ///
  /// `modules` names the shared objects to load, as the packages install them.
  init(_ blocks: String, modules: [String] = [], in folder: TemporaryFolder) throws {
    guard let program = Nginx.program else {
      throw ChildProcess.Silence(description: "nginx is not installed; see scripts/packages")
    }
    let loads = modules.map { "load_module /usr/lib/nginx/modules/\($0);\n" }.joined()
    let file = folder.write(
      "nginx.conf",
      """
      \(loads)daemon off;
      master_process off;
      pid \(folder.path)/nginx.pid;
      error_log stderr notice;
      events { worker_connections 512; }
      \(blocks)
      """)
    self.folder = folder
    process = try ChildProcess(program, ["-e", "stderr", "-p", folder.path, "-c", file])
    // Said once the sockets listen; from there on it must say nothing, nobody reads.
    _ = try process.await("using the \"epoll\" event method")
  }

  /// Settings that every `http` block needs to touch nothing outside of the folder.
  static func httpPaths(_ folder: TemporaryFolder) -> String {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map { "\($0)_temp_path \(folder.path);" }.joined(separator: "\n")
    return "access_log off;\nerror_log /dev/null crit;\n\(temporary)"
  }
}
