# SPDX-License-Identifier: MIT
"""A small client of the sandbox's REST API, written from the description alone, as a second opinion
beside the library's own client."""

import base64
import http.client
import http.cookies
import json
import time
import urllib.parse


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def message(self):
        return self.json["message"]


class RestClient:
    """One session; the headers of a request can be overridden by keyword."""

    def __init__(self, url):
        self.host = urllib.parse.urlsplit(url).netloc
        self.jwt = self.csrf = None

    def request(self, method, path, body=None, headers=None, raw=None, auth=True):
        send = {"Accept": "application/json", "Content-Type": "application/json"}
        if auth and self.jwt:
            send.update({"X-JWT": self.jwt, "X-CSRF-TOKEN": self.csrf})
        send.update(headers or {})
        send = {k: v for k, v in send.items() if v is not None}
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path, data, send)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body, **more)

    def ok(self, method, path, body=None, status=200, **more):
        answer = self.request(method, path, body, **more)
        assert answer.status == status, (answer.status, answer.body[:500])
        return answer.json if answer.body else None

    # ---- signing in ----

    def _take(self, answer, csrf=True):
        cookies = {}
        for line in answer.headers.get_all("Set-Cookie"):
            cookie = http.cookies.SimpleCookie(line)
            cookies.update({k: m for k, m in cookie.items()})
        self.jwt = cookies["jwt_header_payload"].value + "." + cookies["jwt_signature"].value
        self.max_age = int(cookies["jwt_header_payload"]["max-age"])
        if csrf:
            self.csrf = answer.json["CSRFToken"]
        return answer

    def login(self, user="demo@example.com", password="demo"):
        answer = self.post("/api/auth/login", {"grantType": "password", "username": user,
                                               "password": password}, auth=False)
        assert answer.status == 200, answer.body
        self._take(answer)
        return self

    def login_assertion(self, assertion):
        answer = self.post("/api/auth/login", {"grantType": "jwt-key", "assertion": assertion,
                                               "hospitalOrgId": ""}, auth=False)
        return self._take(answer) if answer.status == 200 else answer

    def login_service(self, service_id, key_file):
        answer = self.login_assertion(self.assertion(service_id, key_file))
        assert answer.status == 200, answer.body
        return self

    def assertion(self, service_id, key_file, algorithm="RS256", **claims):
        import jwt
        with open(key_file, encoding="ascii") as f:
            key = f.read()
        aud = self.get("/api/auth/login/$aud", auth=False).json
        payload = {"aud": [aud], "iss": service_id, "sub": service_id,
                   "exp": int(time.time()) + 3600}
        payload.update(claims)
        payload = {k: v for k, v in payload.items() if v is not None}
        return jwt.encode(payload, key, algorithm=algorithm)

    def refresh(self):
        answer = self.post("/api/auth/refresh")
        assert answer.status == 200, answer.body
        return self._take(answer, csrf=False)

    def claims(self):
        payload = self.jwt.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))

    # ---- short ways ----

    def credentials(self, action, prefix):
        query = urllib.parse.urlencode({"action": action, "prefix": prefix})
        return self.get("/api/auth/s3credentials?" + query)

    def s3(self, sandbox, action, prefix):
        answer = self.credentials(action, prefix)
        assert answer.status == 200, answer.body
        c = answer.json["policyCredentials"][0]["credentials"]
        return sandbox.boto3(c["accessKey"], c["secretKey"], c["sessionToken"], c["region"])

    def project(self, name="demo"):
        return next(p for p in self.get("/api/data/projects").json if p["name"] == name)

    def institute(self, name="north", project="demo"):
        project = self.project(project)
        institutes = self.get(f"/api/data/projects/{project['id']}/hospitals").json
        return next(i for i in institutes if i["name"] == name)
