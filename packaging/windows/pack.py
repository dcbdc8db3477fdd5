# SPDX-License-Identifier: MIT
"""Writes the zip of a release: pack.py OUT.zip VERSION PROGRAM LICENCES

The program is in it as igtcloud.exe, beside LICENCES.txt and README.txt. All have the time of SOURCE_DATE_EPOCH,
so that the same files make the same bytes."""
import os
import pathlib
import sys
import time
import zipfile

README = pathlib.Path(__file__).with_name("README.txt.in")


def with_crlf(text):
    return "\r\n".join(text.splitlines()).encode() + b"\r\n"


def add(archive, name, data):
    when = time.gmtime(max(int(os.environ.get("SOURCE_DATE_EPOCH", 0)), 315532800))  # a zip begins with 1980
    entry = zipfile.ZipInfo(name, when[:6])
    entry.create_system = 0  # Windows'
    archive.writestr(entry, data, zipfile.ZIP_DEFLATED, 9)


def main():
    out, version, program, licences = sys.argv[1:]
    readme = README.read_text(encoding="utf-8").replace("@VERSION@", version)
    with zipfile.ZipFile(out, "w") as archive:
        add(archive, "igtcloud.exe", pathlib.Path(program).read_bytes())
        add(archive, "LICENCES.txt", with_crlf(pathlib.Path(licences).read_text(encoding="utf-8")))
        add(archive, "README.txt", with_crlf(readme))


main()
