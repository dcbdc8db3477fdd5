# SPDX-License-Identifier: MIT
"""What is retried, and what is not: one fault, the requests that follow, the result."""

import pytest

import cloud as c
from igtcloud import DENIED, FAILED, SOME_FAILED
from promise import promise

OBJECT = "/igtcloud/**/f.bin"


def download(cloud, igtcloud, out, project="one", **options):
    done = igtcloud.run("download", "--json", out, project, **options)
    c.same(c.files(out), c.stored(cloud, project))
    assert c.leftovers(out) == []
    return done


@promise("Retry",
         "GET of an object: 429, 500, 502, 503 or 504, or the connection breaks before the "
         "response, in its headers or in its body",
         "retried after a pause; the file is complete")
@pytest.mark.smoke
def test_get_of_an_object(cloud, igtcloud, out):
    cloud.faults(*({"fault": kind, "path": f"**/{kind}.bin", "method": "GET", "at": 5000}
                   for kind in c.TRANSIENT))
    igtcloud.run("download", out, "kinds")
    for kind in c.TRANSIENT:
        gets = cloud.requests(path=f"*/{kind}.bin")
        assert [g["fault"] for g in gets] == [kind, None]
        assert gets[1]["bytesOut"] <= 100000 and sum(g["bytesOut"] for g in gets) >= 100000
    c.same(c.files(out), c.stored(cloud, "kinds"))


@promise("Retry",
         "the same, five times in a row",
         "retried five times; a sixth failure fails that file alone")
def test_retries_are_limited(cloud, igtcloud, out):
    cloud.faults({"fault": "internal-error", "path": OBJECT, "times": 3})
    igtcloud.run("download", "--retries", "3", out, "one")
    assert len(cloud.requests(path="*/f.bin")) == 4
    cloud.clear()
    cloud.faults({"fault": "internal-error", "path": "**/notes/3.txt", "times": 0})
    done = igtcloud.run("download", "--retries", "1", out, "mixed", status=SOME_FAILED)
    assert len(cloud.requests(path="*/notes/3.txt", method="GET")) == 2 * 2
    assert "gave up after 2 attempts without progress in " in done.err and "notes/3.txt" in done.err
    got = c.files(out / "lab" / "case-1")
    assert "notes/3.txt" not in got and len(got) == len(c.MIXED) - 1


@promise("Retry", "connections are refused for a second", "retried; nothing is lost")
@pytest.mark.smoke
def test_refused_connections_are_retried(cloud, igtcloud, out):
    cloud.faults({"fault": "refuse", "path": OBJECT, "seconds": 0.7})
    download(cloud, igtcloud, out)


@promise("Retry",
         "a list of projects, institutes, studies or files breaks off",
         "requested again; reading resumes after the last complete entry once the start is "
         "known to be unchanged")
@pytest.mark.parametrize("kind", ["reset-in-body", "short-body", "reset", "bad-gateway"])
def test_lists_are_retried(cloud, igtcloud, out, kind):
    cloud.faults(*({"fault": kind, "method": "GET", "path": path, "at": 60} for path in
                   ("/api/data/projects", "**/hospitals", "**/studies", "**/files")))
    done = download(cloud, igtcloud, out, "mixed")
    assert done.summary["filesDone"] == len(c.MIXED) + 6 + 8


@promise("Retry", "a long list breaks off repeatedly", "resumed each time where it broke off")
def test_a_list_that_breaks_four_times(cloud, igtcloud, out):
    cloud.faults(*({"fault": "reset-in-body", "path": "**/studies", "at": at}
                   for at in (3000, 9000, 500, 15000)))
    done = igtcloud.run("download", "--json", "--dry-run", out, "many")
    assert len(cloud.requests(path="*/studies")) == 5
    assert done.summary["filesDone"] == 200


@promise("Retry", "sign-in fails with 500, or its response is lost", "retried")
def test_sign_in(cloud, igtcloud, out):
    kinds = ["internal-error", "reset", "lost-response", "short-body"]
    cloud.faults(*({"fault": kind, "path": "/api/auth/login"} for kind in kinds))
    igtcloud.run("download", out, "one")
    assert [r["fault"] for r in cloud.requests(path="*/login")] == kinds + [None]


@promise("Retry",
         "PUT of a file or part fails, or the connection breaks during the request",
         "sent again; the file is complete")
def test_uploads_that_fail_are_retried(cloud, igtcloud, tmp_path):
    kinds = c.TRANSIENT[:9] + ["reset-in-request", "expired-token", "flip-in-request", "wrong-etag"]
    expected = {f"{tmp_path.name}/{kind}.bin": kind.encode() * 20000 for kind in kinds}
    expected[f"{tmp_path.name}/film.bin"] = bytes(range(256)) * 4 * 9 * 1024
    c.write(tmp_path / "up/lab", expected)
    cloud.faults(*({"fault": kind, "method": "PUT", "path": f"**/{kind}.bin", "at": 100000}
                   for kind in kinds),
                 *({"fault": kind, "method": "PUT", "query": f"partNumber={n}&", "at": 100000}
                   for n, kind in ((1, "reset"), (2, "internal-error"), (1, "lost-response"),
                                   (2, "reset-in-request"), (1, "flip-in-request"))))
    igtcloud.run("upload", tmp_path / "up", "target")
    assert cloud.planned() == []
    c.same(c.content_of(cloud, expected), expected)


@promise("Retry",
         "one request in ten fails, in a dozen ways, while a mixed tree goes up and down",
         "slower; every file arrives complete, exactly once")
