// A library context of OpenSSL that knows only what TLS between our own programs needs.
//
// OpenSSL 3.0 finds out how to read a certificate's public key by asking all of some forty decoders
// and twenty key managers, by name, for every certificate; it derives each of a handshake's twenty
// secrets through layers that allocate; and it walks over all names that it knows for each context
// of a key. Here stands a provider that passes on the default provider's algorithms, but only those
// of TLS: of decoders those of keys that certificates may hold (EC's with a faster way to a key of
// P-256), of key managers those of TLS 1.3 (X25519's with a faster way to a key pair), and
// TLS13-KDF in a shape that allocates nothing within. Every cipher, signature and key exchange is
// the default provider's own.
//
// The default provider is loaded into a context of its own, which is never freed: what is passed
// on points into it.
#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <string.h>

#include "Algorithms.h"
#include "COpenSSL.h"
#include "NarrowP256.h"
#include "NarrowTLS13KDF.h"
#include "NarrowX25519.h"

// The most algorithms of one kind that are passed on; OpenSSL 3.0 has 20 derivations and less of
// the others.
enum { ALGORITHMS_MAX = 64 };

static OSSL_PROVIDER *whole;
static OSSL_ALGORITHM ciphers[ALGORITHMS_MAX + 1];
static OSSL_ALGORITHM digests[ALGORITHMS_MAX + 1];
static OSSL_ALGORITHM decoders[ALGORITHMS_MAX + 1];
static OSSL_ALGORITHM managers[ALGORITHMS_MAX + 1];
static OSSL_ALGORITHM derivations[ALGORITHMS_MAX + 1];
static OSSL_ALGORITHM codes[ALGORITHMS_MAX + 1];
static OSSL_ALGORITHM signatures[ALGORITHMS_MAX + 1];
static OSSL_ALGORITHM exchanges[ALGORITHMS_MAX + 1];

static int is_named(const OSSL_ALGORITHM *algorithm, const char *const *names) {
  const size_t length = strcspn(algorithm->algorithm_names, ":");
  for (; *names != NULL; names++) {
    if (strlen(*names) == length && strncmp(algorithm->algorithm_names, *names, length) == 0)
      return 1;
  }
  return 0;
}

// Of the suites that TLSOptions names, and of the random generator.
static int is_kept_cipher(const OSSL_ALGORITHM *algorithm) {
  static const char *const names[] = {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305",
                                      "AES-256-CTR", "AES-256-ECB", NULL};
  return is_named(algorithm, names);
}

// MD5 and SHA-1 are used for nothing, but libssl does not begin without them.
static int is_kept_digest(const OSSL_ALGORITHM *algorithm) {
  static const char *const names[] = {"SHA2-256", "SHA2-384", "SHA2-512", "SHA1", "MD5", NULL};
  return is_named(algorithm, names);
}

static int is_kept_decoder(const OSSL_ALGORITHM *algorithm) {
  static const char *const names[] = {"EC", "RSA", "ED25519", "ED448", NULL};
  const char *properties = algorithm->property_definition;
  return is_named(algorithm, names) && strstr(properties, "input=der") != NULL &&
         strstr(properties, "structure=SubjectPublicKeyInfo") != NULL;
}

// HMAC is a key to libssl, of a Finished message.
static int is_kept_manager(const OSSL_ALGORITHM *algorithm) {
  static const char *const names[] = {
      "EC", "RSA", "RSA-PSS", "ED25519", "ED448", "X25519", "X448", "HMAC", NULL};
  return is_named(algorithm, names);
}

// TLS13-KDF is ours.
static int is_kept_derivation(const OSSL_ALGORITHM *algorithm) {
  static const char *const names[] = {"TLS1-PRF", "HKDF", NULL};
  return is_named(algorithm, names);
}

static int is_kept_code(const OSSL_ALGORITHM *algorithm) {
  static const char *const names[] = {"HMAC", NULL};
  return is_named(algorithm, names);
}

static int is_kept_signature(const OSSL_ALGORITHM *algorithm) {
  static const char *const names[] = {"ECDSA", "RSA", "ED25519", "ED448", "HMAC", NULL};
  return is_named(algorithm, names);
}

static int is_kept_exchange(const OSSL_ALGORITHM *algorithm) {
  static const char *const names[] = {"ECDH", "X25519", "X448", NULL};
  return is_named(algorithm, names);
}

