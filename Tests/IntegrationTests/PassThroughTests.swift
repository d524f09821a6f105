// Nginx as a load balancer would stand there: it passes the bytes of both ports through, and is
// reloaded and stopped while agents are connected.

import Foundation
import Testing

@Suite(.serialized, .enabled(if: OuterProgram.hasNginx, "needs nginx and its stream module"))
struct PassThroughTests {
  @Test func agentsWorkThroughNginxAndComeBackAfterItsReloadAndStop() throws {
    let stage = try Stage()
    try stage.startServer()
    let nginx = try OuterProgram.nginx(to: [stage.port, stage.httpsPort])
    let names = ["tcp", "https"]
    for name in names {
      try stage.addClients(
        [name], yaml: "transport: \(name)", tcp: "127.0.0.1:\(nginx.ports[0])",
        https: "localhost:\(nginx.ports[1])")
      try stage.startAgent(name)
    }
    try stage.waitConnected(1, over: "tcp")
    try stage.waitConnected(1, over: "https")
    var operations = [try stage.mark()]
    try stage.expectDone(operations, names)

    let watch = OnlineWatch(stage)
    let sessions = try stage.metric("sign_ins_total")
    nginx.reload()
    try eventually("the reload cut the connection over TCP, and it came back") {
      try stage.metric("sign_ins_total") > sessions && stage.metric("online_clients") == 2
    }
    operations.append(try stage.mark())
    try stage.expectDone(operations, names)

    nginx.stop()
    operations.append(try stage.mark())
    try eventually("the connection over TCP is gone") {
      try stage.metric("online_clients_tcp") == 0
    }
    try nginx.start()
    try stage.waitConnected(1, over: "tcp")
    try stage.expectDone(operations, names)
    watch.stop()
    #expect(watch.most == 2)
    #expect(watch.fewest >= 1, "the one over HTTPS was there all the time")
    #expect(try stage.metric("refused_total") == stage.metric("takeovers_total"))
  }
}
