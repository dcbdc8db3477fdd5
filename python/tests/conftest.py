# SPDX-License-Identifier: MIT
"""The tests of the Python package, on the package in build/python; IGTCLOUD_PYTHON names another.

The sandbox is that of tests/integration, whose modules are loaded by path: one of them has the package's name.
"""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = pathlib.Path(os.environ.get('IGTCLOUD_PYTHON', ROOT / 'build' / 'python'))
sys.path.insert(0, str(PACKAGE))
# ASan's runtime (scripts/check python-asan) is for Python alone: the sandbox does not start under it.
PRELOAD = {'LD_PRELOAD': os.environ.pop('LD_PRELOAD')} \
    if 'PYTEST_XDIST_WORKER' in os.environ and 'LD_PRELOAD' in os.environ else {}
USER, PASSWORD = 'demo@example.com', 'demo'
STATION = 'upload-station@demo'


def integration_module(name):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / 'tests/integration' / f'{name}.py')
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


Sandbox = integration_module('sandbox').Sandbox
RestClient = integration_module('rest_client').RestClient


@pytest.fixture(scope='module')
def cloud(request, tmp_path_factory):
    """A sandbox with the module's SEED ("demo" unless it has one), a log of requests, and faults."""
    seed = getattr(request.module, 'SEED', 'demo')
    if seed != 'demo':
        import json
        path = tmp_path_factory.mktemp('seed') / 'seed.json'
        path.write_text(json.dumps(seed))
        seed = path
    with Sandbox(seed=seed, extra=['--faults'], **getattr(request.module, 'SANDBOX', {})) as running:
        yield running
        assert running.stop() == 0, running.log()


@pytest.fixture(autouse=True)
def own_environment(monkeypatch, tmp_path):
    """Nothing of the user's: sessions, tokens, journal."""
    for name in [name for name in os.environ if name.startswith('CLOUD_') or name == 'IGTCLOUD_PYTHON']:
        monkeypatch.delenv(name)
    folder = tmp_path / 'own'
    folder.mkdir(mode=0o700)
    for name, value in (('TMPDIR', folder), ('HOME', folder), ('XDG_STATE_HOME', folder / 'state'),
                        ('XDG_CONFIG_HOME', folder / 'config'), ('XDG_RUNTIME_DIR', folder),
                        ('CLOUD_TOKEN_MMAP', folder / 'igtcloud_auth_mmap')):
        monkeypatch.setenv(name, str(value))
    return folder


@pytest.fixture
def here(tmp_path):
    """A folder for transfers."""
    folder = tmp_path / 'here'
    folder.mkdir()
    return folder


def tree(folder):
    """The files below a folder, sorted."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file())


@pytest.fixture
def asked(monkeypatch):
    """Answers the prompts of Python, and records them."""
    questions = []
    answers = {'password': PASSWORD, 'user': USER}

    def answer_password(prompt='Password: ', stream=None):
        questions.append(prompt)
        return answers['password']

    def answer(prompt=''):
        questions.append(prompt)
        return answers['user']

    import builtins
    import getpass
    monkeypatch.setattr(getpass, 'getpass', answer_password)
    monkeypatch.setattr(builtins, 'input', answer)
    questions_and_answers = type('Asked', (), {'questions': questions, 'answers': answers})
    return questions_and_answers


@pytest.fixture
def auth(cloud, asked):
    """Signed in as the user of the demo, with the services set to that."""
    from igtcloud.client.core.auth import smart_auth
    from igtcloud.client.services import set_auth
    with smart_auth(cloud.url, USER) as handler:
        set_auth(handler)
        cloud.clear()
        yield handler
        cloud.heal()
    set_auth(None)


@pytest.fixture
def entities(auth):
    from igtcloud.client.services import entities_service
    return entities_service


@pytest.fixture
def run_python(own_environment):
    """Runs a program in a process of its own: run_python(code, *arguments) -> its standard output."""
    def run(code, *arguments, check=True, timeout=60, env=None, stdin=None):
        done = subprocess.run([sys.executable, '-X', 'faulthandler', '-c', code, *map(str, arguments)], text=True,
                              env={**os.environ, 'PYTHONPATH': str(PACKAGE), **PRELOAD, **(env or {})}, input=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout
        return done
    return run
