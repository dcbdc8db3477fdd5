# SPDX-License-Identifier: MIT
"""Certificates are checked on every connection, REST and S3 alike, and nothing is sent before."""

import itertools
import os
import shutil
import ssl
import subprocess

import pytest

from gateway import Authority, Forward, Gateway, Server
from igtcloud import DENIED, FAILED, SOME_FAILED, Program, tree

SEED = "demo"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"), "somebody else")


def download(gateway, home, tmp_path, *options, command="download", status=FAILED):
    return Program(gateway.url, home).run(command, "--retries", "0", *options, tmp_path / "out",
                                          "demo", "north", status=status)


def test_up_and_down(cloud, authority, home, tmp_path):
    """All of a download and an upload with one --ca-file."""
    ca = ("--ca-file", authority.file)
    with Gateway(cloud.url, authority.issue("localhost")) as gateway:
        download(gateway, home, tmp_path, *ca, status=0)
        assert any(name.endswith("report.txt") for name in tree(tmp_path / "out"))
        folder = tmp_path / "up" / "north" / "P0001---CTA"
        folder.mkdir(parents=True)
        (folder / "sent.txt").write_text("over TLS")
        Program(gateway.url, home).run("upload", *ca, tmp_path / "up", "demo", "north")
        csv = Program(gateway.url, home).run("csv", "--files", *ca, "-", "demo", "north")
        assert "sent.txt" in csv.text
        methods = {(method, path.startswith("/api/")) for method, path, _ in gateway.seen}
    assert {("GET", True), ("POST", True), ("GET", False), ("PUT", False)} <= methods


@pytest.mark.case("security-8")
def test_certificates_through_a_pipe(cloud, authority, stranger, home, tmp_path):
    """<(...) can be read once, and is trusted on every connection; nothing else is."""
    def through_a_pipe(issuer, status):
        with Gateway(cloud.url, authority.issue("localhost")) as gateway:
            reader, writer = os.pipe()
            with open(reader, "rb"), open(writer, "wb") as out:
                out.write(issuer.file.read_bytes())
                out.close()
                return Program(gateway.url, home).run(
                    "download", "--retries", "0", "--ca-file", f"/dev/fd/{reader}",
                    tmp_path / "out", "demo", "north", status=status, pass_fds=[reader])
    through_a_pipe(authority, 0)
    assert "certificate" in through_a_pipe(stranger, FAILED).err


@pytest.mark.parametrize("what", ["unknown authority", "another name", "expired", "not yet valid"])
def test_wrong_certificates(cloud, authority, stranger, home, tmp_path, what):
    issuer = stranger if what == "unknown authority" else authority
    names = ("elsewhere.test", "localhost.test") if what == "another name" else ("localhost",)
    days = {"expired": (-30, -1), "not yet valid": (1, 30)}.get(what, (-1, 30))
    with Gateway(cloud.url, issuer.issue(*names, days=days)) as gateway:
        done = download(gateway, home, tmp_path, "--ca-file", authority.file)
        assert "certificate" in done.err and "localhost" in done.err, done
        assert gateway.seen == [] and not (tmp_path / "out").exists()


def test_an_error_names_the_file_that_was_used(cloud, authority, stranger, home, tmp_path, hashed):
    """And the store's, which has another certificate than the cloud, is named as well."""
    def said(gateway, *options, **env):
        done = Program(gateway.url, home).run("download", "--retries", "0", *options, tmp_path / "out",
                                              "demo", "north", status=None, env=env)
        assert done.status in (FAILED, SOME_FAILED) and "--ca-file" in done.err, done
        return done.err
    with Gateway(cloud.url, stranger.issue("localhost")) as other:
        assert f"{authority.file}, --ca-file" in said(other, "--ca-file", authority.file)
        assert f"{hashed}, --ca-file" in said(other, "--ca-file", hashed)
        assert f"{authority.file} and {hashed}, SSL_CERT_FILE" in \
            said(other, SSL_CERT_FILE=str(authority.file), SSL_CERT_DIR=str(hashed))
        assert f"{hashed}, SSL_CERT_DIR" in said(other, SSL_CERT_DIR=str(hashed))
        assert ", the system's" in said(other) or "none found on this machine" in said(other)
        with Gateway(cloud.url, authority.issue("localhost"), s3=other.url) as gateway:
            assert f"{authority.file}, --ca-file" in said(gateway, "--ca-file", authority.file)
            assert gateway.seen and other.seen == []


