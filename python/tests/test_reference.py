# SPDX-License-Identifier: MIT
"""The existing client and this one do the same, defects aside: the rows of rows.py in both.

REFERENCE_CLIENT names a checkout of github.com/philips-labs/igtcloud-client; without one, these tests are
skipped. `scripts/install-deps reference` installs what it imports."""

import base64
import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import urllib.parse

import pytest
from conftest import PACKAGE
from rows import ROWS

CHECKOUT = pathlib.Path(os.environ.get('REFERENCE_CLIENT', '/nonexistent')) / 'src'
pytestmark = pytest.mark.skipif(not CHECKOUT.is_dir(), reason='the existing client is not there')


def token():
    """A JWT that any client takes for valid: nobody here checks signatures."""
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b'=').decode()
    return f"{part({'alg': 'none'})}.{part({'exp': time.time() + 7200, 'sub': 'u', 'iat': 1})}.x"


class Recorder(http.server.BaseHTTPRequestHandler):
    """Answers every operation with the same, and keeps the requests."""

    def respond(self):
        length = int(self.headers.get('Content-Length') or 0)
        body = self.rfile.read(length).decode()
        path, _, query = self.path.partition('?')
        kept = {name: self.headers.get(name) for name in ('Content-Type', 'X-Fields', 'X-AUTHORIZATION-CODE',
                                                          'X-JWT', 'X-CSRF-Token')}
        self.server.requests.append([self.command, path, sorted(urllib.parse.parse_qsl(query)), kept,
                                     json.loads(body) if body else None])
        data = json.dumps(self.answer(path)).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    @staticmethod
    def answer(path):
        if path.endswith('/introspect'):
            return {'active': True, 'username': 'u', 'exp': int(time.time()) + 7200, 'sub': 'u'}
        return None

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


def by_name(requests):
    return sorted(json.dumps([one[0], one[1], one[2], one[3], one[4]]) for one in requests
                  if not one[1].endswith(('/introspect', '/logout', '/refresh')))


def test_every_operation_sends_the_same_request(calls):
    old, new = (by_name(one['requests']) for one in calls)
    assert len(old) >= 100
    assert new == old


def test_every_operation_returns_the_same(calls):
    old, new = (one['operations'] for one in calls)
    assert len(old) == 103
    assert new == old
