// Who this computer is: name, operating system, addresses. The same facts go into every sign-in.

public import BGBModel
import BGBWire
import Glibc

/// Facts about this computer that operators look for.
public enum DiscoveryData {
  /// The agent's version, as it tells it.
  public static let agentVersion = "0.1.0"

  /// The facts now.
  public static func facts() -> ClientFacts {
    ClientFacts(
      hostname: SystemFacts.hostname(), operatingSystem: operatingSystem(),
      agentVersion: agentVersion, addresses: SystemFacts.addresses())
  }

  /// Tells the facts as live data.
  static func collect() -> ActionResult {
    let facts = facts()
    let live = [
      LiveData.Value(name: "hostname", text: facts.hostname),
      LiveData.Value(name: "os", text: facts.operatingSystem),
      LiveData.Value(name: "agent", text: facts.agentVersion),
      LiveData.Value(name: "addresses", text: facts.addresses.joined(separator: " ")),
    ]
    return .succeeded(
      "\(facts.hostname), \(facts.operatingSystem), \(facts.addresses.joined(separator: " "))",
      live: live)
  }

  private static func operatingSystem() -> String {
    let release = AgentFile.text("/etc/os-release", limit: 65_536) ?? ""
    for line in release.split(separator: "\n") where line.hasPrefix("PRETTY_NAME=") {
      let name = line.dropFirst("PRETTY_NAME=".count).filter { $0 != "\"" }
      return String(String(name).cut(toBytes: Limits.descriptionBytesMax))
    }
    return "Linux"
  }
}
