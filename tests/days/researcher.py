#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A researcher's day: a cohort from CSV to notebook, interrupted twice.

    tests/days/researcher.py [FOLDER]      # FOLDER keeps what the day leaves; else it is removed

Runs the programs of build/ as a researcher would, prints the commands and what they say, and stops
at the first thing that is not as it should be. test_researcher.py runs it as a test. Needs
python3-nbclient, python3-ipykernel and python3-pandas for the notebook.
"""

import csv
import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from igtcloud import environment, journal_of, program, ranges_in_journal  # noqa: E402
from sandbox import Sandbox  # noqa: E402

PACKAGE = pathlib.Path(os.environ.get("IGTCLOUD_PYTHON", ROOT / "build" / "python"))
USER, PASSWORD, PROJECT = "ann@example.com", "secret", "Coronary"
RANGE = 8 * 1024 * 1024  # what the program fetches, and remembers, at a time
FILM = 2 * RANGE  # of each study of the cohort


def study(number):
    patient = f"P-{1000 + number}"
    return {"class": "Study", "studyId": ("Angio", "Follow-up")[number % 2],
            "studyDate": f"2026-{1 + number % 9:02d}-10T09:00:00+00:00",
            "patient": {"patientId": patient, "patientName": patient, "gender": "FM"[number % 3 == 0]},
            "files": [{"path": "report.txt", "text": f"{patient}: ejection fraction {40 + number} %\n"},
                      {"path": "film.bin", "size": FILM if is_wanted(number) else 1000}]}


def is_wanted(number):
    """Women's angiographies: what the researcher is going to select."""
    return number % 2 == 0 and number % 3 != 0


SEED = {"users": [{"name": USER, "password": PASSWORD, "roles": ["DATA_MANAGER"]}],
        "projects": [{"name": PROJECT, "institutes": [
            {"name": "Catharina", "studies": [study(n) for n in range(1, 11)]},
            {"name": "Elisabeth", "studies": [study(n) for n in range(11, 17)]},
            {"name": "Radboud", "studies": [study(n) for n in (21, 27, 33)]}]}]}  # none of the cohort

NOTEBOOK = """\
import pathlib, pandas
cohort = pandas.read_csv("cohort.csv", parse_dates=["studyDate"])
cohort.groupby(cohort.studyDate.dt.month).size()
#
folders = {path.name: path for path in pathlib.Path("cohort").glob("*/*")}
reports = {name: (path / "report.txt").read_text() for name, path in folders.items()}
fraction = pandas.Series({name: int(text.split()[-2]) for name, text in reports.items()})
assert len(fraction) == len(cohort)
print(f"{len(fraction)} studies, mean ejection fraction {fraction.mean():.1f} %")
#
from igtcloud.client import native
summary = native.verify("cohort", "Coronary", selection=native.Selection(studies=cohort.studyDatabaseId))
print(summary.files_same, "files are the cloud's")
"""


def check(holds, what):
    if not holds:
        sys.exit(f"researcher: it is not so that {what}")


