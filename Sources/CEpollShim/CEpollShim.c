// One function per system call, and the assertions that the flat structures match the kernel's.
#define _GNU_SOURCE
#include "CEpollShim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tls.h>
#include <malloc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(struct cepoll_event) == sizeof(struct epoll_event), "size of epoll_event");
_Static_assert(offsetof(struct cepoll_event, readiness) == offsetof(struct epoll_event, events),
               "events");
_Static_assert(offsetof(struct cepoll_event, token) == offsetof(struct epoll_event, data), "data");
_Static_assert(EPOLLIN == 0x001 && EPOLLOUT == 0x004 && EPOLLERR == 0x008, "readiness bits");
_Static_assert(EPOLLHUP == 0x010 && EPOLLRDHUP == 0x2000, "readiness bits");
_Static_assert(EPOLLET == 1u << 31, "readiness bits");
_Static_assert(EPOLL_CTL_ADD == 1 && EPOLL_CTL_DEL == 2 && EPOLL_CTL_MOD == 3, "epoll operations");
_Static_assert(AF_UNIX == 1 && AF_INET == 2 && AF_INET6 == 10, "families");
_Static_assert(SOL_SOCKET == 1 && SO_REUSEADDR == 2 && SO_SNDBUF == 7, "socket options");
_Static_assert(SO_RCVBUF == 8 && SO_KEEPALIVE == 9 && SO_REUSEPORT == 15, "socket options");
_Static_assert(IPPROTO_TCP == 6 && TCP_NODELAY == 1 && TCP_KEEPIDLE == 4, "TCP options");
_Static_assert(TCP_KEEPINTVL == 5 && TCP_KEEPCNT == 6 && TCP_DEFER_ACCEPT == 9, "TCP options");
_Static_assert(TCP_USER_TIMEOUT == 18 && IPPROTO_IPV6 == 41 && IPV6_V6ONLY == 26, "more options");
_Static_assert(SHUT_WR == 1, "shutdown");

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
// Transports writes these structures byte by byte: version, cipher, vector, key, salt, counter.
_Static_assert(sizeof(struct tls12_crypto_info_aes_gcm_128) == 40, "AES-128-GCM");
_Static_assert(offsetof(struct tls12_crypto_info_aes_gcm_128, iv) == 4, "AES-128-GCM");
_Static_assert(offsetof(struct tls12_crypto_info_aes_gcm_128, key) == 12, "AES-128-GCM");
_Static_assert(offsetof(struct tls12_crypto_info_aes_gcm_128, salt) == 28, "AES-128-GCM");
_Static_assert(offsetof(struct tls12_crypto_info_aes_gcm_128, rec_seq) == 32, "AES-128-GCM");
_Static_assert(sizeof(struct tls12_crypto_info_aes_gcm_256) == 56, "AES-256-GCM");
_Static_assert(offsetof(struct tls12_crypto_info_aes_gcm_256, iv) == 4, "AES-256-GCM");
_Static_assert(offsetof(struct tls12_crypto_info_aes_gcm_256, key) == 12, "AES-256-GCM");
_Static_assert(offsetof(struct tls12_crypto_info_aes_gcm_256, salt) == 44, "AES-256-GCM");
_Static_assert(offsetof(struct tls12_crypto_info_aes_gcm_256, rec_seq) == 48, "AES-256-GCM");
_Static_assert(sizeof(struct tls12_crypto_info_chacha20_poly1305) == 56, "ChaCha20-Poly1305");
_Static_assert(offsetof(struct tls12_crypto_info_chacha20_poly1305, iv) == 4, "ChaCha20");
_Static_assert(offsetof(struct tls12_crypto_info_chacha20_poly1305, key) == 16, "ChaCha20");
_Static_assert(offsetof(struct tls12_crypto_info_chacha20_poly1305, rec_seq) == 48, "ChaCha20");
_Static_assert(TLS_1_3_VERSION == 0x0304 && TLS_TX == 1 && TLS_RX == 2, "TLS options");
_Static_assert(TLS_CIPHER_AES_GCM_128 == 51 && TLS_CIPHER_AES_GCM_256 == 52, "ciphers");
_Static_assert(TLS_CIPHER_CHACHA20_POLY1305 == 54 && SOL_TLS == 282, "ciphers, level");

// ---- epoll -------------------------------------------------------------------------------------

int cepoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int cepoll_ctl(int poller, int operation, int fd, uint32_t readiness, uint64_t token) {
  struct epoll_event event = {.events = readiness, .data.u64 = token};
  return epoll_ctl(poller, operation, fd, &event);
}

