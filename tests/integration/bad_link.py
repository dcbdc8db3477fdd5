#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A bad network link in user space, between programs and a server on this machine.

    with BadLink(down=1e6, cut=15) as link:
        link.target = port          # where connections go
        ... link.url ...

All connections share the rate of each direction. It cuts all connections at once every `cut` seconds (a
failing VPN) or every `cut_bytes` bytes on the way down, and each connection `life` seconds after it was
opened (a proxy that allows no longer requests). By hand: bad_link.py PORT --down 1e6 --cut 15.
"""

import argparse
import asyncio
import contextlib
import socket
import struct
import threading
import time

PIECE = 8192
SLACK = 0.05  # seconds: sleeping takes longer than it was asked for, most of all on a busy machine
BUFFER = 32768  # in the kernel, each way: what a cut takes must be little, as on a real link


class Rate:
    """Bytes a second, of all connections together; 0: as fast as it goes."""

    def __init__(self, rate):
        self.rate, self.free_at = rate, 0.0

    async def take(self, n):
        if self.rate:
            now = time.monotonic()
            self.free_at = max(now - SLACK, self.free_at) + n / self.rate
            if self.free_at > now:
                await asyncio.sleep(self.free_at - now)


class BadLink:
    def __init__(self, up=0, down=0, delay=0, cut=0, life=0, cut_bytes=0, cut_up=0, port=0):
        self.up, self.down, self.delay = Rate(up), Rate(down), delay
        self.cut, self.life, self.cut_bytes = cut, life, cut_bytes
        self.target = None
        self.passed = 0      # bytes on the way down
        self.passed_up = 0
        self.hold_at = 0     # nothing more passes on the way down from so many bytes on; 0: no such limit
        self.cuts = 0
        self.on_cut = None   # called after a cut, before any new connection
        self.open, self.next_cut = set(), cut_bytes
        self.cut_up, self.next_cut_up = cut_up, cut_up  # as cut_bytes, on the way up
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)  # its connections inherit it
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(256)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.loop, self.ended = asyncio.new_event_loop(), None
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.ready.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.loop.call_soon_threadsafe(self.ended.set)
        self.thread.join()

    # ---- on the loop's thread ----

    def _run(self):
        with contextlib.closing(self.loop):
            self.loop.run_until_complete(self._serve())

    async def _serve(self):
        self.ended = asyncio.Event()
        server = await asyncio.start_server(self._connection, sock=self.listener, limit=PIECE)
        cutting = asyncio.ensure_future(self._cut_regularly()) if self.cut else None
        self.ready.set()
        await self.ended.wait()
        if cutting:
            cutting.cancel()
        server.close()
        self._reset(self.open)
        await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _cut_regularly(self):
        while True:
            await asyncio.sleep(self.cut)
            self._cut_all()

    def _cut_all(self):
        self._reset(self.open)
        self.open = set()
        self.cuts += 1
        if self.on_cut:
            self.on_cut()

    @staticmethod
    def _reset(writers):
        for writer in list(writers):
            with contextlib.suppress(OSError, AttributeError):
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _connect(self):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        sock.setblocking(False)
        await self.loop.sock_connect(sock, ("127.0.0.1", self.target))
        return await asyncio.open_connection(sock=sock, limit=PIECE)

    async def _connection(self, reader, writer):
        await asyncio.sleep(2 * self.delay / 1000)
        try:
            server_reader, server_writer = await self._connect()
        except OSError:
            self._reset([writer])
            return
        pair = (writer, server_writer)
        for one in pair:
            one.transport.set_write_buffer_limits(high=2 * PIECE)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        self.open.update(pair)
        ending = self.loop.call_later(self.life, self._reset, pair) if self.life else None
        await asyncio.gather(self._pass_on(reader, server_writer, self.up, False),
                             self._pass_on(server_reader, writer, self.down, True))
        if ending:
            ending.cancel()
        for one in pair:
            self.open.discard(one)
            one.close()

    async def _pass_on(self, reader, writer, rate, down):
        try:
            while data := await reader.read(PIECE):
                await rate.take(len(data))
                while down and self.hold_at and self.passed >= self.hold_at:
                    await asyncio.sleep(0.005)
                if writer.transport.is_closing():
                    return
                writer.write(data)
                self._count(len(data), down)
                await writer.drain()
            writer.write_eof()
        except OSError:
            self._reset([writer])

    def _count(self, n, down):
        self.passed += n if down else 0
        self.passed_up += 0 if down else n
        if down and self.cut_bytes and self.passed >= self.next_cut:
            self.next_cut = self.passed + self.cut_bytes
            self._cut_all()
        if not down and self.cut_up and self.passed_up >= self.next_cut_up:
            self.next_cut_up = self.passed_up + self.cut_up
            self._cut_all()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("port", type=int, help="where connections go")
    parser.add_argument("--up", type=float, default=0, help="bytes a second")
    parser.add_argument("--down", type=float, default=0, help="bytes a second")
    parser.add_argument("--delay", type=float, default=0, help="ms")
    parser.add_argument("--cut", type=float, default=0, help="seconds between resets of all connections")
    parser.add_argument("--life", type=float, default=0, help="seconds of each connection")
    parser.add_argument("--listen", type=int, default=0, help="port")
    o = parser.parse_args()
    with BadLink(o.up, o.down, o.delay, o.cut, o.life, port=o.listen) as link:
        link.target = o.port
        print(link.port, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            link.thread.join()


if __name__ == "__main__":
    main()
