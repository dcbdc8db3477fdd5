/* SPDX-License-Identifier: MIT */
/* The reader of manifests. Opening walks over all lines once: next_line cuts them out of a buffer
 * that is filled from the file, take_line parses each and hands it to the function of its kind,
 * which checks it and counts; a digest runs over all bytes before the last line. Of a study its
 * name and the position of its files are kept. igt__manifest_files reads these lines again and
 * rejects them if they no longer are what was checked. Called by download, verify and the command
 * line; the fuzz target starts at igt__manifest_open_text. */
#include "transfer/engine/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/name.h"
#include "base/os/os.h"
#include "base/path.h"
#include "crypto/crypto.h"
#include "model/json.h"
#include "transfer/engine/plan.h"

#define MAX_VALUES 1000 /* of a line: the header's selection is a text */
#define BLOCK ((size_t)64 * 1024)

/* ---- lines ---- */

typedef struct lines {
  const igt_manifest *m;
  uint64_t at;   /* where the next line starts */
  uint64_t from; /* what the block holds */
  size_t held;
  char *block;
  igt__buf line;
} lines;

static igt_status lines_begin(lines *l, const igt_manifest *m, uint64_t at, igt_error *err) {
  memset(l, 0, sizeof *l);
  l->m = m;
  l->at = at;
  l->block = m->fd >= 0 ? igt__malloc(BLOCK) : NULL;
  igt__buf_init(&l->line, IGT__MAX_MANIFEST_LINE);
  return m->fd < 0 || l->block ? IGT_OK : igt__fail_memory(err);
}

static void lines_end(lines *l) {
  igt__free(l->block);
  igt__buf_finish(&l->line);
}

/* The bytes from `at` on that are in memory. */
static igt_status look(lines *l, uint64_t at, const char **data, size_t *n, igt_error *err) {
  ssize_t got;

  *data = NULL;
  *n = 0;
  if (at >= l->m->size)
    return IGT_OK;
  if (l->m->fd < 0) {
    *data = l->m->text + at;
    *n = (size_t)(l->m->size - at);
    return IGT_OK;
  }
  if (at < l->from || at >= l->from + l->held) {
    do
      got = igt__os_pread(l->m->fd, l->block, BLOCK, (int64_t)at);
    while (got < 0 && errno == EINTR);
    if (got < 0)
      return igt__fail_errno(err, errno, "cannot read '%s'", l->m->path);
    l->from = at;
    l->held = (size_t)got;
  }
  *data = l->block + (at - l->from);
  *n = l->held - (size_t)(at - l->from);
  return IGT_OK;
}

static igt_status no_end(const lines *l, igt_error *err) {
  return igt__fail(err, IGT_E_PARSE,
                   "'%s' is not a complete manifest: its last line is missing. It was cut off, or "
                   "the command that wrote it failed; get it again",
                   l->m->path);
}

/* The next line, without its end, in l->line. */
static igt_status next_line(lines *l, igt_error *err) {
  const char *data, *end = NULL;
  size_t n;

  igt__buf_clear(&l->line);
  while (!end) {
    igt_status status = look(l, l->at, &data, &n, err);
    if (status != IGT_OK)
      return status;
    if (n == 0)
      return no_end(l, err);
    end = memchr(data, '\n', n);
    if (!igt__buf_append(&l->line, data, end ? (size_t)(end - data) : n))
      return l->line.too_long ? igt__fail(err, IGT_E_LIMIT,
                                          "'%s' is not a manifest: a line is longer than %u bytes",
                                          l->m->path, IGT__MAX_MANIFEST_LINE)
                              : igt__fail_memory(err);
    l->at += end ? (size_t)(end - data) + 1 : n;
  }
  return IGT_OK;
}

/* ---- values ---- */

static igt_status bad(const igt_manifest *m, uint64_t number, const char *what, igt_error *err) {
  return igt__fail(err, IGT_E_PARSE, "'%s', line %llu: %s", m->path, (unsigned long long)number,
                   what);
}

