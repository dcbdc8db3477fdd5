/* SPDX-License-Identifier: MIT */
/* The parts of the transfer engine that work without a network: the thread pool, the scheduler's
 * queues, checks of downloaded files, partial files, digests of local files, planning by date and
 * shard, CSV tables, the number of concurrent requests (pace) and of bytes in flight (flow), and
 * the cloud's list of a study's files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "model/model.h"
#include "transfer/csv/table.h"
#include "transfer/download/check.h"
#include "transfer/download/partial.h"
#include "transfer/download/sync_group.h"
#include "transfer/engine/ahead.h"
#include "transfer/engine/digest.h"
#include "transfer/engine/find.h"
#include "transfer/engine/flow.h"
#include "transfer/engine/pace.h"
#include "transfer/engine/plan.h"
#include "transfer/engine/pool.h"
#include "transfer/engine/sched.h"
#include "transfer/verify/remotes.h"

/* ---- the pool ---- */

static atomic_int ran;

static void count_task(void *arg) {
  igt__pool *pool = arg;

  if (ran++ < 50 && pool)
    igt__pool_add(pool, count_task, NULL);
}

static void test_pool(void **state) {
  (void)state;
  igt__pool *pool = igt__pool_new("test", 4);
  ran = 0;
  for (int i = 0; i < 100; i++)
    igt__pool_add(pool, count_task, i < 30 ? pool : NULL);
  igt__pool_free(pool); /* runs all tasks, including those that tasks added */
  assert_true(ran >= 100 && ran <= 150);
  igt__pool_free(NULL);
}

typedef struct crowd {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  unsigned inside, most, done;
  bool open; /* those inside may leave */
} crowd;

static void crowd_task(void *arg) {
  crowd *c = arg;

  pthread_mutex_lock(&c->lock);
  c->inside++;
  if (c->inside > c->most)
    c->most = c->inside;
  pthread_cond_broadcast(&c->changed);
  while (!c->open)
    pthread_cond_wait(&c->changed, &c->lock);
  c->inside--;
  c->done++;
  pthread_mutex_unlock(&c->lock);
}

/* Until n are inside, of whom there never were more. */
static void wait_inside(crowd *c, unsigned n) {
  pthread_mutex_lock(&c->lock);
  while (c->inside < n)
    pthread_cond_wait(&c->changed, &c->lock);
  assert_int_equal(c->most, n);
  pthread_mutex_unlock(&c->lock);
}

static void test_pool_limit(void **state) {
  crowd c = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
  igt__pool *pool = igt__pool_new("test", 4);

  (void)state;
  igt__pool_limit(pool, 2);
  for (int i = 0; i < 20; i++)
    igt__pool_add(pool, crowd_task, &c);
  wait_inside(&c, 2);
  igt__pool_limit(pool, 9); /* at most the maximum number of threads */
  wait_inside(&c, 4);
  igt__pool_limit(pool, 0); /* one: of those inside, three must finish first */
  pthread_mutex_lock(&c.lock);
  c.open = true;
  pthread_cond_broadcast(&c.changed);
  pthread_mutex_unlock(&c.lock);
  igt__pool_free(pool); /* and still runs all */
  assert_int_equal(c.done, 20);
  assert_int_equal(c.most, 4);
}

/* ---- syncs that several threads share ---- */

#define SYNCERS 8
#define SYNCS 25

typedef struct syncer {
  igt__sync_group *group;
  int fd;
  unsigned early; /* calls that a sync did not cover */
} syncer;

static void *sync_often(void *arg) {
  syncer *s = arg;

  for (int i = 0; i < SYNCS; i++) {
    pthread_mutex_lock(&s->group->lock);
    uint64_t begun = s->group->begun;
    pthread_mutex_unlock(&s->group->lock);
    if (igt__sync_group_run(s->group, s->fd) != 0)
      s->early++;
    pthread_mutex_lock(&s->group->lock);
    s->early += s->group->finished <= begun;
    pthread_mutex_unlock(&s->group->lock);
  }
  return NULL;
}

static void test_each_caller_is_covered_by_a_sync_that_began_after_it(void **state) {
  int fd = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  igt__sync_group group;
  pthread_t threads[SYNCERS];
  syncer syncers[SYNCERS];

  (void)state;
  if (fd < 0)
    skip();
  igt__sync_group_init(&group);
  for (int i = 0; i < SYNCERS; i++) {
    syncers[i] = (syncer){&group, fd, 0};
    assert_int_equal(pthread_create(&threads[i], NULL, sync_often, &syncers[i]), 0);
  }
  for (int i = 0; i < SYNCERS; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(syncers[i].early, 0);
  }
  assert_true(group.begun <= SYNCERS * SYNCS && group.finished == group.begun);
  assert_int_equal(group.callers, 0);
  (void)close(fd);
  assert_int_equal(igt__sync_group_run(&group, fd), -1);
  igt__sync_group_finish(&group);
}

/* ---- the scheduler ---- */

typedef struct job {
  igt__job work;
  igt__sched *sched;
  unsigned parts, given, running, name;
  bool dropped, done;
} job;

static char order[100];
static size_t ordered;
static unsigned settled;
static job *started[100];
static size_t started_count;

static bool job_take(igt__job *work, unsigned *part, bool *more) {
  job *j = (job *)work;

  if (j->given == j->parts)
    return false;
  *part = j->given++;
  *more = j->given < j->parts;
  return true;
}

static void job_start(igt__job *work, unsigned part) {
  job *j = (job *)work;

  (void)part;
  j->running++;
  order[ordered++] = (char)('a' + j->name);
  order[ordered] = '\0';
  started[started_count++] = j;
}

static void job_drop(igt__job *work) {
  job *j = (job *)work;

  j->dropped = true;
  igt__sched_job_done(j->sched, work);
}

static void queue_settled(void *payload) {
  (*(unsigned *)payload)++;
}

static job make_job(igt__sched *sched, unsigned name, unsigned parts) {
  return (job){.work = {.take = job_take, .start = job_start, .drop = job_drop},
               .sched = sched,
               .parts = parts,
               .name = name};
}

