# SPDX-License-Identifier: MIT
"""A line that takes longer for a body than a silence may last: what moves is no silence."""

import contextlib
import socket
import threading
import time

import pytest

from sandbox import seeded
from uploads import Place, epd, institute, pattern, put, seed

SEED = seed(epd(institute("lab")))
PIECE, PAUSE = 1024, 0.04  # 25 KiB a second


class SlowLine:
    """Before the sandbox, in one direction: takes little at a time, and has room for little."""

    def __init__(self):
        self.port, self.ended = None, threading.Event()  # of the sandbox
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.port))
                for way in ((client, server, PAUSE), (server, client, 0)):
                    threading.Thread(target=self._pass_on, args=way, daemon=True).start()

    def _pass_on(self, source, target, pause):
        with contextlib.suppress(OSError), source, target:
            while data := source.recv(PIECE if pause else 65536):
                target.sendall(data)
                if pause and len(data) == PIECE:
                    self.ended.wait(pause)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.accepting.join()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with SlowLine() as line, seeded(tmp_path_factory.mktemp("seed"), SEED,
                                    extra=["--public-url", line.url]) as running:
        line.port = running.port
        yield running


@pytest.mark.parametrize("size", [40_000, 70_000])  # in one piece with the header lines, and not
def test_a_slow_line_is_not_silent(cloud, igtcloud, tmp_path, size):
    files = {"first": pattern(size), "again": pattern(size)}  # on a new connection, on a kept one
    put(tmp_path / "up/lab" / str(size), files)
    begin = time.monotonic()
    igtcloud.run("upload", "--timeout", "1", "--retries", "0", "--connections", "1",
                 tmp_path / "up", "up")
    assert time.monotonic() - begin > 2.5  # or it was no slow line
    assert [r["status"] for r in cloud.requests(method="PUT")] == [200, 200]
    Place(cloud, "lab", "up").is_whole(str(size), files)
