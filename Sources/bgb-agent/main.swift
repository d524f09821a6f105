// The notification agent. Everything is in BGBAgent; this file only starts it.

import BGBAgent

AgentProgram.main()
