/* SPDX-License-Identifier: MIT */
/* The process itself: its limits, memory and standard streams, and where it runs. */
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

/* Sanitizers inspect their own process like a debugger. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_WATCHED 1
#endif
#endif

/* A crash must not write tokens and passwords to disk: no core file. Not dumpable either: core
 * files may go to a pipe whatever the limit (core(5)), and another program of the same user could
 * read our memory or environment through /proc, or attach a debugger. */
static void keep_secrets(void) {
  const struct rlimit none = {0, 0};

  (void)setrlimit(RLIMIT_CORE, &none);
#ifndef IS_WATCHED
  (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

/* Folders, partial files and connections are open concurrently; 1,024 is a limit for old programs'
 * sake. */
static void raise_file_limit(void) {
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
}

/* Some 80 threads list and plan, each for a moment, and glibc would give every few of them an arena
 * of their own, each as large as its peak: half of the resident memory when listing large studies.
 * Its mmap threshold would also rise with each large buffer that is freed, and leave the next ones
 * in those arenas. Measured in docs/internals/memory.md. */
static void keep_memory_small(void) {
#if defined(M_ARENA_MAX) && defined(M_MMAP_THRESHOLD)
  (void)mallopt(M_ARENA_MAX, 2);
  (void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
  (void)mallopt(M_TRIM_THRESHOLD, 2 * 1024 * 1024); /* otherwise each request returns its pages */
#endif
}

/* If the caller closed a standard descriptor, the next file or connection would get its number, and
 * output would be written there. The descriptors opened here fail when they are used. */
static void open_standard_streams(void) {
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

void os_start(void) {
  open_standard_streams();
  keep_memory_small();
  keep_secrets();
  raise_file_limit();
}

void os_screen(int fd, unsigned *rows, unsigned *columns) {
  struct winsize size;

  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
    return;
  *rows = size.ws_row;
  *columns = size.ws_col;
}

const char *os_program(char *out, size_t cap) {
  ssize_t n = readlink("/proc/self/exe", out, cap - 1);

  if (n < 0)
    return strerror(errno);
  out[n] = '\0';
  return (size_t)n < cap - 1 ? NULL : "the path is too long";
}

bool os_working_folder(char *out, size_t cap) {
  return getcwd(out, cap) != NULL;
}

static void add_distribution(char *out, size_t cap) {
  static const char key[] = "PRETTY_NAME=";
  FILE *release = fopen("/etc/os-release", "re");
  char line[256];
  size_t n = strlen(out);

  while (release && fgets(line, sizeof line, release))
    if (strncmp(line, key, strlen(key)) == 0)
      (void)snprintf(out + n, cap - n, "\ndistribution: %.*s", (int)strcspn(line, "\n"),
                     line + strlen(key));
  if (release)
    fclose(release);
}

void os_system(bool all, char *out, size_t cap) {
  struct utsname os;

  if (uname(&os) != 0) {
    (void)snprintf(out, cap, "unknown system");
    return;
  }
  (void)snprintf(out, cap, "%s %s %s%s%s", os.sysname, os.release, all ? os.version : "",
                 all ? " " : "", os.machine);
  if (all)
    add_distribution(out, cap);
}

void os_limits(FILE *out) {
  fprintf(out, "processors: %ld\npage size: %ld\nopen files: %ld\n", sysconf(_SC_NPROCESSORS_ONLN),
          sysconf(_SC_PAGESIZE), sysconf(_SC_OPEN_MAX));
}

bool os_config_folder(char *out, size_t cap) {
  const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
  int n = -1;

  if (base && *base == '/')
    n = snprintf(out, cap, "%s", base);
  else if (home && *home == '/')
    n = snprintf(out, cap, "%s/.config", home);
  return n > 0 && (size_t)n < cap;
}

bool os_is_utf8(void) {
  return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

int os_start_thread(pthread_t *thread, const char *name, void *(*fn)(void *payload),
                    void *payload) {
  sigset_t all, before;
  int failed;

  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  failed = pthread_create(thread, NULL, fn, payload);
  if (!failed)
    (void)pthread_setname_np(*thread, name);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return failed;
}

char **os_environment(void) {
  return environ;
}

bool os_is_journal(int fd) {
  const char *stream = getenv("JOURNAL_STREAM");
  char own[64]; /* "device:inode", as the service manager writes it */
  struct stat st;

  if (!stream || fstat(fd, &st) != 0)
    return false;
  snprintf(own, sizeof own, "%llu:%llu", (unsigned long long)st.st_dev,
           (unsigned long long)st.st_ino);
  return strcmp(stream, own) == 0;
}

/* Early in the boot there are none yet. */
void os_random(void *out, size_t n) {
  struct timespec t;

  if (getrandom(out, n, GRND_NONBLOCK) == (ssize_t)n)
    return;
  (void)clock_gettime(CLOCK_REALTIME, &t);
  for (size_t i = 0; i < n; i++)
    ((unsigned char *)out)[i] =
        (unsigned char)((uint64_t)t.tv_nsec >> (8 * (i % 4)) ^ (uint64_t)getpid() >> (8 * (i / 4)));
}

bool os_take_owner(const char *path, const char *like) {
  struct stat st;

  return stat(like, &st) == 0 && (geteuid() != 0 || chown(path, st.st_uid, st.st_gid) == 0);
}

uint64_t os_free_bytes(const char *path) {
  struct statvfs fs;

  return statvfs(path, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : UINT64_MAX;
}

void os_log(int priority, const char *text) {
  static bool is_open;

  if (!is_open)
    openlog("igtcloud", LOG_PID, LOG_USER);
  is_open = true;
  syslog(priority, "%s", text);
}

bool os_boot_id(char out[OS_BOOT_ID]) {
  FILE *in = fopen("/proc/sys/kernel/random/boot_id", "re");
  bool known = in && fgets(out, OS_BOOT_ID, in);

  if (in)
    fclose(in);
  if (known)
    out[strcspn(out, " \n")] = '\0';
  return known && *out;
}