def test_the_systems_store_does_not_know_it(cloud, authority, home, tmp_path):
    with Gateway(cloud.url, authority.issue("localhost")) as gateway:
        done = download(gateway, home, tmp_path)
        assert "certificate" in done.err and "--ca-file" in done.err, done
        assert gateway.seen == []


def csv(gateway, home, status=0, **env):
    return Program(gateway.url, home).run("csv", "--retries", "0", "-", "demo", status=status,
                                          env={name: str(value) for name, value in env.items()})


VARIABLES = ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@pytest.fixture
def hashed(authority, tmp_path):
    """A directory of certificates, as `openssl rehash` makes it."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    shutil.copy(authority.file, folder / "authority.pem")
    subprocess.run(["openssl", "rehash", folder], check=True)
    return folder


@pytest.mark.parametrize("variable", VARIABLES)
def test_variables_of_other_tools(cloud, authority, stranger, home, variable):
    """What they name is all that is trusted, and errors name it."""
    with Gateway(cloud.url, authority.issue("localhost")) as gateway:
        csv(gateway, home, **{variable: authority.file})
        seen = len(gateway.seen)
        done = csv(gateway, home, FAILED, **{variable: stranger.file})
        assert f"{stranger.file}, {variable}" in done.err and "--ca-file" in done.err, done
        assert len(gateway.seen) == seen > 0


@pytest.mark.parametrize("variable", [*VARIABLES, "SSL_CERT_DIR"])
def test_variables_that_name_a_directory(cloud, authority, stranger, home, hashed, variable):
    with Gateway(cloud.url, authority.issue("localhost")) as gateway:
        csv(gateway, home, **{variable: hashed})
    with Gateway(cloud.url, stranger.issue("localhost")) as gateway:
        assert str(hashed) in csv(gateway, home, FAILED, **{variable: hashed}).err
        assert gateway.seen == []


def test_file_and_directory_of_openssl(cloud, authority, stranger, home, hashed):
    """OpenSSL reads both of its variables."""
    both = {"SSL_CERT_FILE": stranger.file, "SSL_CERT_DIR": f"/nowhere:{hashed}"}
    for issuer in (authority, stranger):
        with Gateway(cloud.url, issuer.issue("localhost")) as gateway:
            csv(gateway, home, **both)


def test_the_first_variable_counts(cloud, authority, stranger, home, hashed):
    with Gateway(cloud.url, authority.issue("localhost")) as gateway:
        for first, second in itertools.pairwise(VARIABLES):
            csv(gateway, home, **{first: authority.file, second: stranger.file})
            csv(gateway, home, FAILED, **{first: stranger.file, second: authority.file})
        csv(gateway, home, FAILED, CURL_CA_BUNDLE=stranger.file, SSL_CERT_DIR=hashed)
        csv(gateway, home, REQUESTS_CA_BUNDLE="", AWS_CA_BUNDLE=authority.file)


@pytest.mark.parametrize("variable", VARIABLES)
def test_variables_that_name_nothing(cloud, authority, home, tmp_path, variable):
    """As with requests: the system's certificates are no substitute."""
    with Gateway(cloud.url, authority.issue("localhost")) as gateway:
        done = csv(gateway, home, FAILED, **{variable: tmp_path / "missing.pem"})
        assert variable in done.err and "missing.pem" in done.err, done
        assert gateway.seen == []


@pytest.mark.parametrize("variable", [*VARIABLES, "SSL_CERT_DIR"])
def test_ca_file_is_all_that_is_trusted(cloud, authority, stranger, home, tmp_path, variable):
    """Not the system's folder, nor what a variable names, beside it."""
    with Gateway(cloud.url, stranger.issue("localhost")) as gateway:
        done = Program(gateway.url, home).run(
            "csv", "--retries", "0", "--ca-file", authority.file, "-", "demo", status=FAILED,
            env={variable: str(stranger.file)})
        assert str(authority.file) in done.err and gateway.seen == []


