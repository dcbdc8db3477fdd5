/* SPDX-License-Identifier: MIT */
/* The program of --password-command, which the command interpreter (cmd.exe) starts. */
#include "cli.h"

#include "os/windows/system.h"

bool os_ask_command(const char *line, char *out, size_t cap) {
  FILE *in = _popen(line, "rb");
  bool good = in && fgets(out, (int)cap, in) != NULL;
  int status = in ? _pclose(in) : -1;

  if (good)
    out[strcspn(out, "\r\n")] = '\0';
  if (good && *out && status == 0)
    return true;
  explicit_bzero(out, cap);
  if (!in)
    complain(IGT_E_NO_SESSION, "the program of --password-command cannot be started");
  else if (status != 0)
    complain(IGT_E_NO_SESSION, "the program of --password-command failed: exit status %d", status);
  else
    complain(IGT_E_NO_SESSION,
             "the program of --password-command printed no password: its first line is empty");
  return false;
}
