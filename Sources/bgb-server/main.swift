// The notification server's program; everything is in BGBServer.

import ArgumentParser
import BGBServer

ServerCommand.main()
