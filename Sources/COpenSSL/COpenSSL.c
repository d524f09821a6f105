// All there is stands in the header: a C target needs one source file to be built at all.
#include "COpenSSL.h"