int cepoll_wait(int poller, struct cepoll_event *events, int capacity, int timeout_ms) {
  return epoll_wait(poller, (struct epoll_event *)events, capacity, timeout_ms);
}

// ---- eventfd, signalfd -------------------------------------------------------------------------

long clinux_read_cached(int fd, void *room, size_t count, int64_t place) {
  struct iovec piece = {.iov_base = room, .iov_len = count};
  return preadv2(fd, &piece, 1, place, RWF_NOWAIT);
}

int clinux_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

static sigset_t signal_set(const int *signals, int count) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
  return set;
}

int clinux_block_signals(const int *signals, int count) {
  sigset_t set = signal_set(signals, count);
  int code = pthread_sigmask(SIG_BLOCK, &set, NULL);
  if (code != 0) errno = code;
  return code == 0 ? 0 : -1;
}

int clinux_signalfd(const int *signals, int count) {
  sigset_t set = signal_set(signals, count);
  return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int clinux_signalfd_next(int fd) {
  struct signalfd_siginfo info;
  ssize_t got = read(fd, &info, sizeof info);
  return got == (ssize_t)sizeof info ? (int)info.ssi_signo : -1;
}

int clinux_ignore_broken_pipe(void) { return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0; }

// ---- sockets -----------------------------------------------------------------------------------

static uint64_t load64(const uint8_t *bytes) {
  uint64_t value = 0;
  for (int i = 0; i < 8; i++) value = value << 8 | bytes[i];
  return value;
}

static void store64(uint8_t *bytes, uint64_t value) {
  for (int i = 7; i >= 0; i--, value >>= 8) bytes[i] = (uint8_t)value;
}

static struct clinux_address flatten(const struct sockaddr_storage *from) {
  struct clinux_address flat = {.family = from->ss_family};
  if (from->ss_family == AF_INET) {
    const struct sockaddr_in *four = (const struct sockaddr_in *)from;
    flat.low = ntohl(four->sin_addr.s_addr);
    flat.port = ntohs(four->sin_port);
  } else if (from->ss_family == AF_INET6) {
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;
    flat.high = load64(six->sin6_addr.s6_addr);
    flat.low = load64(six->sin6_addr.s6_addr + 8);
    flat.port = ntohs(six->sin6_port);
    flat.scope = six->sin6_scope_id;
  }
  return flat;
}

static socklen_t unflatten(const struct clinux_address *flat, struct sockaddr_storage *into) {
  memset(into, 0, sizeof *into);
  if (flat->family == AF_INET) {
    struct sockaddr_in *four = (struct sockaddr_in *)into;
    four->sin_family = AF_INET;
    four->sin_addr.s_addr = htonl((uint32_t)flat->low);
    four->sin_port = htons(flat->port);
    return sizeof *four;
  }
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)into;
  six->sin6_family = AF_INET6;
  store64(six->sin6_addr.s6_addr, flat->high);
  store64(six->sin6_addr.s6_addr + 8, flat->low);
  six->sin6_port = htons(flat->port);
  six->sin6_scope_id = flat->scope;
  return sizeof *six;
}

/// Returns the length of the address, or 0 with errno if the path does not fit.
static socklen_t unix_address(const char *path, struct sockaddr_un *into) {
  size_t length = strlen(path);
  memset(into, 0, sizeof *into);
  if (length == 0 || length >= sizeof into->sun_path) {
    errno = ENAMETOOLONG;
    return 0;
  }
  into->sun_family = AF_UNIX;
  memcpy(into->sun_path, path, length);
  return sizeof *into;
}

