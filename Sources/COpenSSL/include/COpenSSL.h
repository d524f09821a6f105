// OpenSSL 3 as Swift can see it. The headers come first; below them stands one static inline line
// for each macro, variadic function or typed stack that Swift cannot import, under its own name
// with the prefix `copenssl_`. These lines translate and never decide: whoever reads Swift code
// that calls `copenssl_SSL_CTX_set_mode` looks up SSL_CTX_set_mode in the manual and knows it all.
#ifndef COPENSSL_H
#define COPENSSL_H

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdint.h>

_Static_assert(OPENSSL_VERSION_MAJOR == 3, "written against the behaviour of OpenSSL 3");

// Options are shifts of 64-bit values, which Swift does not import.
static const uint64_t COPENSSL_SSL_OP_NO_COMPRESSION = SSL_OP_NO_COMPRESSION;
static const uint64_t COPENSSL_SSL_OP_NO_RENEGOTIATION = SSL_OP_NO_RENEGOTIATION;
static const uint64_t COPENSSL_SSL_OP_ALLOW_NO_DHE_KEX = SSL_OP_ALLOW_NO_DHE_KEX;
static const uint64_t COPENSSL_SSL_OP_NO_TICKET = SSL_OP_NO_TICKET;
static const uint64_t COPENSSL_SSL_OP_CIPHER_SERVER_PREFERENCE = SSL_OP_CIPHER_SERVER_PREFERENCE;

// SSL_CTX and SSL

static inline long copenssl_SSL_CTX_set_mode(SSL_CTX *ctx, long mode) {
  return SSL_CTX_set_mode(ctx, mode);
}
static inline long copenssl_SSL_CTX_set_min_proto_version(SSL_CTX *ctx, int version) {
  return SSL_CTX_set_min_proto_version(ctx, version);
}
static inline long copenssl_SSL_CTX_set_max_proto_version(SSL_CTX *ctx, int version) {
  return SSL_CTX_set_max_proto_version(ctx, version);
}
static inline long copenssl_SSL_CTX_set_session_cache_mode(SSL_CTX *ctx, long mode) {
  return SSL_CTX_set_session_cache_mode(ctx, mode);
}
static inline long copenssl_SSL_CTX_set_read_ahead(SSL_CTX *ctx, int yes) {
  return SSL_CTX_set_read_ahead(ctx, yes);
}
static inline long copenssl_SSL_CTX_set_max_cert_list(SSL_CTX *ctx, long bytes) {
  return SSL_CTX_set_max_cert_list(ctx, bytes);
}
static inline long copenssl_SSL_CTX_set1_groups_list(SSL_CTX *ctx, const char *list) {
  return SSL_CTX_set1_groups_list(ctx, list);
}
static inline long copenssl_SSL_CTX_set1_sigalgs_list(SSL_CTX *ctx, const char *list) {
  return SSL_CTX_set1_sigalgs_list(ctx, list);
}
static inline void copenssl_SSL_CTX_set_msg_callback_arg(SSL_CTX *ctx, void *arg) {
  SSL_CTX_set_msg_callback_arg(ctx, arg);
}
static inline int copenssl_SSL_CTX_get_ex_new_index(
    long argl, void *argp, CRYPTO_EX_new *make, CRYPTO_EX_dup *copy, CRYPTO_EX_free *release) {
  return SSL_CTX_get_ex_new_index(argl, argp, make, copy, release);
}
static inline int copenssl_SSL_get_ex_new_index(
    long argl, void *argp, CRYPTO_EX_new *make, CRYPTO_EX_dup *copy, CRYPTO_EX_free *release) {
  return SSL_get_ex_new_index(argl, argp, make, copy, release);
}
static inline long copenssl_SSL_set_tlsext_host_name(SSL *ssl, const char *name) {
  return SSL_set_tlsext_host_name(ssl, name);
}
static inline long copenssl_SSL_add1_chain_cert(SSL *ssl, X509 *cert) {
  return SSL_add1_chain_cert(ssl, cert);
}
static inline long copenssl_SSL_get_negotiated_group(SSL *ssl) {
  return SSL_get_negotiated_group(ssl);
}

// Errors

