// Public keys of P-256 in certificates (RFC 5480) for the narrow library.
//
// OpenSSL 3.0 makes the group P-256 anew for every public key that it reads: two contexts of
// Montgomery's multiplication, each with an inverse. Here a key begins as a copy of one that has
// the group already, and gets its point. What is a SubjectPublicKeyInfo of P-256 is told by its
// first 27 bytes, which are always the same; whatever differs, the default provider's decoder
// reads. The copy and the look whether the point lies on the curve are the default provider's own.
#include <openssl/bio.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/err.h>
#include <string.h>

#include "COpenSSL.h"
#include "NarrowP256.h"

enum { PREFIX_BYTES = 26, POINT_BYTES = 65, INFO_BYTES = PREFIX_BYTES + POINT_BYTES };
enum { FUNCTIONS_MAX = 16 };

// SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING of 65 bytes }, and the point's
// first byte, which says that both coordinates follow.
static const unsigned char prefix[PREFIX_BYTES + 1] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
    0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};

static struct {
  OSSL_FUNC_BIO_read_ex_fn *read;
  OSSL_FUNC_BIO_ctrl_fn *control;
  OSSL_FUNC_decoder_decode_fn *decode;
  OSSL_FUNC_keymgmt_dup_fn *copy;
  OSSL_FUNC_keymgmt_free_fn *release;
  OSSL_FUNC_keymgmt_set_params_fn *set;
  // A key object that has the group and no point.
  void *empty;
} with;

static OSSL_DISPATCH functions[FUNCTIONS_MAX + 1];
static _Thread_local unsigned long read_here;

// Reads all bytes if they are those of a key of P-256; 0 for others.
static int read_info(OSSL_CORE_BIO *from, unsigned char *info) {
  size_t count = 0;
  // One more than there should be: what has more behind it is not for here.
  return with.read(from, info, INFO_BYTES + 1, &count) && count == INFO_BYTES &&
         memcmp(info, prefix, sizeof(prefix)) == 0;
}

// A key object with this point; NULL if it is none of the curve's.
static void *key_of(unsigned char *point) {
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point, POINT_BYTES),
      OSSL_PARAM_construct_end()};
  void *key = with.copy(with.empty, OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS);
  if (key != NULL && with.set(key, parameters)) return key;
  with.release(key);
  return NULL;
}

// Hands a key object over as any decoder does: who takes it leaves NULL in its place.
static int hand_over(void *key, OSSL_CALLBACK *tell, void *argument) {
  int kind = OSSL_OBJECT_PKEY;
  char name[] = "EC";
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &kind),
      OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE, name, 0),
      OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &key, sizeof(key)),
      OSSL_PARAM_construct_end()};
  const int is_taken = tell(parameters, argument);
  with.release(key);
  return is_taken;
}

static int decode(
    void *context, OSSL_CORE_BIO *from, int selection, OSSL_CALLBACK *tell, void *argument,
    OSSL_PASSPHRASE_CALLBACK *ask, void *ask_argument) {
  unsigned char info[INFO_BYTES + 1];
  void *key = NULL;
  const int start = with.control(from, BIO_C_FILE_TELL, 0, NULL);
  if (start >= 0 && (selection == 0 || (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0)) {
    ERR_set_mark();
    if (read_info(from, info)) key = key_of(info + PREFIX_BYTES);
    ERR_pop_to_mark();
    if (key != NULL) {
      read_here++;
      return hand_over(key, tell, argument);
    }
    if (with.control(from, BIO_C_FILE_SEEK, start, NULL) < 0) return 0;
  }
  return with.decode(context, from, selection, tell, argument, ask, ask_argument);
}

static int take_core(const OSSL_DISPATCH *all) {
  for (; all->function_id != 0; all++) {
    switch (all->function_id) {
      case OSSL_FUNC_BIO_READ_EX: with.read = OSSL_FUNC_BIO_read_ex(all); break;
      case OSSL_FUNC_BIO_CTRL: with.control = OSSL_FUNC_BIO_ctrl(all); break;
      default: break;
    }
  }
  return with.read != NULL && with.control != NULL;
}

static int take_decoder(const OSSL_DISPATCH *all) {
  size_t count = 0;
  for (; all->function_id != 0; all++) {
    if (count == FUNCTIONS_MAX) return 0;
    functions[count] = *all;
    if (all->function_id == OSSL_FUNC_DECODER_DECODE) {
      with.decode = OSSL_FUNC_decoder_decode(all);
      functions[count].function = (void (*)(void))decode;
    }
    count++;
  }
  return with.decode != NULL;
}

static int take_manager(const OSSL_DISPATCH *all, void *provider) {
  char group[] = "prime256v1";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
      OSSL_PARAM_construct_end()};
  OSSL_FUNC_keymgmt_new_fn *make = NULL;
  OSSL_FUNC_keymgmt_import_fn *import = NULL;
  for (; all->function_id != 0; all++) {
    switch (all->function_id) {
      case OSSL_FUNC_KEYMGMT_NEW: make = OSSL_FUNC_keymgmt_new(all); break;
      case OSSL_FUNC_KEYMGMT_FREE: with.release = OSSL_FUNC_keymgmt_free(all); break;
      case OSSL_FUNC_KEYMGMT_IMPORT: import = OSSL_FUNC_keymgmt_import(all); break;
      case OSSL_FUNC_KEYMGMT_DUP: with.copy = OSSL_FUNC_keymgmt_dup(all); break;
      case OSSL_FUNC_KEYMGMT_SET_PARAMS: with.set = OSSL_FUNC_keymgmt_set_params(all); break;
      default: break;
    }
  }
  if (make == NULL || import == NULL || with.release == NULL || with.copy == NULL ||
      with.set == NULL)
    return 0;
  with.empty = make(provider);
  return with.empty != NULL &&
         import(with.empty, OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS, parameters);
}

const OSSL_DISPATCH *narrow_p256(
    const OSSL_DISPATCH *core, void *provider, const OSSL_DISPATCH *decoder,
    const OSSL_DISPATCH *manager) {
  return take_core(core) && take_decoder(decoder) && take_manager(manager, provider) ? functions
                                                                                      : NULL;
}

unsigned long copenssl_narrow_p256_count(void) { return read_here; }
