// TLS13-KDF (RFC 8446, 7.1): HKDF-Expand-Label, and HKDF-Extract of the secret before, with the
// parameters that OpenSSL documents in EVP_KDF-TLS13_KDF(7). One context has room for whatever TLS
// derives from; more than that is refused, as is any digest but SHA-256 and SHA-384, for the suites
// of TLS 1.3 have no other.
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <string.h>

#include "COpenSSL.h"
#include "Hashing.h"
#include "NarrowTLS13KDF.h"

// A key is a secret of one digest, a pre-shared key, or what a key exchange agreed on; the largest
// of these is that of ffdhe8192.
enum { KEY_BYTES_MAX = 1024, SECRET_BYTES_MAX = 64, TEXT_BYTES_MAX = 255 };

typedef struct {
  int mode;    // EVP_KDF_HKDF_MODE_...; -1 until it is said
  int is384;   // -1 until it is said
  int has_key, has_salt;
  size_t key_bytes, salt_bytes, prefix_bytes, label_bytes, data_bytes;
  unsigned char key[KEY_BYTES_MAX], salt[SECRET_BYTES_MAX], data[SECRET_BYTES_MAX];
  unsigned char prefix[TEXT_BYTES_MAX], label[TEXT_BYTES_MAX];
} derivation;

static void forget(void *context) {
  derivation *it = context;
  OPENSSL_cleanse(it->key, it->key_bytes);
  OPENSSL_cleanse(it->salt, it->salt_bytes);
  it->mode = it->is384 = -1;
  it->has_key = it->has_salt = 0;
  it->key_bytes = it->salt_bytes = it->prefix_bytes = it->label_bytes = it->data_bytes = 0;
}

static void *begin(void *provider) {
  derivation *it = OPENSSL_malloc(sizeof(derivation));
  (void)provider;
  if (it == NULL) return NULL;
  it->key_bytes = it->salt_bytes = 0;
  forget(it);
  return it;
}

static void end(void *context) {
  if (context == NULL) return;
  forget(context);
  OPENSSL_free(context);
}

static int take(const OSSL_PARAM *from, unsigned char *into, size_t *count, size_t max) {
  if (from->data_type != OSSL_PARAM_OCTET_STRING || from->data_size > max) return 0;
  if (from->data_size > 0) memcpy(into, from->data, from->data_size);
  *count = from->data_size;
  return 1;
}

static int take_digest(derivation *it, const OSSL_PARAM *from) {
  static const char *const names[] = {"SHA2-256", "SHA256", "SHA-256",
                                      "SHA2-384", "SHA384", "SHA-384"};
  if (from->data_type != OSSL_PARAM_UTF8_STRING) return 0;
  for (int i = 0; i < 6; i++) {
    if (OPENSSL_strcasecmp(from->data, names[i]) != 0) continue;
    it->is384 = i >= 3;
    return 1;
  }
  return 0;
}

static int take_mode(derivation *it, const OSSL_PARAM *from) {
  static const char *const names[] = {"EXTRACT_ONLY", "EXPAND_ONLY"};
  static const int modes[] = {EVP_KDF_HKDF_MODE_EXTRACT_ONLY, EVP_KDF_HKDF_MODE_EXPAND_ONLY};
  if (from->data_type != OSSL_PARAM_UTF8_STRING) return OSSL_PARAM_get_int(from, &it->mode);
  for (int i = 0; i < 2; i++) {
    if (OPENSSL_strcasecmp(from->data, names[i]) != 0) continue;
    it->mode = modes[i];
    return 1;
  }
  return 0;
}

static int set_parameters(void *context, const OSSL_PARAM *each) {
  derivation *it = context;
  for (; each != NULL && each->key != NULL; each++) {
    int taken = 1;
    if (strcmp(each->key, OSSL_KDF_PARAM_MODE) == 0) {
      taken = take_mode(it, each);
    } else if (strcmp(each->key, OSSL_KDF_PARAM_DIGEST) == 0) {
      taken = take_digest(it, each);
    } else if (strcmp(each->key, OSSL_KDF_PARAM_KEY) == 0) {
      taken = it->has_key = take(each, it->key, &it->key_bytes, sizeof(it->key));
    } else if (strcmp(each->key, OSSL_KDF_PARAM_SALT) == 0) {
      taken = it->has_salt = take(each, it->salt, &it->salt_bytes, sizeof(it->salt));
    } else if (strcmp(each->key, OSSL_KDF_PARAM_PREFIX) == 0) {
      taken = take(each, it->prefix, &it->prefix_bytes, sizeof(it->prefix));
    } else if (strcmp(each->key, OSSL_KDF_PARAM_LABEL) == 0) {
      taken = take(each, it->label, &it->label_bytes, sizeof(it->label));
    } else if (strcmp(each->key, OSSL_KDF_PARAM_DATA) == 0) {
      taken = take(each, it->data, &it->data_bytes, sizeof(it->data));
    }
    if (!taken) return 0;
  }
  return 1;
}

