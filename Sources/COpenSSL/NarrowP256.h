// The decoder of public keys of P-256 in the narrow library (NarrowP256.c).
#ifndef COPENSSL_NARROW_P256_H
#define COPENSSL_NARROW_P256_H

#include <openssl/core.h>
#include <openssl/types.h>

/// The functions of a decoder of SubjectPublicKeyInfo that reads those of P-256 faster, made of the
/// default provider's decoder and key manager of EC keys, called with `provider`; `core` are the
/// functions of the provider that will offer it. NULL if they lack what is needed. Once for the
/// process.
const OSSL_DISPATCH *narrow_p256(
    const OSSL_DISPATCH *core, void *provider, const OSSL_DISPATCH *decoder,
    const OSSL_DISPATCH *manager);

#endif
