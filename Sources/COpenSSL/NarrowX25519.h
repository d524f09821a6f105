// The key manager of X25519 in the narrow library (NarrowX25519.c).
#ifndef COPENSSL_NARROW_X25519_H
#define COPENSSL_NARROW_X25519_H

#include <openssl/core.h>
#include <openssl/types.h>

/// The functions of a key manager that generates faster, made of the default provider's manager and
/// key exchange, called with `provider`; random numbers come from `library`. NULL if they lack
/// what is needed. Once for the process.
const OSSL_DISPATCH *narrow_x25519(
    OSSL_LIB_CTX *library, void *provider, const OSSL_DISPATCH *manager,
    const OSSL_DISPATCH *exchange);

#endif
