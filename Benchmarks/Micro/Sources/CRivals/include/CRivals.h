// The same work done with libev and with libuv, in C, each as its own manual would write it.
//
// Every function does one round of the work and returns the CPU nanoseconds of the calling thread
// that its measured part took; setting up and tearing down are outside.
#ifndef CRIVALS_H
#define CRIVALS_H

#include <stdint.h>

/// Arms `count` timers at the given distances (milliseconds), from empty.
uint64_t rivals_ev_arm(uint32_t count, const uint32_t *distances);
uint64_t rivals_uv_arm(uint32_t count, const uint32_t *distances);

/// With `count` timers armed, gives `moves` of them, by index, another distance.
uint64_t rivals_ev_move(uint32_t count, const uint32_t *distances, uint32_t moves,
                        const uint32_t *which);
uint64_t rivals_uv_move(uint32_t count, const uint32_t *distances, uint32_t moves,
                        const uint32_t *which);

/// With `count` timers armed, disarms all of them in the given order.
uint64_t rivals_ev_disarm(uint32_t count, const uint32_t *distances, const uint32_t *order);
uint64_t rivals_uv_disarm(uint32_t count, const uint32_t *distances, const uint32_t *order);

/// Arms `count` timers within a short real time and turns the loop until all have fired.
uint64_t rivals_ev_expire(uint32_t count, const uint32_t *distances);
uint64_t rivals_uv_expire(uint32_t count, const uint32_t *distances);

/// Turns a loop `turns` times over descriptors that are all readable and stay so.
uint64_t rivals_ev_turns(uint32_t count, const int *fds, uint32_t turns);
uint64_t rivals_uv_turns(uint32_t count, const int *fds, uint32_t turns);
/// The floor: epoll_wait alone, reading each event's cookie.
uint64_t rivals_bare_turns(uint32_t count, const int *fds, uint32_t turns);

/// Leaves letters under a lock with a wake-up each and takes them in one turn, `turns` times.
uint64_t rivals_ev_letters(uint32_t letters, uint32_t turns);
uint64_t rivals_uv_letters(uint32_t letters, uint32_t turns);

#endif
