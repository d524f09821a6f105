// SHA-256 and SHA-384, their HMAC and HKDF-Expand without EVP: no algorithm is looked up, nothing
// is allocated. The functions behind are the ones that EVP ends up in; only their names are
// deprecated.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <string.h>

#include "COpenSSL.h"
#include "Hashing.h"

int copenssl_sha256_prefixed(
    unsigned char prefix, const void *bytes, size_t count, unsigned char *digest) {
  SHA256_CTX context;
  return SHA256_Init(&context) && SHA256_Update(&context, &prefix, 1) &&
         SHA256_Update(&context, bytes, count) && SHA256_Final(digest, &context);
}

typedef union {
  SHA256_CTX of256;
  SHA512_CTX of384;
} hash_context;

static int hash_begin(hash_context *hash, int is384) {
  return is384 ? SHA384_Init(&hash->of384) : SHA256_Init(&hash->of256);
}

static int hash_take(hash_context *hash, int is384, const void *bytes, size_t count) {
  if (count == 0) return 1;
  return is384 ? SHA384_Update(&hash->of384, bytes, count)
               : SHA256_Update(&hash->of256, bytes, count);
}

static int hash_end(hash_context *hash, int is384, unsigned char *digest) {
  return is384 ? SHA384_Final(digest, &hash->of384) : SHA256_Final(digest, &hash->of256);
}

size_t hashing_digest_bytes(int is384) { return is384 ? 48 : 32; }

int hashing_digest(int is384, const void *bytes, size_t count, unsigned char *digest) {
  hash_context hash;
  return hash_begin(&hash, is384) && hash_take(&hash, is384, bytes, count) &&
         hash_end(&hash, is384, digest);
}

int copenssl_sha256(const void *bytes, size_t count, unsigned char *digest) {
  return hashing_digest(0, bytes, count, digest);
}

// RFC 2104, over up to three pieces of text behind each other.
typedef struct {
  const void *bytes;
  size_t count;
} piece;

static int hmac(
    int is384, const void *key, size_t key_bytes, const piece *pieces, size_t count,
    unsigned char *digest) {
  const size_t block_bytes = is384 ? 128 : 64;
  unsigned char block[128] = {0};
  hash_context hash;
  int done = 0;
  if (key_bytes > block_bytes) {
    if (!hashing_digest(is384, key, key_bytes, block)) goto end;
  } else if (key_bytes > 0) {
    memcpy(block, key, key_bytes);
  }
  for (size_t i = 0; i < block_bytes; i++) block[i] ^= 0x36;
  if (!hash_begin(&hash, is384) || !hash_take(&hash, is384, block, block_bytes)) goto end;
  for (size_t i = 0; i < count; i++) {
    if (!hash_take(&hash, is384, pieces[i].bytes, pieces[i].count)) goto end;
  }
  if (!hash_end(&hash, is384, digest)) goto end;
  for (size_t i = 0; i < block_bytes; i++) block[i] ^= 0x36 ^ 0x5c;
  done = hash_begin(&hash, is384) && hash_take(&hash, is384, block, block_bytes) &&
         hash_take(&hash, is384, digest, hashing_digest_bytes(is384)) &&
         hash_end(&hash, is384, digest);
end:
  OPENSSL_cleanse(block, sizeof(block));
  OPENSSL_cleanse(&hash, sizeof(hash));
  return done;
}

int copenssl_hmac(
    int is384, const void *key, size_t key_bytes, const void *bytes, size_t count,
    unsigned char *digest) {
  const piece text = {bytes, count};
  return hmac(is384, key, key_bytes, &text, 1, digest);
}

int hashing_expand(
    int is384, const void *secret, size_t secret_bytes, const void *info, size_t info_bytes,
    unsigned char *output, size_t output_bytes) {
  const size_t digest_bytes = hashing_digest_bytes(is384);
  unsigned char block[48];
  int done = 0;
  if (output_bytes > 255 * digest_bytes) return 0;
  for (unsigned char number = 1; output_bytes > 0; number++) {
    const piece text[] = {
        {block, number == 1 ? 0 : digest_bytes}, {info, info_bytes}, {&number, 1}};
    if (!hmac(is384, secret, secret_bytes, text, 3, block)) goto end;
    const size_t taken = output_bytes < digest_bytes ? output_bytes : digest_bytes;
    memcpy(output, block, taken);
    output += taken;
    output_bytes -= taken;
  }
  done = 1;
end:
  OPENSSL_cleanse(block, sizeof(block));
  return done;
}
