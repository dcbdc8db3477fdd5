# SPDX-License-Identifier: MIT
"""Faults that attacks, bad links, bad disks and odd servers once exposed in igtcloud, and what is
required instead: one line a case. A test names the cases it covers: `@pytest.mark.case("security-7")`,
in C `/* case: security-7 */` on the line above the function. docs/reliability.md has the table;
scripts/reliability writes it, fault/test_reliability_page.py checks it."""

import ast
import pathlib
import re
import typing

TESTS = pathlib.Path(__file__).resolve().parent

CASES = {
    "security-1": "no file below an uploaded folder, `study.json` included, is opened through a link",
    "security-2": "a disk that is too small is detected before and during a transfer; free space is not used up",
    "security-3": "a folder with one study's name and another study's `study.json` is refused",
    "security-4": "folders whose `study.json` has no study id stay one study each, on every run",
    "security-5": "an object of unknown length is never stored as an empty file",
    "security-6": "ranges of different versions of an object are never combined",
    "security-7": "what may not have reached the disk before a power failure or a disk error is downloaded again",
    "security-8": "a FIFO in place of a regular file is an error within a second",
    "security-9": "no size from a server determines an allocation; an absurd one fails that file alone",
    "security-10": "absurd session lifetimes cause neither overflow nor a flood of renewals",
    "security-11": "a partial file that another user planted is not used",
    "security-12": "reports are not written through links and are readable by their owner alone",
    "security-13": "a token file path that names another kind of file is refused, and the file is left alone",
    "security-14": "a compressed list that expands to gigabytes cannot fill the disk",
    "security-15": "a redirect or 304 without a target is not a success",
    "security-16": "a fragment of a token in a server's error message is redacted, too",
    "security-17": "files compared by size and modification time only are reported as such",
    "security-18": "an empty value of an option is a usage error, never another cloud",
    "security-19": "an https cloud cannot send the client to plain http on loopback",
    "security-20": "a service's key signs no assertion for another audience, and none that is valid for long",
    "security-21": "control characters in names are escaped on terminals and in JSON",
    "security-22": "the terminal's echo is restored after any signal at the password prompt",
    "security-23": "what a killed `upgrade` left behind is removed by the next one",
    "security-24": "HEAD with 400 or 403 is retried once with new credentials",
    "security-25": "`igt_file_read` returns the bytes read before an error, like read(2)",
    "security-26": "parts that the store assembled incorrectly are sent again, and never confirmed",
    "transfers-1": "a folder that cannot be examined is a failure, not an empty folder",
    "transfers-2": "a `study.json` that cannot be examined is a failure, never a new study",
    "transfers-3": "downloads work without flock, or say why not, and leave nothing behind",
    "transfers-4": "signals that were ignored at the start stay ignored; SIGHUP exits with 129",
    "transfers-5": "file systems without fallocate are not filled byte by byte",
    "transfers-6": "after Ctrl-Z and `fg`, the password prompt appears again, without echo",
    "transfers-7": "`login --background` outlives its script and terminal and keeps none of their descriptors",
    "transfers-8": "an unstable inode number does not count as a change of the file",
    "transfers-10": "files that are still being written are not submitted",
    "transfers-11": "a name in NFD matches the study in NFC",
    "transfers-13": "correct chunked bodies without a length are accepted",
    "transfers-14": "the progress display counts columns and stays on its line",
    "transfers-16": "folder placeholders do not fail a study",
    "transfers-23": "a background login survives hours without a network",
    "transfers-24": "SIGTERM ends the program within 2 s even if its output is not being read",
    "transfers-25": "an object whose size differs from the list is downloaded once, then recognized",
    "transfers-26": "`--exclude NAME` and `NAME/` match a folder, too",
    "transfers-27": "a study that contains only links does not create an empty study",
    "transfers-28": "one rejected registration fails one file, not the 499 others of its request",
    "transfers-29": "logs and reports can go to standard streams; a link is refused with an explanation",
    "transfers-30": "output that cannot be written is exit status 1 with a message",
    "transfers-31": "a byte order mark in `study.json` is skipped",
    "transfers-32": "a file without read permission is not registered",
    "transfers-33": "`off` switches an option off; reversed dates are a usage error",
    "dicom-1": "images of one series that share a file name all survive an import",
    "dicom-3": "files beside `files/` are listed and counted as left out; `verify` reports them missing",
    "dicom-5": "studies with the same name are all downloaded, each into its own folder",
    "dicom-6": "different content with the same path, size and time is imported",
    "dicom-7": "an import never claims that files are in the cloud without checking",
    "dicom-8": "files that cannot be sorted stay listed; an import is reported as handed over",
    "dicom-10": "text in DICOM files is decoded by its character set",
    "dicom-11": "a preview that would be wrong is refused",
    "dicom-13": "annotations with NaN or Infinity are uploaded",
    "dicom-14": "system files of macOS and Windows are skipped and counted",
    "dicom-16": "imported studies appear in lists, with a hint at what they contain",
    "dicom-17": "long or foreign folder layouts are explained",
    "dicom-28": "a file name that is not valid UTF-8 fails that file alone, with an error that says so",
    "dicom-30": "a closed pipe ends the program silently",
    "dicom-31": "`ls STUDY/series` shows the series' number and UID",
    "dicom-32": "the example `dicom_header` rejects files it cannot read",
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
    text = "\n## Cases\n\n| case | required | passed | tests |\n|---|---|---|---|\n"
    tests = marked()
    for case, line in CASES.items():
        mine = [t for t in tests if t.id == case]
        good = mine and all(results.get((t.path, t.test)) for t in mine)
        names = ", ".join(f"`{t.path}` `{re.sub('^test_', '', t.test)}`" for t in mine)
        text += f"| {case} | {line} | {'yes' if good else '**NO**'} | {names or 'none'} |\n"
    return text
