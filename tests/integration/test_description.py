# SPDX-License-Identifier: MIT
"""A second opinion on the sandbox: requests that are built from api/*.json alone, without the library
and without the generator. Each operation must respond with a status and in a form that are described, and
refuse what the description does not allow, by name."""

import copy
import datetime
import json
import pathlib
import re
import urllib.parse
import uuid
from functools import cached_property

import pytest
import requests

from sandbox import BUCKET, Sandbox

ROOT = pathlib.Path(__file__).resolve().parents[2]
METHODS = ("get", "put", "post", "delete", "patch")
# Answered beside what the description has: docs/sandbox.md.
EXTRA = {"Credentials": {"endpoint", "region"}, "StorageConfig": {"endpoint"},
         "Series": {"hospitalId"}}


class Operation:
    def __init__(self, spec, path, method, item):
        node = item[method]
        self.spec, self.node, self.method = spec, node, method.upper()
        self.id = node["operationId"]
        self.path = "/api" + spec["basePath"] + path
        own = {(p["name"], p["in"]) for p in node.get("parameters", [])}
        shared = [p for p in item.get("parameters", []) if (p["name"], p["in"]) not in own]
        self.params = shared + node.get("parameters", [])
        self.open = node.get("security", spec.get("security")) == []
        self.good = {code: answer for code, answer in node["responses"].items() if code[0] in "23"}

    def of(self, place):
        return [p for p in self.params if p["in"] == place]

    @property
    def body_schema(self):
        bodies = self.of("body")
        return bodies[0]["schema"] if bodies else None


def read_operations():
    found = []
    for name in ("auth", "action", "entities"):
        spec = json.loads((ROOT / "api" / f"{name}.json").read_text(encoding="utf-8"))
        found += [Operation(spec, path, method, item) for path, item in spec["paths"].items()
                  for method in METHODS if method in item]
    return found


OPERATIONS = read_operations()


# ---- schemas ----

class Schemas:
    def __init__(self, spec):
        self.models = spec["definitions"]

    def resolve(self, schema):
        """(name, schema), references followed."""
        name = None
        while "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            schema = self.models[name]
        return name, schema

    def line(self, name):
        """The model and what it extends: [(name, object schema)], the root first."""
        schema, found = self.models[name], []
        for part in schema.get("allOf", [schema]):
            if "$ref" in part:
                found += self.line(part["$ref"].rsplit("/", 1)[1])
            else:
                found.append((name, part))
        return found

    def fields(self, schema):
        """All properties of an object, and those that must be there."""
        name, node = self.resolve(schema)
        parts = [part for _, part in self.line(name)] if name else [node]
        properties, required = {}, set()
        for part in parts:
            properties.update(part.get("properties", {}))
            required |= set(part.get("required", []))
        return properties, required

    def tag(self, name):
        tags = [part["discriminator"] for _, part in self.line(name) if "discriminator" in part]
        return tags[0] if tags else None

    def check(self, schema, value, place):
        """Raises where the value is not of the schema."""
        name, node = self.resolve(schema)
        if value is None:
            return
        if name and self.tag(name):
            said = value[self.tag(name)]
            assert any(line == name for line, _ in self.line(said)), f"{place}: {said} is no {name}"
            name, node = said, self.models[said]
        kind = node.get("type", "object")
        if kind == "array":
            assert isinstance(value, list), f"{place} is no list"
            for n, one in enumerate(value):
                self.check(node["items"], one, f"{place}[{n}]")
        elif kind == "object":
            self.check_object(name, node, value, place)
        else:
            check_scalar(node, value, place)

    def check_object(self, name, node, value, place):
        assert isinstance(value, dict), f"{place} is no object"
        properties, required = self.fields({"$ref": f"#/{name}"} if name else node)
        if not properties:
            return  # free-form
        extra = EXTRA.get(name, set())
        if name and any(line == "Series" for line, _ in self.line(name)):
            extra = EXTRA["Series"]
        unknown = set(value) - set(properties) - extra
        assert not unknown, f"{place} has {unknown}, which {name} has not"
        assert required <= set(value), f"{place} lacks {required - set(value)}"
        for key, one in value.items():
            if key in properties:
                self.check(properties[key], one, f"{place}.{key}")


