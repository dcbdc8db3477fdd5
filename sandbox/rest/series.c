/* SPDX-License-Identifier: MIT */
/* Series: list, read, replace and delete, the action that creates the series of a study's DICOM
 * files (dicom_import.c), and previews. A preview is drawn from the first DICOM image of the series
 * that can be read: sampled down to a small grey picture (dicom.c), which preview.c writes as JPEG.
 * routes.c calls each function for its route. */
#include "rest.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "crypto/crypto.h"
#include "dicom.h"
#include "dicom_import.h"
#include "preview.h"

/* The largest DICOM file from which a preview is drawn. */
#define MAX_PICTURE (64 * 1024 * 1024)
#define PICTURE_HEAD (256 * 1024) /* the part read of a larger one */
/* As in the API's description, although the registered name is image/jpeg. */
#define PREVIEW_TYPE "image/jpg"

/* The path's series, if it belongs to the path's institute; NULL: responded. */
static igt__json *series_of_path(rest_call *call) {
  igt__json *series = rest_find(call, "series", call->args[1], "Series");

  if (!series || igt__str_eq(igt__json_get_str(series, "hospitalId"), call->args[0]))
    return series;
  rest_fail(call, 404, "Series %.100s does not exist in this institute", call->args[1]);
  igt__json_free(series);
  return NULL;
}

void rest_series_get(rest_call *call) {
  igt__json *series = series_of_path(call);

  if (series)
    rest_respond(call, 200, series);
}

/* ---- series of a study ---- */

void rest_study_series_get(rest_call *call) {
  igt__json *study = rest_study_of_path(call);

  if (study)
    rest_respond_filtered(call, "series", call->args[1], "Series");
  igt__json_free(study);
}

void rest_series_complete(igt__json *series, const igt__json *study, const char *id,
                          const char *user) {
  const char *study_id = igt__json_get_str(study, "studyDatabaseId");
  const char *institute = igt__json_get_str(study, "instituteId");
  char now[40], url[400];

  rest_now(now);
  igt__json_set_str(series, "seriesDatabaseId", id);
  if (!igt__json_get_str(series, "createdOn"))
    igt__json_set_str(series, "createdOn", now);
  if (!igt__json_get_str(series, "createdBy"))
    igt__json_set_str(series, "createdBy", user);
  igt__json_set_str(series, "lastUpdatedOn", now);
  igt__json_set_str(series, "lastUpdatedBy", user);
  igt__json_set_str(series, "studyDatabaseId", study_id);
  igt__json_set_str(series, "hospitalId", institute);
  if (!igt__json_get_str(series, "s3Prefix"))
    igt__json_set_str(series, "s3Prefix", igt__json_get_str(study, "s3Prefix"));
  if (igt__json_get_str(series, "previewUrl") || !institute)
    return;
  snprintf(url, sizeof url, "/api/data/hospitals/%.100s/series/%.100s/preview.jpg", institute, id);
  igt__json_set_str(series, "previewUrl", url);
}

/* Members that the client may not set are taken from the existing series, or dropped. */
static igt__json *series_body(const rest_call *call, const igt__json *old) {
  static const char *const server[] = {"createdOn", "createdBy", "s3Prefix"};
  igt__json *series = igt__json_copy(call->json);

  for (size_t i = 0; i < sizeof server / sizeof server[0]; i++) {
    const char *known = igt__json_get_str(old, server[i]);
    if (known)
      igt__json_set_str(series, server[i], known);
    else
      igt__json_remove(series, server[i]);
  }
  return series;
}

void rest_study_series_put(rest_call *call) {
  igt__json *study = rest_study_of_path(call), *series, *old;

  if (!study)
    return;
  old = sbx_doc_get(call->server->store, "series", call->args[2]);
  if (old && !igt__str_eq(igt__json_get_str(old, "studyDatabaseId"), call->args[1])) {
    rest_fail(call, 404, "Series %.100s does not exist in this study", call->args[2]);
    goto out;
  }
  series = series_body(call, old);
  rest_series_complete(series, study, call->args[2], call->who.sub);
  if (rest_store(call, "series", call->args[2], call->args[1], series))
    rest_respond(call, 200, series);
  else
    igt__json_free(series);
out:
  igt__json_free(old);
  igt__json_free(study);
}

void rest_study_series_delete(rest_call *call) {
  igt__json *study = rest_study_of_path(call);
  igt__json *series = study ? rest_find(call, "series", call->args[2], "Series") : NULL;

  if (series && !igt__str_eq(igt__json_get_str(series, "studyDatabaseId"), call->args[1])) {
    rest_fail(call, 404, "Series %.100s does not exist in this study", call->args[2]);
  } else if (series) {
    rest_drop_series(call->server, series);
    rest_respond_empty(call, 204);
  }
  igt__json_free(series);
  igt__json_free(study);
}

/* The action of a project with series: creates the series of the DICOM files in the study. */
void rest_study_action(rest_call *call) {
  igt__json *study = rest_study_of_path(call), *institute;

  if (!study)
    return;
  institute = rest_find(call, "institute", call->args[0], "Institute");
  if (institute && igt__json_bool(igt__json_get(institute, "hasSeries")) &&
      !rest_dicom_index(call->server, institute, study, call->who.sub))
    rest_fail(call, 500, "The series could not be stored");
  else if (institute)
    rest_respond_empty(call, 204);
  igt__json_free(institute);
  igt__json_free(study);
}

/* ---- previews ---- */

