/* SPDX-License-Identifier: MIT */
/* A study.json in a folder that is uploaded: it may come from anybody who ever had the folder. */
#include "demand.h"
#include "igtcloud/models.h"
#include "model/model.h"
#include "transfer/upload/match.h"

static void become(const igt_institute *institute, const igt__folder *folder) {
  igt_root_study *study = NULL;
  igt__studies *studies = NULL;
  igt_error err = IGT_ERROR_INIT;
  igt__buf out;

  if (igt__studies_new(institute, &studies, &err) != IGT_OK ||
      igt__study_from_folder(studies, institute, folder, &study, &err) != IGT_OK) {
    igt__studies_free(studies);
    demand(!study && err.text[0]);
    return;
  }
  igt__buf_init(&out, SIZE_MAX / 2);
  demand(igt__model_write(&out, &study->model, IGT__JSON_INDENT4, IGT__WRITE_ISO_DATES));
  igt__buf_clear(&out);
  demand(igt__model_write(&out, &study->model, IGT__JSON_COMPACT, IGT__WRITE_FOR_SENDING));
  igt__buf_finish(&out);
  igt_model_free(&study->model);
  igt__studies_free(studies);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const types[] = {"Study", "EpdStudy", "MarvelStudy", "EchoNavStudy", ""};
  igt__json *doc = NULL;

  if (igt__json_parse((const char *)data, size, "study.json", &doc, NULL) == IGT_OK &&
      igt__json_typeof(doc) == IGT__JSON_OBJECT) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
      const igt_institute institute = {.study_type = {.is = IGT_SET, .v = types[i]}};
      const igt__folder folder = {"patient", "study", doc, i % 2 != 0};
      become(&institute, &folder);
    }
  }
  igt__json_free(doc);
  return 0;
}
