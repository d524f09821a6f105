// Nearly all there is stands in the header: a C target needs one source file to be built at all.

// SHA256_Init and its like are deprecated by name; the functions behind them are the ones that EVP
// calls, without its allocation of a context for each digest.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "COpenSSL.h"

int copenssl_sha256_prefixed(
    unsigned char prefix, const void *bytes, size_t count, unsigned char *digest) {
  SHA256_CTX context;
  return SHA256_Init(&context) && SHA256_Update(&context, &prefix, 1) &&
         SHA256_Update(&context, bytes, count) && SHA256_Final(digest, &context);
}
