// libev and libuv at the same work as the reactor; see the header.
#define _GNU_SOURCE
#include "CRivals.h"

#include <ev.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

static uint64_t cpu_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t fired;

// ---- libev -------------------------------------------------------------------------------------

static void ev_on_timer(struct ev_loop *loop, ev_timer *timer, int events) {
  (void)loop, (void)timer, (void)events;
  fired++;
}

static ev_timer *ev_arm_all(struct ev_loop *loop, uint32_t count, const uint32_t *distances) {
  ev_timer *timers = calloc(count, sizeof *timers);
  for (uint32_t i = 0; i < count; i++) {
    ev_timer_init(&timers[i], ev_on_timer, distances[i] / 1000.0, 0);
    ev_timer_start(loop, &timers[i]);
  }
  return timers;
}

uint64_t rivals_ev_arm(uint32_t count, const uint32_t *distances) {
  struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL);
  uint64_t begin = cpu_ns();
  ev_timer *timers = ev_arm_all(loop, count, distances);
  uint64_t spent = cpu_ns() - begin;
  ev_loop_destroy(loop);
  free(timers);
  return spent;
}

uint64_t rivals_ev_move(uint32_t count, const uint32_t *distances, uint32_t moves,
                        const uint32_t *which) {
  struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL);
  ev_timer *timers = ev_arm_all(loop, count, distances);
  uint64_t begin = cpu_ns();
  for (uint32_t i = 0; i < moves; i++) {
    // ev(3) names this the efficient way to move a timer: no stop and start.
    timers[which[i]].repeat = distances[(which[i] + i) % count] / 1000.0;
    ev_timer_again(loop, &timers[which[i]]);
  }
  uint64_t spent = cpu_ns() - begin;
  ev_loop_destroy(loop);
  free(timers);
  return spent;
}

uint64_t rivals_ev_disarm(uint32_t count, const uint32_t *distances, const uint32_t *order) {
  struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL);
  ev_timer *timers = ev_arm_all(loop, count, distances);
  uint64_t begin = cpu_ns();
  for (uint32_t i = 0; i < count; i++) ev_timer_stop(loop, &timers[order[i]]);
  uint64_t spent = cpu_ns() - begin;
  ev_loop_destroy(loop);
  free(timers);
  return spent;
}

uint64_t rivals_ev_expire(uint32_t count, const uint32_t *distances) {
  struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL);
  fired = 0;
  ev_timer *timers = ev_arm_all(loop, count, distances);
  uint64_t begin = cpu_ns();
  ev_run(loop, 0);
  uint64_t spent = cpu_ns() - begin;
  if (fired != count) abort();
  ev_loop_destroy(loop);
  free(timers);
  return spent;
}

static void ev_on_ready(struct ev_loop *loop, ev_io *watcher, int events) {
  (void)loop, (void)watcher, (void)events;
  fired++;
}

uint64_t rivals_ev_turns(uint32_t count, const int *fds, uint32_t turns) {
  struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL);
  ev_io *watchers = calloc(count, sizeof *watchers);
  for (uint32_t i = 0; i < count; i++) {
    ev_io_init(&watchers[i], ev_on_ready, fds[i], EV_READ);
    ev_io_start(loop, &watchers[i]);
  }
  for (int warm = 0; warm < 10; warm++) ev_run(loop, EVRUN_NOWAIT);
  fired = 0;
  uint64_t begin = cpu_ns();
  for (uint32_t i = 0; i < turns; i++) ev_run(loop, EVRUN_NOWAIT);
  uint64_t spent = cpu_ns() - begin;
  if (fired != (uint64_t)count * turns) abort();
  for (uint32_t i = 0; i < count; i++) ev_io_stop(loop, &watchers[i]);
  ev_loop_destroy(loop);
  free(watchers);
  return spent;
}

// ---- libuv -------------------------------------------------------------------------------------

static void uv_on_timer(uv_timer_t *timer) {
  (void)timer;
  fired++;
}