def say(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n# {text}", flush=True)


class Day:
    """The researcher's folder and environment."""

    def __init__(self, folder, cloud):
        self.folder, self.cloud = folder, cloud
        self.env = environment(folder, CLOUD_DOMAIN=cloud.url, CLOUD_USERNAME=USER, PYTHONPATH=PACKAGE,
                               CLOUD_TOKEN_MMAP=folder / "session", MPLBACKEND="agg",
                               PYDEVD_DISABLE_FILE_VALIDATION="1")

    def start(self, *arguments, stdin=subprocess.DEVNULL):
        print("$ igtcloud", shlex.join(map(str, arguments)), flush=True)
        return subprocess.Popen([program(), *map(str, arguments)], cwd=self.folder, env=self.env, stdin=stdin,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def run(self, *arguments, status=0, given=None):
        """What it prints; its exit status has to be this one."""
        process = self.start(*arguments, stdin=subprocess.DEVNULL if given is None else subprocess.PIPE)
        out, err = process.communicate(given, timeout=120)
        print(err, end="", flush=True)
        check(process.returncode == status, f"`igtcloud {arguments[0]}` exits with {status}, not {process.returncode}")
        return out, err

    def interrupt(self, how, after, *arguments):
        """Runs it until so many bytes have arrived, then sends the signal. The journal may be a second late: at 40 MB/s
        the rest arrived meanwhile on a busy machine."""
        process = self.start(*arguments, "--bwlimit", "20M", "--connections", "4")
        end = time.monotonic() + 60
        while self.arrived() < after:
            check(process.poll() is None, f"the download is still running when {after} bytes have arrived")
            check(time.monotonic() < end, f"{after} bytes arrive within a minute")
            time.sleep(0.005)
        os.kill(process.pid, how)
        _, err = process.communicate(timeout=60)
        print(err, end="", flush=True)
        return process.returncode

    def arrived(self):
        """Bytes of the cohort's films, at least: of those that are complete, or of the ranges in the journal, which
        is written once a second and may still have those of a film that is complete."""
        films = [*(self.folder / "cohort").rglob("film.bin")]
        return max(FILM * len(films), RANGE * ranges_in_journal(journal_of(self.folder)))


def choose(day):
    """The cohort: a table of the project, and what a spreadsheet would leave of it."""
    say("Which studies are there?")
    day.run("csv", ".", PROJECT)
    with open(day.folder / f"cloud_{PROJECT}.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    check(len(rows) == 19, "the table has a row for each of the 19 studies")
    wanted = [row for row in rows if row["studyId"] == "Angio" and row["patientGender"] == "F"]
    with open(day.folder / "cohort.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        table.writerows(wanted)
    print(f"cohort.csv has {len(wanted)} of them")
    return wanted


def fetch(day, wanted):
    """Ctrl-C in the middle, then a crash, then the rest: nothing that has arrived is fetched again."""
    whole = len(wanted) * FILM
    command = ["download", "cohort", PROJECT, "--studies-from", "cohort.csv"]
    say("The cohort is downloaded; Ctrl-C in the middle of it")
    status = day.interrupt(signal.SIGINT, whole // 5, *command)
    check(status == 130, f"an interrupted download exits with 130, not {status}")
    say("The machine is switched off in the middle of the next attempt")
    status = day.interrupt(signal.SIGKILL, whole // 2, *command)
    check(status == -signal.SIGKILL, "the program was killed")
    say("And the rest")
    had = day.arrived()
    out, _ = day.run(*command, "--json")
    moved = json.loads(out.splitlines()[-1])["bytesMoved"]
    print(f"{moved} of {whole} bytes were left to fetch")
    check(0 < moved <= whole - had + RANGE, f"what has arrived ({had} bytes) is not fetched again")
    listed = day.cloud.requests(method="GET", path="/api/data/hospitals/*/studies")
    check(len({one["path"] for one in listed}) == 3, "Radboud, which has no study of the cohort, was listed for the table only")


def see(day, wanted):
    """Exactly the cohort has arrived, every byte of it."""
    say("Is it complete?")
    there = {path.name for path in (day.folder / "cohort").glob("*/*")}
    check(there == {row["studyIdHumanReadable"].replace("/", "---") for row in wanted}, "the cohort, and nothing else, is there")
    left = [path.name for path in (day.folder / "cohort").rglob("*") if path.name.endswith(".igtpart")]
    check(not left, "no partial file is left")
    _, err = day.run("verify", "cohort", PROJECT, "--studies-from", "cohort.csv")
    check(f"Verified {len(wanted)} studies, {2 * len(wanted)} identical files" in err, "all files are the cloud's")
    say("Nothing is fetched again")
    out, _ = day.run("download", "cohort", PROJECT, "--studies-from", "cohort.csv", "--json")
    check(json.loads(out.splitlines()[-1])["bytesMoved"] == 0, "a complete cohort costs no download")


def evaluate(day):
    """The notebook: a table of the cohort, its files, and proof that they are the cloud's."""
    import nbclient
    import nbformat
    say("The notebook")
    cells = [nbformat.v4.new_code_cell(text.strip()) for text in NOTEBOOK.split("#\n")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    env = {**day.env, "IPYTHONDIR": str(day.folder / "ipython"), "JUPYTER_RUNTIME_DIR": str(day.folder / "jupyter")}
    client = nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3",
                                     resources={"metadata": {"path": str(day.folder)}})
    client.execute(env=env)
    nbformat.write(notebook, day.folder / "cohort.ipynb")
    shown = "".join(one["text"] for cell in cells for one in cell["outputs"] if one.get("name") == "stdout")
    print(shown, end="")
    return shown


def update(day):
    """A month later: only what has changed."""
    say("A month later: what is new?")
    day.run("download", "all", PROJECT, "--institute", "Elisabeth", "--modified-since", "last")
    _, err = day.run("download", "all", PROJECT, "--institute", "Elisabeth", "--modified-since", "last")
    check("no study was modified" in err or "Downloaded 6 studies, 0 files" in err, "nothing is new")
    say("A mistyped institute, and a patient who is not there")
    _, err = day.run("download", "all", PROJECT, "--institute", "Elizabeth", status=5)
    check("did you mean 'Elisabeth'?" in err, "the right name is offered")
    day.run("download", "all", PROJECT, "--study", "P-9999", status=5)


def main(folder):
    folder = pathlib.Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        seed = pathlib.Path(place, "seed.json")
        seed.write_text(json.dumps(SEED), "utf-8")
        with Sandbox(seed=seed, extra=["--faults"]) as cloud:
            day = Day(folder, cloud)
            say("Signing in")
            day.run("login", "--background", "--password-stdin", given=PASSWORD + "\n")
            try:
                wanted = choose(day)
                fetch(day, wanted)
                see(day, wanted)
                shown = evaluate(day)
                check(f"{len(wanted)} studies, mean" in shown and f"{2 * len(wanted)} files are" in shown,
                      "the notebook shows the cohort")
                update(day)
            finally:
                day.run("logout")
    say("Done.")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as own:
            main(own)
