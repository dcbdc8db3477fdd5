# SPDX-License-Identifier: MIT
"""What attacks, bad links and disks, and odd servers once did to igtcloud, and what must happen
instead: one line a case. A test says which of them it is for: `@pytest.mark.case("security-7")`,
in C `/* case: security-7 */` on the line above the function. docs/reliability.md has the table;
scripts/reliability writes it, fault/test_reliability_page.py checks it."""

import ast
import pathlib
import re
import typing

TESTS = pathlib.Path(__file__).resolve().parent

CASES = {
    "security-1": "no file below a folder to upload is opened through a link, also `study.json`",
    "security-2": "too little space is noticed before and after the transfer began; the disk keeps what was free",
    "security-3": "a folder with the name of one study and the `study.json` of another is refused",
    "security-4": "folders whose `study.json` has no study id: each is one study, on every run",
    "security-5": "an object without a usable length is never stored as an empty file",
    "security-6": "ranges of different versions of an object are never put together",
    "security-7": "after a power cut, ranges that may not have reached the disk are fetched again",
    "security-8": "a FIFO where a file is expected is an error within a second",
    "security-9": "no size that a server states sizes an allocation; it fails that file alone",
    "security-10": "absurd session lifetimes cause neither overflow nor a flood of renewals",
    "security-11": "a partial file that another user planted is not used",
    "security-12": "reports are written through no link and are readable by their owner alone",
    "security-13": "a token file path that names something else is refused, and left as it is",
    "security-14": "a small compressed list that unpacks to gigabytes cannot fill the disk",
    "security-15": "a redirect or 304 without a target is not a success",
    "security-16": "a part of a token in a server's error message is hidden, too",
    "security-17": "files compared by size and date only are reported as such",
    "security-18": "an empty value of an option is a usage error, never another cloud",
    "security-19": "an https cloud cannot send the client to plain http on loopback",
    "security-20": "a service's key signs no assertion for a foreign audience, and none for long",
    "security-21": "control characters in names reach neither terminal nor JSON as they are",
    "security-22": "the terminal echoes again after any signal at the password prompt",
    "security-23": "what a killed `upgrade` left behind is removed by the next one",
    "security-24": "HEAD with 400 or 403: new credentials once, then decide",
    "security-25": "`igt_file_read` returns what was read before the error, like read(2)",
    "transfers-1": "a folder that cannot be looked at is a failure, not an empty one",
    "transfers-2": "a `study.json` that cannot be looked at is a failure, never a new study",
    "transfers-3": "downloads work without flock, or say why not, and leave nothing behind",
    "transfers-4": "signals that were ignored at the start stay ignored; SIGHUP exits with 129",
    "transfers-5": "file systems without fallocate are not filled byte by byte",
    "transfers-6": "Ctrl-Z and `fg` at the password prompt: asked again, without echo",
    "transfers-7": "`login --background` outlives script and terminal and holds on to nothing of theirs",
    "transfers-8": "unstable inode numbers are not a change of the file",
    "transfers-10": "files that are still being written are not submitted",
    "transfers-11": "a name in NFD finds the study in NFC",
    "transfers-13": "good bodies in chunks, without a length, are accepted",
    "transfers-14": "the progress display counts columns, and stays on its line",
    "transfers-16": "folder placeholders do not fail a study",
    "transfers-23": "a background login survives hours without a network",
    "transfers-24": "SIGTERM ends the program within 2 s while its reader stands still",
    "transfers-25": "an object of another size than listed is fetched once, then recognised",
    "transfers-26": "`--exclude NAME` and `NAME/` match a folder, too",
    "transfers-27": "a study of links only creates no empty study",
    "transfers-28": "a refused registration fails one file, not its 500 neighbours",
    "transfers-29": "logs and reports go to standard streams, too; a link is explained",
    "transfers-30": "output that could not be written is exit status 1 and a message",
    "transfers-31": "a byte order mark in `study.json` is skipped",
    "transfers-32": "a file that may not be read is not registered",
    "transfers-33": "`off` switches off; dates in reverse order are a usage error",
    "dicom-1": "images of one series with one file name all survive an import",
    "dicom-3": "what lies beside `files/` is named and counted as left out; `verify` misses it",
    "dicom-5": "studies with the same names are all downloaded, each to a folder of its own",
    "dicom-6": "another content with the same path, size and time is imported",
    "dicom-7": "an import never claims that files are in the cloud without looking",
    "dicom-8": "what cannot be sorted stays listed; an import is reported as handed over",
    "dicom-10": "text in DICOM files is decoded by its character set",
    "dicom-11": "a preview that would be wrong is refused",
    "dicom-13": "annotations with NaN or Infinity go up",
    "dicom-14": "the clutter of macOS and Windows is skipped and counted",
    "dicom-16": "imported studies show in lists, with a hint at what they hold",
    "dicom-17": "long or foreign folder layouts are explained",
    "dicom-28": "a file name that is not UTF-8 fails that file alone, with the right message",
    "dicom-30": "a closed pipe ends the program silently",
    "dicom-31": "`ls STUDY/series` shows the series' number and UID",
    "dicom-32": "the example `dicom_header` refuses what it cannot read",
    "dicom-35": "counts and nouns agree in summaries",
}


class Case(typing.NamedTuple):
    id: str
    path: str  # of the test, below tests/
    test: str

    @property
    def is_c(self):
        return self.path.endswith(".c")


def _ids(function):
    """Of all `pytest.mark.case(...)` among a function's decorators, those of parameters too."""
    for decorator in function.decorator_list:
        for node in ast.walk(decorator):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and \
                    node.func.attr == "case":
                yield from (a.value for a in node.args)


def _in_python(path, name):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            for case in _ids(node):
                yield Case(case, name, node.name)


def _in_c(path, name):
    for found in re.finditer(r"/\* case: ([\w, -]+?) \*/\s*(?:static )?void (\w+)\(",
                             path.read_text()):
        for case in re.findall(r"\w+-\d+", found[1]):
            yield Case(case, name, found[2])


def marked():
    """All tests that are for a case."""
    found = []
    for path in sorted(TESTS.glob("*/test_*.*")):
        read = {".py": _in_python, ".c": _in_c}.get(path.suffix)
        if read:
            found += read(path, str(path.relative_to(TESTS)))
    return found


def table(results):
    """For the page; results: (path, test): whether it passed."""
    text = "\n## Cases\n\n| case | what must happen | holds | tests |\n|---|---|---|---|\n"
    tests = marked()
    for case, line in CASES.items():
        mine = [t for t in tests if t.id == case]
        good = mine and all(results.get((t.path, t.test)) for t in mine)
        names = ", ".join(f"`{t.path}` `{re.sub('^test_', '', t.test)}`" for t in mine)
        text += f"| {case} | {line} | {'yes' if good else '**NO**'} | {names or 'none'} |\n"
    return text