int clinux_stream_socket(int family) {
  return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int clinux_bind(int fd, const struct clinux_address *address) {
  struct sockaddr_storage storage;
  socklen_t length = unflatten(address, &storage);
  return bind(fd, (struct sockaddr *)&storage, length);
}

int clinux_bind_unix(int fd, const char *path) {
  struct sockaddr_un address;
  socklen_t length = unix_address(path, &address);
  return length == 0 ? -1 : bind(fd, (struct sockaddr *)&address, length);
}

int clinux_connect(int fd, const struct clinux_address *address) {
  struct sockaddr_storage storage;
  socklen_t length = unflatten(address, &storage);
  return connect(fd, (struct sockaddr *)&storage, length);
}

int clinux_connect_unix(int fd, const char *path) {
  struct sockaddr_un address;
  socklen_t length = unix_address(path, &address);
  return length == 0 ? -1 : connect(fd, (struct sockaddr *)&address, length);
}

int clinux_listen(int fd, int backlog) { return listen(fd, backlog); }

int clinux_accept4(int fd, struct clinux_address *peer) {
  struct sockaddr_storage storage = {0};
  socklen_t length = sizeof storage;
  int accepted = accept4(fd, (struct sockaddr *)&storage, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (accepted >= 0) *peer = flatten(&storage);
  return accepted;
}

int clinux_getsockname(int fd, struct clinux_address *address) {
  struct sockaddr_storage storage = {0};
  socklen_t length = sizeof storage;
  int code = getsockname(fd, (struct sockaddr *)&storage, &length);
  if (code == 0) *address = flatten(&storage);
  return code;
}

int clinux_getpeername(int fd, struct clinux_address *address) {
  struct sockaddr_storage storage = {0};
  socklen_t length = sizeof storage;
  int code = getpeername(fd, (struct sockaddr *)&storage, &length);
  if (code == 0) *address = flatten(&storage);
  return code;
}

int clinux_setsockopt(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value);
}

int clinux_getsockopt(int fd, int level, int name, int *value) {
  socklen_t length = sizeof *value;
  return getsockopt(fd, level, name, value, &length);
}

int clinux_socket_error(int fd) {
  int pending = 0;
  socklen_t length = sizeof pending;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &length) == -1 ? -1 : pending;
}

int clinux_set_abortive_close(int fd) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

int clinux_set_congestion_control(int fd, const char *name) {
  return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name));
}

int clinux_shutdown(int fd, int how) { return shutdown(fd, how); }

ptrdiff_t clinux_receive(int fd, void *bytes, size_t count) { return recv(fd, bytes, count, 0); }

ptrdiff_t clinux_peek(int fd, void *bytes, size_t count) {
  return recv(fd, bytes, count, MSG_PEEK);
}

ptrdiff_t clinux_send(int fd, const void *bytes, size_t count) {
  return send(fd, bytes, count, MSG_NOSIGNAL);
}

int clinux_peer_credentials(int fd, int32_t *pid, uint32_t *uid, uint32_t *gid) {
  struct ucred credentials = {0};
  socklen_t length = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == -1) return -1;
  *pid = credentials.pid;
  *uid = credentials.uid;
  *gid = credentials.gid;
  return 0;
}

// ---- TLS in the kernel -------------------------------------------------------------------------

int clinux_tls_attach(int fd) { return setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls"); }

int clinux_tls_set_key(int fd, int direction, const void *info, size_t count) {
  return setsockopt(fd, SOL_TLS, direction, info, (socklen_t)count);
}

ptrdiff_t clinux_tls_receive(int fd, void *bytes, size_t count, int *type) {
  union {
    struct cmsghdr aligned;
    char bytes[CMSG_SPACE(sizeof(uint8_t))];
  } control;
  struct iovec piece = {.iov_base = bytes, .iov_len = count};
  struct msghdr message = {.msg_iov = &piece,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control.bytes};
  ptrdiff_t got = recvmsg(fd, &message, 0);
  *type = -1;
  if (got == -1) return -1;
  struct cmsghdr *note = CMSG_FIRSTHDR(&message);
  if (note != NULL && note->cmsg_level == SOL_TLS && note->cmsg_type == TLS_GET_RECORD_TYPE)
    *type = *(const uint8_t *)CMSG_DATA(note);
  return got;
}

ptrdiff_t clinux_tls_send(int fd, uint8_t type, const void *bytes, size_t count) {
  union {
    struct cmsghdr aligned;
    char bytes[CMSG_SPACE(sizeof(uint8_t))];
  } control = {.bytes = {0}};
  struct iovec piece = {.iov_base = (void *)bytes, .iov_len = count};
  struct msghdr message = {.msg_iov = &piece,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control.bytes};
  struct cmsghdr *note = CMSG_FIRSTHDR(&message);
  note->cmsg_level = SOL_TLS;
  note->cmsg_type = TLS_SET_RECORD_TYPE;
  note->cmsg_len = CMSG_LEN(sizeof(uint8_t));
  *CMSG_DATA(note) = type;
  return sendmsg(fd, &message, MSG_NOSIGNAL);
}

int clinux_parse_address(const char *text, struct clinux_address *address) {
  struct sockaddr_storage storage = {0};
  if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&storage)->sin_addr) == 1) {
    storage.ss_family = AF_INET;
  } else if (inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&storage)->sin6_addr) == 1) {
    storage.ss_family = AF_INET6;
  } else {
    return 0;
  }
  *address = flatten(&storage);
  return 1;
}

