// Every fault that stays, with its reason. An exception that allows nothing any more is itself a
// fault, so that this list only holds what is true.

let exceptions: [Exception] = []
