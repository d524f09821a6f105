// The look-up of a provider's algorithm, for those who call its functions themselves.
#ifndef COPENSSL_ALGORITHMS_H
#define COPENSSL_ALGORITHMS_H

#include <openssl/core.h>

/// The algorithm whose first name this is, to the letter; NULL if there is none.
const OSSL_ALGORITHM *algorithms_find(const OSSL_ALGORITHM *all, const char *name);

#endif