static void uv_finish(uv_loop_t *loop) {
  uv_run(loop, UV_RUN_NOWAIT);
  uv_run(loop, UV_RUN_NOWAIT);
  if (uv_loop_close(loop) != 0) abort();
}

static uv_timer_t *uv_make(uv_loop_t *loop, uint32_t count) {
  uv_timer_t *timers = calloc(count, sizeof *timers);
  uv_loop_init(loop);
  for (uint32_t i = 0; i < count; i++) uv_timer_init(loop, &timers[i]);
  return timers;
}

static void uv_arm_all(uv_timer_t *timers, uint32_t count, const uint32_t *distances) {
  for (uint32_t i = 0; i < count; i++) uv_timer_start(&timers[i], uv_on_timer, distances[i], 0);
}

static void uv_drop(uv_loop_t *loop, uv_timer_t *timers, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) uv_close((uv_handle_t *)&timers[i], NULL);
  uv_finish(loop);
  free(timers);
}

uint64_t rivals_uv_arm(uint32_t count, const uint32_t *distances) {
  uv_loop_t loop;
  uv_timer_t *timers = uv_make(&loop, count);
  uint64_t begin = cpu_ns();
  uv_arm_all(timers, count, distances);
  uint64_t spent = cpu_ns() - begin;
  uv_drop(&loop, timers, count);
  return spent;
}

uint64_t rivals_uv_move(uint32_t count, const uint32_t *distances, uint32_t moves,
                        const uint32_t *which) {
  uv_loop_t loop;
  uv_timer_t *timers = uv_make(&loop, count);
  uv_arm_all(timers, count, distances);
  uint64_t begin = cpu_ns();
  for (uint32_t i = 0; i < moves; i++) {
    uv_timer_start(&timers[which[i]], uv_on_timer, distances[(which[i] + i) % count], 0);
  }
  uint64_t spent = cpu_ns() - begin;
  uv_drop(&loop, timers, count);
  return spent;
}

uint64_t rivals_uv_disarm(uint32_t count, const uint32_t *distances, const uint32_t *order) {
  uv_loop_t loop;
  uv_timer_t *timers = uv_make(&loop, count);
  uv_arm_all(timers, count, distances);
  uint64_t begin = cpu_ns();
  for (uint32_t i = 0; i < count; i++) uv_timer_stop(&timers[order[i]]);
  uint64_t spent = cpu_ns() - begin;
  uv_drop(&loop, timers, count);
  return spent;
}

uint64_t rivals_uv_expire(uint32_t count, const uint32_t *distances) {
  uv_loop_t loop;
  fired = 0;
  uv_timer_t *timers = uv_make(&loop, count);
  uv_update_time(&loop);
  uv_arm_all(timers, count, distances);
  uint64_t begin = cpu_ns();
  uv_run(&loop, UV_RUN_DEFAULT);
  uint64_t spent = cpu_ns() - begin;
  if (fired != count) abort();
  uv_drop(&loop, timers, count);
  return spent;
}

static void uv_on_ready(uv_poll_t *watcher, int status, int events) {
  (void)watcher, (void)status, (void)events;
  fired++;
}

uint64_t rivals_uv_turns(uint32_t count, const int *fds, uint32_t turns) {
  uv_loop_t loop;
  uv_loop_init(&loop);
  uv_poll_t *watchers = calloc(count, sizeof *watchers);
  for (uint32_t i = 0; i < count; i++) {
    uv_poll_init(&loop, &watchers[i], fds[i]);
    uv_poll_start(&watchers[i], UV_READABLE, uv_on_ready);
  }
  for (int warm = 0; warm < 10; warm++) uv_run(&loop, UV_RUN_NOWAIT);
  fired = 0;
  uint64_t begin = cpu_ns();
  for (uint32_t i = 0; i < turns; i++) uv_run(&loop, UV_RUN_NOWAIT);
  uint64_t spent = cpu_ns() - begin;
  // libuv may poll again within one run when its event buffer was full; count what was delivered.
  if (fired < (uint64_t)count * turns) abort();
  spent = spent * ((uint64_t)count * turns) / fired;
  for (uint32_t i = 0; i < count; i++) uv_close((uv_handle_t *)&watchers[i], NULL);
  uv_finish(&loop);
  free(watchers);
  return spent;
}