/* Finishes what was started, oldest first, until nothing is left. */
static void run_all(igt__sched *sched) {
  for (size_t i = 0; i < started_count; i++) {
    job *j = started[i];
    j->running--;
    if (j->running == 0 && j->given == j->parts && !j->done) {
      j->done = true;
      igt__sched_job_done(sched, &j->work);
    }
    igt__sched_part_done(sched, j->work.weight);
  }
}

static void begin_order(void) {
  ordered = started_count = 0;
  order[0] = '\0';
  settled = 0;
}

static bool give_up(void *gave_up) {
  return *(bool *)gave_up = true;
}

static bool backlog_is_below(igt__sched *sched, size_t n) {
  bool gave_up = false;

  igt__sched_wait_backlog(sched, n, give_up, &gave_up);
  return !gave_up;
}

/* A queue with one large file and one with three small ones take turns. */
static void test_turns(void **state) {
  (void)state;
  begin_order();
  igt__sched *sched = igt__sched_new(2, 2, 0);
  igt__sched_queue *large = igt__sched_open(sched, queue_settled, &settled);
  igt__sched_queue *small = igt__sched_open(sched, queue_settled, &settled);
  job jobs[4];
  for (unsigned i = 0; i < 4; i++)
    jobs[i] = make_job(sched, i, i == 0 ? 6 : 1);
  igt__sched_add(sched, large, &jobs[0].work);
  assert_string_equal(order, "aa"); /* both slots, as no other queue wants one */
  for (unsigned i = 1; i < 4; i++)
    igt__sched_add(sched, small, &jobs[i].work);
  assert_true(backlog_is_below(sched, 5) && !backlog_is_below(sched, 4));
  igt__sched_close(sched, large);
  igt__sched_close(sched, small);
  run_all(sched);
  assert_int_equal(strlen(order), 9);
  assert_non_null(strchr(order, 'd'));
  assert_true(strchr(order, 'd') - order < 8); /* not after all of the large one */
  assert_int_equal(settled, 2);
  assert_true(backlog_is_below(sched, 1));
  igt__sched_free(sched);
}

static void test_cap_in_queue(void **state) {
  (void)state;
  begin_order();
  igt__sched *sched = igt__sched_new(8, 8, 1);
  igt__sched_queue *queue = igt__sched_open(sched, queue_settled, &settled);
  job jobs[3];
  for (unsigned i = 0; i < 3; i++) {
    jobs[i] = make_job(sched, i, 1);
    igt__sched_add(sched, queue, &jobs[i].work);
  }
  assert_string_equal(order, "a"); /* one file of a study at a time */
  igt__sched_close(sched, queue);
  run_all(sched);
  assert_string_equal(order, "abc");
  assert_int_equal(settled, 1);
  igt__sched_free(sched);
}

static void test_stop(void **state) {
  (void)state;
  begin_order();
  igt__sched *sched = igt__sched_new(1, 1, 0);
  igt__sched_queue *queue = igt__sched_open(sched, queue_settled, &settled);
  job jobs[3];
  for (unsigned i = 0; i < 3; i++) {
    jobs[i] = make_job(sched, i, 1);
    igt__sched_add(sched, queue, &jobs[i].work);
  }
  igt__sched_close(sched, queue);
  igt__sched_stop(sched);
  assert_true(!jobs[0].dropped && jobs[1].dropped && jobs[2].dropped);
  assert_int_equal(settled, 0); /* the one in progress is waited for */
  run_all(sched);
  assert_int_equal(settled, 1);
  igt__sched_free(sched);
}

/* ---- checking ---- */

static igt_status check_bytes(const igt__check_facts *facts, const char *data, uint64_t part_size,
                              char digest[128], const char **verified) {
  igt__check check;
  igt_error err;

  assert_int_equal(igt__check_init(&check, facts, &err), IGT_OK);
  if (igt__check_needs_part_size(&check))
    assert_int_equal(igt__check_set_part_size(&check, part_size, &err), IGT_OK);
  igt__check_update(&check, "rubbish", 7);
  igt__check_reset(&check);
  for (const char *p = data; *p; p++)
    igt__check_update(&check, p, 1);
  igt_status status = igt__check_final(&check, digest, 128, &err);
  *verified = check.verified;
  igt__check_finish(&check);
  return status;
}

static void test_check(void **state) {
  (void)state;
  char digest[128];
  const char *by;
  /* MD5 of "hello"; of its parts "hel" and "lo"; SHA-256 and CRC32C as S3 writes them. */
  igt__check_facts md5 = {"5d41402abc4b2a76b9719d911017c592", "", "", "AES256"};
  assert_int_equal(check_bytes(&md5, "hello", 0, digest, &by), IGT_OK);
  assert_string_equal(by, "md5");
  assert_string_equal(digest, "md5:5d41402abc4b2a76b9719d911017c592");
  assert_int_equal(check_bytes(&md5, "hullo", 0, digest, &by), IGT_E_CHECKSUM);
  igt__check_facts crc = {"5d41402abc4b2a76b9719d911017c593", "crc32c", "mnG7TA==", ""};
  assert_int_equal(check_bytes(&crc, "hello", 0, digest, &by), IGT_OK);
  assert_string_equal(by, "crc32c");
  igt__check_facts kms = {"5d41402abc4b2a76b9719d911017c592", "", "", "aws:kms"};
  assert_int_equal(check_bytes(&kms, "anything", 0, digest, &by), IGT_OK);
  assert_string_equal(by, ""); /* that ETag is not an MD5: nothing is claimed */
  igt__check_facts parts = {"", "", "", ""};
  char etag[64];
  unsigned char sums[32], whole[16];
  igt__digest_of(IGT__MD5, "hel", 3, sums);
  igt__digest_of(IGT__MD5, "lo", 2, sums + 16);
  igt__digest_of(IGT__MD5, sums, 32, whole);
  igt__hex(whole, 16, etag);
  strcat(etag, "-2");
  parts.etag = etag;
  assert_int_equal(check_bytes(&parts, "hello", 3, digest, &by), IGT_OK);
  assert_string_equal(by, "etag-parts");
  assert_int_equal(check_bytes(&parts, "hello", 4, digest, &by), IGT_E_CHECKSUM);
  assert_int_equal(check_bytes(&parts, "hello", 0, digest, &by), IGT_OK);
  assert_string_equal(by, ""); /* parts of unknown size */
}

