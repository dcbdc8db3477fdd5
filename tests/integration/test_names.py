# SPDX-License-Identifier: MIT
"""Names that a disk cannot store, or that two files share: docs/names.md."""

import contextlib
import os
import shutil
import subprocess
import unicodedata

import pytest

from igtcloud import SOME_FAILED, Program, tree
from sandbox import seeded

USERS = [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}]


def seed_of(*files, name="i", study="s", **more):
    return {"users": USERS, "projects": [
        {"name": "p", "projectTypeName": "EPD", "institutes": [
            {"name": "n", "raw": {"name": name}, "studies": [
                {"name": "s", "files": list(files), "raw": {"studyIdHumanReadable": study},
                 **more}]}]},
        {"name": "back", "projectTypeName": "EPD", "institutes": [
            {"name": "i", "studies": []}]}]}


def named(*names):
    """Files whose content is their name; the store's keys are plain."""
    return [{"path": f"{i}", "text": n, "raw": {"fileName": n}} for i, n in enumerate(names)]


@contextlib.contextmanager
def serving(tmp_path, seed):
    with seeded(tmp_path, seed) as running:
        (tmp_path / "home").mkdir(exist_ok=True)
        yield Program(running.url, tmp_path / "home")


def files(folder):
    return {k: v.decode() for k, v in tree(folder).items() if not k.endswith("/study.json")}


def failures(done):
    return {i["path"]: i["status"] for i in done.items
            if i["kind"] == "file" and i["result"] == "failed"}


ALWAYS = {
    "a\nb": "%%a%0Ab", "\x1b[2J.txt": "%%%1B[2J.txt", "d\t/x\x7f": "%%d%09/%%x%7F",
    "%%x": "%%%25%25x", ".good.igtpart": "%%%2Egood.igtpart",
    "a" * 300: "%%" + "a" * 195 + "%+/%%" + "a" * 105,
}
PORTABLE = {
    "12:30?.txt": "%%12%3A30%3F.txt", "end.": "%%end%2E", "end /x": "%%end%20/x",
    "con": "%%%63on", "NUL.txt": "%%%4EUL.txt", "a\\b|c": "%%a%5Cb%7Cc", "<\">*": "%%%3C%22%3E%2A",
}
KEPT = ["plain.txt", "50%25 off", "a%3Ab", "\u00e9", "e\u0301", "日本語/x", "-rf", "console.txt", "x y"]


@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.smoke
def test_there_and_back(tmp_path, portable):
    """Each name of the cloud has one name here; verify knows it again."""
    names = [*KEPT, *ALWAYS, *PORTABLE]
    options = ["--portable-names"] if portable else []
    with serving(tmp_path, seed_of(*named(*names))) as igtcloud:
        igtcloud.run("download", *options, tmp_path / "out", "p")
        expected = {n: n for n in names} | ALWAYS | (PORTABLE if portable else {})
        assert files(tmp_path / "out") == {f"i/s/{expected[n]}": n for n in names}
        done = igtcloud.run("download", "--json", *options, tmp_path / "out", "p")
        assert done.summary["filesSkipped"] == len(names)
        local = {i["path"]: i["local"] for i in done.items if i["kind"] == "file"}
        assert local["a\nb"] == str(tmp_path / "out/i/s/%%a%0Ab")
        done = igtcloud.run("verify", "--json", tmp_path / "out", "p")
        assert done.summary["filesSame"] == len(names)
        (tmp_path / "out/i/s/study.json").unlink()
        done = igtcloud.run("upload", "--json", tmp_path / "out", "back")
        assert {i["path"] for i in done.items if i["kind"] == "file"} == set(names)
        igtcloud.run("download", tmp_path / "again", "back")
        assert set(files(tmp_path / "again").values()) == set(names)
        assert files(tmp_path / "again") == {
            f"i/s/{(n if n not in ALWAYS else ALWAYS[n])}": n for n in names}


