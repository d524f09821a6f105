// Key pairs of X25519 (RFC 7748) for the narrow library.
//
// OpenSSL 3.0 multiplies a foreign point by a number in assembly, and the base point, of which a
// public key is made, in plain C that takes half as long again. Here the base point is a peer like
// any other. The multiplication is the default provider's key exchange, the number its random
// generator's, and the key object its own; only their order is ours.
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <string.h>

#include "COpenSSL.h"
#include "NarrowX25519.h"

enum { KEY_BYTES = 32, FUNCTIONS_MAX = 40 };

// The default provider's functions, and what they are called with.
static struct {
  OSSL_LIB_CTX *library;
  void *provider;
  OSSL_FUNC_keymgmt_new_fn *make;
  OSSL_FUNC_keymgmt_free_fn *release;
  OSSL_FUNC_keymgmt_import_fn *import;
  OSSL_FUNC_keyexch_newctx_fn *begin_exchange;
  OSSL_FUNC_keyexch_init_fn *take_own;
  OSSL_FUNC_keyexch_set_peer_fn *take_peer;
  OSSL_FUNC_keyexch_derive_fn *derive;
  OSSL_FUNC_keyexch_freectx_fn *end_exchange;
  void *base_point;
} with;

static OSSL_DISPATCH functions[FUNCTIONS_MAX + 1];

// What is generated: the whole pair, or a key object that only names the group.
typedef struct {
  int is_pair;
} generation;

static void *begin(void *provider, int selection, const OSSL_PARAM parameters[]) {
  generation *it = OPENSSL_malloc(sizeof(generation));
  (void)provider;
  (void)parameters;
  if (it != NULL) it->is_pair = (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0;
  return it;
}

static void end(void *context) { OPENSSL_free(context); }

static int set_parameters(void *context, const OSSL_PARAM *each) {
  (void)context;
  for (; each != NULL && each->key != NULL; each++) {
    if (strcmp(each->key, OSSL_PKEY_PARAM_GROUP_NAME) != 0) continue;
    if (each->data_type != OSSL_PARAM_UTF8_STRING ||
        OPENSSL_strcasecmp(each->data, "x25519") != 0)
      return 0;
  }
  return 1;
}

static const OSSL_PARAM *settable(void *context, void *provider) {
  static const OSSL_PARAM all[] = {
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0), OSSL_PARAM_END};
  (void)context;
  (void)provider;
  return all;
}

// Puts a public key and, if there is one, a private key into a key object.
static int put(void *key, unsigned char *private_key, unsigned char *public_key) {
  OSSL_PARAM both[3];
  size_t count = 0;
  int selection = OSSL_KEYMGMT_SELECT_PUBLIC_KEY;
  both[count++] =
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public_key, KEY_BYTES);
  if (private_key != NULL) {
    both[count++] =
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, private_key, KEY_BYTES);
    selection |= OSSL_KEYMGMT_SELECT_PRIVATE_KEY;
  }
  both[count] = OSSL_PARAM_construct_end();
  return with.import(key, selection, both);
}

static int multiply(void *key, void *point, unsigned char *product) {
  size_t count = KEY_BYTES;
  void *exchange = with.begin_exchange(with.provider);
  const int done = exchange != NULL && with.take_own(exchange, key, NULL) &&
                   with.take_peer(exchange, point) &&
                   with.derive(exchange, product, &count, KEY_BYTES) && count == KEY_BYTES;
  if (exchange != NULL) with.end_exchange(exchange);
  return done;
}

static int fill(void *key, unsigned char *private_key) {
  unsigned char public_key[KEY_BYTES] = {0};
  private_key[0] &= 248;
  private_key[KEY_BYTES - 1] = (private_key[KEY_BYTES - 1] & 127) | 64;
  // A public key has to be there before it is known, or it would be computed the other way.
  return put(key, private_key, public_key) && multiply(key, with.base_point, public_key) &&
         put(key, private_key, public_key);
}

static int draw(unsigned char *private_key) {
  return RAND_priv_bytes_ex(with.library, private_key, KEY_BYTES, 0) == 1;
}

static void *generate(void *context, OSSL_CALLBACK *tell, void *argument) {
  const generation *it = context;
  unsigned char private_key[KEY_BYTES];
  (void)tell;
  (void)argument;
  void *key = with.make(with.provider);
  if (key == NULL || !it->is_pair) return key;
  if (!draw(private_key) || !fill(key, private_key)) {
    with.release(key);
    key = NULL;
  }
  OPENSSL_cleanse(private_key, sizeof(private_key));
  return key;
}