/* A store that does not report its parts: parts of 8 or of 5 MiB match the size and the count, or
 * nothing does. */
static void test_check_guess(void **state) {
  const uint64_t mib = 1 << 20;
  igt__check_facts facts = {"0123456789abcdef0123456789abcdef-3", "", "", ""};
  igt__check check;
  char digest[128];

  (void)state;
  assert_int_equal(igt__check_init(&check, &facts, NULL), IGT_OK);
  assert_false(igt__check_guess_part_size(&check, 16 * mib));
  assert_false(igt__check_guess_part_size(&check, 24 * mib + 1));
  assert_true(igt__check_needs_part_size(&check));
  assert_true(igt__check_guess_part_size(&check, 12 * mib));
  assert_int_equal(check.part_size, 5 * mib);
  check.part_size = 0;
  assert_true(igt__check_guess_part_size(&check, 24 * mib));
  assert_int_equal(check.part_size, 8 * mib);
  assert_false(igt__check_needs_part_size(&check));
  /* Other bytes, or other parts: unknown which. */
  igt__check_update(&check, "hello", 5);
  assert_true(check.known);
  assert_int_equal(igt__check_final(&check, digest, sizeof digest, NULL), IGT_OK);
  assert_false(check.known);
  assert_string_equal(check.verified, "");
  igt__check_finish(&check);
}

/* ---- partial files and digests of local files ---- */

static char top[] = "/tmp/igt-transfer-XXXXXX";

static int make_top(void **state) {
  (void)state;
  strcpy(top, "/tmp/igt-transfer-XXXXXX");
  return mkdtemp(top) ? 0 : -1;
}

static int remove_top(void **state) {
  (void)state;
  char command[100];
  snprintf(command, sizeof command, "rm -rf '%s'", top);
  return system(command);
}

static void test_partial(void **state) {
  (void)state;
  igt__root *root;
  igt__partial a, b;
  igt_error err;
  struct stat st;
  assert_int_equal(igt__root_open(top, false, &root, &err), IGT_OK);
  assert_int_equal(igt__partial_open(&a, root, "d/f", NULL, &err), IGT_OK);
  assert_false(a.existed);
  assert_int_equal(igt__partial_open(&b, root, "d/f", NULL, &err), IGT_OK);
  assert_string_not_equal(a.name, b.name); /* two processes do not share one */
  assert_int_equal(write(a.fd, "x", 1), 1);
  assert_int_equal(igt__root_stat(root, "d/f", &st, &err), IGT_E_NO_FILE);
  igt__partial_close(&b, false);
  igt__partial_close(&a, true);
  assert_int_equal(igt__partial_open(&a, root, "d/f", NULL, &err), IGT_OK);
  assert_true(a.existed);
  assert_int_equal(igt__partial_commit(&a, 1000000000, false, &err), IGT_OK);
  assert_int_equal(igt__root_stat(root, "d/f", &st, &err), IGT_OK);
  assert_int_equal(st.st_mtime, 1000000000);
  assert_int_equal(st.st_size, 1);
  igt__root_close(root);
}

static int allocations_left;

static void *few_allocations(size_t size) {
  return allocations_left-- > 0 ? malloc(size) : NULL;
}

static size_t entries_in(const char *path) {
  DIR *dir = opendir(path);
  size_t n = 0;

  while (dir && readdir(dir))
    n++;
  if (dir)
    closedir(dir);
  return n - 2; /* . and .. */
}

/* From some allocation on all fail. The file that was created is not taken for another process's,
 * and is removed. */
static void test_partial_without_memory(void **state) {
  (void)state;
  const igt__mem_hooks few = {few_allocations, realloc, free};
  igt__root *root;
  igt__partial p;
  igt_error err;
  igt_status status = IGT_E_NO_MEMORY;
  assert_int_equal(igt__root_open(top, false, &root, &err), IGT_OK);
  assert_int_equal(igt__root_mkdirs(root, "d", &err), IGT_OK);
  char folder[100];
  snprintf(folder, sizeof folder, "%s/d", top);
  for (int n = 0; status != IGT_OK; n++) {
    assert_true(n < 20);
    allocations_left = n;
    igt__mem_set_hooks(&few);
    status = igt__partial_open(&p, root, "d/f", NULL, &err);
    if (status == IGT_OK)
      igt__partial_close(&p, false);
    igt__mem_set_hooks(NULL);
    assert_true(status == IGT_OK || status == IGT_E_NO_MEMORY);
    assert_int_equal(entries_in(folder), 0);
    igt__partial_close(&p, false);
  }
  igt__root_close(root);
}