typedef struct picture {
  uint8_t samples[REST_PREVIEW_SIDE * REST_PREVIEW_SIDE];
  unsigned width, height;
} picture;

static unsigned side_of(unsigned pixels, unsigned longest) {
  unsigned side = longest <= REST_PREVIEW_SIDE
                      ? pixels
                      : (unsigned)((uint64_t)pixels * REST_PREVIEW_SIDE / longest);

  return side > 0 ? side : 1;
}

/* Samples the image at equal steps, scaled from the darkest to the brightest value. */
static void picture_of(const rest_dicom_image *image, picture *out) {
  unsigned low = 65535, high = 0;
  unsigned longest = image->rows > image->columns ? image->rows : image->columns;

  out->width = side_of(image->columns, longest);
  out->height = side_of(image->rows, longest);
  for (unsigned pass = 0; pass < 2; pass++) {
    for (unsigned i = 0; i < out->width * out->height; i++) {
      unsigned value = rest_dicom_pixel(image, i / out->width * image->rows / out->height,
                                        i % out->width * image->columns / out->width);
      low = pass == 0 && value < low ? value : low;
      high = pass == 0 && value > high ? value : high;
      if (pass == 1)
        out->samples[i] = (uint8_t)(high > low ? (value - low) * 255 / (high - low) : 128);
    }
  }
}

/* For a series without any DICOM object, created by a seed or a request: a pattern that differs for
 * each series. */
static void picture_without(const char *id, picture *out) {
  unsigned char sum[IGT__DIGEST_MAX];

  igt__digest_of(IGT__SHA256, id, strlen(id), sum);
  out->width = out->height = 16;
  for (unsigned i = 0; i < 256; i++)
    out->samples[i] = (uint8_t)(sum[i % 16] ^ sum[16 + i / 16]);
}

typedef struct picture_search {
  rest_call *call;
  const char *series_uid;
  picture *out;
  bool found;
  const char *why; /* why an image is not drawn; NULL: no such image */
  bool no_image;   /* DICOM objects exist, but without an image */
} picture_search;

static bool read_picture(picture_search *search, const unsigned char *data, size_t n, bool whole) {
  rest_dicom_image image;
  rest_dicom head;
  const char *why;

  if (rest_dicom_read(data, n, &head) || !igt__str_eq(head.series_uid, search->series_uid))
    return false;
  if (!whole) {
    search->why = "it is larger than 64 MiB";
    return false;
  }
  why = rest_dicom_image_read(data, n, &image);
  if (!why)
    picture_of(&image, search->out);
  else if (image.rows == 0)
    search->no_image = true;
  else
    search->why = why;
  return !why;
}

static bool look(void *payload, const sbx_object *object) {
  picture_search *search = payload;
  sbx_object now = {0};
  unsigned char *data = NULL;
  bool whole = object->size <= MAX_PICTURE;
  size_t size = whole ? (size_t)object->size : PICTURE_HEAD;

  if (object->size == 0)
    return true;
  int fd = sbx_object_open(search->call->server->store, SBX_BUCKET, object->key, &now);
  if (fd >= 0 && (data = igt__malloc(size))) {
    ssize_t n = pread(fd, data, size, 0);
    search->found = n > 0 && read_picture(search, data, (size_t)n, whole);
  }
  if (fd >= 0)
    close(fd);
  sbx_object_finish(&now);
  igt__free(data);
  return !search->found;
}

/* False: responded with the reason why it is not drawn. */
static bool picture_find(rest_call *call, const igt__json *series, picture *out) {
  igt__json *study =
      sbx_doc_get(call->server->store, "study", igt__json_get_str(series, "studyDatabaseId"));
  const char *prefix = igt__json_get_str(study, "s3Prefix");
  picture_search search = {call, igt__json_get_str(series, "instanceUid"), out, false, NULL, false};
  igt__buf folder;

  igt__buf_init(&folder, 4096);
  igt__buf_printf(&folder, "%s%s", prefix ? prefix : "", rest_category_folders[REST_DICOM]);
  if (prefix && *prefix && search.series_uid)
    sbx_object_each(call->server->store, SBX_BUCKET, folder.data, "", look, &search);
  if (!search.found && search.why)
    rest_fail(call, 415, "The series has no preview: %.100s", search.why);
  else if (!search.found && search.no_image)
    rest_fail(call, 404, "The series has no preview: none of its objects has a picture");
  else if (!search.found)
    picture_without(igt__json_get_str(series, "seriesDatabaseId"), out);
  igt__buf_finish(&folder);
  igt__json_free(study);
  return search.found || !(search.why || search.no_image);
}

void rest_series_preview(rest_call *call) {
  igt__json *series = series_of_path(call);
  const char *url = igt__json_get_str(series, "previewUrl");
  const char *name = url ? strrchr(url, '/') : NULL;
  picture grey;
  igt__buf jpeg;

  if (!series)
    return;
  igt__buf_init(&jpeg, INT_MAX);
  name = name ? name + 1 : url ? url : "preview.jpg";
  if (strcmp(name, call->args[2]) != 0) {
    rest_fail(call, 404, "The series has no preview %.100s", call->args[2]);
  } else {
    if (!picture_find(call, series, &grey))
      ;
    else if (rest_preview_jpeg(grey.samples, grey.width, grey.height, &jpeg))
      sbx_respond(call->req, 200, PREVIEW_TYPE, jpeg.data, jpeg.len);
    else
      rest_fail(call, 500, "out of memory");
  }
  igt__buf_finish(&jpeg);
  igt__json_free(series);
}
