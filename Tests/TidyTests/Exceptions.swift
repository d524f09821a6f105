// Every fault that stays, with its reason. An exception that allows nothing any more is itself a
// fault, so that this list only holds what is true.

let exceptions: [Exception] = [
  Exception(
    "named-by-a-test", "Sources/BGBManager/API/Routes/",
    because: "routes are tested by their paths, over the socket, in APISocketTests"),
  Exception(
    "named-by-a-test", "Sources/BGBManager/Program/SiteDatabaseDoor.swift",
    because: "one call, made by every test in ProgramTests that starts the manager"),
  Exception(
    "named-by-a-test", "Sources/Transports/OpenSSL/KeyUpdateCounter.swift",
    because: "TLSReadinessTests flood a connection with key updates and see it cut"),
]
