// The randomness of waiting times. They need no secrecy, only that two agents never wait alike; so
// it is SplitMix64 (Steele, Lea, Flood, 2014), which a test can seed to see the same waits again.

/// A small random generator for jitter; never for keys or identifiers.
public struct JitterRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// Begins with a seed; equal seeds give equal numbers.
  public init(seed: UInt64) { state = seed }

  /// Begins with a seed from the system.
  public init() { self.init(seed: UInt64.random(in: .min ... .max)) }

  /// The next number.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