@pytest.mark.parametrize("command", ["download", "upload"])
def test_store_with_a_wrong_certificate(cloud, authority, stranger, home, tmp_path, command):
    """S3 is checked like REST: the same file, the same host rule."""
    folder = tmp_path / "out" / "north" / "P0001---CTA"
    if command == "upload":
        folder.mkdir(parents=True)
        (folder / f"new-{command}.txt").write_text("never to arrive")
    with Gateway(cloud.url, stranger.issue("localhost")) as s3, \
            Gateway(cloud.url, authority.issue("localhost"), s3=s3.url) as gateway:
        done = download(gateway, home, tmp_path, "--ca-file", authority.file, command=command,
                        status=SOME_FAILED)
        assert "certificate" in done.err and s3.seen == []
        assert any("s3credentials" in path for _, path, _ in gateway.seen)


def test_store_in_clear_text(cloud, authority, home, tmp_path):
    """An endpoint of plain http that is not this machine is not used."""
    with Gateway(cloud.url, authority.issue("localhost"), s3="http://s3.example.com") as gateway:
        done = download(gateway, home, tmp_path, "--ca-file", authority.file, status=SOME_FAILED)
    assert "http://" in done.err and "clear text" in done.err


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls(cloud, authority, home, tmp_path, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with Gateway(cloud.url, authority.issue("localhost"), context=context) as gateway:
        done = download(gateway, home, tmp_path, "--ca-file", authority.file)
        assert "not support TLS 1.2 or later" in done.err, done
        assert gateway.seen == []


def test_tls_1_2_is_enough(cloud, authority, home, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with Gateway(cloud.url, authority.issue("localhost"), context=context) as gateway:
        download(gateway, home, tmp_path, "--ca-file", authority.file, status=0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_to_another_origin(cloud, authority, home, tmp_path, status):
    """Tokens stay with their host: nothing at all is sent to the other."""
    env = {"CLOUD_JWT_TOKEN": "e30.e30.e30", "CLOUD_CSRF_TOKEN": "csrf"}
    with Gateway(cloud.url, authority.issue("localhost")) as other, \
            Gateway(cloud.url, authority.issue("localhost"),
                    redirect=(status, other.url + "/api/auth/introspect")) as gateway:
        for options in ({"env": env, "sign_in": False}, {}):
            done = Program(gateway.url, home).run(
                "csv", "--ca-file", authority.file, "-", "demo", status=None, **options)
            assert done.status in (FAILED, DENIED), done
            assert "redirect" in done.err and f"localhost:{other.port}" in done.err
        assert other.seen == [] and len(gateway.seen) == 2


def test_store_that_redirects(cloud, authority, home, tmp_path):
    with Gateway(cloud.url, authority.issue("localhost")) as other, \
            Gateway(cloud.url, authority.issue("localhost"),
                    redirect=(307, other.url + "/igtcloud/x")) as s3, \
            Gateway(cloud.url, authority.issue("localhost"), s3=s3.url) as gateway:
        done = download(gateway, home, tmp_path, "--ca-file", authority.file, status=SOME_FAILED)
        assert "redirect" in done.err, done
        assert s3.seen and other.seen == []


def test_ca_file_that_is_none(cloud, authority, home, tmp_path):
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    with Gateway(cloud.url, authority.issue("localhost")) as gateway:
        for path in (broken, tmp_path / "missing.pem"):
            done = Program(gateway.url, home).run("csv", "--retries", "0", "--ca-file", path, "-",
                                                  "demo", status=FAILED)
            assert str(path) in done.err, done
        assert gateway.seen == []


def test_a_server_without_tls(home):
    with Server(Forward) as server:  # it responds to a TLS client with an error in plain text
        host = f"127.0.0.1:{server.port}"
        done = Program(f"https://{host}", home).run("ls", "--retries", "0", status=FAILED)
        assert f"{host} does not speak TLS on this port" in done.err and "http://" in done.err
