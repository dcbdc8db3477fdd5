# SPDX-License-Identifier: MIT
"""The way out of a hospital's network: proxies with passwords, CONNECT, and connections that bypass them."""

import pytest

from gateway import Authority, Gateway, Proxy
from igtcloud import FAILED, SOME_FAILED, USAGE, Program, on_windows, tree

SEED = "demo"
# No resolver knows the first; the second is a loopback name where no proxy is, and so has its
# buckets in the path.
CLOUD, STORE = "cloud.hospital.test", "store.localhost"
USER, PASSWORD = "station 7", "p@ss:w/rd%?#"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def far(cloud, authority):
    """A cloud and its store, that only `proxy` finds."""
    certificate = authority.issue(CLOUD, STORE)
    with Gateway(cloud.url, certificate, name=STORE) as store, \
            Gateway(cloud.url, certificate, name=CLOUD, s3=store.url) as gateway, \
            Proxy({f"{CLOUD}:443": ("127.0.0.1", gateway.port),
                   f"{STORE}:443": ("127.0.0.1", store.port)}) as proxy:
        gateway.proxy, gateway.store, gateway.ca = proxy, store, authority.file
        yield gateway


def run(far, home, folder, status=0, command="download", **env):
    return Program(far.url, home).run(command, "--retries", "0", "--ca-file", far.ca, folder,
                                      "demo", "north", status=status, env=env)


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_all_requests_go_through_the_proxy(far, home, tmp_path, variable):
    """REST and S3 alike; the proxy resolves the names and sees no request of ours."""
    done = run(far, home, tmp_path / "out", **{variable: far.proxy.url})
    assert any(name.endswith("report.txt") for name in tree(tmp_path / "out")), done
    assert {(m, t) for m, t, _ in far.proxy.seen} == {("CONNECT", f"{CLOUD}:443"),
                                                      ("CONNECT", f"{STORE}:443")}
    for _, _, headers in far.proxy.seen:
        assert not {"x-jwt", "x-csrf-token", "authorization", "cookie"} & {
            name.lower() for name in headers}


def test_the_password_goes_to_the_proxy_alone(far, home, tmp_path):
    """Its password goes to the proxy alone, and only there."""
    far.proxy.credentials = f"{USER}:{PASSWORD}"
    run(far, home, tmp_path / "out", https_proxy=far.proxy.url_of(USER, PASSWORD))
    given = ["Proxy-Authorization" in headers for _, _, headers in far.proxy.seen]
    # On Windows a connection first asks which login the proxy wants: it may be NTLM or Negotiate.
    assert any(given) and (on_windows() or all(given))
    for _, _, headers in far.seen + far.store.seen:
        assert not any(name.lower().startswith("proxy-") for name in headers)


@pytest.mark.parametrize("how", ["option", "variable", "profile"])
def test_the_proxy_of_the_option(far, home, tmp_path, how):
    """It comes before the variables of other programs, and its password stays hidden."""
    far.proxy.credentials = f"{USER}:{PASSWORD}"
    url, nowhere = far.proxy.url_of(USER, PASSWORD), "http://192.0.2.1:9"
    config, log = home / "config", tmp_path / "log"
    config.write_text(f"[default]\nproxy = {url if how == 'profile' else nowhere}\n")
    env = {"https_proxy": nowhere, "IGTCLOUD_CONFIG": config}
    if how != "profile":
        env["IGTCLOUD_PROXY"] = url if how == "variable" else nowhere
    Program(far.url, home).run(
        "download", "--debug", "--log-file", log, "--ca-file", far.ca,
        *(["--proxy", url] if how == "option" else []), tmp_path / "out", "demo", "north", env=env)
    assert far.proxy.seen and tree(tmp_path / "out")
    text = log.read_text()
    assert f"proxy = http://(hidden)@127.0.0.1:{far.proxy.port}, from" in text
    secret = url.split("//")[1].split("@")[0]
    listed = Program(None, home).run("config list", sign_in=False, env=env).text + \
        Program(None, home).run("config get", "proxy", sign_in=False, env=env).text
    assert secret not in text + listed and "proxy" in listed


