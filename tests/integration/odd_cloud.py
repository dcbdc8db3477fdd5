# SPDX-License-Identifier: MIT
"""A proxy in front of a sandbox that responds to some requests itself, or changes responses.

    with OddCloud(sandbox.url) as odd:
        odd.answer = lambda r: Reply(302) if r.path.endswith("/login") else None
        odd.change = lambda r, reply: reply.header("X", "y")
        Program(odd.url, home).run("ls")
"""

import base64
import http.client
import http.server
import json
import threading
import urllib.parse


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.plain = path.split("?")[0]


class Reply:
    """headers: (name, value) pairs, without Content-Length, which is added unless raw is given: then
    those bytes are all that is sent before the connection is closed."""

    def __init__(self, status=200, body=b"", headers=(), raw=None, chunks=None):
        self.status, self.raw, self.chunks = status, raw, chunks
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = list(headers)
        if self.body and not any(n.lower() == "content-type" for n, _ in self.headers):
            self.headers.append(("Content-Type", "application/json"))

    def get(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def drop(self, name):
        self.headers = [(n, v) for n, v in self.headers if n.lower() != name.lower()]
        return self

    @property
    def json(self):
        return json.loads(self.body)

    @json.setter
    def json(self, value):
        self.body = json.dumps(value).encode()


class OddCloud(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, url):
        super().__init__(("127.0.0.1", 0), Handler)
        self.host = urllib.parse.urlsplit(url).netloc
        self.answer = self.change = lambda *_: None
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.seen = []  # requests, in their order
        self.tokens = {}  # JWTs that were changed: as the sandbox knows them
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def count(self, method, part):
        return sum(r.method == method and part in r.path for r in list(self.seen))

    def change_claims(self, reply, change, max_age=True):
        """Of the JWT in a login's response. max_age: True as it is, None without, else the text."""
        payload, attributes = cookie(reply, "jwt_header_payload")
        signature = cookie(reply, "jwt_signature")[0]
        head, _, body = payload.partition(".")
        claims = json.loads(decode(body))
        change(claims)
        new = f"{head}.{encode(json.dumps(claims).encode())}"
        self.tokens[f"{new}.{signature}"] = f"{payload}.{signature}"
        if max_age is not True:
            attributes = [a for a in attributes if "max-age" not in a.lower()]
            attributes += [] if max_age is None else [f" Max-Age={max_age}"]
        reply.headers = [(n, ";".join([f"jwt_header_payload={new}", *attributes])
                          if v.startswith("jwt_header_payload=") else v) for n, v in reply.headers]
        return reply

    def handle_error(self, request, client_address):
        pass  # the program goes when it has seen enough

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
        self.thread.join(10)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, self.headers, body)
        self.server.seen.append(request)
        reply = self.server.answer(request)
        if reply is None:
            reply = self.ask(request)
            reply = self.server.change(request, reply) or reply
        self.send(reply)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = forward

    def ask(self, request):
        connection = http.client.HTTPConnection(self.server.host, timeout=60)
        headers = {k: self.server.tokens.get(v, v) for k, v in request.headers.items()
                   if k.lower() != "accept-encoding"}
        connection.request(request.method, request.path, request.body, headers)
        answer = connection.getresponse()
        kept = [(n, v) for n, v in answer.getheaders() if n.lower() not in (
            "transfer-encoding", "connection", "date", "content-length")]
        length = answer.getheader("Content-Length")
        reply = Reply(answer.status, answer.read(), kept)
        if request.method == "HEAD" and length is not None:
            reply.headers.append(("Content-Length", length))
        connection.close()
        return reply

    def send(self, reply):
        if reply.raw is not None:
            self.close_connection = True
            self.wfile.write(reply.raw)
            return
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.chunks is not None:
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            for chunk in reply.chunks:
                self.wfile.write(chunk)
            return
        if not reply.get("Content-Length") and reply.status not in (204, 304):
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD" and reply.status not in (204, 304):
            self.wfile.write(reply.body)

    def log_message(self, *_):
        pass


def encode(text):
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def cookie(reply, name):
    """Value and attributes."""
    for value in reply.get("Set-Cookie"):
        if value.startswith(name + "="):
            value, *attributes = value.partition("=")[2].split(";")
            return value, attributes
    raise KeyError(name)
