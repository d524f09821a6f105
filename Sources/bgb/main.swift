// The program `bgb`: everything is in the library, where tests can reach it.

import BGBConsole
import Glibc

exit(ConsoleProgram.run(Array(CommandLine.arguments.dropFirst())))
