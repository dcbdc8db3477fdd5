# SPDX-License-Identifier: MIT
"""The proxy of Windows' settings: a fixed one with exceptions, and one that a script (PAC) names. By
scripts/check-windows; the settings are those of wine's prefix, and are put back. What is loopback needs no proxy, so
that other tests do not notice."""
import http.server
import struct
import subprocess
import threading

import pytest

from gateway import Authority, Gateway, Proxy
from igtcloud import FAILED, Program, program
from sandbox import seeded

ROOT = program().rsplit("/tests/windows/", 1)[0]
SEED = "demo"
CLOUD = "cloud.hospital.test"
KEY = "HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\Connections"
VALUE = "DefaultConnectionSettings"
DIRECT, FIXED, SCRIPT = 1, 2, 4  # PROXY_TYPE_... of WinINet


def reg(*words):
    return subprocess.run([f"{ROOT}/scripts/wine-run", "reg", *words], capture_output=True, timeout=60, check=False)


def put(flags, proxy="", exempt="", script=""):
    text = b"".join(struct.pack("<I", len(part)) + part for part in (t.encode() for t in (proxy, exempt, script)))
    value = struct.pack("<III", 0x46, 1, flags) + text + bytes(32)
    assert reg("add", KEY, "/v", VALUE, "/t", "REG_BINARY", "/d", value.hex(), "/f").returncode == 0


@pytest.fixture(name="cloud", scope="module")
def fixture_cloud(tmp_path_factory):
    with seeded(tmp_path_factory.mktemp("seed"), SEED) as running:
        yield running


@pytest.fixture(name="home")
def fixture_home(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture(name="settings")
def fixture_settings():
    yield put
    reg("delete", KEY, "/v", VALUE, "/f")


@pytest.fixture(name="far")
def fixture_far(cloud, tmp_path):
    """A cloud that only `proxy` finds."""
    authority = Authority(tmp_path)
    with Gateway(cloud.url, authority.issue(CLOUD), name=CLOUD) as gateway, \
            Proxy({f"{CLOUD}:443": ("127.0.0.1", gateway.port)}) as proxy:
        gateway.proxy, gateway.ca = proxy, authority.file
        yield gateway


class Script:
    """Serves a PAC file."""

    def __init__(self, text):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.server.seen += 1
                self.send_response(200)
                self.send_header("Content-Type", "application/x-ns-proxy-autoconfig")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.seen = 0
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/proxy.pac"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def show(far, home, status=0):
    return Program(far.url, home).run("ls", "--retries", "0", "--timeout", "20", "--ca-file", far.ca, "demo",
                                      status=status)


def test_a_fixed_proxy(far, home, settings):
    settings(DIRECT | FIXED, proxy=f"http=192.0.2.1:9;https=127.0.0.1:{far.proxy.port}")
    assert "north" in show(far, home).text
    assert {(m, t) for m, t, _ in far.proxy.seen} == {("CONNECT", f"{CLOUD}:443")}


def test_an_exception_goes_past_it(far, home, settings):
    """The name is not found then, as no resolver knows it."""
    settings(DIRECT | FIXED, proxy=f"127.0.0.1:{far.proxy.port}", exempt="<local>;*.hospital.test")
    assert CLOUD in show(far, home, status=FAILED).err
    assert not far.proxy.seen


@pytest.mark.parametrize("host, used", [(CLOUD, True), ("other.test", False)])
def test_a_script(far, home, settings, host, used):
    script = Script(f'function FindProxyForURL(url, host) {{\n  if (host == "{host}") return '
                    f'"PROXY 127.0.0.1:{far.proxy.port}; DIRECT";\n  return "DIRECT";\n}}\n')
    try:
        settings(DIRECT | SCRIPT, script=script.url)
        show(far, home, status=0 if used else FAILED)
        assert script.server.seen and bool(far.proxy.seen) == used
    finally:
        script.close()


def test_a_script_that_cannot_be_fetched(far, home, settings):
    """The cloud is then asked for without a proxy."""
    settings(DIRECT | SCRIPT, script="http://127.0.0.1:9/proxy.pac")
    assert CLOUD in show(far, home, status=FAILED).err
