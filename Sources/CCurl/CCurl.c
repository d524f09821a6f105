// The shim lives in its header; this file exists because a C target needs one.
#include "CCurl.h"
