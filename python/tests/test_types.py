# SPDX-License-Identifier: MIT
"""mypy --strict on the package and on a script that uses it, and on mistakes that it has to find."""

import os
import pathlib
import re
import subprocess
import sys

import pytest
from conftest import PACKAGE

HERE = pathlib.Path(__file__).parent
# What a line does wrong -> what mypy says of it.
MISTAKES = {
    "Study('Study', study_id=5)": 'incompatible type "int"; expected "str"',
    "Study()": 'Missing positional argument "study_type"',
    "File('k')": 'Missing positional argument "file_size"',
    "File('k', 1).nonsense": '"File" has no attribute "nonsense"',
    "File('k', 1).file_name.upper()": 'Item "None" of "Optional[str]"',
    "File('k', 1).to_dict()['nonsense']": 'TypedDict "FileDict" has no key "nonsense"',
    'entities_service.get_studies()': 'require at least one argument',
    'entities_service.get_studies(5)': 'No overload variant of "__call__"',
    "entities_service.get_studies('h', nonsense=1)": 'No overload variant of "__call__"',
    "entities_service.get_studies('h').study_type": '"List[RootStudy]" has no attribute "study_type"',
    "entities_service.nonsense('h')": 'has no attribute "nonsense"',
}


def mypy(*arguments):
    env = dict(os.environ, MYPYPATH=str(PACKAGE), PYTHONDEVMODE='')  # its own warnings are not ours
    done = subprocess.run([sys.executable, '-m', 'mypy', '--strict', '--namespace-packages',
                           '--explicit-package-bases', '--no-error-summary', '--follow-imports', 'silent',
                           '--hide-error-context', '--no-color-output', *arguments], env=env, capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """What mypy says of the package, the example and a file of mistakes, in one run."""
    folder = tmp_path_factory.mktemp('mypy')
    head = ['from igtcloud.client.services import entities_service',
            'from igtcloud.client.services.entities.models import File, Study']
    mistakes = folder / 'mistakes.py'
    mistakes.write_text('\n'.join(head + list(MISTAKES)) + '\n')
    package = PACKAGE / 'igtcloud'
    modules = [path for path in sorted(package.rglob('*.py')) if not path.with_suffix('.pyi').exists()]
    modules += sorted(package.rglob('*.pyi'))
    said = mypy('--cache-dir', str(folder / 'cache'), *map(str, modules), str(HERE / 'typed_example.py'),
                str(mistakes))
    return said


def test_the_package_and_the_example_have_no_errors(report):
    mine = re.compile(r'(?!.*/mistakes\.py:).*\.pyi?:')
    errors = [line for line in report.splitlines() if mine.match(line)]
    assert not errors, '\n'.join(errors)


def test_mistakes_are_found(report):
    said = {}
    for line in re.findall(r'mistakes.py:(\d+): error: (.*)', report):
        said.setdefault(int(line[0]), []).append(line[1])
    for number, (code, expected) in enumerate(MISTAKES.items(), 3):
        assert any(expected in one for one in said.get(number, [])), (code, said.get(number))