/* A text without NUL; "" if the line has none. NULL: it is something else. */
static const char *text_of(const igt__json *line, const char *key) {
  const igt__json *value = igt__json_get(line, key);
  const char *text = igt__json_str(value);

  if (!value)
    return "";
  return text && strlen(text) == igt__json_str_len(value) ? text : NULL;
}

static bool number_of(const igt__json *line, const char *key, uint64_t most, uint64_t *out) {
  const igt__json *value = igt__json_get(line, key);
  int64_t n = igt__json_typeof(value) == IGT__JSON_INT ? igt__json_int(value) : -1;

  *out = (uint64_t)n;
  return n >= 0 && *out <= most;
}

static bool is_kind(const igt__json *line, const char *kind) {
  return igt__str_eq(igt__json_get_str(line, "kind"), kind);
}

/* "" or "ALGORITHM:HEX", which igt__digest_compare takes. */
static bool is_digest(const char *text) {
  size_t n = strlen(text), name = strcspn(text, ":");

  return n == 0 || (n < 128 && name > 0 && text[name] == ':' && text[name + 1] &&
                    strspn(text + name + 1, "0123456789abcdefABCDEF") == n - name - 1);
}

static unsigned category_of(const char *name) {
  for (size_t c = 0; c < IGT__CATEGORY_COUNT; c++)
    if (strcmp(igt__categories[c].folder, name) == 0)
      return igt__categories[c].bit;
  return 0;
}

/* NULL, or what is wrong. Its path stays to be checked. */
static const char *read_file(const igt__json *line, igt__manifest_file *file) {
  const char *category = text_of(line, "category");

  file->path = text_of(line, "path");
  file->digest = text_of(line, "digest");
  file->etag = text_of(line, "etag");
  if (!file->path || !*file->path)
    return "a file without a path";
  if (!category || !(file->category = category_of(category)))
    return "a file of an unknown category";
  if (!number_of(line, "size", IGT__S3_MAX_OBJECT, &file->size))
    return "a file without a valid size";
  if (!file->digest || !is_digest(file->digest))
    return "a file with an invalid digest";
  if (!file->etag || strlen(file->etag) > 79)
    return "a file with an invalid ETag";
  return NULL;
}

/* ---- the first pass ---- */

typedef struct pass {
  igt_manifest *m;
  uint64_t number; /* of the line */
  uint64_t files;  /* counted so far, as bytes */
  uint64_t bytes;
  igt__manifest_study *study; /* the last one */
  bool ended;
} pass;

static const char *keep(igt_manifest *m, const char *text) {
  return igt__arena_strdup(m->arena, text);
}

/* Names of institutes repeat for each study. */
static const char *keep_institute(igt_manifest *m, const char *name) {
  const char *kept = igt__map_get(m->institutes, name);

  if (kept)
    return kept;
  kept = keep(m, name);
  return kept && igt__map_set(m->institutes, name, (void *)(uintptr_t)kept) ? kept : NULL;
}

static igt_status too_large(const igt_manifest *m, igt_error *err) {
  return igt__quota_refused(&m->quota)
             ? igt__fail(err, IGT_E_LIMIT, "'%s' has too many studies for this machine's memory",
                         m->path)
             : igt__fail_memory(err);
}

static igt_status take_header(pass *p, const igt__json *line, igt_error *err) {
  igt_manifest *m = p->m;
  const char *cloud = text_of(line, "cloud"), *project = text_of(line, "project");
  const char *created = text_of(line, "created"), *program = text_of(line, "program");
  uint64_t version;

  if (!is_kind(line, "manifest") || !number_of(line, "version", INT64_MAX, &version))
    return igt__fail(err, IGT_E_PARSE,
                     "'%s' is not a manifest: its first line is not that of `igtcloud manifest`",
                     m->path);
  if (version != IGT__MANIFEST_VERSION)
    return igt__fail(err, IGT_E_UNSUPPORTED,
                     "'%s' is a manifest of version %llu; this program reads version %d", m->path,
                     (unsigned long long)version, IGT__MANIFEST_VERSION);
  if (!cloud || !*cloud || !project || !*project || !created || !program)
    return bad(m, p->number, "the header lacks the cloud or the project", err);
  m->info.cloud = keep(m, cloud);
  m->info.project = keep(m, project);
  m->info.created = keep(m, created);
  m->info.program = keep(m, program);
  return m->info.cloud && m->info.project && m->info.created && m->info.program ? IGT_OK
                                                                                : too_large(m, err);
}

