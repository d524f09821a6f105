// What the narrow library needs of Hashing.c and Swift does not.
#ifndef COPENSSL_HASHING_H
#define COPENSSL_HASHING_H

#include <stddef.h>

/// 48 for SHA-384, 32 for SHA-256.
size_t hashing_digest_bytes(int is384);

/// The digest of `count` bytes. 1, or 0.
int hashing_digest(int is384, const void *bytes, size_t count, unsigned char *digest);

/// HKDF-Expand (RFC 5869, 2.3). 1, or 0 if more is asked for than 255 digests.
int hashing_expand(
    int is384, const void *secret, size_t secret_bytes, const void *info, size_t info_bytes,
    unsigned char *output, size_t output_bytes);

#endif