static void test_local(void **state) {
  (void)state;
  char path[100], text[128];
  unsigned char sha[32], md5[16];
  igt_error err;
  struct stat st;
  igt__local local = {.path = path};
  snprintf(path, sizeof path, "%s/file", top);
  FILE *f = fopen(path, "w");
  fputs("hello", f);
  fclose(f);
  assert_int_equal(stat(path, &st), 0);
  igt__local_take(&local, &st);
  int fd;
  assert_int_equal(igt__local_open(&local, &fd, &err), IGT_OK);
  assert_int_equal(igt__digest_range(fd, 0, 5, sha, md5, NULL, &err), IGT_OK);
  igt__digest_text(sha, 0, text);
  assert_string_equal(text,
                      "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  assert_true(igt__digest_matches(&local, text, NULL));
  text[10] = text[10] == '0' ? '1' : '0';
  assert_false(igt__digest_matches(&local, text, NULL));
  assert_false(igt__digest_matches(&local, "md5:x", NULL));
  assert_false(igt__digest_matches(&local, "sha256-parts-0:", NULL));
  assert_false(igt__digest_matches(&local, "sha256-parts-5", NULL));
  assert_false(igt__digest_matches(&local, "", NULL));
  assert_true(igt__digest_matches(&local, "md5:5d41402abc4b2a76b9719d911017c592", NULL));
  assert_true(igt__digest_matches(&local, "crc32:3610a686", NULL));
  assert_true(igt__digest_matches(&local, "crc32c:9a71bb4c", NULL));
  /* md5 of the md5s of "hel" and "lo" */
  assert_true(igt__digest_matches(&local, "md5-parts-3:554a2f6105cc700b8cc987b5ddfb8102", NULL));
  assert_int_equal(igt__digest_range(fd, 0, 6, sha, md5, NULL, &err), IGT_E_CHANGED);
  assert_int_equal(igt__local_unchanged(&local, fd, NULL, &err), IGT_OK);
  assert_int_equal(truncate(path, 4), 0);
  assert_int_equal(igt__local_unchanged(&local, fd, NULL, &err), IGT_E_CHANGED);
  close(fd);
  assert_int_equal(igt__local_open(&local, &fd, &err), IGT_E_CHANGED);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(symlink("/etc/passwd", path), 0);
  assert_true(igt__local_open(&local, &fd, &err) != IGT_OK);
}

/* The folder is moved away and replaced by a link to it: the same file, through a link. */
static void test_local_below_a_link(void **state) {
  (void)state;
  char above[100], moved[100], folder[120], path[140];
  igt_error err;
  igt__root *root;
  struct stat st;
  int fd;
  snprintf(above, sizeof above, "%s/above", top);
  snprintf(moved, sizeof moved, "%s/above/moved", top);
  snprintf(folder, sizeof folder, "%s/study", above);
  snprintf(path, sizeof path, "%s/file", folder);
  assert_int_equal(mkdir(above, 0700), 0);
  assert_int_equal(mkdir(folder, 0700), 0);
  FILE *f = fopen(path, "w");
  fputs("hello", f);
  fclose(f);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(igt__root_open(above, false, &root, &err), IGT_OK);
  igt__local local = {.path = path, .root = root};
  igt__local_take(&local, &st);
  assert_int_equal(igt__local_open(&local, &fd, &err), IGT_OK);
  close(fd);
  igt__root_close(root);

  assert_int_equal(rename(folder, moved), 0);
  assert_int_equal(symlink(moved, folder), 0);
  assert_int_equal(igt__root_open(above, false, &local.root, &err), IGT_OK);
  assert_int_equal(igt__local_open(&local, &fd, &err), IGT_E_UNSAFE_NAME);
  assert_non_null(strstr(err.text, "link"));
  igt__root_close(local.root);
  local.root = NULL; /* --follow-links */
  local.follow_links = true;
  assert_int_equal(igt__local_open(&local, &fd, &err), IGT_OK);
  close(fd);
}

/* ---- planning ---- */

/* Keeps each message up to its explanation. */
static void note_unseen(void *payload, const char *text) {
  char *all = payload;
  size_t n = strlen(all);

  (void)snprintf(all + n, 512 - n, "[%.*s]", (int)(strstr(text, " matched") - text), text);
}

static const char *unseen(const igt__filter *filter) {
  static char all[512];

  all[0] = '\0';
  igt__filter_report(filter, note_unseen, all);
  return all;
}

static bool passes(igt__filter *filter, const char *path, uint64_t size, int64_t age) {
  return igt__filter_path(filter, path) && igt__filter_size(filter, size) &&
         igt__filter_age(filter, igt__wall_seconds() - age);
}

static void test_rules_decide_in_their_order(void **state) {
  static const char *const rules[] = {"- raw/tmp", "+ raw/", "+ *.dcm", "- *"};
  igt_filters filters = IGT_FILTERS_INIT;
  igt__filter *filter;
  igt_error err;

  (void)state;
  filters.rules = rules;
  filters.rule_count = 4;
  assert_int_equal(igt__filter_new(NULL, &filters, &filter, &err), IGT_OK);
  assert_true(igt__filter_path(filter, "raw/a.txt"));
  assert_string_equal(unseen(filter),
                      "[--filter-from: the rule '- raw/tmp'][--filter-from: the rule '+ *.dcm']");
  assert_false(igt__filter_path(filter, "raw/tmp/a.dcm"));
  assert_true(igt__filter_path(filter, "x/a.dcm"));
  assert_false(igt__filter_path(filter, "x/a.txt"));
  assert_string_equal(unseen(filter), "");
  igt__filter_free(filter);
}

static void test_names_select_files_and_folders(void **state) {
  static const char *const names[] = {"a.txt", "./waves/", "none", "a.txt", "one", "two", "three"};
  igt_filters filters = IGT_FILTERS_INIT;
  igt__filter *filter;
  igt_error err;

  (void)state;
  filters.names = names;
  filters.name_count = 7;
  assert_int_equal(igt__filter_new(NULL, &filters, &filter, &err), IGT_OK);
  assert_true(igt__filter_path(filter, "a.txt") && igt__filter_path(filter, "waves/x/y"));
  assert_false(igt__filter_path(filter, "b/a.txt") || igt__filter_path(filter, "wave") ||
               igt__filter_path(filter, "a.tx*"));
  assert_string_equal(unseen(filter), "['none', 'one', 'two' and 1 more of --files-from]");
  igt__filter_free(filter);
  filters.name_count = 0; /* not all files: none */
  assert_int_equal(igt__filter_new(NULL, &filters, &filter, &err), IGT_OK);
  assert_false(igt__filter_path(filter, "a.txt"));
  igt__filter_free(filter);
}

static void test_sizes_and_ages_are_inclusive(void **state) {
  igt_filters filters = IGT_FILTERS_INIT;
  igt__filter *filter;
  igt_error err;

  (void)state;
  filters.min_size = 10;
  filters.max_size = 20;
  filters.has_max_size = true;
  filters.min_age = 100;
  filters.max_age = 1000;
  assert_int_equal(igt__filters_check(&filters, &err), IGT_OK);
  assert_int_equal(igt__filter_new(NULL, &filters, &filter, &err), IGT_OK);
  assert_true(passes(filter, "a", 10, 500) && passes(filter, "a", 20, 500));
  assert_false(passes(filter, "a", 9, 500) || passes(filter, "a", 21, 500));
  assert_true(passes(filter, "a", 15, 101) && passes(filter, "a", 15, 990));
  assert_false(passes(filter, "a", 15, 90) || passes(filter, "a", 15, 1010));
  assert_false(passes(filter, "a", 15, -100));          /* a clock that is ahead */
  assert_false(passes(filter, "a", 15, -48 * 60 * 60)); /* a wrong date is an old one */
  igt__filter_free(filter);
}

static void test_impossible_filters_are_refused(void **state) {
  static const char *const rules[] = {"+ a", "*.dcm"}, *const empty[] = {"+ "};
  igt_filters filters = IGT_FILTERS_INIT;
  igt_error err;

  (void)state;
  filters.rules = rules;
  filters.rule_count = 2;
  assert_int_equal(igt__filters_check(&filters, &err), IGT_E_INVALID);
  assert_non_null(strstr(err.text, "rule 2 of the filter, '*.dcm'"));
  filters.rules = empty;
  filters.rule_count = 1;
  assert_int_equal(igt__filters_check(&filters, &err), IGT_E_INVALID);
  filters.rule_count = 0;
  filters.min_size = 1;
  filters.has_max_size = true;
  assert_int_equal(igt__filters_check(&filters, &err), IGT_E_INVALID);
  filters.min_size = 0;
  assert_int_equal(igt__filters_check(&filters, &err), IGT_OK);
  filters.min_age = 2;
  filters.max_age = 1;
  assert_int_equal(igt__filters_check(&filters, &err), IGT_E_INVALID);
  filters.min_age = -1;
  assert_int_equal(igt__filters_check(&filters, &err), IGT_E_INVALID);
}

static void test_plan(void **state) {
  (void)state;
  const char *include[] = {"*.dcm", "waves/**"}, *exclude[] = {"secret*"};
  igt_transfer_options options = IGT_TRANSFER_OPTIONS_INIT;
  igt__run run = {.filter = NULL};
  igt_error err;
  char *folder;

  options.include = include;
  options.include_count = 2;
  options.exclude = exclude;
  options.exclude_count = 1;
  assert_true(igt__wanted(&run, "a.txt"));
  assert_int_equal(igt__filter_new(&options, NULL, &run.filter, &err), IGT_OK);
  assert_true(igt__wanted(&run, "a/b.dcm") && igt__wanted(&run, "waves/x/y") &&
              !igt__wanted(&run, "a.txt"));
  assert_string_equal(unseen(run.filter), "[--exclude 'secret*']");
  assert_false(igt__wanted(&run, "a/secret.dcm"));
  assert_string_equal(unseen(run.filter), "");
  igt__filter_free(run.filter);
  assert_int_equal(igt__study_folder("P1/S/1", IGT_FLAT, IGT__NAMES_POSIX, &folder, &err), IGT_OK);
  assert_string_equal(folder, "P1---S---1");
  igt__free(folder);
  assert_int_equal(igt__study_folder("P1/S1", IGT_HIERARCHICAL, IGT__NAMES_POSIX, &folder, &err),
                   IGT_OK);
  assert_string_equal(folder, "P1/S1");
  igt__free(folder);
  assert_int_equal(igt__study_folder("../x", IGT_HIERARCHICAL, IGT__NAMES_POSIX, &folder, &err),
                   IGT_E_UNSAFE_NAME);
  assert_int_equal(igt__study_folder("", IGT_FLAT, IGT__NAMES_POSIX, &folder, &err),
                   IGT_E_UNSAFE_NAME);
}

static igt_root_study *study_of(const char *json) {
  igt_model *m;
  igt_error err;

  if (igt__model_decode(igt_root_study_type(), json, strlen(json), "study", &m, &err) != IGT_OK)
    fail_msg("%s", err.text);
  return (igt_root_study *)m;
}

static void test_days(void **state) {
  (void)state;
  igt_study_selection options = IGT_STUDY_SELECTION_INIT;
  igt__selection *selection;
  igt__found found = {.project = NULL};
  static const struct {
    const char *json;
    bool has, undated;
  } cases[] = {
      {"{\"studyType\":\"EpdStudy\",\"datetime\":\"2020-01-01T23:59:59+02:00\"}", true, false},
      {"{\"studyType\":\"EpdStudy\",\"datetime\":\"2020-01-02T00:00:00Z\"}", false, false},
      {"{\"studyType\":\"EpdStudy\",\"datetime\":\"2020-01-01\"}", true, false},
      {"{\"studyType\":\"EpdStudy\"}", true, true},
      {"{\"studyType\":\"Study\",\"studyDate\":\"2019-12-31T10:00:00\"}", false, false},
      {"{\"studyType\":\"Study\",\"studyDate\":null}", true, true},
      {"{\"studyType\":\"Unheard\",\"studyDate\":\"2020-01-01T00:00:00\"}", true, true},
  };
  options.start = options.end = "2020-01-01";
  assert_int_equal(igt__selection_new(&options, &selection, NULL), IGT_OK);
  found.selection = selection;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    igt_root_study *study = study_of(cases[i].json);
    bool undated = false;
    assert_int_equal(igt__found_takes(&found, study, &undated), cases[i].has);
    assert_int_equal(undated, cases[i].undated);
    igt_model_free(&study->model);
  }
  igt__selection_free(selection);
}