// Takes a manager's functions over, with our own in place of those that generate.
static int take_manager(const OSSL_DISPATCH *all) {
  static const OSSL_DISPATCH ours[] = {
      {OSSL_FUNC_KEYMGMT_GEN_INIT, (void (*)(void))begin},
      {OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS, (void (*)(void))set_parameters},
      {OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS, (void (*)(void))settable},
      {OSSL_FUNC_KEYMGMT_GEN, (void (*)(void))generate},
      {OSSL_FUNC_KEYMGMT_GEN_CLEANUP, (void (*)(void))end}};
  size_t count = 0;
  for (; all->function_id != 0; all++) {
    int is_ours = all->function_id == OSSL_FUNC_KEYMGMT_GEN_SET_TEMPLATE;
    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++) {
      is_ours = is_ours || ours[i].function_id == all->function_id;
    }
    switch (all->function_id) {
      case OSSL_FUNC_KEYMGMT_NEW: with.make = OSSL_FUNC_keymgmt_new(all); break;
      case OSSL_FUNC_KEYMGMT_FREE: with.release = OSSL_FUNC_keymgmt_free(all); break;
      case OSSL_FUNC_KEYMGMT_IMPORT: with.import = OSSL_FUNC_keymgmt_import(all); break;
      default: break;
    }
    if (is_ours) continue;
    if (count + sizeof(ours) / sizeof(*ours) >= FUNCTIONS_MAX) return 0;
    functions[count++] = *all;
  }
  memcpy(functions + count, ours, sizeof(ours));
  return with.make != NULL && with.release != NULL && with.import != NULL;
}

static int take_exchange(const OSSL_DISPATCH *all) {
  for (; all->function_id != 0; all++) {
    switch (all->function_id) {
      case OSSL_FUNC_KEYEXCH_NEWCTX: with.begin_exchange = OSSL_FUNC_keyexch_newctx(all); break;
      case OSSL_FUNC_KEYEXCH_INIT: with.take_own = OSSL_FUNC_keyexch_init(all); break;
      case OSSL_FUNC_KEYEXCH_SET_PEER: with.take_peer = OSSL_FUNC_keyexch_set_peer(all); break;
      case OSSL_FUNC_KEYEXCH_DERIVE: with.derive = OSSL_FUNC_keyexch_derive(all); break;
      case OSSL_FUNC_KEYEXCH_FREECTX: with.end_exchange = OSSL_FUNC_keyexch_freectx(all); break;
      default: break;
    }
  }
  return with.begin_exchange != NULL && with.take_own != NULL && with.take_peer != NULL &&
         with.derive != NULL && with.end_exchange != NULL;
}

int copenssl_x25519_answer(
    const unsigned char *peer, unsigned char *own, unsigned char *shared) {
  unsigned char private_key[KEY_BYTES], share[KEY_BYTES], nothing[KEY_BYTES] = {0};
  void *pair = NULL, *other = NULL;
  int done = 0;
  // The base point is there as soon as all else is that an exchange takes.
  if (copenssl_narrow_library() == NULL || with.base_point == NULL) return 0;
  ERR_set_mark();
  memcpy(share, peer, KEY_BYTES);
  pair = with.make(with.provider);
  other = with.make(with.provider);
  // The exchange reads the private key alone, and looks whether there is a public one. A share that
  // makes the secret zero, whatever the private key is, is refused (RFC 8446, 7.4.2).
  done = pair != NULL && other != NULL && draw(private_key) && put(pair, private_key, nothing) &&
         put(other, NULL, share) && multiply(pair, with.base_point, own) &&
         multiply(pair, other, shared);
  OPENSSL_cleanse(private_key, sizeof(private_key));
  if (pair != NULL) with.release(pair);
  if (other != NULL) with.release(other);
  ERR_pop_to_mark();
  return done;
}

const OSSL_DISPATCH *narrow_x25519(
    OSSL_LIB_CTX *library, void *provider, const OSSL_DISPATCH *manager,
    const OSSL_DISPATCH *exchange) {
  unsigned char nine[KEY_BYTES] = {9};
  with.library = library;
  with.provider = provider;
  if (!take_manager(manager) || !take_exchange(exchange)) return NULL;
  with.base_point = with.make(provider);
  if (with.base_point == NULL) return NULL;
  if (!put(with.base_point, NULL, nine)) {
    with.release(with.base_point);
    with.base_point = NULL;
    return NULL;
  }
  return functions;
}
