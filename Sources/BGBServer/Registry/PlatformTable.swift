// Operating system and agent version of all clients, each pair kept once. A fleet has a few dozen
// of them and a hundred thousand clients, so a client keeps a two-byte number instead of two texts.
//
// The texts come from agents: the table is bounded, and a client whose pair finds no place keeps
// its texts itself (see ClientRegistry).

/// What kind of computer and agent a client is.
struct Platform: Hashable {
  /// Operating system and version.
  let operatingSystem: String
  /// The agent's version.
  let agentVersion: String
}

/// Platforms by number, counted by use.
struct PlatformTable {
  /// The number of a platform that has no place in the table.
  static let none = UInt16.max

  private var platforms: [Platform?] = []
  private var uses: [Int] = []
  private var places: [Platform: UInt16] = [:]
  private var free: [UInt16] = []
  /// Platforms at most.
  let limit: Int

  init(limit: Int = 1_024) {
    precondition(limit < Int(UInt16.max), "a place has a number of two bytes")
    self.limit = limit
  }

  /// Platforms in use.
  var count: Int { places.count }

  /// The number of a platform, which is in use once more from now on; ``none`` when the table is
  /// full.
  mutating func take(_ platform: Platform) -> UInt16 {
    if let place = places[platform] {
      uses[Int(place)] += 1
      return place
    }
    guard places.count < limit else { return PlatformTable.none }
    let place: UInt16
    if let old = free.popLast() {
      place = old
      platforms[Int(place)] = platform
      uses[Int(place)] = 1
    } else {
      place = UInt16(truncatingIfNeeded: platforms.count)
      platforms.append(platform)
      uses.append(1)
    }
    places[platform] = place
    return place
  }

  /// A client no longer has the platform.
  mutating func giveBack(_ place: UInt16) {
    guard place != PlatformTable.none, let platform = platforms[Int(place)] else { return }
    uses[Int(place)] -= 1
    guard uses[Int(place)] == 0 else { return }
    places[platform] = nil
    platforms[Int(place)] = nil
    free.append(place)
  }

  /// The platform with this number.
  subscript(place: UInt16) -> Platform? {
    place == PlatformTable.none ? nil : platforms[Int(place)]
  }
}