static igt_status take_study(pass *p, const igt__json *line, uint64_t next, igt_error *err) {
  igt_manifest *m = p->m;
  const char *institute = text_of(line, "institute"), *name = text_of(line, "study");
  const char *id = text_of(line, "studyDatabaseId");
  igt__manifest_study *study;

  if (!institute || !*institute || !name || !*name || !id || !*id)
    return bad(m, p->number, "a study without an institute, a name or an id", err);
  if (igt__map_has(m->studies, id))
    return bad(m, p->number, "the study was listed before", err);
  study = igt__arena_calloc(m->arena, 1, sizeof *study);
  if (study)
    *study = (igt__manifest_study){
        keep_institute(m, institute), keep(m, name), keep(m, id), next, 0, false};
  if (!study || !study->institute || !study->name || !study->id ||
      !igt__map_set(m->studies, id, study))
    return too_large(m, err);
  p->study = study;
  return IGT_OK;
}

static igt_status take_file(pass *p, const igt__json *line, igt_error *err) {
  igt__manifest_file file;
  const char *wrong = read_file(line, &file), *id = text_of(line, "studyDatabaseId");
  igt_status status;

  if (wrong)
    return bad(p->m, p->number, wrong, err);
  if (!p->study || !id || strcmp(id, p->study->id) != 0)
    return bad(p->m, p->number, "a file that does not follow the line of its study", err);
  status = igt__path_check_cloud(file.path, strlen(file.path), "the file", err);
  if (status != IGT_OK) {
    igt__error_prefix(err, "'%s', line %llu", p->m->path, (unsigned long long)p->number);
    return status;
  }
  p->study->files++;
  p->files++;
  p->bytes += file.size;
  p->m->categories |= file.category;
  return IGT_OK;
}

/* digest: of all lines before. */
static igt_status take_end(pass *p, const igt__json *line, igt__digest *digest, igt_error *err) {
  igt_manifest *m = p->m;
  unsigned char out[IGT__DIGEST_MAX];
  char hex[2 * IGT__DIGEST_MAX + 1];
  const char *sha256 = text_of(line, "sha256");
  igt_manifest_info *info = &m->info;

  igt__digest_final(digest, out);
  igt__hex(out, igt__digest_size(IGT__SHA256), hex);
  if (!sha256 || strcmp(sha256, hex) != 0)
    return igt__fail(err, IGT_E_CHECKSUM,
                     "'%s' was changed after it was written: the digest in its last line does not "
                     "match. Get it again from where it was published",
                     m->path);
  if (!number_of(line, "studies", INT64_MAX, &info->studies) ||
      !number_of(line, "files", INT64_MAX, &info->files) ||
      !number_of(line, "bytes", INT64_MAX, &info->bytes) ||
      info->studies != igt__map_count(m->studies) || info->files != p->files ||
      info->bytes != p->bytes)
    return bad(m, p->number, "the counts do not match the lines above", err);
  p->ended = true;
  return (info->sha256 = keep(m, hex)) ? IGT_OK : too_large(m, err);
}