@pytest.mark.parametrize("value", ["", "none"])
def test_no_proxy_by_option(cloud, home, value):
    with Proxy() as proxy:
        Program(cloud.url, home).run("csv", f"--proxy={value}", "-", "demo",
                                     env={"http_proxy": proxy.url})
        Program(cloud.url, home).run("csv", "--proxy", value, "-", "demo",
                                     env={"http_proxy": proxy.url})
        assert proxy.seen == []


def test_a_proxy_that_is_no_url(cloud, home):
    done = Program(cloud.url, home).run("csv", "--proxy", "ftp://me:hush@there", "-", "demo",
                                        status=USAGE)
    assert "'there' is not a URL" in done.err and "hush" not in done.err
    done = Program("cloud.test", home).run("csv", "--retries", "0", "--proxy",
                                           "http://me:hush@127.0.0.1:9", "-", "p", status=FAILED)
    assert "the proxy 127.0.0.1:9" in done.err and "--proxy" in done.err and "hush" not in done.err


def test_upgrade_takes_it_too(home):
    with Proxy() as proxy:
        Program(None, home).run("upgrade", "--retries", "0", "--proxy", proxy.url, sign_in=False,
                                status=None, env={"IGTCLOUD_RELEASES": "https://cloud.test/releases"})
        if proxy.seen:  # a build without a release key sends nothing
            assert proxy.seen[0][1] == "cloud.test:443"


@pytest.mark.parametrize("password", [None, "wrong-one-1"])
def test_wrong_password(far, home, tmp_path, password):
    far.proxy.credentials = f"{USER}:{PASSWORD}"
    url = far.proxy.url_of(USER, password) if password else far.proxy.url
    done = Program(far.url, home).run(
        "download", "--debug", "--log-file", tmp_path / "log", "--retries", "0", "--ca-file",
        far.ca, tmp_path / "out", "demo", status=FAILED, env={"https_proxy": url})
    assert "407" in done.err and f"127.0.0.1:{far.proxy.port}" in done.err, done
    assert "wrong-one-1" not in done.err + (tmp_path / "log").read_text()
    assert far.seen == [] and not (tmp_path / "out").exists()


def test_proxy_that_is_not_there(far, home, tmp_path):
    done = run(far, home, tmp_path / "out", status=FAILED,
               https_proxy="http://me:my-secret@127.0.0.1:9")
    assert "proxy" in done.err and "127.0.0.1:9" in done.err and "my-secret" not in done.err
    # Without one nobody knows the host.
    done = run(far, home, tmp_path / "out", status=FAILED)
    assert CLOUD in done.err and "unknown host name" in done.err


SOURCES = {"--proxy": {}, "IGTCLOUD_PROXY": {"IGTCLOUD_PROXY": 1}, "https_proxy": {"https_proxy": 1},
           "HTTPS_PROXY": {"HTTPS_PROXY": 1}, "all_proxy": {"all_proxy": 1},
           "the key proxy of the configuration file": {}}


@pytest.mark.parametrize("source", SOURCES)
def test_where_a_bad_proxy_was_set(far, home, tmp_path, source):
    """Whether it is not there or refuses."""
    gone, options, config = "http://me:my-secret@127.0.0.1:9", [], home / "proxy.config"
    far.proxy.hosts.clear()
    for url, why in ((gone, "no connection to the proxy"), (far.proxy.url, "refuses the connection")):
        if source == "--proxy":
            options = ["--proxy", url]
        elif not SOURCES[source]:
            config.write_text(f"[default]\nproxy = {url}\n", encoding="utf-8")
            options = ["--config", config]
        done = Program(far.url, home).run("download", "--retries", "0", "--ca-file", far.ca, *options,
                                          tmp_path / "out", "demo", status=FAILED,
                                          env={name: url for name in SOURCES[source]})
        assert why in done.err and "my-secret" not in done.err, done
        assert f"from {source})" in done.err, done


def test_proxy_that_refuses_the_host(far, home, tmp_path):
    far.proxy.hosts.clear()
    done = run(far, home, tmp_path / "out", status=FAILED, https_proxy=far.proxy.url)
    assert "proxy" in done.err and "refuses" in done.err and "502" in done.err


