# SPDX-License-Identifier: MIT
"""S3 requests signed by hand after AWS' description of Signature Version 4. It shares no code with the
project or with boto3, and can get everything wrong on purpose."""

import datetime
import hashlib
import hmac
import http.client
import urllib.parse
import xml.etree.ElementTree as ET

import rest_client

EMPTY = hashlib.sha256(b"").hexdigest()
NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def now():
    return datetime.datetime.now(datetime.timezone.utc)


class Answer(rest_client.Answer):
    @property
    def xml(self):
        return ET.fromstring(self.body)

    @property
    def code(self):
        return self.xml.findtext("Code") if self.body.startswith(b"<?xml") else None


class RawS3:
    def __init__(self, url, access_key, secret_key, token=None, region="eu-central-1"):
        self.host = urllib.parse.urlsplit(url).netloc
        self.access_key, self.secret_key, self.token = access_key, secret_key, token
        self.region, self.service, self.terminator = region, "s3", "aws4_request"

    # ---- the algorithm ----

    def scope(self, when):
        return f"{when[:8]}/{self.region}/{self.service}/{self.terminator}"

    def key(self, when):
        key = ("AWS4" + self.secret_key).encode()
        for part in (when[:8], self.region, self.service, self.terminator):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key

    def sign(self, when, *lines):
        return hmac.new(self.key(when), "\n".join(lines).encode(), hashlib.sha256).hexdigest()

    def signature(self, method, path, query, headers, names, payload, when):
        pairs = sorted((urllib.parse.quote(k, safe="-_.~"), urllib.parse.quote(v, safe="-_.~"))
                       for k, v in query.items())
        canonical = "\n".join([
            method, path, "&".join(f"{k}={v}" for k, v in pairs),
            "".join(f"{n}:{' '.join(headers[n].split())}\n" for n in names), ";".join(names),
            payload])
        return self.sign(when, "AWS4-HMAC-SHA256", when, self.scope(when),
                         hashlib.sha256(canonical.encode()).hexdigest())

    # ---- requests ----

    def request(self, method, key, query=None, body=b"", headers=None, payload=None, when=None,
                unsigned=(), signature=None, authorization=None, send=None):
        """payload: x-amz-content-sha256, of the body by default. unsigned: headers that are sent
        without a signature. send(headers, seed): makes the body when the seed is known."""
        when = when or now().strftime("%Y%m%dT%H%M%SZ")
        query = query or {}
        path = urllib.parse.quote("/igtcloud" + ("/" + key if key else ""), safe="/-_.~")
        signed = {"host": self.host, "x-amz-date": when,
                  "x-amz-content-sha256": payload or hashlib.sha256(body).hexdigest()}
        if self.token:
            signed["x-amz-security-token"] = self.token
        signed.update({k.lower(): v for k, v in (headers or {}).items()})
        names = sorted(n for n in signed if n not in unsigned)
        seed = self.signature(method, path, query, signed, names, signed["x-amz-content-sha256"],
                              when)
        signed["authorization"] = authorization or (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{self.scope(when)}, "
            f"SignedHeaders={';'.join(names)}, Signature={signature or seed}")
        if send:
            body = send(when, seed)
        return self.send(method, path, query, signed, body)

    def send(self, method, path, query, headers, body):
        target = path + ("?" + urllib.parse.urlencode(query, quote_via=urllib.parse.quote)
                         if query else "")
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        headers = {"content-length": str(len(body)), **headers}
        for name, value in headers.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = Answer(connection.getresponse())
        connection.close()
        return answer

    def presign(self, method, key, expires=60, when=None, query=None, **change):
        when = when or now().strftime("%Y%m%dT%H%M%SZ")
        path = urllib.parse.quote("/igtcloud/" + key, safe="/-_.~")
        query = {**(query or {}), "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
                 "X-Amz-Credential": f"{self.access_key}/{self.scope(when)}", "X-Amz-Date": when,
                 "X-Amz-Expires": str(expires), "X-Amz-SignedHeaders": "host"}
        if self.token:
            query["X-Amz-Security-Token"] = self.token
        query.update(change)
        query["X-Amz-Signature"] = self.signature(method, path, query, {"host": self.host},
                                                  ["host"], "UNSIGNED-PAYLOAD", when)
        return path, query

    def put_presigned(self, key, body, **options):
        path, query = self.presign("PUT", key, **options)
        return self.send("PUT", path, query, {"host": self.host}, body)

    def get_presigned(self, key, **options):
        path, query = self.presign("GET", key, **options)
        return self.send("GET", path, query, {"host": self.host}, b"")

    # ---- aws-chunked ----

    def put_chunks(self, key, chunks, trailer=None, signed=True, headers=None, spoil=None,
                   length=None):
        """The chunks of a body, each in its own signed frame; trailer: (name, value).
        spoil(frames) changes what is sent after it was signed."""
        total = sum(map(len, chunks)) if length is None else length
        names = {(True, False): "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                 (True, True): "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
                 (False, True): "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
        extra = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(total),
                 **(headers or {})}
        if trailer:
            extra["x-amz-trailer"] = trailer[0]

        def body(when, seed):
            frames, last = [], seed
            for data in [*chunks, b""]:
                head = f"{len(data):x}"
                if signed:
                    last = self.sign(when, "AWS4-HMAC-SHA256-PAYLOAD", when, self.scope(when), last,
                                     EMPTY, hashlib.sha256(data).hexdigest())
                    head += ";chunk-signature=" + last
                frames.append(head.encode() + b"\r\n" + data + (b"\r\n" if data else b""))
            if trailer:
                line = f"{trailer[0]}:{trailer[1]}"
                frames.append(line.encode() + b"\r\n")
                if signed:
                    last = self.sign(when, "AWS4-HMAC-SHA256-TRAILER", when, self.scope(when), last,
                                     hashlib.sha256((line + "\n").encode()).hexdigest())
                    frames.append(f"x-amz-trailer-signature:{last}\r\n".encode())
            frames.append(b"\r\n")
            return b"".join(spoil(frames) if spoil else frames)

        return self.request("PUT", key, headers=extra, send=body,
                            payload=names[(signed, trailer is not None)])
