// The storm laboratory's program; see SwarmCommand.

import ArgumentParser

SwarmCommand.main()
