// The notification server's program; everything is in BGBServer.

import BGBServer

ServerProgram.main()
