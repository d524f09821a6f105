// The programs of others that stand between agents and servers: squid, tinyproxy and nginx, each
// with a configuration and a folder of its own, on ports of its own.

import Foundation
import Glibc

/// A program in the network that runs as long as this object lives, unless it is stopped.
final class OuterProgram {
  static let hasSquid = FileManager.default.isExecutableFile(atPath: "/usr/sbin/squid")
  static let hasTinyproxy = FileManager.default.isExecutableFile(atPath: "/usr/bin/tinyproxy")
  static let nginxModule = "/usr/lib/nginx/modules/ngx_stream_module.so"
  static let hasNginx =
    FileManager.default.isExecutableFile(atPath: "/usr/sbin/nginx")
    && FileManager.default.fileExists(atPath: nginxModule)

  /// The ports it listens on.
  let ports: [UInt16]
  private let name = "bgb" + UUID().uuidString.filter(\.isHexDigit).lowercased().prefix(12)
  private let folder: String
  private var command: [String] = []
  private var process: Process?

  var port: UInt16 { ports[0] }

  /// Takes ports of its own; `configure` writes files and says the command.
  private init(ports count: Int, _ configure: (OuterProgram) throws -> [String]) throws {
    ports = try (0..<count).map { _ in try Sockets.freePort() }
    folder = NSTemporaryDirectory() + name
    // As root, squid and nginx become other users and must still write here.
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder)
    command = try configure(self)
    try start()
  }

  deinit {
    stop()
    try? FileManager.default.removeItem(atPath: folder)
  }

  private func write(_ name: String, _ text: String) throws {
    try text.write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o644], ofItemAtPath: "\(folder)/\(name)")
  }

  // MARK: Kinds

  /// Squid with a rule of access, or with "basic" or "digest" for its user.
  static func squid(
    _ access: String, user: (name: String, password: String)? = nil
  ) throws -> OuterProgram {
    try OuterProgram(ports: 1) { program in
      let rules = try user.map { try program.authentication(access, $0.name, $0.password) }
      try program.write(
        "squid.conf",
        """
        http_port 127.0.0.1:\(program.port)
        cache_effective_user proxy
        pid_filename none
        cache_log \(program.folder)/log
        access_log none
        coredump_dir \(program.folder)
        netdb_filename none
        pinger_enable off
        cache deny all
        cache_mem 8 MB
        max_filedescriptors 1024
        visible_hostname proxy.test
        \(rules ?? access)

        """)
      return ["/usr/sbin/squid", "-N", "-n", program.name, "-f", "\(program.folder)/squid.conf"]
    }
  }

  private func authentication(
    _ scheme: String, _ user: String, _ password: String
  ) throws -> String {
    let openssl = "/usr/bin/openssl"
    if scheme == "digest" {
      try write("text", "\(user):realm:\(password)")
      let hash = try run(openssl, ["dgst", "-md5", "-r", "\(folder)/text"]).output
      try write("users", "\(user):realm:\(hash.prefix(32))\n")
    } else {
      try write("users", "\(user):\(try run(openssl, ["passwd", "-apr1", password]).output)")
    }
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

  /// Tinyproxy with more lines for its configuration.
  static func tinyproxy(_ lines: String, idleSeconds: Int = 600) throws -> OuterProgram {
    try OuterProgram(ports: 1) { program in
      try program.write(
        "tinyproxy.conf",
        """
        Port \(program.port)
        Listen 127.0.0.1
        Timeout \(idleSeconds)
        MaxClients 50
        LogFile "\(program.folder)/log"
        \(lines)

        """)
      return ["/usr/bin/tinyproxy", "-d", "-c", "\(program.folder)/tinyproxy.conf"]
    }
  }

  /// Nginx that passes bytes through: a port for each target, in their order.
  static func nginx(to targets: [UInt16]) throws -> OuterProgram {
    try OuterProgram(ports: targets.count) { program in
      let servers = zip(program.ports, targets).map {
        "server { listen 127.0.0.1:\($0); proxy_pass 127.0.0.1:\($1); proxy_timeout 1h; }"
      }
      try program.write(
        "nginx.conf",
        """
        load_module \(nginxModule);
        daemon off;
        pid \(program.folder)/pid;
        error_log \(program.folder)/log;
        worker_processes 1;
        # A reload cuts what the old worker carries, instead of waiting for it for days.
        worker_shutdown_timeout 1s;
        events { worker_connections 512; }
        stream {
          \(servers.joined(separator: "\n  "))
        }

        """)
      return [
        "/usr/sbin/nginx", "-p", program.folder, "-c", "\(program.folder)/nginx.conf", "-e",
        "\(program.folder)/log",
      ]
    }
  }

  // MARK: Life

  /// Starts the program and waits until its ports accept.
  func start() throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: command[0])
    process.arguments = Array(command.dropFirst())
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    self.process = process
    do {
      for port in ports {
        try eventually("\(command[0]) accepts", within: 30) {
          guard process.isRunning else { throw StageError.failed("\(command[0]) ended") }
          guard let connection = Sockets.connect(port) else { return false }
          close(connection)
          return true
        }
      }
    } catch {
      let log = (try? String(contentsOfFile: "\(folder)/log", encoding: .utf8)) ?? "no log"
      throw StageError.failed("\(error): \(log)")
    }
  }

  /// Reads its configuration anew.
  func reload() { if let process { kill(process.processIdentifier, SIGHUP) } }

  /// Ends the program and its children at once, and all connections with them.
  func stop() {
    guard let process else { return }
    // Not the process alone: workers would go on without their master.
    let number = process.processIdentifier
    if getpgid(number) == number { kill(-number, SIGKILL) }
    kill(number, SIGKILL)
    process.waitUntilExit()
    self.process = nil
    for file in (try? FileManager.default.contentsOfDirectory(atPath: "/dev/shm")) ?? []
    where file.hasPrefix(name) {
      try? FileManager.default.removeItem(atPath: "/dev/shm/" + file)
    }
  }
}