/// Copies those that are kept behind the first `count`; 1 if they had room and were any.
static int sieve(
    int operation, int (*is_kept)(const OSSL_ALGORITHM *), OSSL_ALGORITHM *kept, size_t count) {
  int no_cache = 0;
  const OSSL_ALGORITHM *all = OSSL_PROVIDER_query_operation(whole, operation, &no_cache);
  for (; all != NULL && all->algorithm_names != NULL; all++) {
    if (!is_kept(all)) continue;
    if (count == ALGORITHMS_MAX) return 0;
    kept[count++] = *all;
  }
  return count > 0;
}

const OSSL_ALGORITHM *algorithms_find(const OSSL_ALGORITHM *all, const char *name) {
  const char *const names[] = {name, NULL};
  for (; all != NULL && all->algorithm_names != NULL; all++) {
    if (is_named(all, names)) return all;
  }
  return NULL;
}

/// Replaces how key pairs of X25519 are made, where the default provider has what that takes.
static void hasten_x25519(OSSL_LIB_CTX *base) {
  int no_cache = 0;
  const OSSL_ALGORITHM *manager = algorithms_find(managers, "X25519");
  const OSSL_ALGORITHM *exchange =
      algorithms_find(
          OSSL_PROVIDER_query_operation(whole, OSSL_OP_KEYEXCH, &no_cache), "X25519");
  if (manager == NULL || exchange == NULL) return;
  const OSSL_DISPATCH *faster = narrow_x25519(
      base, OSSL_PROVIDER_get0_provider_ctx(whole), manager->implementation,
      exchange->implementation);
  if (faster != NULL) managers[manager - managers].implementation = faster;
}

/// Replaces how public keys of P-256 are read, where the default provider has what that takes.
static void hasten_p256(const OSSL_DISPATCH *core) {
  const OSSL_ALGORITHM *decoder = algorithms_find(decoders, "EC");
  const OSSL_ALGORITHM *manager = algorithms_find(managers, "EC");
  if (decoder == NULL || manager == NULL) return;
  const OSSL_DISPATCH *faster = narrow_p256(
      core, OSSL_PROVIDER_get0_provider_ctx(whole), decoder->implementation,
      manager->implementation);
  if (faster != NULL) decoders[decoder - decoders].implementation = faster;
}

static const OSSL_ALGORITHM *query(void *context, int operation, int *no_cache) {
  (void)context;
  switch (operation) {
    case OSSL_OP_CIPHER: *no_cache = 0; return ciphers;
    case OSSL_OP_DIGEST: *no_cache = 0; return digests;
    case OSSL_OP_DECODER: *no_cache = 0; return decoders;
    case OSSL_OP_KEYMGMT: *no_cache = 0; return managers;
    case OSSL_OP_KDF: *no_cache = 0; return derivations;
    case OSSL_OP_MAC: *no_cache = 0; return codes;
    case OSSL_OP_SIGNATURE: *no_cache = 0; return signatures;
    case OSSL_OP_KEYEXCH: *no_cache = 0; return exchanges;
    default: return OSSL_PROVIDER_query_operation(whole, operation, no_cache);
  }
}

static int get_capabilities(
    void *context, const char *capability, OSSL_CALLBACK *tell, void *argument) {
  (void)context;
  return OSSL_PROVIDER_get_capabilities(whole, capability, tell, argument);
}

static int begin(
    const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core, const OSSL_DISPATCH **functions,
    void **context) {
  static const OSSL_DISPATCH ours[] = {
      {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
      {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))get_capabilities},
      {0, NULL}};
  (void)handle;
  hasten_p256(core);
  // The algorithms that are passed on get the context that they expect: the default provider's.
  *context = OSSL_PROVIDER_get0_provider_ctx(whole);
  *functions = ours;
  return 1;
}

static OSSL_LIB_CTX *library;

static void make(void) {
  OSSL_LIB_CTX *base = NULL, *made = NULL;
  // Who has set up another provider for this machine, such as the FIPS one, shall have that.
  if (!OSSL_PROVIDER_available(NULL, "default") || OSSL_PROVIDER_available(NULL, "fips")) return;
  base = OSSL_LIB_CTX_new();
  made = OSSL_LIB_CTX_new();
  if (base == NULL || made == NULL) goto failed;
  whole = OSSL_PROVIDER_load(base, "default");
  if (whole == NULL) goto failed;
  derivations[0] = narrow_tls13_kdf;
  if (!sieve(OSSL_OP_CIPHER, is_kept_cipher, ciphers, 0) ||
      !sieve(OSSL_OP_DIGEST, is_kept_digest, digests, 0) ||
      !sieve(OSSL_OP_DECODER, is_kept_decoder, decoders, 0) ||
      !sieve(OSSL_OP_KEYMGMT, is_kept_manager, managers, 0) ||
      !sieve(OSSL_OP_KDF, is_kept_derivation, derivations, 1) ||
      !sieve(OSSL_OP_MAC, is_kept_code, codes, 0) ||
      !sieve(OSSL_OP_SIGNATURE, is_kept_signature, signatures, 0) ||
      !sieve(OSSL_OP_KEYEXCH, is_kept_exchange, exchanges, 0))
    goto failed;
  hasten_x25519(base);
  if (!OSSL_PROVIDER_add_builtin(made, "narrow", begin) ||
      OSSL_PROVIDER_load(made, "narrow") == NULL)
    goto failed;
  library = made;
  return;
failed:
  OSSL_LIB_CTX_free(made);
  OSSL_LIB_CTX_free(base);
}

