# SPDX-License-Identifier: MIT
"""nginx in front of the sandbox, for https: what a cloud has before its servers. Debian's nginx-light,
with a configuration, a CA and a certificate of its own, all below the work folder."""

import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import time

WHERE = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"

# Nothing is kept on the way: bodies pass as they come. The cloud's REST API is on a port of its own, with
# HTTP/2; S3 is on another without, as Amazon's is.
CONFIG = """
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
{user}
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream sandbox {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{api} ssl http2 backlog=1024;
    listen 127.0.0.1:{s3} ssl backlog=1024;
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:bench:4m;
    keepalive_requests 1000000;
    http2_max_concurrent_streams 256;
    client_max_body_size 0;
    client_body_buffer_size 256k;
    location / {{
      proxy_pass http://sandbox;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_request_buffering off;
      proxy_buffer_size 64k;
      proxy_buffers 16 64k;
      proxy_max_temp_file_size 0;
      proxy_read_timeout 600s;
    }}
  }}
}}
"""


def program():
    """None: it is not there."""
    return shutil.which("nginx", path=WHERE)


def version():
    done = subprocess.run([program(), "-v"], capture_output=True, text=True, check=False)
    return done.stderr.strip().removeprefix("nginx version: ").split(" ")[0]


def free_ports(count):
    """The sandbox must know the URL before it starts, and nginx cannot pick a port."""
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in taken]
    for s in taken:
        s.close()
    return ports


def _openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True,
                   env={"PATH": os.environ["PATH"], "HOME": str(folder), "RANDFILE": "/dev/null"})


def make_certificates(folder):
    """ca.pem, and server.pem for 127.0.0.1 that it signed; for a day."""
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n"
                                  "basicConstraints=CA:FALSE\n")
    _openssl(folder, "req", "-x509", *curve, "-days", "2", "-subj", "/CN=bench CA",
             "-keyout", "ca.key", "-out", "ca.pem")
    _openssl(folder, "req", *curve, "-subj", "/CN=127.0.0.1", "-keyout", "server.key",
             "-out", "server.csr")
    _openssl(folder, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
             "-CAcreateserial", "-days", "1", "-extfile", "names", "-out", "server.pem")


class Terminator:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        if not (self.folder / "server.pem").exists():
            make_certificates(self.folder)
        (self.api, self.s3), self.process = free_ports(2), None
        self.url, self.s3_url = (f"https://127.0.0.1:{port}" for port in (self.api, self.s3))
        self.ca = self.folder / "ca.pem"

    def start(self, upstream):
        # root's nginx would give its workers to "nobody", who may not enter the work folder.
        user = f"user {_name()} {_group()};" if os.geteuid() == 0 else ""
        config = self.folder / "nginx.conf"
        config.write_text(CONFIG.format(folder=self.folder, api=self.api, s3=self.s3, user=user,
                                        upstream=upstream))
        with open(self.folder / "out", "wb") as out:
            self.process = subprocess.Popen(
                [program(), "-p", self.folder, "-e", self.folder / "error.log", "-c", config],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        end = time.monotonic() + 30
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                log = (self.folder / "error.log").read_text() + (self.folder / "out").read_text()
                self.stop()
                raise OSError(f"nginx did not start: {log[-400:]}")
            time.sleep(0.02)

    def _answers(self):
        context = ssl.create_default_context(cafile=self.ca)
        try:
            with socket.create_connection(("127.0.0.1", self.s3), timeout=5) as plain, \
                    context.wrap_socket(plain, server_hostname="127.0.0.1"):
                return True
        except OSError:
            return False

    def pids(self):
        """The processes that do the work."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            return [int(child) for child in children.read().split()]

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None


def _name():
    import pwd
    return pwd.getpwuid(os.geteuid()).pw_name


def _group():
    import grp
    return grp.getgrgid(os.getegid()).gr_name
