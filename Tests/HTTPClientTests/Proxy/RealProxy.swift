// Starts squid or tinyproxy with a configuration of its own, in a folder of its own, on a port of
// its own, and ends it with the test.

import Foundation
import Glibc

/// A proxy program that runs as long as this object lives.
final class RealProxy {
  static let hasSquid = FileManager.default.isExecutableFile(atPath: "/usr/sbin/squid")
  static let hasTinyproxy = FileManager.default.isExecutableFile(atPath: "/usr/bin/tinyproxy")

  struct NotStarted: Error, CustomStringConvertible {
    let description: String
  }

  private(set) var port: UInt16 = 0
  private let name = "bgb" + UUID().uuidString.filter(\.isHexDigit).lowercased().prefix(12)
  private let folder: String
  private var process: Process?

  private init() throws {
    folder = NSTemporaryDirectory() + name
    // As root, squid becomes another user and must still write here.
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder)
  }

  deinit {
    end()
    try? FileManager.default.removeItem(atPath: folder)
  }

  /// Starts squid with a rule of access, or with "basic" or "digest" for its users.
  static func squid(_ access: String, users: [String: String] = [:]) throws -> RealProxy {
    let proxy = try RealProxy()
    var access = access
    if !users.isEmpty { access = try proxy.authentication(access, users) }
    return try proxy.start { port in
      try proxy.write(
        "squid.conf",
        """
        http_port 127.0.0.1:\(port)
        cache_effective_user proxy
        pid_filename none
        cache_log \(proxy.folder)/log
        access_log none
        coredump_dir \(proxy.folder)
        netdb_filename none
        pinger_enable off
        cache deny all
        cache_mem 8 MB
        max_filedescriptors 1024
        visible_hostname proxy.test
        \(access)

        """)
      return ["/usr/sbin/squid", "-N", "-n", proxy.name, "-f", "\(proxy.folder)/squid.conf"]
    }
  }

  /// Starts tinyproxy with more lines for its configuration.
  static func tinyproxy(_ lines: String) throws -> RealProxy {
    let proxy = try RealProxy()
    return try proxy.start { port in
      try proxy.write(
        "tinyproxy.conf",
        """
        Port \(port)
        Listen 127.0.0.1
        Timeout 60
        MaxClients 20
        LogFile "\(proxy.folder)/log"
        \(lines)

        """)
      return ["/usr/bin/tinyproxy", "-d", "-c", "\(proxy.folder)/tinyproxy.conf"]
    }
  }

  /// The lines that make squid ask, by a scheme, with the helper programs of its own package.
  private func authentication(_ scheme: String, _ users: [String: String]) throws -> String {
    var lines: [String] = []
    for (user, password) in users {
      if scheme == "digest" {
        let hash = try OpenSSLTool.hash("md5", "\(user):realm:\(password)")
        lines.append("\(user):realm:\(hash)")
      } else {
        let hash = try OpenSSLTool.run(["passwd", "-apr1", "-stdin"], input: password + "\n")
        lines.append("\(user):\(hash)")
      }
    }
    try write("users", lines.joined(separator: "\n") + "\n")
    let helper = scheme == "digest" ? "digest_file_auth -c" : "basic_ncsa_auth"
    return """
      auth_param \(scheme) program /usr/lib/squid/\(helper) \(folder)/users
      auth_param \(scheme) children 1 startup=1
      auth_param \(scheme) realm realm
      acl known proxy_auth REQUIRED
      http_access allow known
      http_access deny all
      """
  }

  private func write(_ name: String, _ text: String) throws {
    try text.write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o644], ofItemAtPath: "\(folder)/\(name)")
  }

  /// Starts the program and waits until its port accepts; another port when one was taken.
  private func start(_ command: (UInt16) throws -> [String]) throws -> RealProxy {
    for _ in 0..<5 {
      port = try Loopback.closedPort()
      let words = try command(port)
      let process = Process()
      process.executableURL = URL(fileURLWithPath: words[0])
      process.arguments = Array(words.dropFirst())
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      self.process = process
      for _ in 0..<3_000 where process.isRunning {
        if let connection = Loopback.connect(port) {
          close(connection)
          return self
        }
        usleep(10_000)
      }
      end()
    }
    let log = (try? String(contentsOfFile: "\(folder)/log", encoding: .utf8)) ?? "no log"
    throw NotStarted(description: log)
  }

  private func end() {
    guard let process else { return }
    // Not SIGTERM: a child inherits it blocked when a test of signals runs beside this one. What
    // squid then leaves behind is named after it; its helpers end with their input.
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    self.process = nil
    for file in (try? FileManager.default.contentsOfDirectory(atPath: "/dev/shm")) ?? []
    where file.hasPrefix(name) {
      try? FileManager.default.removeItem(atPath: "/dev/shm/" + file)
    }
  }
}