static void test_shards(void **state) {
  (void)state;
  unsigned counts[3] = {0};
  char id[20];
  for (int i = 0; i < 3000; i++) {
    snprintf(id, sizeof id, "study-%d", i);
    unsigned in = 0;
    for (unsigned s = 1; s <= 3; s++)
      if (igt__in_shard(id, s, 3))
        counts[s - 1]++, in++;
    assert_int_equal(in, 1);
  }
  assert_true(counts[0] > 800 && counts[1] > 800 && counts[2] > 800);
  assert_int_equal(igt__shard_check(4, 3, NULL), IGT_E_INVALID);
  assert_int_equal(igt__shard_check(0, 3, NULL), IGT_E_INVALID);
  assert_int_equal(igt__shard_check(0, 0, NULL), IGT_OK);
}

/* ---- tables ---- */

static void test_table(void **state) {
  (void)state;
  igt_root_study *study =
      study_of("{\"studyType\":\"Study\",\"studyDatabaseId\":\"1\",\"s3Prefix\":\"p/"
               "\",\"legalBasis\":[\"a\","
               "\"b\"],\"studyDate\":\"2020-01-10T00:00:00Z\",\"patient\":{\"patientId\":\"p,1\","
               "\"givenName\":\"A \\\"B\\\"\",\"s3Prefix\":\"x\"},\"extra\":true}");
  igt__table *t = igt__table_new(true);
  igt__buf out;
  uint64_t left_out = 0;
  igt__buf_init(&out, 10000);
  const char *header = "studyDatabaseId,legalBasis,studyDate,patientId,patientGivenname,"
                       "patientDateofbirth,extra,filename,filesize\r\n1";
  assert_true(igt__table_add_header(t, header, strlen(header)));
  assert_int_equal(igt__table_columns(t), 7);
  assert_true(igt__table_header(t, &out));
  assert_string_equal(out.data, "studyDatabaseId,legalBasis,studyDate,patientId,patientGivenname,"
                                "patientDateofbirth,extra,filename,filesize\r\n");
  igt__buf_clear(&out);
  assert_true(igt__table_row(t, study, "d/f\n", 5, &out, &left_out));
  assert_string_equal(out.data,
                      "1,\"a, b\",2020-01-10 00:00:00+00:00,\"p,1\",\"A \"\"B\"\"\",,True,"
                      "\"d/f\n\",5\r\n");
  assert_int_equal(left_out, 0);
  igt__table_free(t);
  t = igt__table_new(false);
  assert_true(igt__table_add_study(t, study));
  igt__buf_clear(&out);
  assert_true(igt__table_header(t, &out));
  assert_true(strncmp(out.data, "studyDatabaseId,legalBasis,studyDate,patientId,patientGivenname,",
                      64) == 0);
  assert_null(strcasestr(out.data, "s3prefix"));
  assert_non_null(strstr(out.data, "patientDateofbirth"));
  igt__table_free(t);
  igt__buf_finish(&out);
  igt_model_free(&study->model);
}

