/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#include "os/os.h"

static int64_t read_clock(clockid_t id) {
  struct timespec t;

  clock_gettime(id, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t system_wall(void) {
  return read_clock(CLOCK_REALTIME);
}

static int64_t system_monotonic(void) {
  return read_clock(CLOCK_MONOTONIC);
}

static void system_sleep(int64_t microseconds) {
  struct timespec left = {.tv_sec = (time_t)(microseconds / 1000000),
                          .tv_nsec = (long)(microseconds % 1000000) * 1000};

  while (nanosleep(&left, &left) != 0 && errno == EINTR)
    ;
}

/* splitmix64 (Steele, Lea, Flood 2014) over a counter shared by all threads: every value
 * differs. */
static uint64_t system_jitter(void) {
  static _Atomic uint64_t state;

  if (atomic_load(&state) == 0) {
    uint64_t seed = (uint64_t)system_monotonic(), none = 0;
    if (!igt__os_random(&seed, sizeof seed))
      seed ^= (uint64_t)system_wall() << 20;
    atomic_compare_exchange_strong(&state, &none, seed | 1);
  }
  uint64_t z = atomic_fetch_add(&state, 0x9e3779b97f4a7c15u) + 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static const igt__clock_hooks system_hooks = {system_wall, system_monotonic, system_sleep,
                                              system_jitter};
static const igt__clock_hooks *_Atomic hooks = &system_hooks;

void igt__clock_set_hooks(const igt__clock_hooks *replacement) {
  atomic_store(&hooks, replacement ? replacement : &system_hooks);
}

igt__clock_hooks igt__clock_get_hooks(void) {
  return *atomic_load(&hooks);
}

int64_t igt__wall_us(void) {
  return atomic_load(&hooks)->wall();
}

int64_t igt__wall_seconds(void) {
  return igt__wall_us() / 1000000;
}

int64_t igt__mono_us(void) {
  return atomic_load(&hooks)->monotonic();
}

void igt__sleep_us(int64_t microseconds) {
  if (microseconds > 0)
    atomic_load(&hooks)->sleep(microseconds);
}

uint64_t igt__jitter(void) {
  return atomic_load(&hooks)->jitter();
}
