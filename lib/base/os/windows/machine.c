/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <malloc.h>
#include <stdio.h>

#include "system.h"

#include <bcrypt.h>

#define TIME_OF_DAY 3 /* SystemTimeOfDayInformation */

/* Ctrl-C and the like come on a thread of their own. */
void igt__os_block_signals(igt__os_signals *before) {
  *before = 0;
}

void igt__os_unblock_signals(const igt__os_signals *before) {
  (void)before;
}

void igt__os_block_broken_pipe(igt__os_signals *before) {
  *before = 0;
}

void igt__os_unblock_broken_pipe(const igt__os_signals *before) {
  (void)before;
}

void igt__os_wipe(void *p, size_t n) {
  SecureZeroMemory(p, n);
}

bool igt__os_random(void *out, size_t n) {
  return BCryptGenRandom(NULL, out, (ULONG)n, BCRYPT_USE_SYSTEM_PREFERRED_RNG) == 0;
}

int64_t igt__os_process_id(void) {
  return GetCurrentProcessId();
}

size_t igt__os_usable_size(void *p) {
  return _msize(p);
}

void igt__os_host_name(char *out, size_t cap) {
  wchar_t name[256];
  DWORD n = sizeof name / sizeof *name;

  if (!GetComputerNameExW(ComputerNameDnsHostname, name, &n) ||
      igt__wide_to_utf8(name, n, out, cap) < 0)
    *out = '\0';
}

/* The time of the boot, without what the clock was corrected by since. */
void igt__os_boot_id(char *out, size_t cap) {
  struct {
    LARGE_INTEGER boot, now, zone_bias;
    ULONG zone, reserved;
    ULONGLONG boot_bias, sleep_bias;
  } t;
  ULONG n;

  *out = '\0';
  if (NtQuerySystemInformation((SYSTEM_INFORMATION_CLASS)TIME_OF_DAY, &t, sizeof t, &n) >= 0)
    (void)snprintf(out, cap, "windows-%llx", (unsigned long long)t.boot.QuadPart - t.boot_bias);
}

int igt__os_machine(char *out, size_t cap) {
  return snprintf(out, cap, "windows-x86_64.exe") < (int)cap ? 0 : -1;
}

unsigned igt__os_cores(void) {
  DWORD n = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);

  return n > 1 ? n : 1;
}

unsigned igt__os_open_files(void) {
  return UINT_MAX; /* handles: 16 million */
}

/* The machine's, or less in a job with a limit (containers, batch systems). */
uint64_t igt__os_memory(void) {
  MEMORYSTATUSEX machine = {.dwLength = sizeof machine};
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION job;
  uint64_t all = GlobalMemoryStatusEx(&machine) ? machine.ullTotalPhys : UINT64_MAX;
  const DWORD limited = JOB_OBJECT_LIMIT_PROCESS_MEMORY;

  if (QueryInformationJobObject(NULL, JobObjectExtendedLimitInformation, &job, sizeof job, NULL) &&
      (job.BasicLimitInformation.LimitFlags & limited) && job.ProcessMemoryLimit < all)
    all = job.ProcessMemoryLimit;
  return all;
}