/* ---- how many requests concurrently ---- */

/* A store that responds to each part after `latency`, and to all together no faster than
 * `per_second`. */
static unsigned paced(igt__pace *pace, int64_t *now, double seconds, int64_t latency,
                      double per_second) {
  int64_t end = *now + (int64_t)(seconds * 1e6);

  while (*now < end) {
    double rate = (double)pace->slots * 1e6 / (double)latency;
    if (rate > per_second)
      rate = per_second;
    *now += (int64_t)(1e6 / rate);
    igt__pace_part(pace, 30000, true, *now);
  }
  return pace->slots;
}

static void test_pace(void **state) {
  (void)state;
  int64_t now = 1000000;
  igt__pace pace;
  /* High latency: more is faster, up to the cap, and soon. */
  igt__pace_init(&pace, 16, 64, now);
  assert_int_equal(paced(&pace, &now, 0.12, 50000, 1e9), 64);
  assert_int_equal(paced(&pace, &now, 60, 50000, 1e9), 64);
  /* At the maximum rate: back to the number that was sufficient. */
  igt__pace_init(&pace, 16, 64, now);
  assert_int_equal(paced(&pace, &now, 5, 1000, 5000), 16);
  /* More helps up to a point: 1,000 per second are reached with 50. */
  igt__pace_init(&pace, 4, 64, now);
  unsigned slots = paced(&pace, &now, 10, 50000, 500);
  assert_true(slots >= 16 && slots <= 32);
  /* SlowDown halves at most once per second, however many responses say it, and growth pauses. */
  igt__pace_init(&pace, 64, 64, now);
  igt__pace_slow_down(&pace, now);
  igt__pace_slow_down(&pace, now + 500000);
  assert_int_equal(pace.slots, 32);
  assert_int_equal(paced(&pace, &now, 5, 50000, 1e9), 32);
  for (int i = 0; i < 20; i++)
    igt__pace_slow_down(&pace, now += 2000000);
  assert_int_equal(pace.slots, 2);
  assert_int_equal(paced(&pace, &now, 20, 50000, 1e9), 64);
  /* An idle run learns nothing, and a user's cap applies. */
  igt__pace_init(&pace, 16, 64, now);
  for (int i = 0; i < 1000; i++)
    igt__pace_part(&pace, 1000, false, now += 10000);
  assert_int_equal(pace.slots, 16);
  igt__pace_init(&pace, 16, 3, now);
  assert_int_equal(paced(&pace, &now, 5, 50000, 1e9), 3);
}

/* ---- how many bytes concurrently ---- */

/* Parts of one size over a line: `total` bytes per second for all, `each` for one connection, and
 * `lag` until a part starts to move. There are always enough parts waiting. */
typedef struct line {
  igt__flow flow;
  double total, each;
  int64_t lag, now;
  uint64_t size;
  struct {
    double left;
    int64_t from;
  } part[64];
  unsigned running, most; /* concurrently, since it was set to 0 */
  unsigned done;
} line;

static void line_begin_parts(line *l) {
  for (unsigned i = 0; i < 64; i++) {
    if (l->part[i].left > 0)
      continue;
    if (!igt__flow_fits(&l->flow, l->size, l->now) &&
        !igt__flow_has_place(&l->flow, l->size, l->now)) {
      igt__flow_refused(&l->flow, l->now);
      return;
    }
    igt__flow_begin(&l->flow, l->size, l->now);
    l->part[i].left = (double)l->size;
    l->part[i].from = l->now + l->lag;
    l->running++;
  }
}

