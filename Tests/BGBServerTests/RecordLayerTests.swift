// Who seals and opens records, from the setting `tls-records` and what the kernel answers.

import Reactor
import ServiceSettings
import Testing
import Transports

@testable import BGBServer

struct RecordLayerTests {
  private func settings(_ value: String) throws -> ServerSettings {
    try ServiceSettings.parse(
      ServerSettings.self, text: "name: mp1\n\(value)", path: "/site/servers/mp1/server.yaml")
  }

  @Test func theKernelIsASetting() throws {
    let plain = try settings("")
    #expect(plain.tlsRecords == .detached)
    let kernel = try settings("tls-records: kernel\n")
    #expect(kernel.tlsRecords == .kernel)
    #expect(kernel.needsRestart(insteadOf: plain) == ["tls-records"])
    #expect(throws: SettingsError.self) { try settings("tls-records: kernal\n") }
    // Whoever seals after it, OpenSSL's object goes.
    #expect(plain.shard.detaches && kernel.shard.detaches)
    #expect(try !settings("tls-records: openssl\n").shard.detaches)
  }

  @Test func aKernelWithoutTLSLeavesItToTheServer() {
    typealias Layer = ServerSettings.RecordLayer
    #expect(Layer.kernel.inUse(.notFound) == .detached)
    #expect(Layer.kernel.inUse(nil) == .kernel)
    #expect(Layer.openssl.inUse(.notFound) == .openssl)
    #expect(Layer.detached.inUse(nil) == .detached)
  }

  @Test func theTableIsGivenTheKernelAndCountsWhatItTakes() throws {
    let harness = try ShardHarness { $0.kernelSeals = true }
    let agent = try harness.signedIn(1)
    try harness.settle(with: [agent])
    let table = try #require(harness.shard.detached)
    #expect(table.count == 1)
    let isTaken = KernelTLS.refusal() == nil
    #expect(table.inKernel == (isTaken ? 1 : 0))
    #expect(table.kernelRefusals == (isTaken ? 0 : 1))
    #expect(harness.shard.metricsText().contains("\nbgb_kernel_tls \(table.inKernel)\n"))
  }
}
