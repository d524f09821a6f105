// What servers and kernel hold at a moment, read from the texts of /proc; figures per connection are
// differences of two such samples. Pure: who reads the files is elsewhere.

/// One process at a moment.
public struct ProcessSample: Equatable, Sendable {
  /// Its number.
  public var process: Int32
  /// Resident memory, bytes.
  public var resident: Int64 = 0
  /// Its part of shared memory counted by the number of sharers, bytes.
  public var proportional: Int64 = 0
  /// Memory that is its alone and written, bytes.
  public var privateDirty: Int64 = 0
  /// CPU of all its threads, those that ended too, in nanoseconds.
  public var nanoseconds: Int64 = 0

  /// Makes a sample without figures.
  public init(process: Int32) { self.process = process }

  /// Takes the memory out of the text of `/proc/PID/smaps_rollup`.
  public mutating func takeMemory(smapsRollup text: String) {
    resident = ProcText.kilobytes("Rss", in: text) * 1_024
    proportional = ProcText.kilobytes("Pss", in: text) * 1_024
    privateDirty = ProcText.kilobytes("Private_Dirty", in: text) * 1_024
  }
}

/// The servers and the kernel at a moment.
public struct ServerSample: Equatable, Sendable {
  /// What the moment is called.
  public var name: String
  /// Milliseconds since the run began.
  public var milliseconds: Int64
  /// Sessions online at that moment.
  public var online: Int
  /// The servers' processes.
  public var processes: [ProcessSample] = []
  /// Kernel memory in slabs, bytes.
  public var slab: Int64 = 0
  /// Of that, what cannot be reclaimed.
  public var slabUnreclaimable: Int64 = 0
  /// TCP sockets that the kernel has allocated, both ends of a connection on this machine.
  public var tcpSockets: Int64 = 0
  /// Bytes in TCP's buffers.
  public var tcpBuffers: Int64 = 0

  /// Makes a sample without figures.
  public init(name: String, milliseconds: Int64, online: Int) {
    self.name = name
    self.milliseconds = milliseconds
    self.online = online
  }

  /// Takes the slabs out of the text of `/proc/meminfo`.
  public mutating func takeSlabs(meminfo text: String) {
    slab = ProcText.kilobytes("Slab", in: text) * 1_024
    slabUnreclaimable = ProcText.kilobytes("SUnreclaim", in: text) * 1_024
  }

  /// Takes the sockets out of the text of `/proc/net/sockstat`; `pageBytes` is the kernel's page.
  public mutating func takeSockets(sockstat text: String, pageBytes: Int64 = 4_096) {
    for line in text.split(separator: "\n") where line.hasPrefix("TCP:") {
      let words = line.split(separator: " ")
      for index in words.indices.dropLast() {
        let value = Int64(words[index + 1]) ?? 0
        if words[index] == "alloc" { tcpSockets = value }
        if words[index] == "mem" { tcpBuffers = value * pageBytes }
      }
    }
  }

  /// A figure of all processes together.
  public func total(_ figure: KeyPath<ProcessSample, Int64>) -> Int64 {
    processes.reduce(0) { $0 + $1[keyPath: figure] }
  }

  /// CPU of the servers since an earlier sample, in nanoseconds; a process that is new since then
  /// counts whole, one that is gone not at all.
  public func nanoseconds(since earlier: ServerSample) -> Int64 {
    processes.reduce(0) { sum, now in
      let before = earlier.processes.first { $0.process == now.process }?.nanoseconds ?? 0
      return sum + now.nanoseconds - before
    }
  }

  /// As JSON.
  public var json: JSONText {
    .members([
      ("name", .text(name)), ("milliseconds", .whole(milliseconds)),
      ("online", .whole(Int64(online))), ("residentBytes", .whole(total(\.resident))),
      ("proportionalBytes", .whole(total(\.proportional))),
      ("privateDirtyBytes", .whole(total(\.privateDirty))),
      ("cpuNanoseconds", .whole(total(\.nanoseconds))), ("slabBytes", .whole(slab)),
      ("slabUnreclaimableBytes", .whole(slabUnreclaimable)), ("tcpSockets", .whole(tcpSockets)),
      ("tcpBufferBytes", .whole(tcpBuffers)),
      ("processes", .list(processes.map { .whole(Int64($0.process)) })),
    ])
  }
}

/// Reading the texts of /proc.
enum ProcText {
  /// The number behind `name:`, which the kernel gives in kB; 0 when it is not there.
  static func kilobytes(_ name: String, in text: String) -> Int64 {
    for line in text.split(separator: "\n") where line.hasPrefix("\(name):") {
      return line.split(separator: " ").dropFirst().first.flatMap { Int64($0) } ?? 0
    }
    return 0
  }
}
