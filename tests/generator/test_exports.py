# SPDX-License-Identifier: MIT
"""What the shared library exports is what the public headers declare."""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get('IGTCLOUD_BIN', ROOT / 'build' / 'igtcloud')).parent

pytestmark = pytest.mark.plain('the same in every build')


def declared():
    headers = [*(ROOT / 'include' / 'igtcloud').glob('*.h'),
               *(BUILD / 'api' / 'igtcloud').glob('*.h')]
    names = set()
    for header in headers:
        text = re.sub(r'/\*.*?\*/', '', header.read_text(encoding='utf-8'), flags=re.S)
        text = re.sub(r'^\s*#.*?[^\\]$', '', text, flags=re.M)
        for part in re.findall(r'IGT_EXTERN\b(?! extern)([^;{]*);', text):
            names.update(re.findall(r'\b(igt_\w+)\s*\(', part)[:1])
        assert not re.search(r'IGT_EXTERN\s+extern\b', text), 'data is not exported'
    return names


def exported():
    done = subprocess.run(['nm', '-D', '--defined-only', str(BUILD / 'lib' / 'libigtcloud.so')],
                          capture_output=True, text=True, check=True)
    names = {line.split()[-1].split('@')[0] for line in done.stdout.splitlines()}
    return {name for name in names if not re.match(r'_*(asan|ubsan|tsan|sanitizer|odr)', name)}


def test_all_that_is_declared_is_there():
    assert len(declared()) > 250
    assert not declared() - exported()


def test_nothing_else_is_exported():
    assert not exported() - declared()


@pytest.mark.parametrize('name', ['igt_client_new', 'igt_get_projects', 'igt_epd_study_type'])
def test_the_headers_are_read_as_meant(name):
    assert name in declared()


def test_all_is_listed_with_its_version():
    """A symbol that goes away breaks programs: it takes a new soname, and a look at lib/symbols."""
    lines = (ROOT / 'lib' / 'symbols').read_text(encoding='utf-8').splitlines()[1:]
    listed = dict(line.split() for line in lines)
    assert list(listed) == sorted(listed) and len(listed) == len(lines)
    assert exported() == set(listed), 'lib/symbols is old: scripts/list-symbols'
    assert all(re.fullmatch(r'\d+\.\d+\.\d+', version) for version in listed.values())
