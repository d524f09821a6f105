// An agent behind a real firewall: its own network namespace, and between it and the server another
// one that routes and filters. Made by the test, with names of its own, and removed with it.
//
//     server (here) --- wall (routes, iptables FORWARD) --- agent

import Foundation
import Glibc

/// What the firewall does with packets of one port.
enum Wall: String, Sendable, CaseIterable {
  case open, drop, reject
}

/// Two namespaces in a row; they go with this object.
final class NetworkNamespace {
  static let ip = "/usr/sbin/ip"
  private static let iptables = "/usr/sbin/iptables"

  /// Why this process cannot make one; nil when it can.
  static let obstacle: String? = {
    guard getuid() == 0 else { return "only root can make network namespaces" }
    do {
      try NetworkNamespace().set(.drop, port: 1)
      return nil
    } catch {
      return "no network namespaces with iptables here: \(error)"
    }
  }()

  /// The namespace for agents.
  let agent: String
  /// Where a server listens for agents in there.
  let serverAddress: String
  private let wall: String
  private let link: String

  init() throws {
    NetworkNamespace.sweep()
    // Names and addresses of its own: other runs on this machine have theirs.
    let number = UInt16.random(in: 0...16_383)
    let tag = "bgb\(getpid())-\(String(number, radix: 36))"
    (agent, wall, link) = ("\(tag)a", "\(tag)w", "\(tag)l")
    let net = "10.\(192 + number / 256).\(number % 256)"
    serverAddress = "\(net).1"
    try NetworkNamespace.ip(["netns", "add", wall])
    try NetworkNamespace.ip(["netns", "add", agent])
    try pair(link, nil, "\(net).1/30", "outer", wall, "\(net).2/30")
    try pair("inner", wall, "\(net).5/30", "outer", agent, "\(net).6/30")
    for namespace in [wall, agent] {
      try NetworkNamespace.ip(["-n", namespace, "link", "set", "lo", "up"])
    }
    try NetworkNamespace.ip(["-n", agent, "route", "add", "default", "via", "\(net).5"])
    try NetworkNamespace.ip(["route", "add", "\(net).4/30", "via", "\(net).2"])
    try inside(wall, ["/bin/sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])
  }

  deinit {
    // The links go with the namespaces, the route with its link.
    for namespace in [agent, wall] {
      _ = try? run(NetworkNamespace.ip, ["netns", "delete", namespace])
    }
    _ = try? run(NetworkNamespace.ip, ["link", "delete", link])
  }

  /// Removes what a run left that was killed.
  private static func sweep() {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/run/netns")) ?? []
    for name in names where name.hasPrefix("bgb") {
      guard let owner = Int32(name.dropFirst(3).prefix { $0.isNumber }), kill(owner, 0) != 0
      else { continue }
      _ = try? run(ip, ["netns", "delete", name])
    }
  }

  private func pair(
    _ here: String, _ namespace: String?, _ address: String, _ there: String, _ other: String,
    _ otherAddress: String
  ) throws {
    let place = namespace.map { ["-n", $0] } ?? []
    try NetworkNamespace.ip(
      place + ["link", "add", here, "type", "veth", "peer", "name", there, "netns", other])
    try NetworkNamespace.ip(place + ["addr", "add", address, "dev", here])
    try NetworkNamespace.ip(place + ["link", "set", here, "up"])
    try NetworkNamespace.ip(["-n", other, "addr", "add", otherAddress, "dev", there])
    try NetworkNamespace.ip(["-n", other, "link", "set", there, "up"])
  }

  private static func ip(_ arguments: [String]) throws { try expect(ip, arguments) }

  private func inside(_ namespace: String, _ command: [String]) throws {
    try NetworkNamespace.expect(NetworkNamespace.ip, ["netns", "exec", namespace] + command)
  }

  private static func expect(_ program: String, _ arguments: [String]) throws {
    let finished = try run(program, arguments)
    guard finished.status == 0 else {
      throw StageError.failed("\(program) \(arguments.joined(separator: " ")): \(finished.talk)")
    }
  }

  /// What happens from now on to packets to and from a TCP port: those of connections that stand
  /// are no exception.
  func set(_ state: Wall, port: UInt16) throws {
    try inside(wall, [NetworkNamespace.iptables, "-w", "-F", "FORWARD"])
    let target: [String]
    switch state {
    case .open: return
    case .drop: target = ["DROP"]
    case .reject: target = ["REJECT", "--reject-with", "tcp-reset"]
    }
    for direction in ["--dport", "--sport"] {
      try inside(
        wall,
        [NetworkNamespace.iptables, "-w", "-A", "FORWARD", "-p", "tcp", direction, "\(port)", "-j"]
          + target)
    }
  }
}