int clinux_format_address(const struct clinux_address *address, char *text, size_t capacity) {
  struct sockaddr_storage storage;
  unflatten(address, &storage);
  const void *bytes = address->family == AF_INET
                          ? (const void *)&((struct sockaddr_in *)&storage)->sin_addr
                          : (const void *)&((struct sockaddr_in6 *)&storage)->sin6_addr;
  if (inet_ntop(address->family, bytes, text, (socklen_t)capacity) == NULL) return -1;
  return (int)strlen(text);
}

int clinux_resolve(const char *host, uint16_t port, struct clinux_address *found, int capacity) {
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  struct addrinfo *list = NULL;
  int code = getaddrinfo(host, NULL, &hints, &list);
  if (code != 0) return -1000 + code;
  int count = 0;
  for (struct addrinfo *one = list; one != NULL && count < capacity; one = one->ai_next) {
    if (one->ai_family != AF_INET && one->ai_family != AF_INET6) continue;
    found[count] = flatten((const struct sockaddr_storage *)one->ai_addr);
    found[count].port = port;
    count++;
  }
  freeaddrinfo(list);
  return count;
}

const char *clinux_resolve_error(int code) { return gai_strerror(code); }

// ---- time, randomness, process, threads --------------------------------------------------------

static uint64_t nanoseconds(clockid_t clock) {
  struct timespec now = {0};
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clinux_boot_nanoseconds(void) { return nanoseconds(CLOCK_BOOTTIME); }

int64_t clinux_wall_milliseconds(void) {
  struct timespec now = {0};
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t clinux_thread_cpu_nanoseconds(void) { return nanoseconds(CLOCK_THREAD_CPUTIME_ID); }

int clinux_getrandom(void *bytes, size_t count) {
  uint8_t *next = bytes;
  while (count > 0) {
    ssize_t got = getrandom(next, count, 0);
    if (got == -1 && errno == EINTR) continue;
    if (got <= 0) return -1;
    next += got;
    count -= (size_t)got;
  }
  return 0;
}

int clinux_set_thread_name(const char *name) {
  char kept[16] = {0};
  strncpy(kept, name, sizeof kept - 1);
  return pthread_setname_np(pthread_self(), kept);
}

const char *clinux_error_text(int code, char *buffer, size_t capacity) {
  return strerror_r(code, buffer, capacity);
}

int clinux_get_file_limit(uint64_t *soft, uint64_t *hard) {
  struct rlimit limit;
  if (prlimit(0, RLIMIT_NOFILE, NULL, &limit) == -1) return -1;
  *soft = limit.rlim_cur;
  *hard = limit.rlim_max;
  return 0;
}

int clinux_set_file_limit(uint64_t soft) {
  struct rlimit limit;
  if (prlimit(0, RLIMIT_NOFILE, NULL, &limit) == -1) return -1;
  limit.rlim_cur = soft;
  return prlimit(0, RLIMIT_NOFILE, &limit, NULL);
}

int clinux_poll(int fd, int16_t events, int timeout_ms) {
  struct pollfd one = {.fd = fd, .events = events};
  struct timespec wait = {.tv_sec = timeout_ms / 1000, .tv_nsec = (timeout_ms % 1000) * 1000000L};
  int code = ppoll(&one, 1, timeout_ms < 0 ? NULL : &wait, NULL);
  return code == 1 ? one.revents : code;
}

int clinux_usage(uint64_t *user_us, uint64_t *system_us, uint64_t *peak_kb) {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) == -1) return -1;
  *user_us = (uint64_t)usage.ru_utime.tv_sec * 1000000u + (uint64_t)usage.ru_utime.tv_usec;
  *system_us = (uint64_t)usage.ru_stime.tv_sec * 1000000u + (uint64_t)usage.ru_stime.tv_usec;
  *peak_kb = (uint64_t)usage.ru_maxrss;
  return 0;
}

int clinux_set_parent_death_signal(int signal) { return prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0); }

FILE *clinux_stdout(void) { return stdout; }

FILE *clinux_stderr(void) { return stderr; }

void clinux_prepare_allocator(void) {
  // A value that is set is no longer adjusted by glibc: that is the point of the first two.
  mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  mallopt(M_TRIM_THRESHOLD, 128 * 1024);
  mallopt(M_ARENA_MAX, 2);
}

void clinux_trim_allocator(void) { malloc_trim(0); }