@pytest.mark.parametrize("form", ["flat", "hierarchical"])
def test_names_of_studies_and_institutes(tmp_path, form):
    seed = seed_of(*named("x"), name="Dept. A/B\n", study="P\t1/S")
    with serving(tmp_path, seed) as igtcloud:
        igtcloud.run("download", "--folder-structure", form, tmp_path / "out", "p")
        folder = "%%P%091---S" if form == "flat" else "%%P%091/S"
        assert set(files(tmp_path / "out")) == {f"%%Dept. A%2FB%0A/{folder}/x"}
        done = igtcloud.run("verify", "--json", "--folder-structure", form, tmp_path / "out", "p")
        assert done.summary["filesSame"] == 1
        assert "\n\n" not in done.err and "\t" not in done.err


def test_local_names_that_are_one_in_the_cloud(tmp_path):
    """The one that was mapped fails: nothing there is replaced by the other."""
    folder = tmp_path / "up/i/s"
    folder.mkdir(parents=True)
    (folder / "a\nb").write_text("own")
    (folder / "%%a%0Ab").write_text("mapped")
    (folder / "%%plain").write_text("a person's own")
    with serving(tmp_path, seed_of()) as igtcloud:
        done = igtcloud.run("upload", "--json", tmp_path / "up", "back", status=SOME_FAILED)
        assert failures(done) == {"%%a%0Ab": "IGT_E_COLLISION"}
        igtcloud.run("download", tmp_path / "out", "back")
    assert files(tmp_path / "out") == {"i/s/%%a%0Ab": "own", "i/s/%%%25%25plain": "a person's own"}


def test_local_names_that_are_no_text(tmp_path):
    """A name that is not UTF-8 has none in the cloud; the others are uploaded."""
    folder = tmp_path / "up/i/s"
    folder.mkdir(parents=True)
    (folder / "good").write_text("good")
    with open(os.fsencode(folder) + b"/\xff\xfe", "wb"):
        pass
    with serving(tmp_path, seed_of()) as igtcloud:
        done = igtcloud.run("upload", "--json", tmp_path / "up", "back", status=SOME_FAILED)
        assert "UTF-8" in done.err and "\\xff\\xfe" in done.err
        assert failures(done) == {"\ufffd\ufffd": "IGT_E_UNSAFE_NAME"}
        assert done.summary["filesDone"] == 1


def test_both_unicode_forms_are_two_files(tmp_path):
    """NFC and NFD, upper and lower case: a Linux disk holds both."""
    names = [unicodedata.normalize("NFC", "\u00e9"), unicodedata.normalize("NFD", "\u00e9"), "A", "a"]
    with serving(tmp_path, seed_of(*named(*names))) as igtcloud:
        igtcloud.run("download", tmp_path / "out", "p")
        assert files(tmp_path / "out") == {f"i/s/{n}": n for n in names}


def test_a_file_where_a_folder_must_be(tmp_path):
    """Either order; what is there stays, the other one fails, and nothing is half there."""
    with serving(tmp_path, seed_of(*named("d", "d/x", "e/x", "e"))) as igtcloud:
        done = igtcloud.run("download", "--json", "--connections", "1", tmp_path / "out", "p",
                            status=SOME_FAILED)
        failed = [i for i in done.items if i["kind"] == "file" and i["result"] == "failed"]
        assert {i["status"] for i in failed} == {"IGT_E_COLLISION"} and len(failed) == 2
        assert len(files(tmp_path / "out")) == 2
        before = files(tmp_path / "out")
        igtcloud.run("download", tmp_path / "out", "p", status=SOME_FAILED)
        assert files(tmp_path / "out") == before


# ---- a file system that takes two names for one ----

