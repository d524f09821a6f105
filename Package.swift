// swift-tools-version:6.2
// The manifest is the layer diagram: an arrow here is an arrow in docs/ARCHITECTURE.md, and
// Tests/TidyTests holds the imports against it. Linux only (epoll, eventfd, signalfd), Swift 6.3.
import PackageDescription

/// Every target of ours builds under these from the first commit: a data race, an unmarked unsafe
/// use or a warning is a build error, not a review remark.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableExperimentalFeature("Lifetimes"),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
]

/// Tests may play the hostile peer with raw pointers, so strict memory safety is off there; the
/// rest stays.
let forTests: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableExperimentalFeature("Lifetimes"),
  .treatAllWarnings(as: .error),
]

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let lifecycle: [Target.Dependency] = [
  .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
  .product(name: "UnixSignals", package: "swift-service-lifecycle"),
]
let http: [Target.Dependency] = [
  .product(name: "Hummingbird", package: "hummingbird"),
  .product(name: "HummingbirdCore", package: "hummingbird"),
  .product(name: "HTTPTypes", package: "swift-http-types"),
  .product(name: "NIOCore", package: "swift-nio"),
  .product(name: "NIOPosix", package: "swift-nio"),
]
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")

func library(_ name: String, _ dependencies: [Target.Dependency], path: String? = nil) -> Target {
  .target(name: name, dependencies: dependencies, path: path, swiftSettings: strict)
}

func program(_ name: String, _ dependencies: [Target.Dependency], path: String? = nil) -> Target {
  .executableTarget(name: name, dependencies: dependencies, path: path, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: forTests)
}

let package = Package(
  name: "bgb",
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", exact: "0.2.0"),
  ],
  targets: [
    // Bytes: knows nothing of BGB.
    .target(name: "CEpollShim"),
    .target(
      name: "COpenSSL",
      linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
    .target(name: "CCurl", linkerSettings: [.linkedLibrary("curl")]),
    library("Reactor", ["CEpollShim"]),
    library("Transports", ["Reactor", "COpenSSL"]),
    library("HTTPClient", ["CCurl"]),

    // Meaning: knows nothing of sockets or threads.
    library("BGBModel", []),
    library("BGBWire", ["BGBModel"]),
    library("BGBReport", ["BGBModel"]),
    library("BGBSigning", ["BGBModel", "COpenSSL"]),
    library("SiteDatabase", ["BGBModel"]),
    library("SiteDatabaseSQLite", ["SiteDatabase", "BGBModel", grdb]),

    // Manners of a service: one log format, one strict configuration reader.
    library("ServiceLog", [logging]),
    library("ServiceSettings", [yams]),

    // Libraries of the programs: the only row that knows both halves.
    library(
      "BGBServer",
      [
        "Reactor", "Transports", "BGBModel", "BGBWire", "BGBReport", "BGBSigning", "SiteDatabase",
        "SiteDatabaseSQLite", "ServiceLog", "ServiceSettings", logging, arguments,
      ]),
    library(
      "BGBAgent",
      [
        "Reactor", "Transports", "HTTPClient", "BGBModel", "BGBWire", "BGBSigning", "ServiceLog",
        "ServiceSettings", logging, arguments,
      ]),
    library(
      "BGBManager",
      [
        "Reactor", "BGBModel", "BGBReport", "BGBSigning", "SiteDatabase", "SiteDatabaseSQLite",
        "ServiceLog", "ServiceSettings", logging, arguments,
      ] + http + lifecycle),
    library(
      "BGBConsole",
      [
        "BGBModel", "BGBSigning", "SiteDatabase", "SiteDatabaseSQLite", "HTTPClient", arguments,
      ]),
    library("SwarmKit", [histogram], path: "Benchmarks/SwarmKit"),

    .target(
      name: "SwarmPeers", dependencies: ["CEpollShim", "Reactor", "Transports"],
      path: "Benchmarks/Peers", swiftSettings: strict),

    program("bgb-server", ["BGBServer"]),
    program("bgb-agent", ["BGBAgent"]),
    program("bgb-manager", ["BGBManager"]),
    program("bgb", ["BGBConsole"]),
    program(
      "bgb-swarm",
      [
        "BGBAgent", "BGBModel", "BGBSigning", "HTTPClient", "Reactor", "SwarmKit", "SwarmPeers",
        "Transports",
        arguments, histogram,
      ],
      path: "Benchmarks/Swarm"),

    tests("ReactorTests", ["Reactor", "CEpollShim"]),
    tests("TransportsTests", ["Transports", "Reactor", "CEpollShim", "COpenSSL"]),
    tests("HTTPClientTests", ["HTTPClient"]),
    tests("BGBModelTests", ["BGBModel"]),
    tests("BGBWireTests", ["BGBWire", "BGBModel"]),
    tests("BGBReportTests", ["BGBReport", "BGBModel"]),
    tests("BGBSigningTests", ["BGBSigning", "BGBModel"]),
    tests("SiteDatabaseTests", ["SiteDatabase", "SiteDatabaseSQLite", "BGBModel", grdb]),
    tests("ServiceLogTests", ["ServiceLog", logging]),
    tests("ServiceSettingsTests", ["ServiceSettings"]),
    tests(
      "BGBServerTests",
      [
        "BGBServer", "Reactor", "Transports", "BGBModel", "BGBWire", "BGBReport", "BGBSigning",
        "SiteDatabase", "ServiceSettings", logging,
      ]),
    tests(
      "BGBAgentTests",
      [
        "BGBAgent", "Reactor", "Transports", "HTTPClient", "BGBModel", "BGBWire", "BGBSigning",
        arguments,
      ]),
    tests(
      "BGBManagerTests", ["BGBManager", "BGBModel", "BGBReport", "BGBSigning", "SiteDatabase"]),
    tests("BGBConsoleTests", ["BGBConsole", "BGBModel"]),
    tests("SwarmPeersTests", ["SwarmPeers"]),
    tests("SwarmKitTests", ["SwarmKit", "SwarmPeers"]),
    tests("TidyTests", []),
    tests("IntegrationTests", ["BGBModel"]),
  ]
)
