# SPDX-License-Identifier: MIT
"""Which files move: --filter-from, --files-from, sizes and ages, in every command that takes them."""

import csv
import os
import subprocess
import time

import pytest

from igtcloud import SOME_FAILED, USAGE, environment, tree
from rest_client import RestClient
from uploads import epd, institute, items, patient_study, put, seed, igt

DAY = 86400
FILES = [{"path": "scan/1.dcm", "size": 1000, "age": 10 * DAY},
         {"path": "scan/2.dcm", "size": 3000},
         {"path": "scan/raw/3.dcm", "size": 5000, "age": 10 * DAY},
         {"path": "report.pdf", "size": 2000, "age": 10 * DAY},
         {"path": "empty.txt", "size": 0}]
ALL = {f["path"] for f in FILES}
SEED = seed(igt(institute("north", patient_study("P1", "A", files=FILES),
                          patient_study("P2", "B", files=[{"path": "report.pdf", "size": 10}]))),
            epd(*[institute(f"lab{n}") for n in range(8)]))
STUDY = "north/P1---A"


def fetched(out):
    return {name for name in tree(out / STUDY) if name != "study.json"}


def rules(folder, *lines):
    (folder / "rules").write_text("\n".join(lines) + "\n")
    return ["--filter-from", folder / "rules"]


def names(folder, *lines):
    (folder / "names").write_text("\n".join(lines))
    return ["--files-from", folder / "names"]


CHOICES = {
    "rules": (["- raw", "+ *.dcm", "- *"], [], [], {"scan/1.dcm", "scan/2.dcm"}),
    "a folder": (["# all but the scans", "", "- scan/"], [], [], {"report.pdf", "empty.txt"}),
    "the first decides": (["+ scan/raw/", "- scan", "; end"], [], [],
                          {"scan/raw/3.dcm", "report.pdf", "empty.txt"}),
    "names": ([], ["report.pdf", "scan/raw/"], [], {"report.pdf", "scan/raw/3.dcm"}),
    "names are no globs": ([], ["*.pdf", "empty.txt"], [], {"empty.txt"}),
    "both": (["- *.pdf"], ["report.pdf", "scan/1.dcm"], [], {"scan/1.dcm"}),
    "sizes": ([], [], ["--min-size", "2000", "--max-size", "3000"], {"scan/2.dcm", "report.pdf"}),
    "units": ([], [], ["--min-size", "1.5k"], {"scan/2.dcm", "scan/raw/3.dcm", "report.pdf"}),
    "no size": ([], [], ["--max-size", "0"], {"empty.txt"}),
    "with globs": (["- raw"], [], ["--include", "*.dcm", "--min-size", "2k"], {"scan/2.dcm"})}
AGES = {
    "old": (["--min-age", "1d"], {"scan/1.dcm", "scan/raw/3.dcm", "report.pdf"}),
    "new": (["--max-age", "1w"], {"scan/2.dcm", "empty.txt"}),
    "between": (["--min-age", "1h", "--max-age", "4w", "--include", "*.pdf"], {"report.pdf"})}


def options_of(folder, choice):
    lines, wanted, more, expected = CHOICES[choice]
    return (*(rules(folder, *lines) if lines else []), *(names(folder, *wanted) if wanted else []),
            *more), expected


@pytest.mark.parametrize("choice", CHOICES)
def test_filters_choose_what_is_downloaded(igtcloud, out, tmp_path, choice):
    options, expected = options_of(tmp_path, choice)
    igtcloud.run("download", *options, out, "trial")
    assert fetched(out) == expected


@pytest.mark.parametrize("choice", AGES)
def test_download_by_age(igtcloud, out, choice):
    """The date is the object's in the cloud."""
    options, expected = AGES[choice]
    igtcloud.run("download", *options, out, "trial")
    assert fetched(out) == expected
    before = tree(out)
    igtcloud.run("download", *options, out, "trial")
    assert tree(out) == before


@pytest.mark.parametrize("choice", CHOICES)
def test_filters_choose_what_is_listed(igtcloud, tmp_path, choice):
    options, expected = options_of(tmp_path, choice)
    text = igtcloud.run("csv", "--files", *options, "-", "trial", "north").text
    rows = [r for r in csv.DictReader(text.splitlines()) if r["studyIdHumanReadable"] == "P1/A"]
    assert {r["filename"] for r in rows} == expected


def test_csv_without_files(igtcloud):
    done = igtcloud.run("csv", "--min-size", "1", "-", "trial", status=USAGE)
    assert "require --files" in done.err


@pytest.mark.parametrize("choice", CHOICES)
def test_filters_choose_what_is_verified(igtcloud, out, tmp_path, choice):
    """Files that were not chosen neither differ nor are missing; without the options they do."""
    options, expected = options_of(tmp_path, choice)
    igtcloud.run("download", *options, out, "trial", "north")
    (out / STUDY / "later.bak").write_text("not in the cloud")
    done = igtcloud.run("verify", "--json", "--exclude", "*.bak", *options, out, "trial")
    assert {i["path"] for i in items(done, kind="file", study="P1/A")} == expected
    done = igtcloud.run("verify", "--json", out, "trial", status=SOME_FAILED)
    assert {i["path"] for i in items(done, kind="file", result="missing here", study="P1/A")} == ALL - expected