/* next: where the line after it starts. */
static igt_status take_line(pass *p, const igt__buf *text, uint64_t next, igt__digest *digest,
                            igt_error *err) {
  char what[64];
  igt__json *line = NULL;
  igt_status status;

  (void)snprintf(what, sizeof what, "line %llu", (unsigned long long)p->number);
  status =
      igt__json_parse_small(text->len ? text->data : "", text->len, MAX_VALUES, what, &line, err);
  if (status == IGT_OK && p->number == 1)
    status = take_header(p, line, err);
  else if (status == IGT_OK && igt__json_typeof(line) != IGT__JSON_OBJECT)
    status = bad(p->m, p->number, "it is not a JSON object", err);
  else if (status == IGT_OK && is_kind(line, "study"))
    status = take_study(p, line, next, err);
  else if (status == IGT_OK && is_kind(line, "file"))
    status = take_file(p, line, err);
  else if (status == IGT_OK && is_kind(line, "end"))
    status = take_end(p, line, digest, err);
  else if (status == IGT_OK)
    status = bad(p->m, p->number, "its kind is unknown", err);
  else if (status == IGT_E_PARSE)
    igt__error_prefix(err, "'%s' is not a manifest", p->m->path);
  igt__json_free(line);
  return status;
}

static igt_status read_all(igt_manifest *m, igt_error *err) {
  pass p = {.m = m};
  igt__digest *digest = igt__digest_new(IGT__SHA256);
  lines l;
  igt_status status = lines_begin(&l, m, 0, err);

  if (status == IGT_OK && !digest)
    status = igt__fail_memory(err);
  while (status == IGT_OK && !p.ended) {
    p.number++;
    status = next_line(&l, err);
    if (status == IGT_OK)
      status = take_line(&p, &l.line, l.at, digest, err);
    if (status == IGT_OK && !p.ended) {
      igt__digest_update(digest, l.line.data, l.line.len);
      igt__digest_update(digest, "\n", 1);
    }
  }
  if (status == IGT_OK && l.at != m->size)
    status = bad(m, p.number + 1, "there is text after the last line", err);
  lines_end(&l);
  igt__digest_free(digest);
  return status;
}

/* ---- opening ---- */

static igt_manifest *manifest_new(const char *path) {
  igt_manifest *m = igt__calloc(1, sizeof *m);

  if (!m)
    return NULL;
  m->fd = -1;
  igt__quota_init_fair(&m->quota, IGT__MAX_LIST_MEMORY);
  m->arena = igt__arena_new(0);
  m->studies = igt__map_new();
  m->institutes = igt__map_new();
  if (!m->arena || !m->studies || !m->institutes) {
    igt_manifest_close(m);
    return NULL;
  }
  igt__arena_bound(m->arena, UINT64_MAX, &m->quota);
  igt__map_bound(m->studies, &m->quota);
  igt__map_bound(m->institutes, &m->quota);
  if (!(m->path = keep(m, path))) {
    igt_manifest_close(m);
    return NULL;
  }
  return m;
}

void igt_manifest_close(igt_manifest *m) {
  if (!m)
    return;
  if (m->fd >= 0)
    igt__os_close(m->fd);
  igt__free(m->own_text);
  igt__map_free(m->studies);
  igt__map_free(m->institutes);
  igt__arena_free(m->arena);
  igt__free(m);
}

static igt_status finish_open(igt_manifest *m, igt_status status, igt_manifest **out,
                              igt_error *err) {
  if (status == IGT_OK)
    status = read_all(m, err);
  if (status == IGT_OK)
    *out = m;
  else
    igt_manifest_close(m);
  return status;
}

static igt_status load_pipe(igt_manifest *m, igt_error *err) {
  size_t n;
  igt_status status = igt__fd_read(m->fd, m->path, IGT__MAX_MANIFEST_PIPE, &m->own_text, &n, err);

  igt__os_close(m->fd);
  m->fd = -1;
  m->text = m->own_text;
  m->size = n;
  return status;
}

