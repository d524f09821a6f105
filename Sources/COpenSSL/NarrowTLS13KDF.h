// TLS 1.3's key derivation as an algorithm of a provider.
#ifndef COPENSSL_NARROW_TLS13_KDF_H
#define COPENSSL_NARROW_TLS13_KDF_H

#include <openssl/core.h>

/// TLS13-KDF, to be put into what a provider answers for OSSL_OP_KDF.
extern const OSSL_ALGORITHM narrow_tls13_kdf;

#endif