def test_verify_by_age(igtcloud, out):
    """For a file in both places the cloud's date counts; for one that is only here its own."""
    igtcloud.run("download", out, "trial", "north")
    for name in ("new.txt", "old.txt"):
        (out / STUDY / name).write_text("only here")
    os.utime(out / STUDY / "old.txt", (time.time() - 9 * DAY,) * 2)
    done = igtcloud.run("verify", "--json", "--min-age", "1d", out, "trial", status=SOME_FAILED)
    assert {i["path"] for i in items(done, kind="file", result="same")} == AGES["old"][1]
    assert {i["path"] for i in items(done, kind="file", result="missing there")} == {"old.txt"}


@pytest.mark.parametrize("choice", ["rules", "names", "sizes", "no size", "with globs"])
def test_filters_choose_what_is_uploaded(igtcloud, up, lab, tmp_path, choice):
    options, expected = options_of(tmp_path, choice)
    put(up / lab.name / "case", {f["path"]: "x" * f["size"] for f in FILES})
    igtcloud.run("upload", *options, up, "up")
    lab.is_whole("case", {f["path"]: "x" * f["size"] for f in FILES if f["path"] in expected})


def test_upload_by_age(igtcloud, up, lab):
    put(up / lab.name / "case", {n: n for n in ("new", "week", "month")})
    for n, days in (("week", 7), ("month", 30)):
        os.utime(up / lab.name / "case" / n, (time.time() - days * DAY,) * 2)
    done = igtcloud.run("upload", "--json", "--min-age", "1d", "--max-age", "2w", up, "up")
    lab.is_whole("case", {"week": "week"})
    assert done.summary["filesYoung"] == 1 and "excluded by its age" in str(items(done, path="month"))


def test_nothing_of_a_study_is_chosen(igtcloud, up, lab):
    """Then no study is created."""
    put(up / lab.name / "case", {"a": "x"})
    igtcloud.run("upload", "--min-size", "1M", up, "up")
    assert lab.names() == []


# ---- what is said ----

def test_what_matched_nothing(igtcloud, out, tmp_path):
    wanted = [f"missing{n}.txt" for n in range(5)]
    done = igtcloud.run("download", *rules(tmp_path, "- *.zip", "- *.pdf"),
                        *names(tmp_path, "report.pdf", *wanted), out, "trial")
    assert "the rule '- *.zip' matched no file" in done.err and "*.pdf" not in done.err
    assert ("'missing0.txt', 'missing1.txt', 'missing2.txt' and 2 more of --files-from matched no "
            "file") in done.err


def test_lists_from_windows(igtcloud, out, tmp_path):
    (tmp_path / "list").write_bytes(b"\xef\xbb\xbfscan/1.dcm\r\n\r\nreport.pdf\r\n")
    igtcloud.run("download", "--files-from", tmp_path / "list", out, "trial")
    assert fetched(out) == {"scan/1.dcm", "report.pdf"}


def test_standard_input(cloud, igtcloud, out, tmp_path):
    """A pipe; and only one option can read it."""
    client = RestClient(cloud.url).login()
    env = {"CLOUD_JWT_TOKEN": client.jwt, "CLOUD_CSRF_TOKEN": client.csrf, "CLOUD_DOMAIN": cloud.url}
    pipe = ["sh", "-c", 'printf "%s\\n" empty.txt | "$0" "$@"']
    command = igtcloud.command("download", "--files-from", "-", out, "trial", sign_in=False)
    subprocess.run([*pipe, *command], env=environment(igtcloud.home, **env), check=True)
    assert fetched(out) == {"empty.txt"}
    done = igtcloud.run("download", "--files-from", "-", "--filter-from", "-", out, "trial",
                        sign_in=False, env=env, status=USAGE)
    assert "standard input cannot be both" in done.err
    done = igtcloud.run("download", "--files-from", "-", out, "trial", status=USAGE)
    assert "both the password and --files-from" in done.err


@pytest.mark.parametrize("text, said", [
    (b"+ *.dcm\n*.txt\n", "line 2: '*.txt' is neither"), (b"+*.dcm\n", "line 1: '+*.dcm'"),
    (b"! \n", "line 1: '!'"), (b"# only a comment\n\n", "is empty"), (b"+ a\0b\n", "NUL")])
def test_rules_that_are_none(igtcloud, out, tmp_path, text, said):
    (tmp_path / "rules").write_bytes(text)
    done = igtcloud.run("download", "--filter-from", tmp_path / "rules", out, "trial", status=USAGE)
    assert said in done.err and not out.exists()


@pytest.mark.parametrize("options, said", [
    (["--min-size", "1x"], "is not a size"), (["--max-size", "-1"], "is not a size"),
    (["--min-size", "nan"], "is not a size"), (["--min-size", "2k", "--max-size", "1k"], "exceeds"),
    (["--max-age", "1.5h"], "is not a duration"), (["--max-age", "0"], "excludes every file"),
    (["--min-age", "2d", "--max-age", "1d"], "exceeds"), (["--files-from", "/nowhere"], "/nowhere"),
    (["--files-from", "/dev/null"], "is empty: it names no file")])
def test_wrong_filters_are_a_usage_error(igtcloud, out, options, said):
    done = igtcloud.run("download", *options, out, "trial", status=USAGE)
    assert said in done.err and not out.exists()


@pytest.mark.parametrize("option", ["--filter-from", "--files-from"])
def test_input_without_line_ends(igtcloud, out, tmp_path, option):
    """Such as a device: it must not fill the memory before somebody notices."""
    (tmp_path / "list").write_text("- " + "x" * 70_000)
    done = igtcloud.run("download", out, "trial", option, tmp_path / "list", status=USAGE)
    assert "line 1" in done.err and "is not a list" in done.err and len(done.err) < 2000
    done = igtcloud.run("download", out, "trial", option, "/dev/zero", status=USAGE)
    assert "/dev/zero" in done.err
