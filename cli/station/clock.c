/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <time.h>

#include "station/station.h"

/* Tests let weeks pass in seconds: IGTCLOUD_TEST_CLOCK_RATE is how much faster it goes. */
static double rate_of(void) {
  static double rate;
  const char *value;

  if (rate <= 0) {
    value = getenv("IGTCLOUD_TEST_CLOCK_RATE");
    rate = value ? strtod(value, NULL) : 1;
    if (!(rate > 0))
      rate = 1;
  }
  return rate;
}

int64_t station_now(void) {
  static int64_t first;
  int64_t ms = os_boot_ms();

  if (!first)
    first = ms - 1;
  return (int64_t)((double)(ms - first) * rate_of());
}

int64_t station_real_ms(void) {
  return os_boot_ms();
}

int64_t station_wall(void) {
  static int64_t first;

  if (rate_of() == 1)
    return (int64_t)time(NULL);
  if (!first)
    first = (int64_t)time(NULL) - station_now() / 1000;
  return first + station_now() / 1000;
}

int station_timeout(int64_t ms) {
  double real = (double)ms / rate_of();

  return real <= 0 ? 0 : real < 1e6 ? (int)real + 1 : 1000000;
}

const char *station_time(int64_t seconds, char out[32]) {
  time_t t = (time_t)seconds;
  struct tm tm;

  (void)strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
  return out;
}
