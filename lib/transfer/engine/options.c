/* SPDX-License-Identifier: MIT */
#include "transfer/engine/options.h"

#include "base/error.h"
#include "transfer/engine/filter.h"

static igt_status read_selection(igt__shared_options *own, const igt_study_selection *theirs,
                                 igt_error *err) {
  igt_study_selection selection;
  igt_status status =
      igt__options_read(&selection, sizeof selection, theirs, "igt_study_selection", err);

  if (status == IGT_OK && (!selection.project || !*selection.project))
    return igt__fail(err, IGT_E_INVALID, "no project was given");
  return status == IGT_OK ? igt__selection_new(&selection, &own->selection, err) : status;
}

igt_status igt__shared_options_read(igt__shared_options *own, const igt_transfer_options **transfer,
                                    const igt_study_selection **selection, igt_error *err) {
  igt_status status = IGT_OK;

  if (transfer) {
    status = igt__options_read(&own->transfer, sizeof own->transfer, *transfer,
                               "igt_transfer_options", err);
    *transfer = &own->transfer;
    if (status == IGT_OK)
      status = igt__filters_read(own, &own->transfer.filters, err);
  }
  if (status == IGT_OK)
    status = read_selection(own, *selection, err);
  *selection = own->selection ? &own->selection->options : NULL;
  return status;
}

void igt__shared_options_finish(igt__shared_options *own) {
  igt__selection_free(own->selection);
  own->selection = NULL;
}

igt_status igt__filters_read(igt__shared_options *own, const igt_filters **filters,
                             igt_error *err) {
  igt_status status;

  if (!*filters)
    return IGT_OK;
  status = igt__options_read(&own->filters, sizeof own->filters, *filters, "igt_filters", err);
  *filters = &own->filters;
  return status == IGT_OK ? igt__filters_check(&own->filters, err) : status;
}

igt_status igt__summary_begin(igt_transfer_summary *summary, igt_error *err) {
  static const igt_transfer_summary none = IGT_TRANSFER_SUMMARY_INIT;
  igt_status status = igt__result_check(summary, "igt_transfer_summary", err);

  if (status == IGT_OK)
    igt__result_write(summary, &none, sizeof none);
  return status;
}

IGT__DEFINE_INIT(igt_transfer_callbacks)
IGT__DEFINE_INIT(igt_transfer_summary)
IGT__DEFINE_INIT(igt_transfer_options)
IGT__DEFINE_INIT(igt_filters)
IGT__DEFINE_INIT(igt_study_selection)
IGT__DEFINE_INIT(igt_download_options)
IGT__DEFINE_INIT(igt_upload_options)
IGT__DEFINE_INIT(igt_verify_options)
IGT__DEFINE_INIT(igt_csv_options)
IGT__DEFINE_INIT(igt_csv_summary)