static void line_move(line *l, double seconds, unsigned moving) {
  double rate = l->total / (double)moving, moved = 0;

  if (rate > l->each)
    rate = l->each;
  for (unsigned i = 0; i < 64; i++) {
    if (l->part[i].left <= 0 || l->part[i].from > l->now)
      continue;
    double n = rate * seconds < l->part[i].left ? rate * seconds : l->part[i].left;
    l->part[i].left -= n;
    moved += n;
  }
  igt__flow_moved(&l->flow, (uint64_t)moved, l->now);
}

static void line_run(line *l, double seconds) {
  int64_t end = l->now + (int64_t)(seconds * 1e6), step = 10000;

  for (; l->now < end; l->now += step) {
    unsigned moving = 0;
    line_begin_parts(l);
    if (l->running > l->most)
      l->most = l->running;
    for (unsigned i = 0; i < 64; i++)
      moving += l->part[i].left > 0 && l->part[i].from <= l->now;
    if (moving)
      line_move(l, (double)step / 1e6, moving);
    for (unsigned i = 0; i < 64; i++)
      if (l->part[i].left <= 0 && l->part[i].from) {
        l->part[i].from = 0;
        igt__flow_end(&l->flow, l->size, l->now);
        l->running--;
        l->done++;
      }
  }
}

static line line_new(double total, double each, int64_t lag, uint64_t size) {
  line l = {.total = total, .each = each, .lag = lag, .now = 1000000, .size = size};

  igt__flow_init(&l.flow, 16, l.now);
  return l;
}

#define MIB ((uint64_t)1024 * 1024)

static void test_flow(void **state) {
  (void)state;
  /* A slow line: one or two large parts, so that some finish before an interruption after 15 s. */
  line l = line_new(1e6, 1e9, 50000, 5 * MIB);
  line_run(&l, 15);
  assert_true(l.most <= 2);
  assert_true(l.done >= 2);
  line_run(&l, 10);
  assert_true(l.most <= 2);
  l = line_new(250e3, 1e9, 50000, 5 * MIB);
  line_run(&l, 43);
  assert_true(l.done >= 2);
  /* 8 MB/s, interrupted after 1.6 s: two parts of 5 MiB have finished. */
  l = line_new(8e6, 1e9, 50000, 5 * MIB);
  line_run(&l, 1.6);
  assert_int_equal(l.done, 2);
  /* Two concurrent parts would not finish between interruptions: one. */
  l = line_new(500e3, 1e9, 50000, 5 * MIB);
  line_run(&l, 14);
  assert_int_equal(l.most, 1);
  assert_int_equal(l.done, 1);
  /* A good line: all concurrently, soon. */
  l = line_new(500e6, 300e6, 1000, 8 * MIB);
  line_run(&l, 0.1);
  assert_true(l.most >= 16);
  /* High latency: each connection has at most 1 MB/s, together they have 30. */
  l = line_new(30e6, 1e6, 200000, 5 * MIB);
  line_run(&l, 40);
  assert_true(l.running >= 8);
  /* Small parts never wait on any line that moves them within seconds. */
  l = line_new(30e6, 100e3, 200000, 16384);
  line_run(&l, 1);
  assert_int_equal(l.most, 64);
}

/* A run before this one was killed with two parts in flight and none stored. */
static void test_flow_after_a_kill(void **state) {
  (void)state;
  line l = line_new(5e6, 1e9, 50000, 5 * MIB);
  igt__flow_go_alone(&l.flow);
  line_run(&l, 1.6);
  assert_int_equal(l.most, 1);
  assert_int_equal(l.done, 1);
  l = line_new(5e6, 1e9, 50000, 5 * MIB);
  line_run(&l, 1.6);
  assert_int_equal(l.most, 2); /* what it would have done otherwise */
  assert_int_equal(l.done, 0);
  /* A good line has all of them concurrently all the same. */
  l = line_new(500e6, 300e6, 1000, 8 * MIB);
  igt__flow_go_alone(&l.flow);
  line_run(&l, 0.1);
  assert_true(l.most >= 16);
}

static void test_flow_changes(void **state) {
  (void)state;
  /* The line becomes slow: as parts finish, fewer replace them; and fast again. */
  line l = line_new(200e6, 100e6, 1000, 8 * MIB);
  line_run(&l, 5);
  assert_true(l.running > 8);
  l.total = 1e6;
  line_run(&l, 1000);
  assert_true(l.running <= 4);
  l.total = 200e6;
  line_run(&l, 10);
  assert_true(l.running > 8);
  /* A pause, as while a part's last bytes are in buffers, is no rate to compare with. */
  l = line_new(200e3, 1e9, 50000, 5 * MIB);
  line_run(&l, 60);
  l.total = 0;
  line_run(&l, 5);
  l.total = 200e3;
  l.most = 0;
  line_run(&l, 20);
  assert_true(l.most <= 2);
  /* Slow, so that files of 64 KiB take long, too: one after the other. */
  l = line_new(5e3, 1e9, 1000, 65536);
  line_run(&l, 500);
  l.most = 0;
  line_run(&l, 100);
  assert_true(l.most <= 4);
  /* Bytes in flight are lost when the line is interrupted: no attempt at more for a while. */
  l = line_new(1e6, 1e9, 50000, 5 * MIB);
  line_run(&l, 2);
  for (int cut = 0; cut < 3; cut++) {
    for (unsigned i = 0; i < 64; i++)
      if (l.part[i].left > 0) {
        l.part[i].left = 0;
        l.part[i].from = 0;
        l.running--;
        igt__flow_end(&l.flow, l.size, l.now);
        igt__flow_lost(&l.flow, l.now);
      }
    l.most = 0;
    line_run(&l, 14);
    assert_true(l.most <= 2);
  }
}

/* ---- the cloud's list of a study's files ---- */