// HkdfLabel: the length asked for, prefix and label, the context, each behind its length.
static int expand_label(
    const derivation *it, const unsigned char *secret, size_t secret_bytes,
    const unsigned char *data, size_t data_bytes, unsigned char *output, size_t output_bytes) {
  unsigned char info[2 + 1 + 255 + 1 + SECRET_BYTES_MAX];
  const size_t text_bytes = it->prefix_bytes + it->label_bytes;
  size_t end = 0;
  if (text_bytes > 255 || output_bytes > 0xffff) return 0;
  info[end++] = (unsigned char)(output_bytes >> 8);
  info[end++] = (unsigned char)output_bytes;
  info[end++] = (unsigned char)text_bytes;
  memcpy(info + end, it->prefix, it->prefix_bytes);
  end += it->prefix_bytes;
  memcpy(info + end, it->label, it->label_bytes);
  end += it->label_bytes;
  info[end++] = (unsigned char)data_bytes;
  memcpy(info + end, data, data_bytes);
  end += data_bytes;
  return hashing_expand(it->is384, secret, secret_bytes, info, end, output, output_bytes);
}

// HKDF-Extract; the salt is `Derive-Secret(secret before, "derived", "")`, zeros without one.
static int extract(const derivation *it, unsigned char *output, size_t output_bytes) {
  static const unsigned char zeros[48];
  const size_t digest_bytes = hashing_digest_bytes(it->is384);
  unsigned char salt[48] = {0}, nothing[48];
  const unsigned char *key = it->has_key ? it->key : zeros;
  const size_t key_bytes = it->has_key ? it->key_bytes : digest_bytes;
  int done = output_bytes == digest_bytes;
  if (done && it->has_salt) {
    done = hashing_digest(it->is384, NULL, 0, nothing) &&
           expand_label(
               it, it->salt, it->salt_bytes, nothing, digest_bytes, salt, digest_bytes);
  }
  done = done && copenssl_hmac(it->is384, salt, digest_bytes, key, key_bytes, output);
  OPENSSL_cleanse(salt, sizeof(salt));
  return done;
}

static _Thread_local struct {
  void (*hear)(void *who, int is_client, const unsigned char *secret, size_t count);
  void *who;
} listener;

void copenssl_hear_secrets(
    void (*hear)(void *who, int is_client, const unsigned char *secret, size_t count), void *who) {
  listener.hear = hear;
  listener.who = who;
}

// Tells of the two first secrets of application data (RFC 8446, 7.1), which OpenSSL derives at the
// moment when it changes to them.
static void tell(const derivation *it, const unsigned char *secret, size_t count) {
  static const char labels[2][13] = {"s ap traffic", "c ap traffic"};
  if (it->label_bytes != 12) return;
  for (int is_client = 0; is_client < 2; is_client++) {
    if (memcmp(it->label, labels[is_client], 12) == 0)
      listener.hear(listener.who, is_client, secret, count);
  }
}

static int derive(
    void *context, unsigned char *output, size_t output_bytes, const OSSL_PARAM *parameters) {
  derivation *it = context;
  if (!set_parameters(it, parameters) || it->is384 < 0) return 0;
  switch (it->mode) {
    case EVP_KDF_HKDF_MODE_EXTRACT_ONLY: return extract(it, output, output_bytes);
    case EVP_KDF_HKDF_MODE_EXPAND_ONLY:
      if (!it->has_key ||
          !expand_label(
              it, it->key, it->key_bytes, it->data, it->data_bytes, output, output_bytes))
        return 0;
      if (listener.hear != NULL) tell(it, output, output_bytes);
      return 1;
    default: return 0;
  }
}

static const OSSL_PARAM *settable(void *context, void *provider) {
  static const OSSL_PARAM all[] = {
      OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_MODE, NULL, 0),
      OSSL_PARAM_int(OSSL_KDF_PARAM_MODE, NULL),
      OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, NULL, 0),
      OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, NULL, 0),
      OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SALT, NULL, 0),
      OSSL_PARAM_octet_string(OSSL_KDF_PARAM_PREFIX, NULL, 0),
      OSSL_PARAM_octet_string(OSSL_KDF_PARAM_LABEL, NULL, 0),
      OSSL_PARAM_octet_string(OSSL_KDF_PARAM_DATA, NULL, 0),
      OSSL_PARAM_END};
  (void)context;
  (void)provider;
  return all;
}

static const OSSL_DISPATCH functions[] = {
    {OSSL_FUNC_KDF_NEWCTX, (void (*)(void))begin},
    {OSSL_FUNC_KDF_FREECTX, (void (*)(void))end},
    {OSSL_FUNC_KDF_RESET, (void (*)(void))forget},
    {OSSL_FUNC_KDF_DERIVE, (void (*)(void))derive},
    {OSSL_FUNC_KDF_SETTABLE_CTX_PARAMS, (void (*)(void))settable},
    {OSSL_FUNC_KDF_SET_CTX_PARAMS, (void (*)(void))set_parameters},
    {0, NULL}};

const OSSL_ALGORITHM narrow_tls13_kdf = {"TLS13-KDF", "provider=default", functions, NULL};