uint64_t rivals_bare_turns(uint32_t count, const int *fds, uint32_t turns) {
  int poller = epoll_create1(EPOLL_CLOEXEC);
  for (uint32_t i = 0; i < count; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};
    epoll_ctl(poller, EPOLL_CTL_ADD, fds[i], &event);
  }
  struct epoll_event *events = calloc(1024, sizeof *events);
  volatile uint64_t sum = 0;
  uint64_t begin = cpu_ns();
  for (uint32_t i = 0; i < turns; i++) {
    int got = epoll_wait(poller, events, 1024, 0);
    if (got != (int)count) abort();
    for (int k = 0; k < got; k++) sum += events[k].data.u64;
  }
  uint64_t spent = cpu_ns() - begin;
  free(events);
  close(poller);
  return spent;
}

// ---- letters -----------------------------------------------------------------------------------

struct box {
  pthread_mutex_t lock;
  uint64_t *letters;
  uint64_t *taken;
  uint32_t count;
  uint64_t sum;
};

static void box_init(struct box *box, uint32_t capacity) {
  pthread_mutex_init(&box->lock, NULL);
  box->letters = calloc(capacity, sizeof *box->letters);
  box->taken = calloc(capacity, sizeof *box->taken);
  box->count = 0;
  box->sum = 0;
}

static void box_post(struct box *box, uint64_t letter) {
  pthread_mutex_lock(&box->lock);
  box->letters[box->count++] = letter;
  pthread_mutex_unlock(&box->lock);
}

static void box_take(struct box *box) {
  pthread_mutex_lock(&box->lock);
  uint64_t *full = box->letters;
  uint32_t count = box->count;
  box->letters = box->taken;
  box->taken = full;
  box->count = 0;
  pthread_mutex_unlock(&box->lock);
  for (uint32_t i = 0; i < count; i++) box->sum += full[i];
  fired += count;
}

static void box_free(struct box *box) {
  free(box->letters);
  free(box->taken);
}

static void ev_on_letters(struct ev_loop *loop, ev_async *async, int events) {
  (void)loop, (void)events;
  box_take(async->data);
}

uint64_t rivals_ev_letters(uint32_t letters, uint32_t turns) {
  struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL);
  struct box box;
  box_init(&box, letters);
  ev_async async;
  ev_async_init(&async, ev_on_letters);
  async.data = &box;
  ev_async_start(loop, &async);
  ev_run(loop, EVRUN_NOWAIT);
  fired = 0;
  uint64_t begin = cpu_ns();
  for (uint32_t turn = 0; turn < turns; turn++) {
    for (uint32_t i = 0; i < letters; i++) {
      box_post(&box, i);
      ev_async_send(loop, &async);
    }
    ev_run(loop, EVRUN_NOWAIT);
  }
  uint64_t spent = cpu_ns() - begin;
  if (fired != (uint64_t)letters * turns) abort();
  ev_async_stop(loop, &async);
  ev_loop_destroy(loop);
  box_free(&box);
  return spent;
}

static void uv_on_letters(uv_async_t *async) { box_take(async->data); }

uint64_t rivals_uv_letters(uint32_t letters, uint32_t turns) {
  uv_loop_t loop;
  uv_loop_init(&loop);
  struct box box;
  box_init(&box, letters);
  uv_async_t async;
  uv_async_init(&loop, &async, uv_on_letters);
  async.data = &box;
  fired = 0;
  uint64_t begin = cpu_ns();
  for (uint32_t turn = 0; turn < turns; turn++) {
    for (uint32_t i = 0; i < letters; i++) {
      box_post(&box, i);
      uv_async_send(&async);
    }
    uv_run(&loop, UV_RUN_NOWAIT);
  }
  uint64_t spent = cpu_ns() - begin;
  if (fired != (uint64_t)letters * turns) abort();
  uv_close((uv_handle_t *)&async, NULL);
  uv_finish(&loop);
  box_free(&box);
  return spent;
}