OSSL_LIB_CTX *copenssl_narrow_library(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make);
  return library;
}

int copenssl_narrow_names(void) {
  // Each library context copies the names that the process knows when it is asked for its first
  // algorithm. Those of a cipher or digest of TLS stay, for OpenSSL finds a certificate's digest
  // by them.
  if (OPENSSL_init_crypto(
          OPENSSL_INIT_NO_ADD_ALL_CIPHERS | OPENSSL_INIT_NO_ADD_ALL_DIGESTS, NULL) != 1)
    return 0;
  return EVP_add_cipher(EVP_aes_128_gcm()) == 1 && EVP_add_cipher(EVP_aes_256_gcm()) == 1 &&
         EVP_add_cipher(EVP_chacha20_poly1305()) == 1 && EVP_add_cipher(EVP_aes_256_ctr()) == 1 &&
         EVP_add_cipher(EVP_aes_256_ecb()) == 1 && EVP_add_digest(EVP_sha256()) == 1 &&
         EVP_add_digest(EVP_sha384()) == 1 && EVP_add_digest(EVP_sha512()) == 1 &&
         EVP_add_digest(EVP_sha1()) == 1 && EVP_add_digest(EVP_md5()) == 1;
}

static EVP_PKEY *key_of(const char *name, OSSL_PARAM *parameters) {
  OSSL_LIB_CTX *narrow = copenssl_narrow_library();
  EVP_PKEY_CTX *context = NULL;
  EVP_PKEY *key = NULL;
  if (narrow == NULL) return NULL;
  context = EVP_PKEY_CTX_new_from_name(narrow, name, NULL);
  if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
      EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters) != 1)
    key = NULL;
  EVP_PKEY_CTX_free(context);
  return key;
}

EVP_PKEY *copenssl_narrow_key(const EVP_PKEY *key) {
  OSSL_PARAM *parameters = NULL;
  EVP_PKEY *copy = NULL;
  const char *name = EVP_PKEY_get0_type_name(key);
  if (name == NULL) return NULL;
  if (EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &parameters) != 1) return NULL;
  copy = key_of(name, parameters);
  for (OSSL_PARAM *each = parameters; each->key != NULL; each++) {
    OPENSSL_cleanse(each->data, each->data_size);
  }
  OSSL_PARAM_free(parameters);
  return copy;
}

EVP_PKEY *copenssl_narrow_p256_key(const unsigned char *scalar, const unsigned char *point) {
  enum { SCALAR_BYTES = 32, POINT_BYTES = 65 };
  // OSSL_PARAM takes what it only reads by pointers that may write, and numbers in the machine's
  // order of bytes.
  unsigned char number[SCALAR_BYTES], place[POINT_BYTES];
  char group[] = "prime256v1";
  BIGNUM *secret = BN_secure_new();
  EVP_PKEY *key = NULL;
  if (secret != NULL && BN_bin2bn(scalar, SCALAR_BYTES, secret) != NULL &&
      BN_bn2nativepad(secret, number, SCALAR_BYTES) == SCALAR_BYTES) {
    memcpy(place, point, POINT_BYTES);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, number, SCALAR_BYTES),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, place, POINT_BYTES),
        OSSL_PARAM_construct_end()};
    key = key_of("EC", parameters);
  }
  BN_clear_free(secret);
  OPENSSL_cleanse(number, sizeof number);
  return key;
}

X509 *copenssl_narrow_certificate(const unsigned char *der, size_t count) {
  OSSL_LIB_CTX *narrow = copenssl_narrow_library();
  X509 *certificate = narrow == NULL ? NULL : X509_new_ex(narrow, NULL);
  if (certificate == NULL) return NULL;
  // It frees the object itself where it fails.
  return d2i_X509(&certificate, &der, (long)count);
}
