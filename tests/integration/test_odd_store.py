# SPDX-License-Identifier: MIT
"""What a store, or a cache before it, says about an object and does not keep: lengths, sizes, ETags.
Correct bytes or an error, and never more memory or disk than the bytes that came."""

import hashlib
import os

import pytest

from igtcloud import DONE, FAILED, SOME_FAILED, Program, largest_size, tree
from odd_cloud import OddCloud
from odd_store import OddStore, opaque
from rest_client import RestClient

MIB = 1024 * 1024
TURNED = bytes(255 - n for n in range(256))
SEED = {
    "users": [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}],
    "projects": [
        {"name": "p", "projectTypeName": "EPD", "institutes": [{"name": "i", "studies": [
            {"name": "small", "files": [{"path": "a", "text": "alpha"}, {"path": "b", "size": 300000}]},
            {"name": "empty", "files": [{"path": "nothing", "text": ""}]},
            {"name": "large", "files": [{"path": "film", "size": 20 * MIB}]}]}]},
        {"name": "half", "projectTypeName": "EPD", "institutes": [{"name": "i", "studies": [
            {"name": "s", "files": [{"path": "medium", "size": 3000000}]}]}]},
        {"name": "many", "projectTypeName": "EPD", "institutes": [
            {"name": "i", "generate": {"studies": 60, "files": 1, "size": 100}}]},
    ]}
ALL = {"i/small/a", "i/small/b", "i/empty/nothing", "i/large/film"}


@pytest.fixture
def store(cloud):
    with OddStore(cloud) as odd:
        yield odd


@pytest.fixture
def odd(store, cloud, home):
    cloud.clear()
    yield Program(store.gateway.url, home)
    RestClient(cloud.url).ok("DELETE", "/__canned", status=204)


def files(folder):
    """Those with a final name."""
    return {k: v for k, v in tree(folder).items() if not k.endswith(("study.json", ".igtpart"))}


def right(store, got):
    """What has its final name has the bytes of its object."""
    objects = {k.rsplit("/", 1)[1]: v for k, v in store.objects.items()}
    for name, data in got.items():
        assert data == objects[os.path.basename(name)], name
    return set(got)


# ---- ranges ----

