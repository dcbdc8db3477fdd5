# SPDX-License-Identifier: MIT
"""What lies between the program and the store: a line on which a body takes longer than the idle timeout, a
proxy with few connections."""

import contextlib
import socket
import struct
import threading
import time

import pytest

from igtcloud import Program, tree
from sandbox import seeded
from uploads import Place, epd, institute, pattern, put, seed

PIECE, PAUSE = 1024, 0.07  # 14 KiB a second
TIMEOUT = 2  # seconds, in which the smallest body does not get through; a busy machine may pause so long
MOST = 24


class Line:
    """Passes connections on to the sandbox's port. slow: takes little at a time on the way up, and
    holds little. most: so many at once; others are reset."""

    def __init__(self, slow=False, most=None):
        self.port, self.ended = None, threading.Event()
        self.slow, self.most = slow, most
        self.lock, self.open, self.refused = threading.Lock(), 0, 0
        self.listener = socket.socket()
        if slow:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(512)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                if not self._enter():
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self.port))
                threading.Thread(target=self._pass_both, args=(client, server), daemon=True).start()

    def _enter(self):
        with self.lock:
            free = self.most is None or self.open < self.most
            self.open += free
            self.refused += not free
            return free

    def _pass_both(self, client, server):
        back = threading.Thread(target=self._pass_on, args=(server, client, 0), daemon=True)
        back.start()
        self._pass_on(client, server, PAUSE if self.slow else 0)
        back.join()
        client.close()
        server.close()
        with self.lock:
            self.open -= 1

    def _pass_on(self, source, target, pause):
        with contextlib.suppress(OSError):
            while data := source.recv(PIECE if pause else 65536):
                target.sendall(data)
                if pause and len(data) == PIECE:
                    self.ended.wait(pause)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.accepting.join()


@contextlib.contextmanager
def behind(line, folder, contents, **options):
    with line, seeded(folder, contents, extra=["--public-url", line.url], **options) as running:
        line.port = running.port
        yield running


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with behind(Line(slow=True), tmp_path_factory.mktemp("seed"), seed(epd(institute("lab")))) as slow:
        yield slow


@pytest.mark.parametrize("size", [40_000, 70_000])  # in one piece with the header lines, and not
def test_a_slow_line_is_not_silent(cloud, igtcloud, tmp_path, size):
    files = {"first": pattern(size), "again": pattern(size)}  # on a new connection, on a kept one
    put(tmp_path / "up/lab" / str(size), files)
    begin = time.monotonic()
    igtcloud.run("upload", "--timeout", TIMEOUT, "--retries", "0", "--connections", "1",
                 tmp_path / "up", "up")
    assert time.monotonic() - begin > 2 * TIMEOUT  # or it was no slow line
    assert [r["status"] for r in cloud.requests(method="PUT")] == [200, 200]
    Place(cloud, "lab", "up").is_whole(str(size), files)


def test_a_proxy_that_refuses_connections(tmp_path):
    """More concurrent connections would be faster, but each further one is refused: this has to be
    noticed."""
    many = epd({"name": "lab", "generate": {"studies": 40, "files": 50, "size": 500}})
    line = Line(most=MOST)
    with behind(line, tmp_path, seed(many), latency=20) as cloud:
        done = Program(cloud.url, tmp_path).run("download", tmp_path / "out", "up")
    assert len(tree(tmp_path / "out")) == 40 * 51
    assert 0 < line.refused < 4 * MOST, done
