// swift-tools-version:6.2
// Micro-benchmarks of the lower layers, in a package of their own so that the root needs no harness
// and no rival libraries. It sees some folders of the root by symbolic link and nothing else of it:
// building it resolves no package.
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableExperimentalFeature("Lifetimes"),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "bgb-micro",
  targets: [
    .target(name: "CEpollShim"),
    .target(name: "Reactor", dependencies: ["CEpollShim"], swiftSettings: strict),
    .target(name: "BGBModel", swiftSettings: strict),
    .target(name: "BGBWire", dependencies: ["BGBModel"], swiftSettings: strict),
    .target(
      name: "COpenSSL", linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
    .target(name: "Transports", dependencies: ["Reactor", "COpenSSL"], swiftSettings: strict),
    .target(name: "BGBSigning", dependencies: ["BGBModel", "COpenSSL"], swiftSettings: strict),
    .target(name: "CRivals", linkerSettings: [.linkedLibrary("ev"), .linkedLibrary("uv")]),
    .executableTarget(
      name: "micro", dependencies: ["Reactor", "CEpollShim", "BGBModel", "BGBWire", "CRivals"],
      path: "Sources/Micro", swiftSettings: strict),
    .executableTarget(
      name: "handshakes",
      dependencies: ["Reactor", "CEpollShim", "BGBModel", "BGBSigning", "Transports"],
      path: "Sources/Handshakes", swiftSettings: strict),
    .executableTarget(
      name: "records", dependencies: ["Reactor", "CEpollShim", "COpenSSL"], path: "Sources/Records",
      swiftSettings: strict),
  ]
)