@pytest.mark.parametrize("digest", ["md5", "opaque", "parts"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_store_without_ranges(odd, store, out, digest, framing):
    """It sends the whole object whatever is requested: that is used, once."""
    def change(ask, answer):
        answer.status, answer.body = 200, answer.data
        answer.headers.pop("Content-Range", None)
        answer.framing = framing if ask.method == "GET" else "length"
        if digest == "opaque":
            opaque(answer)
        elif digest == "parts" and len(answer.data) > 8 * MIB:
            parts = [answer.data[at:at + 8 * MIB] for at in range(0, len(answer.data), 8 * MIB)]
            whole = hashlib.md5(b"".join(hashlib.md5(p).digest() for p in parts)).hexdigest()
            answer.headers["ETag"] = f'"{whole}-{len(parts)}"'
            if "partNumber" in ask.query and ask.method == "HEAD":
                answer.headers["Content-Length"] = 8 * MIB
    store.change = change
    done = odd.run("download", "--json", out, "p")
    assert right(store, files(out)) == ALL
    film = next(i for i in done.items if i["kind"] == "file" and i["path"].endswith("film"))
    assert film["verified"] == {"md5": "md5", "opaque": "", "parts": "etag-parts"}[digest]
    asked = [a for a in store.asked if a.method == "GET" and a.key.endswith("/film")]
    assert len([a for a in asked if not a.range]) == 1 and len(asked) <= 1 + 3
    assert odd.run("verify", "--json", out, "p", status=None).summary["filesDifferent"] == 0


def test_store_without_ranges_that_is_cut(odd, store, out):
    """Each attempt starts over; the second one gets to the end."""
    def change(ask, answer):
        answer.status, answer.body = 200, answer.data
        answer.headers.pop("Content-Range", None)
        whole = store.count["whole", ask.key]
        if ask.method == "GET" and ask.key.endswith("/film") and not ask.range:
            store.count["whole", ask.key] += 1
            if not whole:
                answer.headers["Content-Length"] = len(answer.data)
                answer.body = answer.data[:12 * MIB]
                answer.close = True
    store.change = change
    odd.run("download", out, "p")
    assert right(store, files(out)) == ALL


def test_cat_without_ranges(odd, store):
    """It only reads in ranges, and says what to do."""
    def change(ask, answer):
        answer.status, answer.body = 200, answer.data
        answer.headers.pop("Content-Range", None)
    store.change = change
    done = odd.run("cat", "p/i/large/files/film", status=FAILED)
    assert "does not support ranges" in done.err and "only be downloaded as a whole" in done.err


# ---- lengths ----

LENGTHS = {"none": None, "text": "many", "2^64": str(2 ** 64), "negative": "-5", "float": "1e3"}


@pytest.mark.case("security-5")
@pytest.mark.parametrize("length", LENGTHS)
def test_head_without_a_length(odd, store, out, length):
    """Whatever is no length is not a length of 0: the responses to ranges have the size."""
    def change(ask, answer):
        opaque(answer)
        if ask.method == "HEAD":
            answer.framing = "close"
            answer.headers["Content-Length"] = LENGTHS[length]
    store.change = change
    if length in ("text", "negative"):  # curl takes such an answer for none at all
        odd.run("download", out, "p", status=SOME_FAILED)
        assert right(store, files(out)) == ALL - {"i/large/film"}
        return
    odd.run("download", out, "p")
    assert right(store, files(out)) == ALL
    assert odd.run("verify", "--json", out, "p", status=None).summary["filesDifferent"] == 0


@pytest.mark.case("security-5")
@pytest.mark.parametrize("size, etag", [(0, "opaque"), (0, "md5"), (7, "opaque"), (19 * MIB, "opaque"),
                                        (21 * MIB, "opaque")])
def test_head_with_another_length(odd, store, out, size, etag):
    """A wrong size that nothing verifies never becomes a file."""
    def change(ask, answer):
        if etag == "opaque":
            opaque(answer)
        if ask.method == "HEAD":
            answer.headers["Content-Length"] = size
    store.change = change
    odd.run("download", "--retries", "0", out, "p", status=SOME_FAILED)
    assert right(store, files(out)) == ALL - {"i/large/film"}


@pytest.mark.case("security-5", "transfers-13")
@pytest.mark.parametrize("framing", ["chunked", "close"])
@pytest.mark.parametrize("digest", ["md5", "opaque"])
def test_bodies_without_a_length(odd, store, out, framing, digest):
    """Good ones are accepted: they have the digest, or the size that is listed."""
    def change(ask, answer):
        if digest == "opaque":
            opaque(answer)
        answer.framing = framing
    store.change = change
    odd.run("download", out, "p")
    assert right(store, files(out)) == ALL
    for name in ("p/i/small/files/a", "p/i/small/files/b", "p/i/empty/files/nothing", "p/i/large/files/film"):
        assert odd.run("cat", name).out == files(out)["i/" + name.split("/", 2)[2].replace("files/", "")]


@pytest.mark.case("security-5")
@pytest.mark.parametrize("framing", ["chunked", "close"])
@pytest.mark.parametrize("digest", ["md5", "opaque"])
def test_body_of_unknown_length_that_is_cut(odd, store, out, framing, digest):
    def change(ask, answer):
        if digest == "opaque":
            opaque(answer)
        answer.framing = framing
        if ask.key.endswith(("/a", "/b")):
            answer.body = answer.body[:-1]
    store.change = change
    odd.run("download", "--retries", "0", out, "p", status=SOME_FAILED)
    assert right(store, files(out)) == ALL - {"i/small/a", "i/small/b"}
    assert odd.run("cat", "--retries", "0", "p/i/small/files/a", status=None).status != DONE


@pytest.mark.case("security-5", "security-9")
def test_body_of_unknown_length_that_does_not_end_soon(odd, store, out):
    """What is longer than a file that is fetched in one GET is fetched in ranges, or not at all."""
    def change(ask, answer):
        if ask.key.endswith("/a") and ask.method == "GET" and not ask.range:
            answer.framing, answer.body = "chunked", bytes(40 * MIB)
    store.change = change
    odd.run("download", "--json", out, "p", status=None)
    assert right(store, files(out)) >= ALL - {"i/small/a"}


# ---- sizes ----

@pytest.mark.case("security-9")
@pytest.mark.parametrize("size", [2 ** 62, 2 ** 57, 2 ** 63 - 1, 50_000 * 2 ** 30 + 1])
def test_size_that_no_object_has(odd, store, out, size):
    """It is an error of that file alone, and no memory is taken for it."""
    def change(ask, answer):
        if ask.key.endswith("/film") and ask.method == "HEAD":
            answer.headers["Content-Length"] = size
    store.change = change
    process = odd.start("download", "--json", out, "p")
    assert largest_size(process) < 150
    assert process.returncode == SOME_FAILED
    text = process.stderr.read().decode()
    assert "film" in text and str(size) in text and "out of memory" not in text
    assert right(store, files(out)) == ALL - {"i/large/film"}


@pytest.mark.case("security-9")
@pytest.mark.parametrize("name, length", [("accessKey", 5000), ("sessionToken", 200_000),
                                          ("secretKey", 100_000), ("bucket", 5000)])
def test_credentials_of_no_possible_length(odd, cloud, out, name, length):
    """An error of their study; the others continue."""
    good = {"accessKey": "A", "secretKey": "S", "sessionToken": "T", "bucket": "igtcloud"}
    rest = RestClient(cloud.url).login()
    where = rest.institute("i", "many")["id"]
    prefix = rest.ok("GET", f"/api/data/hospitals/{where}/studies")[7]["s3Prefix"]
    rest.ok("POST", "/__canned", [
        {"method": "GET", "path": "/api/**/s3credentials", "query": prefix.rstrip("/").split("/")[-1],
         "body": {"policyCredentials": [{"credentials": {**good, name: "x" * length}}]}}], status=204)
    done = odd.run("download", "--json", out, "many", status=SOME_FAILED)
    assert name in done.err and str(length) in done.err and "out of memory" not in done.err
    assert done.summary["filesDone"] == 59


# ---- another object under the same name ----

@pytest.mark.case("security-6")
@pytest.mark.parametrize("from_range", [1, 2])
@pytest.mark.parametrize("for_ever", [False, True])
def test_ranges_of_two_objects(odd, store, out, from_range, for_ever):
    """A cache that ignores If-Match has one object in its first responses and another, of the same
    size, in the later ones: no file has bytes of both."""
    old = {}

    def change(ask, answer):
        opaque(answer, "old")
        turn = ask.n >= from_range if not for_ever else ask.n % 2
        if ask.method == "GET" and ask.range and turn:
            answer.body = answer.body.translate(TURNED)
            opaque(answer, "new")
        elif ask.method == "HEAD" and store.count["GET", ask.key] > from_range and not for_ever:
            opaque(answer, "new")
        old.setdefault(ask.key, answer.data)
    store.change = change
    odd.run("download", "--connections", "1", "--include", "film", out, "p",
            status=SOME_FAILED if for_ever else DONE)
    got = files(out)
    if for_ever:
        assert not got
    else:
        (film,) = got.values()
        (data,) = [v for k, v in old.items() if k.endswith("/film")]
        assert film == data.translate(TURNED)


@pytest.mark.case("security-6")
@pytest.mark.parametrize("name, first, later", [
    ("ETag", '"one"', 'W/"one"'), ("ETag", 'W/"one"', '"one"'),
    ("Last-Modified", "Mon, 06 May 2024 07:08:09 GMT", "Mon, 06 May 2024 07:08:10 GMT")])
@pytest.mark.parametrize("command", ["download", "cat"])
def test_ranges_of_two_objects_with_one_opaque_etag(odd, store, out, name, first, later, command):
    """Its strength, or the date, shows that the ranges are not of one object."""
    def change(ask, answer):
        opaque(answer, "one")
        later_range = ask.method == "GET" and ask.range and ask.range[0] >= 8 * MIB
        answer.headers[name] = later if later_range else first
        if later_range:
            answer.body = answer.body.translate(TURNED)
    store.change = change
    if command == "cat":
        done = odd.run("cat", "p/i/large/files/film", status=None)
        assert done.status != DONE and "replaced" in done.err and len(done.out) < 20 * MIB
    elif later == 'W/"one"':  # as of a proxy's; one GET for all of it
        odd.run("download", "--include", "film", out, "p")
        assert right(store, files(out)) == {"i/large/film"}
    else:
        done = odd.run("download", "--include", "film", out, "p", status=SOME_FAILED)
        assert "keeps changing" in done.err and not files(out)


def test_an_etag_that_is_weak_everywhere(odd, store, out):
    """A proxy weakens them all; a date may be missing."""
    def change(ask, answer):
        answer.headers["ETag"] = "W/" + answer.headers["ETag"]
        if ask.range and ask.range[0]:
            answer.headers.pop("Last-Modified")
    store.change = change
    odd.run("download", out, "p")
    assert right(store, files(out)) == ALL
    assert odd.run("cat", "p/i/large/files/film").status == DONE


@pytest.mark.parametrize("digest", ["md5", "opaque"])
def test_an_etag_that_is_weak_on_gets(odd, store, out, digest):
    """A proxy that may change the coding of a body weakens the ETag of a GET, not that of a HEAD. Ranges
    are combined if the digest of the whole can tell; else it is one GET."""
    def change(ask, answer):
        if digest == "opaque":
            opaque(answer, "one")
        if ask.method == "GET":
            answer.headers["ETag"] = "W/" + answer.headers["ETag"]
    store.change = change
    odd.run("download", out, "p")
    assert right(store, files(out)) == ALL
    whole = [a for a in store.asked
             if a.method == "GET" and a.key.endswith("/film") and not a.range]
    assert bool(whole) == (digest == "opaque")
    assert odd.run("cat", "p/i/large/files/film").status == DONE


@pytest.mark.case("security-6")
def test_ranges_of_two_objects_with_a_weakened_etag(odd, store, out):
    """Where the ranges are combined, the digest finds that they are of two versions."""
    def change(ask, answer):
        if ask.method == "GET":
            answer.headers["ETag"] = "W/" + answer.headers["ETag"]
            if ask.range and ask.range[0] >= 8 * MIB:
                answer.body = answer.body.translate(TURNED)
    store.change = change
    done = odd.run("download", "--include", "film", out, "p", status=SOME_FAILED)
    assert "does not match" in done.err and not files(out)


@pytest.mark.case("security-6")
def test_cat_of_two_objects(odd, store):
    def change(ask, answer):
        opaque(answer, "old" if ask.n < 2 else "new")
    store.change = change
    done = odd.run("cat", "p/i/large/files/film", status=None)
    assert done.status != DONE and "replaced" in done.err
    assert len(done.out) < 20 * MIB


def test_store_without_ranges_or_lengths_one_range_at_a_time(odd, store, out):
    """Only the first range is requested: that the store sends more than it shows only at its end."""
    def change(ask, answer):
        if ask.method == "GET":
            answer.status, answer.body, answer.framing = 200, answer.data, "chunked"
            answer.headers.pop("Content-Range", None)
    store.change = change
    odd.run("download", "--connections", "1", out, "p")
    assert right(store, files(out)) == ALL


@pytest.mark.parametrize("digest", ["md5", "opaque"])
@pytest.mark.parametrize("first, last", [(1000000, 2999999), (0, 999999)])
def test_a_part_that_was_not_requested(odd, store, out, digest, first, last):
    """A cache's partial copy of the object: no byte of it counts, also for a later run that resumes."""
    def partial(ask, answer):
        if digest == "opaque":
            opaque(answer)
        if ask.method == "GET" and not ask.range and ask.key.endswith("/medium"):
            answer.status, answer.body = 206, answer.data[first:last + 1]
            answer.headers["Content-Range"] = f"bytes {first}-{last}/{len(answer.data)}"
    store.change = partial
    done = odd.run("download", out, "half", status=SOME_FAILED)
    assert f"S3 sent bytes {first} to {last}" in done.err and not right(store, files(out))
    store.change = lambda ask, answer: opaque(answer) if digest == "opaque" else None
    odd.run("download", out, "half")
    assert right(store, files(out)) == {"i/s/medium"}


@pytest.mark.parametrize("name, other", [("Content-Range", "bytes 0-8388607/20971520"), ("Content-Range", "nonsense"),
                                         ("ETag", '"another"'), ("x-amz-checksum-crc32", "AAAAAA==")])
@pytest.mark.parametrize("first", [True, False])
def test_headers_that_differ_are_refused(odd, store, out, name, other, first):
    """Which of them is of these bytes is a guess; none of the response is kept for a later run."""
    def twice(ask, answer):
        opaque(answer)
        if ask.range and ask.range[0] > 0:
            own = answer.headers.get(name, "BBBBBB==")
            answer.headers[name] = [other, own] if first else [own, other]
            answer.body = answer.body.translate(TURNED)
    store.change = twice
    for command in (("download", "--include", "film", out, "p"), ("cat", "p/i/large/files/film")):
        done = odd.run(*command, status=None)
        assert done.status != DONE and f"several {name} headers, which differ" in done.err, done.err
    assert not files(out)
    store.change = lambda ask, answer: opaque(answer)
    odd.run("download", "--include", "film", out, "p")
    assert right(store, files(out)) == {"i/large/film"}


def test_equal_headers_are_one(odd, store, out):
    def twice(ask, answer):
        for name in ("Content-Range", "ETag"):
            if name in answer.headers:
                answer.headers[name] = [answer.headers[name]] * 2
    store.change = twice
    odd.run("download", out, "p")
    assert right(store, files(out)) == ALL


def test_a_whole_object_as_a_part(odd, store, out):
    def whole(ask, answer):
        if ask.method == "GET" and not ask.range:
            size = len(answer.data)
            answer.status, answer.headers["Content-Range"] = 206, f"bytes 0-{size - 1}/{size}"
    store.change = whole
    odd.run("download", out, "half")
    assert right(store, files(out)) == {"i/s/medium"}


@pytest.mark.parametrize("suffix", ["-gzip", "--gzip", "-0", "-10001"])
def test_an_etag_with_a_proxys_suffix(odd, store, out, suffix):
    """It is no digest: the files are complete, and counted as not verified."""
    def marked(ask, answer):
        answer.headers["ETag"] = answer.headers["ETag"][:-1] + suffix + '"'
    store.change = marked
    done = odd.run("download", out, "p")
    assert right(store, files(out)) == ALL and "4 files not verified" in done.err


def test_a_list_with_the_keys_of_another_study(store, cloud, home, out):
    """Credentials may reach more than one study: no file lands under another patient."""
    lists = {}

    def change(request, reply):
        if request.plain.endswith("/files"):
            reply.json = lists.setdefault("first", reply.json)
    cloud.clear()
    with OddCloud(store.gateway.url) as odd:
        odd.change = change
        done = Program(odd.url, home).run("download", out, "many", "--limit", "2", status=SOME_FAILED)
    assert "not below the s3Prefix" in done.err
    assert len(files(out)) == 1


def foreign(request, reply):
    """The files of the first list have the key of another study."""
    if request.plain.endswith("/files") and reply.json["files"]:
        reply.json = {"files": [dict(f, key="p/other/" + f["key"]) for f in reply.json["files"]]}


def keyless(request, reply):
    if request.plain.endswith("/files"):
        reply.json = {"files": [*reply.json["files"], {}]}


@pytest.mark.parametrize("change, text", [(foreign, "not below the s3Prefix"), (keyless, "without a key")])
def test_what_believes_a_list_of_files(store, cloud, home, out, tmp_path, change, text):
    """Nothing takes a file of another study, or an element without a key, for one of this study."""
    manifest = tmp_path / "manifest"
    cloud.clear()
    with OddCloud(store.gateway.url) as odd:
        igtcloud = Program(odd.url, home)
        igtcloud.run("download", out, "half")
        manifest.write_text(igtcloud.run("manifest", "half").text)
        odd.change = change
        for command in (("download", tmp_path / "new", "half"), ("verify", out, "half"), ("manifest", "half"),
                        ("verify", "--manifest", manifest), ("csv", "--files", "-", "half")):
            done = igtcloud.run(*command, status=SOME_FAILED)
            assert text in done.err, (command, done.err)
