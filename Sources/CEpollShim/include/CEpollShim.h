// The Linux calls that Swift's Glibc module does not offer, translated one to one.
//
// A shim translates, it never decides: each function is one system call (or one macro), keeps the
// kernel's return value, and leaves errno as the kernel set it. Structures with unions become flat
// ones, because a union makes every use in Swift "unsafe"; CEpollShim.c asserts that the layouts
// agree.
//
// _GNU_SOURCE is defined in CEpollShim.c only: in a header it would change Glibc's own declarations
// under the compiler and break the import of fd_set.
#ifndef CEPOLLSHIM_H
#define CEPOLLSHIM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

// ---- epoll -------------------------------------------------------------------------------------

/// One ready descriptor: epoll_event with its union flattened to the 64-bit token we always use.
struct cepoll_event {
  uint32_t readiness;
  uint64_t token;
} __attribute__((packed));

static const uint32_t CEPOLL_IN = 0x001;
static const uint32_t CEPOLL_OUT = 0x004;
static const uint32_t CEPOLL_ERR = 0x008;
static const uint32_t CEPOLL_HUP = 0x010;
static const uint32_t CEPOLL_RDHUP = 0x2000;
static const uint32_t CEPOLL_ET = 0x80000000;

static const int CEPOLL_CTL_ADD = 1;
static const int CEPOLL_CTL_DEL = 2;
static const int CEPOLL_CTL_MOD = 3;

int cepoll_create(void);
int cepoll_ctl(int poller, int operation, int fd, uint32_t readiness, uint64_t token);
int cepoll_wait(int poller, struct cepoll_event *events, int capacity, int timeout_ms);

// ---- memory ------------------------------------------------------------------------------------

/// Tells the processor that so many bytes from an address on will soon be used; it may be any
/// address, even a wrong one: a hint never faults.
static inline void cmemory_hint(uintptr_t address, size_t bytes) {
  size_t lines = (bytes + (address & 63) + 63) / 64;
  for (size_t line = 0; line < lines; line++)
    __builtin_prefetch((const void *)((address & ~(uintptr_t)63) + line * 64), 1);
}

// ---- files -------------------------------------------------------------------------------------

/// Reads from a place in a file what is in memory; -1 with EAGAIN when nothing of it is.
long clinux_read_cached(int fd, void *room, size_t count, int64_t place);

// ---- eventfd, signalfd -------------------------------------------------------------------------

int clinux_eventfd(void);
/// Blocks the signals in the calling thread; threads started later inherit that.
int clinux_block_signals(const int *signals, int count);
int clinux_signalfd(const int *signals, int count);
/// Returns the number of the next pending signal, or -1 with errno.
int clinux_signalfd_next(int fd);
int clinux_ignore_broken_pipe(void);

// ---- sockets -----------------------------------------------------------------------------------

static const int CLINUX_AF_UNSPEC = 0;
static const int CLINUX_AF_UNIX = 1;
static const int CLINUX_AF_INET = 2;
static const int CLINUX_AF_INET6 = 10;

static const int CLINUX_SOL_SOCKET = 1;
static const int CLINUX_SO_REUSEADDR = 2;
static const int CLINUX_SO_SNDBUF = 7;
static const int CLINUX_SO_RCVBUF = 8;
static const int CLINUX_SO_KEEPALIVE = 9;
static const int CLINUX_SO_REUSEPORT = 15;
static const int CLINUX_IPPROTO_TCP = 6;
static const int CLINUX_TCP_NODELAY = 1;
static const int CLINUX_TCP_KEEPIDLE = 4;
static const int CLINUX_TCP_KEEPINTVL = 5;
static const int CLINUX_TCP_KEEPCNT = 6;
static const int CLINUX_TCP_DEFER_ACCEPT = 9;
static const int CLINUX_TCP_USER_TIMEOUT = 18;
static const int CLINUX_IPPROTO_IPV6 = 41;
static const int CLINUX_IPV6_V6ONLY = 26;
static const int CLINUX_SHUT_WR = 1;

/// A socket address without the union: an IPv4 address is the low 32 bits of `low`, an IPv6 address
/// is `high` and `low`, both as host-order numbers; a Unix address carries its path beside this
/// structure.
struct clinux_address {
  int32_t family;
  uint32_t scope;
  uint64_t high;
  uint64_t low;
  uint16_t port;
};

