// The program `bgb-manager`: everything is in the library, where tests can reach it.

import BGBManager
import Glibc

exit(await ManagerProgram.run(Array(CommandLine.arguments.dropFirst())))