def check_scalar(node, value, place):
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
    assert isinstance(value, kinds[node["type"]]), f"{place} is {value!r}, no {node['type']}"
    assert node["type"] == "boolean" or not isinstance(value, bool), f"{place} is {value!r}"
    assert "enum" not in node or value in node["enum"], f"{place} is {value!r}"
    if node.get("format") == "date-time":
        datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    if node.get("format") == "date":
        datetime.date.fromisoformat(value)


# ---- a world to ask about ----

class World:
    """Things of each kind, made when they are first needed, and values for what the description
    calls by name."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.http = requests.Session()
        self.http.trust_env = False
        body = {"grantType": "password", "username": "demo@example.com", "password": "demo"}
        answer = self.http.post(sandbox.url + "/api/auth/login", json=body)
        cookies = {c.name: c.value for c in answer.cookies}
        self.headers = {"X-JWT": cookies["jwt_header_payload"] + "." + cookies["jwt_signature"],
                        "X-CSRF-TOKEN": answer.json()["CSRFToken"]}
        self.http.cookies.clear()

    def send(self, method, path, **more):
        headers = {"Accept": "*/*", **self.headers, **more.pop("headers", {})}
        headers = {k: v for k, v in headers.items() if v is not None}
        return self.http.request(method, self.sandbox.url + path, headers=headers,
                                 allow_redirects=False, timeout=60, **more)

    def made(self, path, body=None, method="POST"):
        answer = self.send(method, "/api/data" + path, json=body)
        assert answer.status_code < 300, (path, answer.text)
        return answer.json() if answer.content else None

    def put(self, key):
        self.sandbox.s3.put_object(Bucket=BUCKET, Key=key, Body=b"abc")
        return key

    @cached_property
    def project(self):
        return self.made("/projects", {"name": "p", "projectTypeName": "Annotation"})[0]

    @cached_property
    def institute(self):
        return self.made(f"/projects/{self.project['id']}/hospitals", {"name": "i"})

    @cached_property
    def study(self):
        return self.made(f"/hospitals/{self.institute['id']}/studies", {
            "studyType": "AnnotationStudy", "studyId": "s", "patient": {"patientId": "P"}})

    @property
    def study_path(self):
        return f"/hospitals/{self.institute['id']}/studies/{self.study['studyDatabaseId']}"

    @cached_property
    def series(self):
        return self.made(f"{self.study_path}/series/s{self.study['studyDatabaseId']}",
                         {"seriesType": "AnnotationSeries"}, "PUT")

    @cached_property
    def key(self):
        key = self.put(self.study["s3Prefix"] + "files/a.txt")
        self.made(f"{self.study_path}/files", [{"key": key, "fileSize": 3}])
        return key

    @cached_property
    def project_key(self):
        key = self.put(self.project["s3Prefix"] + "a.txt")
        self.made(f"/projects/{self.project['id']}/files", [{"key": key, "fileSize": 3}])
        return key

    @cached_property
    def import_path(self):
        self.put(self.institute["s3Prefix"] + "Import/new/a.txt")
        return "new/a.txt"

    @cached_property
    def own_key(self):
        storage = self.send("GET", "/api/data/users/$storage").json()
        return self.put(storage["config"]["key"] + "own.txt")

    @cached_property
    def application(self):
        made = self.made("/applications", {"name": "a", "supportedFormats": ".x"})
        self.made(f"/projects/{self.project['id']}/applications", {"applicationId": made["id"]})
        return made

    @cached_property
    def site(self):
        return self.made("/epd-sites", {"name": "site"})[-1]

    @cached_property
    def user(self):
        return self.made("/users", {"givenName": "a", "familyName": "b", "email": "e",
                                    "loginId": f"{uuid.uuid4()}@example.com"})

    @cached_property
    def service(self):
        return self.made(f"/organizations/{self.institute['id']}/services", {"name": "s"})

    @cached_property
    def task(self):
        return self.made("/integrations/aisuite/demo/projects/demo-ai-project")

    def keys_of(self, operation):
        if "/projects/" in operation.path:
            return self.project_key
        return self.own_key if "/users/" in operation.path else self.key

    def path_value(self, name, operation):
        if name == "file_name":
            if "series" in operation.path:
                return "preview.jpg"
            return self.keys_of(operation).rsplit("/", 1)[1]
        return {
            "application_id": lambda: self.application["id"], "site_id": lambda: self.site["id"],
            "hospital_id": lambda: self.institute["id"],
            "series_id": lambda: self.series["seriesDatabaseId"],
            "study_id": lambda: self.study["studyDatabaseId"],
            "project_id": lambda: self.project["id"],
            "organization_id": lambda: self.institute["id"],
            "service_id": lambda: self.service["serviceId"], "token": lambda: self.task["token"],
            "callback_token": lambda: self.task["callbackToken"],
            "connection_name": lambda: "demo", "aisuite_project_id": lambda: "demo-ai-project",
            "training_application": lambda: "annotation-training",
            "user_uuid": lambda: self.user["userUUID"]}[name]()

    def query_value(self, name, operation):
        return {
            "keys": lambda: [self.keys_of(operation)], "prefix": lambda: self.study["s3Prefix"],
            "projectId": lambda: self.project["id"], "instituteId": lambda: self.institute["id"],
            "$filter": lambda: self.filter(operation)}.get(name, lambda: {
                "$includes3creds": True, "hasExpired": False, "enabled": True, "completed": True,
                "auxiliary": "True", "includeChildRelations": True, "redirect": False,
                "action": "GET", "patientId": "P", "region": "eu-central-1",
                "igtcloudIdentifier": "x", "igtcloudIdentifierType": "project",
                "aisuiteProjectId": "demo-ai-project", "aisuiteCollectionId": "open",
                "aisuiteUrl": "https://ai", "identifier": "x", "identifierType": "project"}[name])()

    @staticmethod
    def filter(operation):
        if operation.path.endswith("/services"):
            return "name eq 's'"
        return "modality eq null" if "/series" in operation.path else "studyId eq 's'"

    def body_values(self, operation):
        """What a field of this name must hold to mean something here."""
        values = {
            "grantType": "password", "username": "demo@example.com", "password": "demo",
            "studyType": "AnnotationStudy", "seriesType": "AnnotationSeries",
            "projectTypeName": "EPD", "fileSize": 3, "isPrefix": False, "groupIds": ["MONITOR"],
            "status": "completed", "study": None}
        if "/files" in operation.path:
            values.update(key=self.keys_of(operation), uploadedPath="a.txt")
        if "/action/" in operation.path:
            values.update(hospitalId=self.institute["id"], uploadedPath=self.import_path)
        if "/users" in operation.path:
            values.update(userId=self.user["userUUID"], loginId=self.user["loginId"])
        if "/applications" in operation.path:
            values.update(applicationId=self.application["id"])
        return values


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(seed="demo") as running:
        running.s3 = running.boto3()
        yield running
        assert running.stop() == 0, running.log()


@pytest.fixture
def world(sandbox):
    return World(sandbox)


@pytest.fixture(scope="module")
def lasting_world(sandbox):
    """For requests that change nothing."""
    return World(sandbox)


# ---- requests of the description ----

def sample(schemas, schema, values, depth=0):
    """A value of the schema with every field that a client may set."""
    name, node = schemas.resolve(schema)
    if name and schemas.tag(name):
        name = values[schemas.tag(name)]
        schema = {"$ref": f"#/definitions/{name}"}
    kind = node.get("type", "object")
    if kind == "array":
        return [sample(schemas, node["items"], values, depth + 1)]
    if kind == "object":
        fields, _ = schemas.fields(schema)
        return {key: values[key] if key in values and not isinstance(values[key], dict)
                else sample(schemas, one, values, depth + 1)
                for key, one in fields.items()
                if not one.get("readOnly") and values.get(key, "") is not None}
    if node.get("format") == "date-time":
        return "2024-01-02T03:04:05+00:00"
    return node.get("enum", [{"string": "text", "integer": 7, "number": 1.5, "boolean": True}[kind]])[0]


class Request:
    def __init__(self, operation, world):
        self.operation, self.world = operation, world
        self.path = {p["name"]: world.path_value(p["name"], operation) for p in operation.of("path")}
        self.query = {p["name"]: world.query_value(p["name"], operation)
                      for p in operation.of("query")}
        self.headers = {p["name"]: "*" for p in operation.of("header")}
        self.body = None
        if operation.body_schema:
            self.body = sample(Schemas(operation.spec), operation.body_schema,
                               world.body_values(operation))
        if operation.id == "post_login_resource_/login":
            self.body.pop("assertion")

    def send(self, raw=None, auth=True):
        path = re.sub(r"\{(\w+)\}", lambda m: urllib.parse.quote(str(self.path[m[1]]), safe=""),
                      self.operation.path)
        query = [(k, str(one).lower() if isinstance(one, bool) else one)
                 for k, v in self.query.items() for one in (v if isinstance(v, list) else [v])]
        headers = dict(self.headers)
        if not auth:
            headers.update({"X-JWT": None, "X-CSRF-TOKEN": None})
        data = raw if raw is not None else None if self.body is None else json.dumps(self.body)
        if data is not None:
            headers["Content-Type"] = "application/json"
        return self.world.send(self.operation.method, path, params=query, data=data, headers=headers)


def ids(operation):
    return operation.id


@pytest.mark.parametrize("operation", OPERATIONS, ids=ids)
def test_responses_as_described(operation, world):
    answer = Request(operation, world).send()
    status = str(answer.status_code)
    if not operation.good:  # the description leaves it open
        assert answer.ok, answer.text
        return
    assert status in operation.good, (status, answer.text[:500])
    schema = operation.good[status].get("schema")
    kind = answer.headers.get("Content-Type", "")
    if schema == {"type": "file"}:
        assert [kind] == operation.node["produces"] and answer.content
    elif schema:
        assert kind == "application/json"
        Schemas(operation.spec).check(schema, answer.json(), operation.id)
    elif status == "204":
        assert not answer.content


@pytest.mark.parametrize("operation", OPERATIONS, ids=ids)
def test_refuses_what_is_not_described(operation, lasting_world):
    for change, status, word in refusals(operation, lasting_world):
        request = Request(operation, lasting_world)
        more = change(request) or {}
        answer = request.send(**more)
        what = f"{word or status}: {answer.status_code} {answer.text[:300]}"
        assert answer.status_code == status, what
        assert set(answer.json()) == {"message"} and word in answer.json()["message"], what


def refusals(operation, world):
    """(what to change in a good request, the status, a word of the message)"""
    if not operation.open:
        yield (lambda request: {"auth": False}), 401, "X-JWT"
    for param in operation.of("path"):
        if (operation.id, param["name"]) != ("put_study_series", "series_id"):  # that one makes it
            unknown = 999999 if param["type"] == "integer" else "unknown"
            yield (lambda request, n=param["name"], v=unknown: request.path.update({n: v})), 404, ""
    for param in operation.of("query"):
        if param.get("required"):
            yield (lambda request, n=param["name"]: request.query.pop(n) and None), 400, param["name"]
    if operation.body_schema:
        yield (lambda request: {"raw": "{]"}), 400, ""
        yield (lambda request: {"raw": ""}), 400, "body"
        yield from body_refusals(operation, world)


def body_refusals(operation, world):
    schemas, schema = Schemas(operation.spec), operation.body_schema
    is_list = schema.get("type") == "array"
    inner = schema["items"] if is_list else schema
    good = sample(schemas, inner, world.body_values(operation))
    tag = schemas.tag(inner["$ref"].rsplit("/", 1)[1]) if "$ref" in inner else None
    fields, required = schemas.fields({"$ref": f"#/definitions/{good[tag]}"} if tag else inner)

    def put(name, value):
        def change(request):
            body = copy.deepcopy(request.body[0] if is_list else request.body)
            body.pop(name, None)
            if value is not None:
                body[name] = value
            request.body = [body] if is_list else body
        return change

    yield (lambda request: setattr(request, "body", "text")), 400, ""
    for name in required:
        yield put(name, None), 400, name
    for name, field in fields.items():
        if not field.get("readOnly"):
            yield put(name, wrong(schemas, field)), 400, name


def wrong(schemas, field):
    node = schemas.resolve(field)[1]
    if node.get("format") == "date-time":
        return "yesterday"
    return 7 if node.get("type", "object") in ("string", "object") else "text"


# ---- the check itself ----

@pytest.mark.parametrize("value, problem", [
    ({"id": 1, "name": "n"}, None), ({"id": "1"}, "id"), ({"id": True}, "id"), ({"x": 1}, "x"),
    ([], "object"), ({"name": None}, None)])
def test_the_check_sees_what_is_wrong(value, problem):
    spec = next(o.spec for o in OPERATIONS if o.id == "get_epd_sites")
    schemas = Schemas(spec)
    if problem is None:
        schemas.check({"$ref": "#/definitions/EpdSite"}, value, "site")
        return
    with pytest.raises(AssertionError, match=problem):
        schemas.check({"$ref": "#/definitions/EpdSite"}, value, "site")
