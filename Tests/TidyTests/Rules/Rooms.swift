// Unsafe code lives in a few rooms with their doors labelled. Everything else can be read without
// thinking about memory. The list is here, not in the exceptions, because each room is a decision.

enum Rooms {
  static let rules = [Rule("unsafe-rooms", unsafeRooms)]

  struct Room {
    /// A file, or a folder with a slash at its end.
    var path: String
    var reason: String
  }

  static let rooms = [
    Room(
      path: "Sources/Reactor/Kernel/",
      reason: "system calls take pointers; wrapped here once, safe outside"),
    Room(
      path: "Sources/Transports/OpenSSL/",
      reason: "OpenSSL objects, callbacks and error queues; one owner type each"),
    Room(
      path: "Sources/BGBSigning/",
      reason: "keys, certificates and digests of OpenSSL, off the packet path"),
    Room(
      path: "Sources/HTTPClient/Curl/",
      reason: "libcurl's easy handle and its callbacks, off the packet path"),
    Room(
      path: "Sources/SiteDatabaseSQLite/",
      reason: "a database back end: file locks and the doorbell socket, off the packet path"),
    Room(
      path: "Sources/ServiceLog/Kernel/",
      reason: "write(2) to the log's descriptor, without knowing the reactor"),
    Room(
      path: "Sources/ServiceSettings/Kernel/",
      reason: "reading the settings file, without knowing the reactor"),
    Room(
      path: "Sources/BGBReport/DropBox.swift",
      reason: "fsync, rename and directory reading of the inbox, in the half without a reactor"),
    Room(
      path: "Sources/BGBManager/Kernel/",
      reason: "inotify, peer credentials, site files and the lock of the manager"),
    Room(
      path: "Sources/BGBAgent/System/",
      reason: "child processes with process groups, pipes and facts of the computer"),
    Room(
      path: "Sources/BGBConsole/Kernel/",
      reason: "the terminal, files and the environment of the command line"),
    Room(
      path: "Benchmarks/Swarm/Kernel/",
      reason: "child processes with pipes and the counters of /proc, for the storm laboratory"),
    Room(
      path: "Benchmarks/Micro/",
      reason: "measures C rivals beside our parts; runs on a developer's machine only"),
  ]

  static func unsafeRooms(_ tree: Tree) -> [Finding] {
    tree.code(under: "Sources", "Benchmarks").filter(\.isSwift).flatMap { file -> [Finding] in
      guard !rooms.contains(where: { isInside(file.path, $0) }) else { return [] }
      let code = file.code
      return code.indices.compactMap { index in
        let token = code[index]
        let isMark = index > 0 && code[index - 1].text == "@"
        guard token.kind == .word, token.text == "unsafe" || isMark && token.text == "safe" else {
          return nil
        }
        return Finding(
          file.path, token.line, "\(token.text) outside the rooms of Rules/Rooms.swift")
      }
    }
  }

  static func isInside(_ path: String, _ room: Room) -> Bool {
    path == room.path || room.path.hasSuffix("/") && path.hasPrefix(room.path)
  }
}