SHIM = r"""
#define _GNU_SOURCE
#include <ctype.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
/* Below /.../folds/ each name is stored in lower case, and e + U+0301 as one character. */
static const char *fold(const char *name, char *out) {
  char *o = out;
  if (strchr(name, '/') || strlen(name) > 200 || !strncmp(name, "study.json", 10)) return name;
  for (const char *p = name; *p; p++)
    if (!strncmp(p, "e\xcc\x81", 3)) { *o++ = (char)0xc3; *o++ = (char)0xa9; p += 2; }
    else *o++ = (char)tolower((unsigned char)*p);
  *o = 0;
  return out;
}
#define REAL(type, name) __typeof__(type) real = (type)dlsym(RTLD_NEXT, #name)
int openat(int d, const char *n, int flags, ...) {
  char b[256]; va_list a; va_start(a, flags); mode_t m = va_arg(a, mode_t); va_end(a);
  REAL(int (*)(int, const char *, int, ...), openat);
  return real(d, fold(n, b), flags, m);
}
int openat64(int d, const char *n, int flags, ...) {
  char b[256]; va_list a; va_start(a, flags); mode_t m = va_arg(a, mode_t); va_end(a);
  REAL(int (*)(int, const char *, int, ...), openat);
  return real(d, fold(n, b), flags, m);
}
int fstatat(int d, const char *n, struct stat *s, int f) {
  char b[256]; REAL(int (*)(int, const char *, struct stat *, int), fstatat);
  return real(d, fold(n, b), s, f);
}
int fstatat64(int d, const char *n, struct stat64 *s, int f) {
  char b[256]; REAL(int (*)(int, const char *, struct stat64 *, int), fstatat64);
  return real(d, fold(n, b), s, f);
}
int mkdirat(int d, const char *n, mode_t m) {
  char b[256]; REAL(int (*)(int, const char *, mode_t), mkdirat);
  return real(d, fold(n, b), m);
}
int unlinkat(int d, const char *n, int f) {
  char b[256]; REAL(int (*)(int, const char *, int), unlinkat);
  return real(d, fold(n, b), f);
}
int renameat(int d, const char *n, int e, const char *t) {
  char b[256], c[256]; REAL(int (*)(int, const char *, int, const char *), renameat);
  return real(d, fold(n, b), e, fold(t, c));
}
int renameat2(int d, const char *n, int e, const char *t, unsigned f) {
  char b[256], c[256]; REAL(int (*)(int, const char *, int, const char *, unsigned), renameat2);
  return real(d, fold(n, b), e, fold(t, c), f);
}
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """No kernel that tests meet has such a file system, so one is played below the program."""
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    cc = os.environ.get("CC") or shutil.which("cc") or "gcc"
    subprocess.run([*cc.split(), "-shared", "-fPIC", "-w", "-o", folder / "shim.so",
                    folder / "shim.c", "-ldl"], check=True)
    return str(folder / "shim.so")


@pytest.mark.plain("a preloaded library, and the sanitizers want to be loaded first")
@pytest.mark.dynamic
@pytest.mark.parametrize("names", [["scan.txt", "SCAN.txt"], ["d/x", "D/X"]])
def test_two_names_of_one_file(tmp_path, shim, names):
    """The first is fetched, the other one fails, now and in the next run; nothing is replaced."""
    with serving(tmp_path, seed_of(*named(*names, "other"))) as igtcloud:
        for _ in range(2):
            done = igtcloud.run("download", "--json", tmp_path / "out", "p", status=SOME_FAILED,
                                env={"LD_PRELOAD": shim})
            assert files(tmp_path / "out") == {"i/s/other": "other", "i/s/" + names[0]: names[0]}
            assert failures(done) == {names[1]: "IGT_E_COLLISION"}, done


@pytest.mark.plain("a preloaded library, and the sanitizers want to be loaded first")
@pytest.mark.dynamic
def test_two_unicode_forms_of_one_file(tmp_path, shim):
    """The file system alone knows that they are one: whichever comes first stays."""
    names = ["\u00e9", "e\u0301"]
    with serving(tmp_path, seed_of(*named(*names, "other"))) as igtcloud:
        done = igtcloud.run("download", "--json", tmp_path / "out", "p", status=SOME_FAILED,
                            env={"LD_PRELOAD": shim})
    got = files(tmp_path / "out")
    assert set(got) == {"i/s/other", "i/s/\u00e9"}
    (failed,) = failures(done)
    assert failures(done)[failed] == "IGT_E_COLLISION" and {failed, got["i/s/\u00e9"]} == set(names)