static inline int copenssl_ERR_GET_LIB(unsigned long code) {
  return ERR_GET_LIB(code);
}
static inline int copenssl_ERR_GET_REASON(unsigned long code) {
  return ERR_GET_REASON(code);
}
static inline unsigned long copenssl_ERR_PACK(int library, int function, int reason) {
  return ERR_PACK(library, function, reason);
}

// Keys: EVP_PKEY_Q_keygen is variadic, EVP_EC_gen and EVP_RSA_gen are macros over it.

static inline EVP_PKEY *copenssl_EVP_EC_gen(const char *curve) {
  return EVP_EC_gen(curve);
}
static inline EVP_PKEY *copenssl_EVP_RSA_gen(size_t bits) {
  return EVP_RSA_gen(bits);
}
static inline EVP_PKEY *copenssl_EVP_PKEY_Q_keygen_ED25519(void) {
  return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}
static inline EVP_PKEY *copenssl_EVP_PKEY_new_ED25519_private(
    const unsigned char *key, size_t bytes) {
  return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key, bytes);
}
static inline EVP_PKEY *copenssl_EVP_PKEY_new_ED25519_public(
    const unsigned char *key, size_t bytes) {
  return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, bytes);
}

// Parameters: they keep the pointer to their name, which must be a constant and no Swift string.

static inline OSSL_PARAM copenssl_OSSL_PARAM_mac_key(void *key, size_t bytes) {
  return OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, bytes);
}
static inline OSSL_PARAM copenssl_OSSL_PARAM_mac_digest_sha256(void) {
  return OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)SN_sha256, 0);
}

// BIO

static inline long copenssl_BIO_get_mem_data(BIO *bio, char **data) {
  return BIO_get_mem_data(bio, data);
}
static inline int copenssl_BIO_set_mem_eof_return(BIO *bio, int value) {
  return (int)BIO_set_mem_eof_return(bio, value);
}

// X.509: typed stacks, and the two structs whose fields one is meant to read.

static inline STACK_OF(GENERAL_NAME) *copenssl_X509_get_subject_alt_names(const X509 *cert) {
  return (STACK_OF(GENERAL_NAME) *)X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
}
static inline int copenssl_sk_GENERAL_NAME_num(const STACK_OF(GENERAL_NAME) *names) {
  return sk_GENERAL_NAME_num(names);
}
static inline GENERAL_NAME *copenssl_sk_GENERAL_NAME_value(
    const STACK_OF(GENERAL_NAME) *names, int index) {
  return sk_GENERAL_NAME_value(names, index);
}
static inline void copenssl_GENERAL_NAMES_free(STACK_OF(GENERAL_NAME) *names) {
  GENERAL_NAMES_free(names);
}
static inline const ASN1_STRING *copenssl_GENERAL_NAME_get0_uri(const GENERAL_NAME *name) {
  return name->type == GEN_URI ? name->d.uniformResourceIdentifier : NULL;
}
static inline int copenssl_sk_X509_num(const STACK_OF(X509) *certs) {
  return sk_X509_num(certs);
}
static inline X509 *copenssl_sk_X509_value(const STACK_OF(X509) *certs, int index) {
  return sk_X509_value(certs, index);
}
static inline void copenssl_X509V3_set_ctx_nodb(X509V3_CTX *ctx) {
  X509V3_set_ctx_nodb(ctx);
}
static inline int copenssl_X509_NAME_add_CN(
    X509_NAME *name, const unsigned char *utf8, int bytes) {
  return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, utf8, bytes, -1, 0);
}

// Hashing without EVP (Hashing.c)

/// The SHA-256 of `count` bytes, into 32 bytes; allocates nothing. 1, or 0.
int copenssl_sha256(const void *bytes, size_t count, unsigned char *digest);
/// The SHA-256 of one byte and then `count` bytes, into 32 bytes; allocates nothing. 1, or 0.
int copenssl_sha256_prefixed(
    unsigned char prefix, const void *bytes, size_t count, unsigned char *digest);
/// HMAC with SHA-384 into 48 bytes, or else with SHA-256 into 32; allocates nothing. 1, or 0.
int copenssl_hmac(
    int is384, const void *key, size_t key_bytes, const void *bytes, size_t count,
    unsigned char *digest);

// One record's AEAD (RecordCipher.c)

