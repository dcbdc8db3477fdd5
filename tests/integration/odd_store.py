# SPDX-License-Identifier: MIT
"""An object store that responds as no proper one does, in place of the sandbox's S3.

    with OddStore(cloud) as store:                  # objects are those of the sandbox
        store.change = lambda ask, answer: ...      # every answer, as the test wants it
        Program(store.gateway.url, home).run(...)

It looks at no signature and no If-Match, as some caches do. `ask` has method, key, query, range (first, last or
None) and n, which counts the requests of that method for that key from 0. `answer` has status, headers (a
list is several lines of that name), body, data (the whole object) and framing: "length", "chunked" or "close".
"""

import collections
import contextlib
import functools
import hashlib
import http.server
import re
import threading
import types
import urllib.parse

from gateway import Gateway, Server
from sandbox import BUCKET


@functools.lru_cache(maxsize=16)
def md5(data):
    return hashlib.md5(data).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def any_method(self):
        store = self.server
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        key = path[len(f"/{BUCKET}/"):]
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        ask = types.SimpleNamespace(method=self.command, key=key, headers=self.headers,
                                    query=urllib.parse.urlsplit(self.path).query,
                                    range=(int(found[1]), int(found[2])) if found else None)
        with store.lock:
            ask.n = store.count[ask.method, key]
            store.count[ask.method, key] += 1
            store.asked.append(ask)
        answer = self.answer(ask, store.data(key))
        answer = store.change(ask, answer) or answer
        self.send(answer)

    @staticmethod
    def answer(ask, data):
        answer = types.SimpleNamespace(status=200, body=data, data=data, framing="length", headers={
            "ETag": f'"{md5(data)}"', "x-amz-request-id": "odd",
            "Last-Modified": "Mon, 06 May 2024 07:08:09 GMT"})
        if ask.range and ask.range[0] >= len(data):
            answer.status, answer.body = 416, b"<Error><Code>InvalidRange</Code></Error>"
        elif ask.range:
            first, last = ask.range[0], min(ask.range[1], len(data) - 1)
            answer.status, answer.body = 206, data[first:last + 1]
            answer.headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        return answer

    def send(self, answer):
        self.send_response_only(answer.status)
        if answer.framing == "length":
            answer.headers.setdefault("Content-Length", len(answer.body))
        elif answer.framing == "chunked" and self.command != "HEAD":
            answer.headers["Transfer-Encoding"] = "chunked"
        else:
            self.close_connection = True
        for name, values in answer.headers.items():
            for value in values if isinstance(values, list) else [values]:
                if value is not None:
                    self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        with contextlib.suppress(OSError):
            if answer.framing == "chunked":
                for at in range(0, len(answer.body), 100000):
                    piece = answer.body[at:at + 100000]
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")
            else:
                self.wfile.write(answer.body)

    do_GET = do_HEAD = any_method


class OddStore(Server):
    def __init__(self, cloud):
        super().__init__(Handler)
        self.s3, self.objects = cloud.boto3(), {}
        self.lock, self.count, self.asked = threading.Lock(), collections.Counter(), []
        self.change = lambda ask, answer: None
        self.gateway = Gateway(cloud.url, s3=f"http://localhost:{self.port}")

    def data(self, key):
        with self.lock:
            if key not in self.objects:
                self.objects[key] = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            return self.objects[key]

    def __enter__(self):
        self.gateway.__enter__()
        return super().__enter__()

    def __exit__(self, *args):
        super().__exit__(*args)
        self.gateway.__exit__(*args)


def opaque(answer, etag="opaque-1"):
    """As an object encrypted with a key of the customer's: no digest anywhere."""
    answer.headers["ETag"] = f'"{etag}"'
    answer.headers["x-amz-server-side-encryption"] = "aws:kms"