igt_status igt_manifest_open(const char *path, igt_manifest **out, igt_error *err) {
  igt_manifest *m;
  igt__stat st;
  igt_status status;

  *out = NULL;
  if (!path || !*path)
    return igt__fail(err, IGT_E_INVALID, "no path of a manifest was given");
  if (!(m = manifest_new(path)))
    return igt__fail_memory(err);
  status = igt__file_open(path, &m->fd, err);
  if (status != IGT_OK)
    m->fd = -1;
  else if (igt__os_fstat(m->fd, &st) != 0)
    status = igt__fail_errno(err, errno, "cannot read '%s'", path);
  else if (S_ISREG(st.st_mode))
    m->size = (uint64_t)st.st_size;
  else
    status = load_pipe(m, err);
  return finish_open(m, status, out, err);
}

igt_status igt__manifest_open_text(const char *text, size_t n, igt_manifest **out, igt_error *err) {
  igt_manifest *m = manifest_new("manifest");

  *out = NULL;
  if (!m)
    return igt__fail_memory(err);
  m->text = text;
  m->size = n;
  return finish_open(m, IGT_OK, out, err);
}

const igt_manifest_info *igt_manifest_get_info(const igt_manifest *m) {
  return &m->info;
}

/* ---- its studies and files ---- */

igt__manifest_study *igt__manifest_find(const igt_manifest *m, const char *id) {
  return igt__map_get(m->studies, id);
}

igt__manifest_study *igt__manifest_at(const igt_manifest *m, size_t i) {
  const char *id;
  void *study;

  return igt__map_at(m->studies, i, &id, &study) ? study : NULL;
}

/* It was checked when the manifest was opened. */
static igt_status changed(const igt_manifest *m, igt_error *err) {
  return igt__fail(err, IGT_E_CHANGED, "'%s' was changed while it was used", m->path);
}

static igt_status again(const igt_manifest *m, const igt__manifest_study *study,
                        const igt__buf *text, igt__manifest_file_fn fn, void *payload,
                        igt_error *err) {
  igt__json *line = NULL;
  igt__manifest_file file;
  igt_status status;

  if (igt__json_parse_small(text->len ? text->data : "", text->len, MAX_VALUES, "line", &line,
                            NULL) != IGT_OK ||
      !is_kind(line, "file") || !igt__str_eq(text_of(line, "studyDatabaseId"), study->id) ||
      read_file(line, &file) ||
      igt__path_check_cloud(file.path, strlen(file.path), "the file", NULL) != IGT_OK)
    status = changed(m, err);
  else
    status = fn(payload, &file);
  igt__json_free(line);
  return status;
}

igt_status igt__manifest_files(const igt_manifest *m, const igt__manifest_study *study,
                               igt__manifest_file_fn fn, void *payload, igt_error *err) {
  lines l;
  igt_status status = lines_begin(&l, m, study->at, err);

  for (uint64_t i = 0; i < study->files && status == IGT_OK; i++) {
    status = next_line(&l, err);
    if (status == IGT_OK)
      status = again(m, study, &l.line, fn, payload, err);
  }
  lines_end(&l);
  return status;
}

/* ---- in a run ---- */

igt_status igt__manifest_check_cloud(const igt_manifest *m, const char *origin, igt_error *err) {
  if (strcmp(m->info.cloud, origin) == 0)
    return IGT_OK;
  return igt__fail(err, IGT_E_INVALID, "the manifest is of %s, not of %s", m->info.cloud, origin);
}

igt_status igt__manifest_choose(const igt_manifest *m, igt__found *found, igt_error *err) {
  const igt_institute_list *list = found->institutes;

  if (!found->chosen &&
      !(found->chosen = igt__calloc(list->count ? list->count : 1, sizeof *found->chosen)))
    return igt__fail_memory(err);
  for (size_t i = 0; i < list->count; i++)
    found->chosen[i] = list->v[i] && igt__map_has(m->institutes, igt__text_of(&list->v[i]->name));
  return IGT_OK;
}

void igt__manifest_forget(const igt_manifest *m) {
  igt__manifest_study *study;

  for (size_t i = 0; (study = igt__manifest_at(m, i)) != NULL; i++)
    study->seen = false;
}

