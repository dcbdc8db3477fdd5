/* SPDX-License-Identifier: MIT */
/* Where a study's folder has its files (layout.h). Called by downloads, uploads and verify. */
#include "transfer/engine/layout.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/name.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"
#include "base/str.h"
#include "transfer/engine/tree.h"

/* *is: whether the study's folder has this part. A link is neither a part nor absent: with it
 * absent another part of the folder would be taken for the files. */
static igt_status look_at_part(igt__root *root, const char *path, bool *is, igt_error *err) {
  igt__stat st;
  bool found;
  igt_status status = igt__root_look(root, path, &found, &st, err);

  *is = status == IGT_OK && found && S_ISDIR(st.st_mode);
  if (status == IGT_OK && found && S_ISLNK(st.st_mode) &&
      igt__root_look_beyond(root, path, &st) == 0 && S_ISDIR(st.st_mode))
    status = igt__fail(err, IGT_E_NO_FILE, "'%s' is a link to a folder, and %s", path,
                       IGT__LINK_LEFT_OUT);
  return status;
}

igt_status igt__content_folder(igt__root *root, const char *folder, char **out, bool *whole,
                               igt_error *err) {
  char *files = igt__path_join(folder, "files"), *dicom = igt__path_join(folder, "dicom");
  bool has_files = false, has_dicom = false;
  igt_status status = files && dicom ? IGT_OK : igt__fail_memory(err);

  *out = NULL;
  if (status == IGT_OK)
    status = look_at_part(root, files, &has_files, err);
  if (status == IGT_OK)
    status = look_at_part(root, dicom, &has_dicom, err);
  *whole = !has_files && !has_dicom;
  if (status == IGT_OK && !(*out = igt__strdup(*whole ? folder : files)))
    status = igt__fail_memory(err);
  igt__free(files);
  igt__free(dicom);
  return status;
}

bool igt__layout_is_own(const char *name) {
  return igt__str_starts(name, "files/") || igt__str_starts(name, "dicom/");
}

static igt_status look_at_file(igt__root *root, const char *path, bool *is, igt_error *err) {
  igt__stat st;

  return path ? igt__root_look(root, path, is, &st, err) : igt__fail_memory(err);
}

igt_status igt__layout_look(igt__layout *layout, igt__root *root, const char *folder,
                            const char *name, igt_error *err) {
  char *local = NULL, *direct = NULL, *below = NULL, *divided = NULL;
  bool is_direct = false, is_divided = false;
  igt_status status =
      igt__path_to_local(name, strlen(name), IGT__NAMES_POSIX, "the file", &local, NULL);

  if (status != IGT_OK)
    return IGT_OK; /* it cannot be here */
  direct = igt__path_join(folder, local);
  below = igt__path_join(folder, "files");
  divided = below ? igt__path_join(below, local) : NULL;
  status = look_at_file(root, direct, &is_direct, err);
  if (status == IGT_OK)
    status = look_at_file(root, divided, &is_divided, err);
  layout->direct += is_direct && !is_divided;
  layout->divided += is_divided && !is_direct;
  igt__free(divided);
  igt__free(below);
  igt__free(direct);
  igt__free(local);
  return status;
}

bool igt__layout_is_direct(const igt__layout *layout) {
  return layout->direct > layout->divided;
}