@pytest.mark.parametrize("seed", [1, 2])
def test_one_in_ten(cloud, igtcloud, tmp_path, seed):
    expected = c.local_tree(tmp_path / "up", seed=seed)
    kinds = c.TRANSIENT + ["flip-in-request", "flip"]
    faults = [{"fault": kind, "chance": 0.1 / len(kinds), "seed": seed * 100 + n, "at": 100,
               **({"path": c.S3} if kind.startswith("flip") else {})}
              for n, kind in enumerate(kinds)]
    cloud.faults(*faults)
    igtcloud.run("upload", tmp_path / "up", "target", timeout=300)
    igtcloud.run("download", tmp_path / "out", "mixed", timeout=300)
    struck = [r for r in cloud.requests() if r["fault"]]
    assert len(struck) > 3, struck
    cloud.clear()
    c.same(c.content_of(cloud, expected), expected)
    c.same(c.files(tmp_path / "out"), c.stored(cloud, "mixed"))


@promise("Retry",
         "permanent failures: 403, a redirect to another host, 407, a captive portal's sign-in "
         "page",
         "not retried; the error names the cause; credentials go to no other host")
@pytest.mark.parametrize("kind, words", [
    ("forbidden", "Access Denied"), ("redirect", "redirect"), ("proxy-login", "proxy"),
    ("proxy-page", "captive portal")])
@pytest.mark.smoke
def test_permanent_failures_are_not_retried(cloud, igtcloud, out, kind, words):
    to = {"to": f"http://127.0.0.1:{cloud.port}/elsewhere"} if kind == "redirect" else {}
    cloud.faults({"fault": kind, "path": OBJECT, **to})
    done = igtcloud.run("download", out, "one", status=SOME_FAILED)
    assert words in done.err and c.files(out) == {}
    assert len(cloud.requests(path="*/f.bin")) == 1 and cloud.requests(path="/elsewhere") == []


@promise("Retry",
         "a captive portal's page in place of an API response",
         "an error that says so, never a success")
@pytest.mark.parametrize("path, method", [
    ("/api/auth/login", "POST"), ("/api/data/projects", "GET"), ("**/files", "POST"),
    ("**/$file-upload-completed", "POST")])
def test_page_in_place_of_the_api(cloud, igtcloud, tmp_path, path, method):
    c.local_tree(tmp_path / "up", studies=1, large=0)
    cloud.faults({"fault": "proxy-page", "path": path, "method": method, "times": 0})
    done = igtcloud.run("upload", tmp_path / "up", "target", status=None)
    assert done.status in (FAILED, SOME_FAILED) and "sign-in page" in done.err, done


@promise("Retry",
         "status 200 with an error, or with text, in place of an empty response",
         "an error that says so: the upload is not reported as complete")
@pytest.mark.parametrize("body", [
    {"error": "queue is full"}, {"errors": ["x"]}, {"message": "later", "status": 503}, False,
    "false", "upstream timed out"])
def test_failure_with_status_200(cloud, igtcloud, tmp_path, canned, body):
    c.local_tree(tmp_path / "up", studies=1, large=0)
    canned({"path": "**/$file-upload-completed", "method": "POST", "status": 200, "body": body})
    done = igtcloud.run("upload", tmp_path / "up", "target", status=SOME_FAILED)
    assert "has status 200 but" in done.err, done


@promise("Retry",
         "status 200 with JSON that reports no error in place of an empty response",
         "a success")
@pytest.mark.parametrize("body", ["", " ", {}, "null", {"message": "ok", "status": 200}, True,
                                  {"error": None, "code": 0}])
def test_success_with_a_body(cloud, igtcloud, tmp_path, canned, body):
    c.local_tree(tmp_path / "up", studies=1, large=0)
    canned({"path": "**/$file-upload-completed", "method": "POST", "status": 200, "body": body})
    igtcloud.run("upload", tmp_path / "up", "target")


@promise("Retry", "the password is rejected", "not retried, so no account is locked")
def test_wrong_password(cloud, igtcloud, out):
    igtcloud.password = "wrong"
    igtcloud.run("download", out, "one", status=DENIED)
    assert len(cloud.requests(path="*/login")) == 1


@promise("Retry",
         "unread bytes of an earlier response on a kept-alive connection",
         "the connection is closed; responses are never mixed")
def test_unread_bytes_of_an_earlier_response(cloud, igtcloud, out):
    cloud.faults({"fault": "long-body", "path": c.S3, "method": "GET", "by": 200, "times": 4})
    igtcloud.run("download", "--connections", "2", out, "mixed")
    c.same(c.files(out), c.stored(cloud, "mixed"))


@promise("Retry",
         "no response, or a body that stalls, for as long as `--timeout`",
         "the attempt ends and is retried")
@pytest.mark.parametrize("at", [None, 5000])
def test_a_silent_connection_ends(cloud, igtcloud, out, at):
    cloud.faults({"fault": "silence", "path": OBJECT, "seconds": 600,
                  **({} if at is None else {"at": at})})
    igtcloud.run("download", "--timeout", "2", out, "one")
    gets = cloud.requests(path="*/f.bin")
    assert len(gets) == 2 and (gets[0]["took"] is None or gets[0]["took"] >= 1.5)


@promise("Retry", "a body that arrives at one byte a second", "counts as alive; read to its end")
def test_a_slow_response_is_read_to_its_end(cloud, igtcloud, out):
    """A response that takes longer than the idle timeout; its bytes arrive often enough on a busy machine."""
    timeout = 3
    cloud.faults({"fault": "trickle", "path": "/api/auth/s3credentials", "per_second": 300})
    igtcloud.run("download", "--timeout", timeout, out, "one")
    (asked,) = cloud.requests(path="*/s3credentials")
    assert asked["fault"] == "trickle" and asked["took"] > timeout
