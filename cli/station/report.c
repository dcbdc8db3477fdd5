/* SPDX-License-Identifier: MIT */
/* The report of a station (--report): a line for each item, whatever the disk does meanwhile. */
#include <errno.h>
#include <string.h>

#include "station/station.h"

/* What a full disk took of a line is ended before the next one. The stream is opened anew, so that
 * it does not keep the rest. */
static void mend_report(station *st) {
  const char *why;
  FILE *file = st->report == stdout ? NULL : open_output(st->s->report, true, &why);

  if (file) {
    (void)close_output(st->report);
    st->report = file;
  }
  clearerr(st->report);
  fputc('\n', st->report);
}

/* A full disk does not stop the uploads. */
static void write_report(station *st, const report_context *context,
                         const igt_transfer_item *item) {
  bool was_cut = st->report_is_cut;

  if (was_cut)
    mend_report(st);
  report_item(st->report, context, item);
  st->report_is_cut = fflush(st->report) != 0 || ferror(st->report);
  if (st->report_is_cut && !was_cut)
    station_log(PRIORITY_ERROR, "report", NULL, "cannot write the report '%s': %s", st->s->report,
                strerror(errno));
}

void station_report_item(station *st, const igt_transfer_item *item) {
  const report_context context = {igt_client_domain(st->line->client), st->project,
                                  st->found.identity.user};

  if (st->s->json)
    report_item(stdout, &context, item);
  if (st->report)
    write_report(st, &context, item);
}

bool station_open_report(station *st, const settings *s) {
  const char *why;
  FILE *file;

  if (!s->report)
    return true;
  file = open_output(s->report, true, &why);
  if (!file) {
    complain_io(errno, "cannot write the report '%s': %s", s->report, why);
    return false;
  }
  if (st->report)
    (void)close_output(st->report);
  st->report = file;
  st->report_is_cut = false;
  return true;
}
