# SPDX-License-Identifier: MIT
"""The existing client and this one do the same, defects aside: the rows of rows.py in both.

REFERENCE_CLIENT names a checkout of github.com/philips-labs/igtcloud-client; without one, these tests are
skipped. `scripts/install-deps reference` installs what it imports."""

import base64
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import urllib.parse

import pytest
from conftest import PACKAGE, PASSWORD, USER, Sandbox
from igtcloud.client.services import _models, _tables
from rows import ROWS
from scripts import ROWS as SCRIPTS

CHECKOUT = pathlib.Path(os.environ.get('REFERENCE_CLIENT', '/nonexistent')) / 'src'
EXPIRES = int(time.time()) + 7200
pytestmark = pytest.mark.skipif(not CHECKOUT.is_dir(), reason='the existing client is not there')


def token():
    """A JWT that any client takes for valid: nobody here checks signatures."""
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b'=').decode()
    return f"{part({'alg': 'none'})}.{part({'exp': EXPIRES, 'sub': 'u', 'iat': 1})}.x"


def sample(service, name, depth=0):
    """JSON of a model with all its fields, of a study or series type that has the most."""
    if name in ('RootStudy', 'Series'):
        name = {'RootStudy': 'CoreLabsStudy', 'Series': 'EchoNavSeries'}[name]
    found = {}
    for field in _models.load(service, name)._fields.values():
        found[field.json] = value_of(service, field.type, name, depth)
    return {key: value for key, value in found.items() if value is not None}


def value_of(service, type_, owner, depth):
    plain = {'str': 'text ä', 'int': 3, 'bool': True, 'datetime': '2020-01-02T03:04:05.678000+02:00',
             'date': '2020-01-02', 'dict': {'a': 'b'}}
    if type_ in plain:
        return owner if type_ == 'str' and owner.endswith(('Study', 'Series')) else plain[type_]
    if type_.startswith('['):
        one = value_of(service, type_[1:-1], '', depth)
        return None if one is None else [one]
    return sample(service, type_, depth + 1) if depth < 2 else None


def response_of(method, path):
    """What the server says to an operation: its service and the type of its response."""
    for service, groups in _tables.OPERATIONS.items():
        for rows in groups.values():
            for row in rows.values():
                pattern = re.sub(r'\\{\w+\\}', '[^/]+', re.escape(row[3]))
                if row[2] == method and re.fullmatch(pattern, path):
                    return service, row[6]
    raise AssertionError(f'{method} {path} is no operation')


def answer_of(service, response):
    """A body for a response of this type."""
    many, name = response.endswith('[]'), response.removesuffix('[]')
    plain = {'': None, 'any': {'a': 1}, 'string': 'text', 'integer': 3}
    value = plain[name] if name in plain else sample(service, name)
    return [value, value] if many else value


class Recorder(http.server.BaseHTTPRequestHandler):
    """Responds to every operation as described, and keeps the requests."""

    def respond(self):
        length = int(self.headers.get('Content-Length') or 0)
        body = self.rfile.read(length).decode()
        path, _, query = self.path.partition('?')
        kept = {name: self.headers.get(name) for name in ('Content-Type', 'X-Fields', 'X-AUTHORIZATION-CODE',
                                                          'X-JWT', 'X-CSRF-Token')}
        self.server.requests.append([self.command, path, sorted(urllib.parse.parse_qsl(query)), kept,
                                     json.loads(body) if body else None])
        service, response = response_of(self.command, path)
        is_file = response == 'file'
        data = b'PK content' if is_file else json.dumps(answer_of(service, response)).encode()
        if path.endswith('/introspect'):
            data = json.dumps({'active': True, 'username': 'u', 'exp': EXPIRES, 'sub': 'u'}).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'application/zip' if is_file else 'application/json')
        if is_file:
            self.send_header('Content-Disposition', 'attachment; filename=x.zip')
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = respond

    def log_message(self, *args):
        pass


def run(package, folder, *url):
    """What rows.py writes of a client."""
    out = folder / 'out.json'
    env = {name: value for name, value in os.environ.items() if 'PROXY' not in name.upper()}
    env.update(CLOUD_JWT_TOKEN=token(), CLOUD_CSRF_TOKEN='c', HOME=str(folder), TMPDIR=str(folder),
               CLOUD_TOKEN_MMAP=str(folder / 'token'))
    rows = pathlib.Path(__file__).with_name('rows.py')
    done = subprocess.run([sys.executable, rows, package, out, *url], env=env, timeout=300,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text())


def run_with_server(package, folder):
    """The same with the operations, and the requests that arrived."""
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Recorder)
    server.requests = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        found = run(package, folder, f'http://127.0.0.1:{server.server_port}')
    finally:
        server.shutdown()
        server.server_close()
    return {**found, 'requests': server.requests}


@pytest.fixture(scope='module')
def outcomes(tmp_path_factory):
    return run(CHECKOUT, tmp_path_factory.mktemp('old')), run(PACKAGE, tmp_path_factory.mktemp('new'))


@pytest.fixture(scope='module')
def calls(tmp_path_factory):
    return (run_with_server(CHECKOUT, tmp_path_factory.mktemp('old')),
            run_with_server(PACKAGE, tmp_path_factory.mktemp('new')))


@pytest.mark.parametrize('row, defect', ROWS)
def test_row(outcomes, row, defect):
    old, new = (one['rows'][row] for one in outcomes)
    if defect:
        assert old != new, 'the existing client does not have this defect'
    else:
        assert new == old


def in_order(requests):
    """Those of operations. Signing in needs no session: the existing client sends one all the same."""
    found = []
    for method, path, query, headers, body in requests:
        if path.startswith('/api/auth/login'):
            headers = {**headers, 'X-JWT': None, 'X-CSRF-Token': None}
        if not path.endswith(('/introspect', '/logout', '/refresh')):
            found.append(json.dumps([method, path, query, headers, body]))
    return sorted(found)


def test_every_operation_sends_the_same_request(calls):
    old, new = (in_order(one['requests']) for one in calls)
    assert len(old) >= 100
    assert new == old


def test_every_operation_returns_the_same(calls):
    old, new = (one['operations'] for one in calls)
    assert len(old) == 103
    assert new == old


# ---- scripts against the sandbox ----


def run_scripts(package, folder, *existing):
    """What scripts.py writes of a client, with a sandbox of its own."""
    out, work = folder / 'out.json', folder / 'work'
    work.mkdir()
    with Sandbox(seed='demo') as cloud:
        env = {name: value for name, value in os.environ.items() if 'PROXY' not in name.upper()}
        env.update(HOME=str(folder), TMPDIR=str(folder), CLOUD_TOKEN_MMAP=str(folder / 'token'),
                   AWS_ENDPOINT_URL=cloud.url, AWS_DEFAULT_REGION='eu-central-1')
        script = pathlib.Path(__file__).with_name('scripts.py')
        done = subprocess.run([sys.executable, script, package, out, cloud.url, USER, PASSWORD, work, *existing],
                              env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    return json.loads(out.read_text())


@pytest.fixture(scope='module')
def scripts(tmp_path_factory):
    return (run_scripts(CHECKOUT, tmp_path_factory.mktemp('old'), 'existing'),
            run_scripts(PACKAGE, tmp_path_factory.mktemp('new')))


@pytest.mark.parametrize('row, defect', SCRIPTS)
def test_script(scripts, row, defect):
    old, new = (one[row] for one in scripts)
    if defect:
        assert old != new, 'the existing client does not have this defect'
    else:
        assert new == old