def test_certificates_are_checked_behind_a_proxy(far, cloud, home, tmp_path, tmp_path_factory):
    """As when the proxy itself pretends to be the cloud."""
    stranger = Authority(tmp_path_factory.mktemp("tls"), "inspection")
    with Gateway(cloud.url, stranger.issue(CLOUD), name=CLOUD) as fake:
        far.proxy.hosts[f"{CLOUD}:443"] = ("127.0.0.1", fake.port)
        done = run(far, home, tmp_path / "out", status=FAILED, https_proxy=far.proxy.url)
        assert "certificate" in done.err and "--ca-file" in done.err and fake.seen == []


# A proxy that must not be asked: any use of it is a failure.
@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
@pytest.mark.parametrize("host, exempt", [
    ("localhost", "localhost"), ("localhost", "*"), ("127.0.0.1", "127.0.0.1"),
    ("127.0.0.1", "10.0.0.0/8,127.0.0.0/8"), ("127.0.0.1", "other, 127.0.0.1 ,more"),
    ("cloud.localhost", "localhost"), ("cloud.localhost", ".localhost"),
    ("CLOUD.localhost", "cloud.LOCALHOST"), ("[::1]", "::1"),
])
def test_no_proxy(cloud, authority, home, host, exempt, variable):
    with Gateway(cloud.url, authority.issue("localhost", "cloud.localhost", "127.0.0.1"),
                 host=host) as gateway, Proxy() as proxy:
        if host == "[::1]":  # the gateway listens on IPv4 alone: refused is as good as reached
            gateway.url = f"https://[::1]:{gateway.port}"
        done = Program(gateway.url, home).run(
            "csv", "--retries", "0", "--ca-file", authority.file, "-", "demo", status=None,
            env={"https_proxy": proxy.url, "http_proxy": proxy.url, variable: exempt})
        assert proxy.seen == [], done
        assert gateway.seen or host == "[::1]", done


@pytest.mark.parametrize("host, exempt", [
    ("localhost", "localhos"), ("localhost", "ocalhost"), ("127.0.0.1", "10.0.0.0/8"),
    ("127.0.0.1", "127.0.0.2"), ("127.0.0.1", "128.0.0.0/8,localhost"), ("127.0.0.1", "27.0.0.1"),
    ("cloud.localhost", "cloud"), ("cloud.localhost", "xcloud.localhost"), ("localhost", ""),
])
def test_no_proxy_for_others(cloud, authority, home, host, exempt):
    with Gateway(cloud.url, authority.issue("localhost", "cloud.localhost", "127.0.0.1"),
                 host=host) as gateway:
        with Proxy({f"{host}:{gateway.port}": ("127.0.0.1", gateway.port)}) as proxy:
            Program(gateway.url, home).run(
                "csv", "--ca-file", authority.file, "-", "demo",
                env={"https_proxy": proxy.url, "no_proxy": exempt})
            assert proxy.seen and gateway.seen


def test_clear_text_stays_on_this_machine(cloud, home):
    """http:// is for a cloud on this machine; a proxy elsewhere would carry its tokens away."""
    done = Program(cloud.url, home).run("csv", "-", "demo",
                                        env={"http_proxy": "http://proxy.hospital.test:3128",
                                             "all_proxy": "http://192.0.2.1:3128"})
    assert "P0001" in done.text
    with Proxy(credentials=f"{USER}:{PASSWORD}") as proxy:
        Program(cloud.url, home).run("csv", "-", "demo",
                                     env={"http_proxy": proxy.url_of(USER, PASSWORD)})
        assert proxy.seen and all(m != "CONNECT" for m, _, _ in proxy.seen)


@pytest.mark.case("security-19")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "x.localhost", "127.1.2.3", "LOCALHOST."])
def test_a_cloud_elsewhere_names_a_service_of_this_computer(far, home, tmp_path, host):
    """Nothing signed goes to it, neither a download nor an upload."""
    with Proxy() as local:  # any HTTP service
        far.s3 = f"http://{host}:{local.port}"
        done = run(far, home, tmp_path / "out", status=None, https_proxy=far.proxy.url)
        assert done.status in (FAILED, SOME_FAILED) and "names this computer as the S3 store" in done.err
        (tmp_path / "up/north/new").mkdir(parents=True)
        (tmp_path / "up/north/new/a.txt").write_text("a")
        done = run(far, home, tmp_path / "up", status=None, command="upload",
                   https_proxy=far.proxy.url)
        assert done.status in (FAILED, SOME_FAILED) and "names this computer" in done.err
        assert local.seen == []
