// The AEADs of TLS 1.3 for one record at a time (RFC 8446, 5.2), by the functions of the provider
// that OpenSSL fetches the algorithm from (provider-cipher(7)). EVP asks a context for the lengths
// of its key and nonce before each record, by the names of parameters that the provider compares
// with all that it knows: a third of what a record of a hundred bytes costs.
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <string.h>

#include "Algorithms.h"
#include "COpenSSL.h"

enum { NONCE_BYTES = 12, TAG_BYTES = 16, HEADER_BYTES = 5 };

struct copenssl_record_cipher {
  EVP_CIPHER *cipher;
  size_t key_bytes;
  void *context;
  OSSL_PARAM tag[2];
  // Encryption's or decryption's: either may have both types.
  OSSL_FUNC_cipher_encrypt_init_fn *begin;
  OSSL_FUNC_cipher_newctx_fn *make;
  OSSL_FUNC_cipher_freectx_fn *release;
  OSSL_FUNC_cipher_update_fn *update;
  OSSL_FUNC_cipher_final_fn *finish;
  OSSL_FUNC_cipher_get_ctx_params_fn *get;
  OSSL_FUNC_cipher_set_ctx_params_fn *set;
};

static int take_functions(
    copenssl_record_cipher *it, const OSSL_DISPATCH *each, int seals) {
  for (; each->function_id != 0; each++) {
    switch (each->function_id) {
      case OSSL_FUNC_CIPHER_NEWCTX: it->make = OSSL_FUNC_cipher_newctx(each); break;
      case OSSL_FUNC_CIPHER_FREECTX: it->release = OSSL_FUNC_cipher_freectx(each); break;
      case OSSL_FUNC_CIPHER_ENCRYPT_INIT:
        if (seals) it->begin = OSSL_FUNC_cipher_encrypt_init(each);
        break;
      case OSSL_FUNC_CIPHER_DECRYPT_INIT:
        if (!seals) it->begin = OSSL_FUNC_cipher_decrypt_init(each);
        break;
      case OSSL_FUNC_CIPHER_UPDATE: it->update = OSSL_FUNC_cipher_update(each); break;
      case OSSL_FUNC_CIPHER_FINAL: it->finish = OSSL_FUNC_cipher_final(each); break;
      case OSSL_FUNC_CIPHER_GET_CTX_PARAMS: it->get = OSSL_FUNC_cipher_get_ctx_params(each); break;
      case OSSL_FUNC_CIPHER_SET_CTX_PARAMS: it->set = OSSL_FUNC_cipher_set_ctx_params(each); break;
      default: break;
    }
  }
  return it->make != NULL && it->release != NULL && it->begin != NULL && it->update != NULL &&
         it->finish != NULL && it->get != NULL && it->set != NULL;
}

static int find_functions(copenssl_record_cipher *it, const char *name, int seals) {
  const OSSL_PROVIDER *provider = EVP_CIPHER_get0_provider(it->cipher);
  int no_cache = 0;
  const OSSL_ALGORITHM *found = algorithms_find(
      OSSL_PROVIDER_query_operation(provider, OSSL_OP_CIPHER, &no_cache), name);
  if (found == NULL || !take_functions(it, found->implementation, seals)) return 0;
  it->context = it->make(OSSL_PROVIDER_get0_provider_ctx(provider));
  return it->context != NULL;
}

copenssl_record_cipher *copenssl_record_cipher_new(const char *name, int seals) {
  copenssl_record_cipher *it = OPENSSL_zalloc(sizeof(*it));
  if (it == NULL) return NULL;
  it->tag[0] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, TAG_BYTES);
  it->tag[1] = OSSL_PARAM_construct_end();
  // The cipher is kept, and with it the provider whose functions these are.
  it->cipher = EVP_CIPHER_fetch(NULL, name, NULL);
  if (it->cipher != NULL) it->key_bytes = (size_t)EVP_CIPHER_get_key_length(it->cipher);
  if (it->cipher == NULL || EVP_CIPHER_get_iv_length(it->cipher) != NONCE_BYTES ||
      !find_functions(it, name, seals)) {
    copenssl_record_cipher_free(it);
    return NULL;
  }
  return it;
}

void copenssl_record_cipher_free(copenssl_record_cipher *it) {
  if (it == NULL) return;
  if (it->context != NULL) it->release(it->context);
  EVP_CIPHER_free(it->cipher);
  OPENSSL_free(it);
}

size_t copenssl_record_cipher_key_bytes(const copenssl_record_cipher *it) { return it->key_bytes; }

int copenssl_record_cipher_begin(
    copenssl_record_cipher *it, const unsigned char *key, const unsigned char *nonce) {
  return it->begin(
             it->context, key, key == NULL ? 0 : it->key_bytes, nonce, NONCE_BYTES, NULL) == 1;
}

int copenssl_record_cipher_seal(
    copenssl_record_cipher *it, const unsigned char *header, unsigned char *body, size_t count) {
  size_t done = 0;
  it->tag[0].data = body + count;
  return it->update(it->context, NULL, &done, HEADER_BYTES, header, HEADER_BYTES) == 1 &&
         it->update(it->context, body, &done, count, body, count) == 1 &&
         it->finish(it->context, body + count, &done, 0) == 1 &&
         it->get(it->context, it->tag) == 1;
}

int copenssl_record_cipher_open(
    copenssl_record_cipher *it, const unsigned char *header, const unsigned char *body,
    size_t count, unsigned char *content) {
  unsigned char nothing, tag[TAG_BYTES];
  size_t done = 0;
  // A parameter is of memory that may be written, and the record is not ours to write.
  memcpy(tag, body + count, TAG_BYTES);
  it->tag[0].data = tag;
  return it->set(it->context, it->tag) == 1 &&
         it->update(it->context, NULL, &done, HEADER_BYTES, header, HEADER_BYTES) == 1 &&
         (count == 0 || it->update(it->context, content, &done, count, body, count) == 1) &&
         it->finish(it->context, &nothing, &done, 0) == 1;
}