/// Makes a non-blocking, close-on-exec stream socket.
int clinux_stream_socket(int family);
int clinux_bind(int fd, const struct clinux_address *address);
int clinux_bind_unix(int fd, const char *path);
int clinux_connect(int fd, const struct clinux_address *address);
int clinux_connect_unix(int fd, const char *path);
int clinux_listen(int fd, int backlog);
/// accept4 with SOCK_NONBLOCK and SOCK_CLOEXEC.
int clinux_accept4(int fd, struct clinux_address *peer);
int clinux_getsockname(int fd, struct clinux_address *address);
int clinux_getpeername(int fd, struct clinux_address *address);
int clinux_setsockopt(int fd, int level, int name, int value);
int clinux_getsockopt(int fd, int level, int name, int *value);
/// Takes and clears the pending error of a socket (SO_ERROR); -1 with errno if even that fails.
int clinux_socket_error(int fd);
/// SO_LINGER with a zero time: closing sends a reset and leaves no TIME_WAIT behind.
int clinux_set_abortive_close(int fd);
/// TCP_CONGESTION: the algorithm by its name.
int clinux_set_congestion_control(int fd, const char *name);
int clinux_shutdown(int fd, int how);
/// recv; the socket itself decides about blocking.
ptrdiff_t clinux_receive(int fd, void *bytes, size_t count);
/// mallopt: M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of 128 KiB, M_ARENA_MAX of 2.
void clinux_prepare_allocator(void);
/// malloc_trim(0).
void clinux_trim_allocator(void);
/// recv with MSG_PEEK: the bytes stay where they are.
ptrdiff_t clinux_peek(int fd, void *bytes, size_t count);
/// send with MSG_NOSIGNAL, so that a vanished peer is EPIPE and never a signal.
ptrdiff_t clinux_send(int fd, const void *bytes, size_t count);
/// SO_PEERCRED of a Unix socket.
int clinux_peer_credentials(int fd, int32_t *pid, uint32_t *uid, uint32_t *gid);

// ---- TLS in the kernel -------------------------------------------------------------------------

/// Sets TCP_ULP to "tls"; the socket's bytes go through as before until a key is set.
int clinux_tls_attach(int fd);
/// Sets the key of a direction at SOL_TLS: one of the kernel's tls12_crypto_info structures.
int clinux_tls_set_key(int fd, int direction, const void *info, size_t count);
/// recvmsg; `type` becomes what TLS_GET_RECORD_TYPE says of the record, or -1 if it says nothing.
ptrdiff_t clinux_tls_receive(int fd, void *bytes, size_t count, int *type);
/// sendmsg of one record of this type by TLS_SET_RECORD_TYPE, with MSG_NOSIGNAL.
ptrdiff_t clinux_tls_send(int fd, uint8_t type, const void *bytes, size_t count);

/// inet_pton for either family; returns 1 if the text is an address, else 0. Port and scope become
/// 0.
int clinux_parse_address(const char *text, struct clinux_address *address);
/// inet_ntop of the bare address, without its port; returns the length of the text, or -1.
int clinux_format_address(const struct clinux_address *address, char *text, size_t capacity);
/// getaddrinfo for stream sockets; returns how many addresses were stored, or -1000 + EAI_x (the
/// EAI_ codes are negative), so that an answer of no addresses stays told apart from an error.
int clinux_resolve(const char *host, uint16_t port, struct clinux_address *found, int capacity);
/// gai_strerror.
const char *clinux_resolve_error(int code);

// ---- time, randomness, process, threads --------------------------------------------------------

/// CLOCK_BOOTTIME in nanoseconds: goes on while the machine sleeps.
uint64_t clinux_boot_nanoseconds(void);
/// CLOCK_REALTIME in milliseconds.
int64_t clinux_wall_milliseconds(void);
/// CLOCK_THREAD_CPUTIME_ID in nanoseconds.
uint64_t clinux_thread_cpu_nanoseconds(void);
/// getrandom; returns 0 when every byte was filled, else -1.
int clinux_getrandom(void *bytes, size_t count);
/// Names the calling thread (at most 15 bytes are kept).
int clinux_set_thread_name(const char *name);
/// strerror_r in its GNU form.
const char *clinux_error_text(int code, char *buffer, size_t capacity);
/// Reads RLIMIT_NOFILE.
int clinux_get_file_limit(uint64_t *soft, uint64_t *hard);
/// Sets the soft part of RLIMIT_NOFILE.
int clinux_set_file_limit(uint64_t soft);
/// ppoll of one descriptor with no signal mask; events and the result are the POLLIN... bits.
int clinux_poll(int fd, int16_t events, int timeout_ms);
/// getrusage(RUSAGE_SELF): user and system microseconds, and peak resident kilobytes.
int clinux_usage(uint64_t *user_us, uint64_t *system_us, uint64_t *peak_kb);
/// prctl(PR_SET_PDEATHSIG): the signal this process gets when its parent dies.
int clinux_set_parent_death_signal(int signal);

/// The stream itself, because Swift 6 refuses the global variable.
FILE *clinux_stdout(void);
/// The stream itself, because Swift 6 refuses the global variable.
FILE *clinux_stderr(void);

#endif
