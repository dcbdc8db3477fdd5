/* SPDX-License-Identifier: MIT */
#include "transfer/create.h"

#include "base/str.h"
#include "model/model.h"
#include "transfer/find.h"

bool igt__is_unclear(igt_status status) {
  return status == IGT_E_NETWORK || status == IGT_E_TIMEOUT || status == IGT_E_SERVER;
}

bool igt__wait_to_look(const igt__run *run, unsigned n, const igt_error *err) {
  return igt__retry_wait(run->http, n, err->retry_after, run->cancel);
}

/* The study that a POST of unknown outcome has made, if it has. */
static igt_status find_created(igt__run *run, const igt_institute *institute,
                               const igt__folder *folder, igt_root_study **out, igt_error *err) {
  igt__studies *now = NULL;
  igt__known *known = NULL;
  igt_status status = igt__studies_load(run->client, institute, &now, err);

  if (status == IGT_OK)
    status = igt__studies_match(now, folder, &known, err);
  if (status == IGT_OK && known)
    status = igt_get_study(run->client, igt__text_of(&institute->id), known->id, out, err);
  igt__studies_free(now);
  return status;
}

igt_status igt__create_study(igt__run *run, const igt_institute *institute,
                             const igt__folder *folder, const igt_root_study *wanted,
                             igt_root_study **out, igt_error *err) {
  for (unsigned n = 1;; n++) {
    igt_error looked = IGT_ERROR_INIT;
    igt_status status =
        igt_post_studies(run->client, igt__text_of(&institute->id), wanted, out, err);
    if (!igt__is_unclear(status) || !igt__wait_to_look(run, n, err))
      return status;
    if (find_created(run, institute, folder, out, &looked) != IGT_OK) {
      igt__error_append(err, "; whether it was created could not be found out: %s", looked.text);
      return status;
    }
    if (*out)
      return IGT_OK;
  }
}
