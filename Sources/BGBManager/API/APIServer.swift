// The table of routes behind HTTP: Hummingbird reads requests from the Unix socket, this file
// checks the caller, bounds and reads the body, lets the handler work on a thread that may block,
// and writes the answer.

import BGBModel
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOPosix

/// Serves the routes of a site's administration.
struct APIServer: Sendable {
  /// Bytes of a request body at most: 500 certificate requests with their names.
  static let bodyBytesMax = 2 << 20

  let administration: SiteAdministration
  let rule: CallerRule
  let desk: StatusDesk
  let pool: NIOThreadPool
  let log: Logger

  /// What a request brings along: the connection it came by.
  struct Context: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
      coreContext = CoreRequestContextStorage(source: source)
      channel = source.channel
    }
  }

  /// Hummingbird's router over the table, with an answer of our form for every other path.
  func router() -> Router<Context> {
    let router = Router(context: Context.self)
    router.add(middleware: UnknownPathAnswer(gauges: administration.gauges))
    for route in administration.routes {
      let method = HTTPRequest.Method(rawValue: route.method.rawValue) ?? .get
      let path = route.path.replacing("{", with: ":").replacing("}", with: "")
      router.on(RouterPath(path), method: method) { request, context in
        await answer(request, context, route)
      }
    }
    return router
  }

  private func answer(_ request: Request, _ context: Context, _ route: Route) async -> Response {
    administration.gauges.add(.requests, 1)
    do {
      let call = try await call(request, context, route)
      let answer: Answer
      do {
        answer = try await pool.runIfActive { try route.answer(call) }
      } catch let refusal as Refusal {
        throw refusal
      } catch { throw Refusal.stopping }
      return try response(answer)
    } catch let refusal as Refusal {
      administration.gauges.add(.requestsRefused, 1)
      log.info(
        "\(route.method.rawValue) \(route.path) refused: \(refusal.code) \(refusal.message)")
      return Response(refusal)
    } catch {
      administration.gauges.add(.requestsRefused, 1)
      log.error("\(route.method.rawValue) \(route.path) failed: \(error)")
      return Response(Refusal.internal("the request could not be answered"))
    }
  }

  /// Checks the caller and reads the request.
  private func call(
    _ request: Request, _ context: Context, _ route: Route
  ) async throws -> Call {
    var call = Call(actor: try await actor(context.channel))
    for (name, value) in context.parameters {
      guard let decoded = String(value).percentDecoded else { throw Refusal.noRoute }
      call.path[String(name)] = decoded
    }
    for (name, value) in request.uri.queryParameters {
      call.query[String(name)] = String(value)
    }
    call.idempotencyKey = HTTPField.Name("Idempotency-Key").flatMap { request.headers[$0] }
    var body: ByteBuffer
    do { body = try await request.body.collect(upTo: APIServer.bodyBytesMax) } catch {
      throw Refusal.tooLarge(APIServer.bodyBytesMax)
    }
    let bytes = body.readBytes(length: body.readableBytes) ?? []
    if !bytes.isEmpty {
      do { call.body = try JSONReader.read(bytes) } catch { throw Refusal.badJSON(error) }
    }
    return call
  }

  private func actor(_ channel: any Channel) async throws -> String {
    guard let peer = await peerCredential(of: channel) else { throw Refusal.forbidden }
    let rule = rule
    // The account database may be slow or remote: not on the thread that serves everybody.
    switch try await pool.runIfActive({ rule.judge(peer) }) {
    case .admitted(let actor): return actor
    case .refused(let user):
      administration.gauges.add(.peersRefused, 1)
      log.warning("Unauthorized to administer the site: local:\(user) (uid \(peer.userID))")
      let desk = desk
      _ = try await pool.runIfActive { desk.tell(.peerRefused(user: user)) }
      throw Refusal.forbidden
    }
  }

  private func response(_ answer: Answer) throws -> Response {
    switch answer {
    case .json(let status, let value):
      return Response(status: status, type: "application/json", text: value.encoded + "\n")
    case .text(let status, let text):
      return Response(status: status, type: "text/plain; version=0.0.4; charset=utf-8", text: text)
    case .done: return Response(status: .noContent)
    case .progress(let operationID):
      guard let wakes = administration.hub.watch(operationID) else { throw Refusal.tooManyStreams }
      let stream = ProgressStream(
        operationID: operationID, store: administration.store, gauges: administration.gauges,
        pool: pool)
      return Response(
        status: .ok,
        headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
        body: ResponseBody { writer in try await stream.run(wakes, into: &writer) })
    }
  }
}

/// Answers paths that are in no table in the form of every other refusal.
private struct UnknownPathAnswer: RouterMiddleware {
  let gauges: ManagerGauges

  func handle(
    _ request: Request, context: APIServer.Context,
    next: (Request, APIServer.Context) async throws -> Response
  ) async throws -> Response {
    do { return try await next(request, context) } catch let error as HTTPError {
      gauges.add(.requests, 1)
      gauges.add(.requestsRefused, 1)
      if error.status == .notFound { return Response(Refusal.noRoute) }
      return Response(Refusal.internal("the request could not be answered"))
    }
  }
}

extension Response {
  /// A text with its length and type; nothing of the API may be cached or sniffed.
  init(status: Int, type: String, text: String, retryAfterSeconds: Int? = nil) {
    var headers: HTTPFields = [
      .contentType: type, .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
    ]
    if let retryAfterSeconds { headers[.retryAfter] = String(retryAfterSeconds) }
    self.init(
      status: HTTPResponse.Status(code: status), headers: headers,
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }

  /// The answer to a request that is not fulfilled.
  init(_ refusal: Refusal) {
    self.init(
      status: refusal.status, type: "application/json", text: refusal.json.encoded + "\n",
      retryAfterSeconds: refusal.retryAfterSeconds)
  }
}