/// AES-128-GCM, AES-256-GCM or ChaCha20-Poly1305, for one way.
typedef struct copenssl_record_cipher copenssl_record_cipher;

/// One that seals or opens; free it. NULL if OpenSSL has no such cipher.
copenssl_record_cipher *copenssl_record_cipher_new(const char *name, int seals);
void copenssl_record_cipher_free(copenssl_record_cipher *cipher);
/// Bytes of its key.
size_t copenssl_record_cipher_key_bytes(const copenssl_record_cipher *cipher);
/// Begins a record: with a key, or with NULL with the key before, and 12 bytes of nonce. 1, or 0.
int copenssl_record_cipher_begin(
    copenssl_record_cipher *cipher, const unsigned char *key, const unsigned char *nonce);
/// Seals `count` bytes, one at least, where they are, with a header of 5 beside them; the tag of 16
/// goes behind them. 1, or 0.
int copenssl_record_cipher_seal(
    copenssl_record_cipher *cipher, const unsigned char *header, unsigned char *body,
    size_t count);
/// Opens `count` bytes with the tag of 16 behind them. 1; or 0 if they are not what was sealed,
/// and then the content is worth nothing.
int copenssl_record_cipher_open(
    copenssl_record_cipher *cipher, const unsigned char *header, const unsigned char *body,
    size_t count, unsigned char *content);

// The narrow library (NarrowLibrary.c)

/// OpenSSL with the algorithms of TLS between our own programs alone, made once for the process;
/// NULL where that cannot be, or another provider than the default one is set up. Any thread.
OSSL_LIB_CTX *copenssl_narrow_library(void);
/// Keeps the names of ciphers and digests that TLS has no use for out of the process; before its
/// first use of OpenSSL. 1 on success.
int copenssl_narrow_names(void);
/// A private key for use in the narrow library; free it. NULL if it is of a kind unknown there.
EVP_PKEY *copenssl_narrow_key(const EVP_PKEY *key);
/// A key of P-256 in the narrow library, of its 32 and its 65 bytes (SEC 1, uncompressed), which
/// the caller checked to be as many; free it. NULL if they are no key, or without that library.
EVP_PKEY *copenssl_narrow_p256_key(const unsigned char *scalar, const unsigned char *point);
/// A certificate read by the narrow library; free it. NULL if it is none, or without that library.
X509 *copenssl_narrow_certificate(const unsigned char *der, size_t count);
/// How many public keys of P-256 the calling thread has read the faster way (NarrowP256.c).
unsigned long copenssl_narrow_p256_count(void);
/// Answers a peer's share of X25519 (RFC 7748), 32 bytes, with a fresh pair of the narrow library:
/// into `own` its public half, into `shared` the secret of both. 1, or 0 without that library, or
/// for a share that makes no secret. Any thread.
int copenssl_x25519_answer(const unsigned char *peer, unsigned char *own, unsigned char *shared);
/// Tells a function the first traffic secrets that the narrow library derives in the calling thread
/// from now on, each before its key is used; NULL ends that. The bytes are there during the call.
void copenssl_hear_secrets(
    void (*hear)(void *who, int is_client, const unsigned char *secret, size_t count), void *who);

// Spare blocks (SpareBlocks.c)

/// Makes OpenSSL ask for its memory where threads may keep spare blocks; before its first use in
/// the process. 1, or 0 when OpenSSL has been used and stays with malloc.
int copenssl_spare_blocks_prepare(void);
/// Makes the calling thread keep what OpenSSL frees in it, so many bytes at most. 1, or 0 when it
/// does so already.
int copenssl_spare_blocks_keep(size_t bytes_max);
/// Gives what the calling thread keeps back to malloc, and goes on keeping; says how many bytes.
size_t copenssl_spare_blocks_give_back(void);
/// Gives back and keeps nothing more; the last thing a thread does that kept.
void copenssl_spare_blocks_end(void);
/// What OpenSSL calls in place of malloc; the block is malloc's. NULL for nothing, or without room.
void *copenssl_spare_blocks_take(size_t bytes, const char *file, int line);
/// What OpenSSL calls in place of free; NULL is none.
void copenssl_spare_blocks_leave(void *freed, const char *file, int line);

#endif
