# SPDX-License-Identifier: MIT
"""What stands between the program and the cloud in a hospital: TLS, and proxies.

    authority = Authority(folder)                        # a CA of the test's own
    with Gateway(sandbox.url, authority.issue("cloud.test")) as tls, Proxy() as proxy: ...

A Gateway speaks TLS and hands each request to the sandbox; the endpoint in responses with S3 credentials
becomes its own, or `s3`. A Proxy knows where hosts are that no resolver knows. Both record what they saw.
"""

import base64
import contextlib
import datetime
import http.client
import http.server
import ipaddress
import json
import select
import socket
import ssl
import threading
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    def __init__(self, folder, name="test authority"):
        self.folder, self.count = folder, 0
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        cert = self._build(self.name, self.key.public_key(), ca=True).sign(self.key,
                                                                         hashes.SHA256())
        self.file = folder / f"{name.replace(' ', '-')}.pem"
        self.file.write_bytes(cert.public_bytes(serialization.Encoding.PEM))

    def _build(self, subject, key, ca, days=(-1, 30)):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name)
        builder = builder.public_key(key).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now + datetime.timedelta(days=days[0]))
        builder = builder.not_valid_after(now + datetime.timedelta(days=days[1]))
        return builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)

    def issue(self, *names, days=(-1, 30)):
        """A file with key and certificate for host names and addresses."""
        self.count += 1
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        alternatives = []
        for name in names:
            try:
                alternatives.append(x509.IPAddress(ipaddress.ip_address(name)))
            except ValueError:
                alternatives.append(x509.DNSName(name))
        builder = self._build(subject, key.public_key(), ca=False, days=days)
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        path = self.folder / f"{self.file.stem}-{self.count}.pem"
        path.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                              serialization.NoEncryption()) +
            builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path


class Server(http.server.ThreadingHTTPServer):
    """A thread per connection; `seen` is (method, target, headers) of each request, `answers` (target,
    headers, body) of what was handed on."""

    daemon_threads = True

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.port = self.server_address[1]
        self.seen, self.answers = [], []
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.thread.join(10)
        self.server_close()

    def handle_error(self, *_):
        pass  # clients that go away, or that do not like the certificate


class Forward(http.server.BaseHTTPRequestHandler):
    """Forwards a request unchanged."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding"):
            raise NotImplementedError("the program knows how long its bodies are")
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def forward(self, host, port, target, change=lambda data: data):
        connection = http.client.HTTPConnection(host, port, timeout=60)
        connection.putrequest(self.command, target, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if not name.lower().startswith("proxy-"):
                connection.putheader(name, value)
        connection.endheaders(self.body())
        answer = connection.getresponse()
        data = change(answer.read())
        self.server.answers.append((target, dict(answer.getheaders()), data))
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else len(data)
        self.send_header("Content-Length", length or 0)
        self.end_headers()
        self.wfile.write(data)
        connection.close()


class GatewayHandler(Forward):
    def any_method(self):
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        if self.server.repeat and self.server.repeat in self.path:
            self.repeat_all()
            return
        if self.server.redirect:
            self.body()
            self.send_response_only(self.server.redirect[0])
            self.send_header("Location", self.server.redirect[1])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.forward(*self.server.behind, self.path,
                     self.move_endpoint if "s3credentials" in self.path else lambda data: data)

    def repeat_all(self):
        """An error that echoes everything that was sent, as some servers in debug mode do."""
        secret = ("Authorization", "X-JWT", "X-CSRF-TOKEN", "x-amz-security-token")
        first = " ".join(self.headers.get(name, "") for name in secret)
        said = f"{first} {dict(self.headers)} {self.body().decode('latin1')}"
        data = json.dumps({"message": said}).encode()
        if self.path.startswith("/igtcloud"):
            said = said.replace("&", "&amp;").replace("<", "&lt;")
            data = f"<Error><Code>AccessDenied</Code><Message>{said}</Message></Error>".encode()
        self.send_response_only(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", len(data))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def move_endpoint(self, data):
        """Where the objects are, seen from outside."""
        answer = json.loads(data)
        for policy in answer.get("policyCredentials", []):
            policy["credentials"]["endpoint"] = self.server.s3 or self.server.url
        return json.dumps(answer).encode()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = any_method


class Gateway(Server):
    """redirect: (status, url), the response to everything. repeat: requests for paths that contain this are
    refused with an error that echoes them."""

    def __init__(self, behind, certificate=None, host="localhost", s3=None, context=None,
                 redirect=None, name=None):
        super().__init__(GatewayHandler)
        url = urllib.parse.urlsplit(behind)
        self.behind, self.s3, self.redirect = (url.hostname, url.port), s3, redirect
        self.repeat = None
        if certificate:
            context = context or ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True,
                                              do_handshake_on_connect=False)
        self.url = f"{'https' if certificate else 'http'}://" + (name or f"{host}:{self.port}")


class ProxyHandler(Forward):
    def refused(self):
        wanted = self.server.credentials
        given = self.headers.get("Proxy-Authorization", "")
        if not wanted or given == "Basic " + base64.b64encode(wanted.encode()).decode():
            return False
        self.send_response(407)
        self.send_header("Proxy-Authenticate", 'Basic realm="clinic"')
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"<html>")
        return True

    def do_CONNECT(self):
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        if self.refused():
            return
        where = self.server.hosts.get(self.path)
        if not where:
            self.send_error(502, "no such host")
            return
        with socket.create_connection(where) as other:
            self.send_response(200, "Connection established")
            self.end_headers()
            self.tunnel(self.connection, other)
        self.close_connection = True

    @staticmethod
    def tunnel(one, two):
        with contextlib.suppress(OSError):
            while True:
                for ready in select.select([one, two], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    (two if ready is one else one).sendall(data)

    def any_method(self):
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        if self.refused():
            return
        url = urllib.parse.urlsplit(self.path)
        self.forward(url.hostname, url.port or 80, self.path[self.path.index("/", 8):])

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = any_method


class Proxy(Server):
    """hosts: "name:port" to (address, port); credentials: "user:password" or None."""

    def __init__(self, hosts=None, credentials=None):
        super().__init__(ProxyHandler)
        self.hosts, self.credentials = dict(hosts or {}), credentials
        self.url = f"http://127.0.0.1:{self.port}"

    def url_of(self, user, password):
        quote = urllib.parse.quote
        return f"http://{quote(user, '')}:{quote(password, '')}@127.0.0.1:{self.port}"
