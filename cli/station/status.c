/* SPDX-License-Identifier: MIT */
/* --status-file: the state of the station as one JSON document, replaced atomically, so that a
 * reader never sees half of it. It has numbers only, no names of patients or studies. */
#include <errno.h>
#include <string.h>

#include "igtcloud/version.h"
#include "station/station.h"

static void put_time(FILE *out, const char *name, int64_t seconds) {
  char when[32];

  if (seconds)
    json_text(out, name, station_time(seconds, when), false);
  else
    fprintf(out, ",\"%s\":null", name);
}

static void put_number(FILE *out, const char *name, uint64_t number) {
  fprintf(out, ",\"%s\":%llu", name, (unsigned long long)number);
}

static void put_free(FILE *out, uint64_t bytes) {
  if (bytes != UINT64_MAX)
    put_number(out, "freeBytes", bytes);
  else
    fputs(",\"freeBytes\":null", out);
}

static const char *state_of(const station *st, const station_counts *c) {
  return st->stopping             ? "stopping"
         : st->offline            ? "offline"
         : c->active              ? "uploading"
         : c->ready + c->settling ? "waiting"
                                  : "idle";
}

static void put_status(FILE *out, const station *st) {
  station_counts c = station_count(st);

  fputc('{', out);
  json_text(out, "state", state_of(st, &c), true);
  put_time(out, "time", station_wall());
  put_time(out, "started", st->started);
  fprintf(out, ",\"pid\":%d", (int)igt__os_process_id());
  json_text(out, "run", run_id(), false);
  json_text(out, "version", igt_version(), false);
  json_text(out, "cloud", igt_client_domain(st->line->client), false);
  json_text(out, "project", st->project, false);
  json_text(out, "user", st->found.identity.user, false);
  put_number(out, "settling", c.settling);
  put_number(out, "ready", c.ready);
  put_number(out, "uploading", c.active);
  put_number(out, "stuck", c.stuck);
  put_number(out, "waitingBytes", c.bytes);
  put_number(out, "looseFiles", loose_count(st));
  put_time(out, "oldestWaiting", c.oldest);
  put_number(out, "uploaded", st->totals.uploaded);
  put_number(out, "uploadedBytes", st->totals.uploaded_bytes);
  put_number(out, "failed", st->totals.failed);
  put_number(out, "retried", st->totals.retried);
  put_number(out, "hookFailures", st->totals.hook_failures);
  put_time(out, "lastSuccess", st->totals.last_success);
  put_time(out, "sessionExpires", st->found.identity.expires);
  put_time(out, "keyExpires", st->found.key_expires);
  put_free(out, policy_free_bytes(&st->roots[0]));
  fputs("}\n", out);
}

/* Anyone may read it: monitoring runs as another user. */
static FILE *open_new(const char *path) {
  int fd = igt__os_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK, 0644);

  if (fd >= 0)
    os_show_to_all(fd);
  return os_stream(fd, "w");
}

void status_write(station *st) {
  static bool failed;
  char path[4096];
  FILE *out;
  bool good;

  if (!st->s->status_file)
    return;
  (void)snprintf(path, sizeof path, "%s.new", st->s->status_file);
  out = open_new(path);
  if (out)
    put_status(out, st);
  good = out && fflush(out) == 0 && !ferror(out);
  if (out && fclose(out) != 0)
    good = false;
  good = good && igt__os_rename(path, st->s->status_file) == 0;
  if (out && !good) { /* the error that counts is the first one */
    int why = errno;
    (void)igt__os_unlink(path);
    errno = why;
  }
  if (!good && !failed)
    station_log(PRIORITY_WARNING, "status", NULL, "cannot write the status file '%s': %s",
                st->s->status_file, strerror(errno));
  failed = !good;
}