void igt__manifest_skip_institute(const igt_manifest *m, const char *institute) {
  igt__manifest_study *study;

  for (size_t i = 0; (study = igt__manifest_at(m, i)) != NULL; i++)
    study->seen |= strcmp(study->institute, institute) == 0;
}

void igt__manifest_report_vanished(const igt_manifest *m, igt__run *run) {
  const igt__manifest_study *study;

  for (size_t i = 0; (study = igt__manifest_at(m, i)) != NULL; i++) {
    igt_error err = IGT_ERROR_INIT;
    igt_transfer_item item = {.kind = IGT_ITEM_STUDY,
                              .result = IGT_RESULT_FAILED,
                              .institute = study->institute,
                              .study = study->name,
                              .study_id = study->id,
                              .error = &err};
    if (study->seen || !igt__in_shard(study->id, run->options.shard, run->options.shards))
      continue;
    (void)igt__fail(&err, IGT_E_GONE,
                    "the study (id %s) is in the manifest, but no longer in the cloud", study->id);
    igt__run_item(run, &item);
    igt__run_wait_events(run);
  }
}

/* ---- a study's files by name ---- */

static bool put_key(igt__buf *key, const char *folder, const char *path) {
  igt__buf_clear(key);
  return igt__buf_join(key, folder, "/", path, NULL);
}

static const char *folder_of(unsigned category) {
  for (size_t c = 0; c < IGT__CATEGORY_COUNT; c++)
    if (igt__categories[c].bit == category)
      return igt__categories[c].folder;
  return "";
}

static igt_status add_entry(void *payload, const igt__manifest_file *file) {
  igt__manifest_table *table = payload;
  igt__manifest_entry *entry = igt__arena_calloc(table->arena, 1, sizeof *entry);
  igt__buf key;
  bool good;

  igt__buf_init(&key, IGT__MAX_JOINED);
  if (entry) {
    entry->size = file->size;
    entry->category = file->category;
    entry->digest = igt__arena_strdup(table->arena, file->digest);
    entry->etag = igt__arena_strdup(table->arena, file->etag);
  }
  good =
      entry && entry->digest && entry->etag && put_key(&key, folder_of(file->category), file->path);
  if (good && igt__map_has(table->files, key.data)) {
    igt__buf_finish(&key);
    return IGT_E_PARSE;
  }
  good = good && igt__map_set(table->files, key.data, entry);
  igt__buf_finish(&key);
  return good ? IGT_OK : IGT_E_NO_MEMORY;
}

igt_status igt__manifest_table_open(const igt_manifest *m, const igt__manifest_study *study,
                                    igt__quota *quota, igt__manifest_table *out, igt_error *err) {
  igt_status status;

  out->arena = igt__arena_new(0);
  out->files = igt__map_new();
  if (!out->arena || !out->files)
    return igt__fail_memory(err);
  igt__arena_bound(out->arena, UINT64_MAX, quota);
  igt__map_bound(out->files, quota);
  status = igt__manifest_files(m, study, add_entry, out, err);
  if (status == IGT_E_NO_MEMORY)
    return igt__list_fail(quota, "files", "its manifest has more files than fit into memory", err);
  if (status == IGT_E_PARSE)
    return igt__fail(err, IGT_E_PARSE, "'%s' lists a file of the study twice", m->path);
  return status;
}

void igt__manifest_table_close(igt__manifest_table *table) {
  igt__map_free(table->files);
  igt__arena_free(table->arena);
  table->files = NULL;
  table->arena = NULL;
}

igt__manifest_entry *igt__manifest_table_find(const igt__manifest_table *table, const char *folder,
                                              const char *path) {
  igt__manifest_entry *entry = NULL;
  igt__buf key;

  igt__buf_init(&key, IGT__MAX_JOINED);
  if (put_key(&key, folder, path))
    entry = igt__map_get(table->files, key.data);
  igt__buf_finish(&key);
  return entry;
}