static void test_remotes(void **state) {
  (void)state;
  char long_name[IGT__S3_MAX_KEY + 1], long_key[IGT__S3_MAX_KEY + 3];
  memset(long_name, 'n', sizeof long_name - 1);
  long_name[sizeof long_name - 1] = '\0';
  snprintf(long_key, sizeof long_key, "p/%s", long_name);
  const struct {
    const char *name;
    igt__remote file;
  } files[] = {{"a", {"p/a", 5, true, true}},
               {"b/c.txt", {"p/b/c.txt", IGT__S3_MAX_OBJECT, false, true}},
               {"d", {"p/d", 0, true, false}},
               /* Their keys are stored, and a size. */
               {"e", {"p/f", 1, true, true}},
               {"g", {"", 2, true, true}},
               {"h", {"q", 3, false, true}},
               {"i", {"p/i", INT64_MAX, false, false}},
               {long_name, {long_key, 4, true, true}}};
  enum { COUNT = sizeof files / sizeof *files };
  igt__quota whole;
  igt__quota_init(&whole, 1 << 20, NULL);
  igt__remotes *r = igt__remotes_new("p/", &whole);
  igt__remote found;
  assert_false(igt__remotes_find(r, "a", &found) || igt__remotes_see(r, "a"));
  for (size_t i = 0; i < COUNT; i++) {
    assert_false(igt__remotes_have(r, files[i].name));
    assert_true(igt__remotes_add(r, files[i].name, &files[i].file));
  }
  assert_int_equal(igt__remotes_unseen(r), 6);
  for (int seen = 0; seen < 2; seen++)
    for (size_t i = 0; i < COUNT; i++) {
      const igt__remote *file = &files[i].file;
      assert_true(igt__remotes_have(r, files[i].name) &&
                  igt__remotes_find(r, files[i].name, &found));
      assert_string_equal(found.key, file->key);
      assert_true(found.size == file->size && found.completed == file->completed &&
                  found.wanted == file->wanted);
      assert_int_equal(igt__remotes_see(r, files[i].name), file->wanted && !seen);
    }
  assert_int_equal(igt__remotes_unseen(r), 0);
  igt__remotes_free(r);
  igt__remotes_free(NULL);
  assert_int_equal(whole.used, 0);
}

/* Stored keys count against the quota, too. */
static void test_bounds_of_remotes(void **state) {
  (void)state;
  char name[16], key[1000] = {0};
  igt__remote file = {key, 1, true, true};
  igt__quota whole;
  size_t kept;
  memset(key, 'k', sizeof key - 1);
  for (int odd = 0; odd < 2; odd++) {
    igt__quota_init(&whole, 50000, NULL);
    igt__remotes *r = igt__remotes_new("p/", &whole);
    for (kept = 0; kept < 5000; kept++) {
      snprintf(name, sizeof name, "%zu", kept);
      if (!odd)
        snprintf(key, sizeof key, "p/%zu", kept);
      if (!igt__remotes_add(r, name, &file))
        break;
      memset(key, 'k', sizeof key - 1);
    }
    assert_true(igt__quota_refused(&whole) && (odd ? kept > 15 && kept < 50 : kept == 768));
    igt__remotes_free(r);
    assert_int_equal(whole.used, 0);
  }
}

/* ---- studies read ahead ---- */

static size_t packed_size(const char *earlier, const char *text) {
  igt__buf packed, again;
  size_t n;

  igt__buf_init(&packed, 1 << 20);
  igt__buf_init(&again, 1 << 20);
  assert_true(igt__pack(earlier, strlen(earlier), text, strlen(text), &packed));
  assert_true(igt__unpack(earlier, strlen(earlier), packed.data, packed.len, &again));
  assert_string_equal(again.data, text);
  n = packed.len;
  igt__buf_finish(&packed);
  igt__buf_finish(&again);
  return n;
}

static void test_neighbours_are_packed_as_their_difference(void **state) {
  static const char one[] =
      "{\"studyType\":\"Study\",\"studyDatabaseId\":\"0001-aa\",\"createdBy\":"
      "\"someone@example.com\",\"electronicRecordState\":\"draft\"}";
  static const char two[] =
      "{\"studyType\":\"Study\",\"studyDatabaseId\":\"0002-bb\",\"createdBy\":"
      "\"someone@example.com\",\"electronicRecordState\":\"draft\"}";

  (void)state;
  assert_true(packed_size(one, two) < 20);
  assert_true(packed_size("", one) <= sizeof one + 1);
  assert_true(packed_size(one, "") == 1);
  assert_true(packed_size(one, one) < 8);
  assert_true(packed_size("aaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") > 0);
}

static void test_damaged_packs_are_refused(void **state) {
  static const char *const bad[] = {"\x05"
                                    "abc",
                                    "\x01"
                                    "a\x00\x09",
                                    "\x00\x20\x01",
                                    "\x01"
                                    "a\x80",
                                    "\xff\xff"};
  igt__buf out;

  (void)state;
  igt__buf_init(&out, 1 << 20);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    size_t n = i == 1 ? 4 : i == 2 ? 3 : strlen(bad[i]);
    igt__buf_clear(&out);
    assert_false(igt__unpack("earlier", 7, bad[i], n, &out));
  }
  igt__buf_finish(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_neighbours_are_packed_as_their_difference),
      cmocka_unit_test(test_damaged_packs_are_refused),
      cmocka_unit_test(test_each_caller_is_covered_by_a_sync_that_began_after_it),
      cmocka_unit_test(test_pace),
      cmocka_unit_test(test_flow),
      cmocka_unit_test(test_flow_after_a_kill),
      cmocka_unit_test(test_flow_changes),
      cmocka_unit_test(test_pool),
      cmocka_unit_test(test_pool_limit),
      cmocka_unit_test(test_turns),
      cmocka_unit_test(test_cap_in_queue),
      cmocka_unit_test(test_stop),
      cmocka_unit_test(test_check),
      cmocka_unit_test(test_check_guess),
      cmocka_unit_test_setup_teardown(test_partial, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_partial_without_memory, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_local, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_local_below_a_link, make_top, remove_top),
      cmocka_unit_test(test_plan),
      cmocka_unit_test(test_rules_decide_in_their_order),
      cmocka_unit_test(test_names_select_files_and_folders),
      cmocka_unit_test(test_sizes_and_ages_are_inclusive),
      cmocka_unit_test(test_impossible_filters_are_refused),
      cmocka_unit_test(test_days),
      cmocka_unit_test(test_shards),
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_remotes),
      cmocka_unit_test(test_bounds_of_remotes),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
