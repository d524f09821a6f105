// `bgb site`: making a site, and looking at it.

import ArgumentParser
import BGBModel
import HTTPClient
import SiteDatabase

/// The noun.
struct SiteCommands: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "site", abstract: "Make a site, or show it.",
    subcommands: [SiteInit.self, SiteShow.self])
}

/// Makes a site.
struct SiteInit: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Make a site: folder, keys, certificate authority, database.",
    discussion: """
      Needs no manager. The private keys are readable by their owner only; keep ca/ca.key and \
      keys/task.key safe, they are the site.

      Examples:
        bgb site init
        bgb site init --site /var/lib/bgb --code P01 --name "Head office"
      """)

  @Option(help: "Three characters of A-Z and 0-9 that name the site.") var code = "S01"
  @Option(help: "The site's name for people.") var name = "BGB site"
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard SiteCode(code) != nil else {
      throw ValidationError("--code must be three characters of A-Z and 0-9, such as S01")
    }
    guard !name.isEmpty, name.utf8.count <= 255, name.isPrintable else {
      throw ValidationError("--name must be a printable text of at most 255 bytes")
    }
  }

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    console.isQuiet = output.quiet
    guard let code = SiteCode(code) else { return .usage }
    let paths = site.folder(console)
    let record = try SiteFounding(paths: paths, code: code, name: name, now: console.now()).found()
    let item: JSONValue = .members([
      "folder": .text(paths.folder), "code": .text(code.description), "name": .text(record.name),
      "taskKeys": .texts(record.taskKeys.map { Base64.encode($0) }),
    ])
    let fields = ["folder", "code", "name"].map { (title: $0, text: item[$0].cell) }
    output.print(Sheet(fields: fields, item: item, name: paths.folder), console)
    console.say("Next: start bgb-manager --site \(paths.folder), then: bgb server add mp1")
    return .done
  }
}

/// Shows the site.
struct SiteShow: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show the site as its manager tells it.")

  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let item = try site.client(console).send(.get, "/v1/site")
    let fields: [(title: String, text: String)] = [
      ("code", item["code"].cell), ("name", item["name"].cell),
      ("task keys", item["taskKeys"].cell), ("manager", item["version"].cell),
    ]
    output.print(Sheet(fields: fields, item: item, name: item["code"].cell), console)
    return .done
  }
}
