// Memory for OpenSSL out of lists of spare blocks.
//
// A handshake asks for some thousand blocks and frees them again soon after. The C library keeps
// seven free blocks of a size at hand for a thread, and with dozens of handshakes under way most
// blocks go the long way through its shared lists, which took a tenth of a handshake's time. Here a
// thread that asks for it keeps as many as its handshakes use. When it keeps all that it may, the
// list that holds the most gives way.
//
// Every block is malloc's own, of a rounded size, so any thread may free it, with or without lists.
// As in the C library's own lists, links are masked with a secret, and to free a spare block again
// or to find a damaged link ends the process.
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "COpenSSL.h"

// Sizes of small blocks differ by 16 bytes, from 24 to 1,032: what malloc makes of a request. Those
// of large ones differ by 1,024, from 2,056 to 34,824: OpenSSL's buffers of records are below that.
enum {
  SMALL_FIRST = 24, SMALL_STEP = 16, SMALL_CLASSES = 64, SMALL_LAST = 1032,
  LARGE_STEP = 1024, LARGE_FIRST = 2, LARGE_CLASSES = 33,
  CLASSES = SMALL_CLASSES + LARGE_CLASSES,
};

// What a spare block holds; the smallest has room for it.
typedef struct spare {
  uintptr_t link, mark;
} spare;

typedef struct {
  int is_kept;
  size_t bytes, bytes_max;
  uintptr_t secret, mark;
  spare *first[CLASSES];
  uint32_t counts[CLASSES];
} lists;

static _Thread_local lists own;

static size_t bytes_of(int class) {
  return class < SMALL_CLASSES
             ? SMALL_FIRST + SMALL_STEP * (size_t)class
             : 8 + LARGE_STEP * (size_t)(class - SMALL_CLASSES + LARGE_FIRST);
}

// The class that has room for a request; CLASSES for one that is too large.
static int class_for(size_t bytes) {
  if (bytes <= SMALL_FIRST) return 0;
  if (bytes <= SMALL_LAST) return (int)((bytes - SMALL_FIRST + SMALL_STEP - 1) / SMALL_STEP);
  if (bytes > 8 + (size_t)LARGE_STEP * (LARGE_FIRST + LARGE_CLASSES - 1)) return CLASSES;
  return SMALL_CLASSES - LARGE_FIRST + (int)((bytes - 8 + LARGE_STEP - 1) / LARGE_STEP);
}

// The largest class that a block of so many bytes has room for; CLASSES for none.
static int class_of(size_t bytes) {
  if (bytes < SMALL_FIRST) return CLASSES;
  if (bytes < 8 + LARGE_STEP * LARGE_FIRST) {
    const size_t class = (bytes - SMALL_FIRST) / SMALL_STEP;
    return class < SMALL_CLASSES ? (int)class : SMALL_CLASSES - 1;
  }
  const size_t large = (bytes - 8) / LARGE_STEP - LARGE_FIRST;
  return large < LARGE_CLASSES ? SMALL_CLASSES + (int)large : CLASSES;
}

static spare *next_of(const spare *block) {
  const uintptr_t next = block->link ^ own.secret;
  if (next % 16 != 0) abort();
  return (spare *)next;
}

static spare *pop(int class) {
  spare *block = own.first[class];
  own.first[class] = next_of(block);
  own.counts[class]--;
  own.bytes -= bytes_of(class);
  block->mark = 0;
  return block;
}

// Frees blocks of the list that holds the most bytes, for one of so many and a sixteenth of the
// bound besides, so that it is not looked for again at once. To refuse what is freed while there is
// no room would leave the lists to the smallest blocks in the end, however few of them are asked
// for: the room that one leaves is never enough for a larger one.
static void make_room(size_t bytes) {
  int fullest = 0;
  for (int class = 1; class < CLASSES; class++) {
    if (own.counts[class] * bytes_of(class) > own.counts[fullest] * bytes_of(fullest))
      fullest = class;
  }
  while (own.first[fullest] != NULL &&
         own.bytes + bytes > own.bytes_max - own.bytes_max / 16)
    free(pop(fullest));
}

void *copenssl_spare_blocks_take(size_t bytes, const char *file, int line) {
  (void)file;
  (void)line;
  if (bytes == 0) return NULL;
  if (!own.is_kept) return malloc(bytes);
  const int class = class_for(bytes);
  if (class == CLASSES) return malloc(bytes);
  return own.first[class] != NULL ? (void *)pop(class) : malloc(bytes_of(class));
}

static void *change(void *block, size_t bytes, const char *file, int line) {
  (void)file;
  (void)line;
  return realloc(block, bytes);
}

void copenssl_spare_blocks_leave(void *freed, const char *file, int line) {
  (void)file;
  (void)line;
  if (freed == NULL) return;
  if (!own.is_kept) return free(freed);
  const int class = class_of(malloc_usable_size(freed));
  if (class == CLASSES || bytes_of(class) > own.bytes_max) return free(freed);
  while (own.bytes + bytes_of(class) > own.bytes_max) make_room(bytes_of(class));
  spare *block = freed;
  // Bytes that look like a mark may be anybody's; only who is in the list was freed before.
  if (block->mark == own.mark) {
    for (const spare *each = own.first[class]; each != NULL; each = next_of(each)) {
      if (each == block) abort();
    }
  }
  block->link = (uintptr_t)own.first[class] ^ own.secret;
  block->mark = own.mark;
  own.first[class] = block;
  own.counts[class]++;
  own.bytes += bytes_of(class);
}

int copenssl_spare_blocks_prepare(void) {
  return CRYPTO_set_mem_functions(
      copenssl_spare_blocks_take, change, copenssl_spare_blocks_leave);
}

int copenssl_spare_blocks_keep(size_t bytes_max) {
  uintptr_t secrets[2];
  if (own.is_kept || getrandom(secrets, sizeof(secrets), 0) != sizeof(secrets)) return 0;
  own.secret = secrets[0];
  own.mark = secrets[1];
  own.bytes_max = bytes_max;
  own.is_kept = 1;
  return 1;
}

size_t copenssl_spare_blocks_give_back(void) {
  const size_t before = own.bytes;
  for (int class = 0; class < CLASSES; class++) {
    while (own.first[class] != NULL) free(pop(class));
  }
  return before;
}

void copenssl_spare_blocks_end(void) {
  copenssl_spare_blocks_give_back();
  own.is_kept = 0;
}
