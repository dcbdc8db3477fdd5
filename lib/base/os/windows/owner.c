/* SPDX-License-Identifier: MIT */
/* Owners and access lists, in POSIX's terms: a file whose owner is neither the user nor an
 * administrator has another st_uid, and mode bits for others say what its access list grants to
 * anybody else. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system.h"

#include <aclapi.h>
#include <sddl.h>

#define OTHERS_READ 0044
#define OTHERS_WRITE 0022
#define ANOTHER_USER 1

static union {
  TOKEN_USER user;
  char bytes[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
} self;
static void *private_list;

/* The user, the system and administrators (who can take everything anyway); not inherited from. */
static void find_self(void) {
  static const wchar_t form[] = L"D:P(A;;FA;;;%ls)(A;;FA;;;SY)(A;;FA;;;BA)";
  wchar_t text[300], *sid = NULL;
  HANDLE token;
  DWORD n;

  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
    return;
  if (GetTokenInformation(token, TokenUser, &self, sizeof self, &n) &&
      ConvertSidToStringSidW(self.user.User.Sid, &sid)) {
    (void)_snwprintf(text, sizeof text / sizeof *text - 1, form, sid);
    text[sizeof text / sizeof *text - 1] = L'\0';
    (void)ConvertStringSecurityDescriptorToSecurityDescriptorW(text, SDDL_REVISION_1, &private_list,
                                                               NULL);
    LocalFree(sid);
  }
  CloseHandle(token);
}

static void know_self(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  pthread_once(&once, find_self);
}

void *igt__windows_private(void) {
  know_self();
  return private_list;
}

unsigned igt__os_user(void) {
  return 0;
}

static bool is_trusted(PSID sid) {
  if (self.user.User.Sid && EqualSid(sid, self.user.User.Sid))
    return true;
  return IsWellKnownSid(sid, WinLocalSystemSid) ||
         IsWellKnownSid(sid, WinBuiltinAdministratorsSid) ||
         IsWellKnownSid(sid, WinAccountDomainAdminsSid) ||
         IsWellKnownSid(sid, WinCreatorOwnerSid) || IsWellKnownSid(sid, WinCreatorOwnerRightsSid);
}

static unsigned granted_to_others(PACL list) {
  const ACCESS_MASK read = FILE_READ_DATA | GENERIC_READ | GENERIC_ALL;
  const ACCESS_MASK write =
      FILE_WRITE_DATA | FILE_APPEND_DATA | WRITE_DAC | WRITE_OWNER | GENERIC_WRITE | GENERIC_ALL;
  unsigned mode = 0;

  if (!list) /* no list lets everybody in */
    return OTHERS_READ | OTHERS_WRITE;
  for (DWORD i = 0; i < list->AceCount; i++) {
    ACCESS_ALLOWED_ACE *ace;

    if (!GetAce(list, i, (void **)&ace) || ace->Header.AceType != ACCESS_ALLOWED_ACE_TYPE ||
        (ace->Header.AceFlags & INHERIT_ONLY_ACE) || is_trusted(&ace->SidStart))
      continue;
    mode |= ace->Mask & read ? OTHERS_READ : 0;
    mode |= ace->Mask & write ? OTHERS_WRITE : 0;
  }
  return mode;
}

bool igt__os_has_modes(int fd) {
  DWORD flags = FILE_PERSISTENT_ACLS;

  return !GetVolumeInformationByHandleW(igt__handle_of(fd), NULL, 0, NULL, NULL, &flags, NULL, 0) ||
         (flags & FILE_PERSISTENT_ACLS);
}

int igt__os_stat_owner(int fd, igt__stat *st) {
  PSECURITY_DESCRIPTOR both = NULL;
  PSID owner = NULL;
  PACL list = NULL;
  DWORD why;

  know_self();
  if (!igt__os_has_modes(fd)) { /* Windows makes up an owner, who is everybody */
    st->st_uid = 0;
    st->st_mode |= OTHERS_READ | OTHERS_WRITE;
    return 0;
  }
  why = GetSecurityInfo(igt__handle_of(fd), SE_FILE_OBJECT,
                        OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &owner, NULL, &list,
                        NULL, &both);
  if (why != ERROR_SUCCESS)
    return igt__windows_fail(why);
  st->st_uid = owner && is_trusted(owner) ? 0 : ANOTHER_USER;
  st->st_mode |= granted_to_others(list);
  LocalFree(both);
  return 0;
}

int igt__os_stat_with_owner(const char *path, igt__stat *st) {
  int fd = igt__os_open(path, O_RDONLY, 0);
  int failed = fd < 0 || igt__os_fstat(fd, st) != 0 || igt__os_stat_owner(fd, st) != 0;
  int why = errno;

  if (fd >= 0)
    (void)igt__os_close(fd);
  errno = why;
  return failed ? -1 : 0;
}

/* New files inherit the access list of their folder. */
mode_t igt__os_private_mode(void) {
  return 0;
}

void igt__os_restore_mode(mode_t before) {
  (void)before;
}

int igt__os_take_after(int fd, const igt__stat *earlier) {
  (void)fd;
  (void)earlier;
  return 0;
}
