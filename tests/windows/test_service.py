# SPDX-License-Identifier: MIT
"""`igtcloud station` as a service of Windows: installed, started, stopped and removed, as wine's own service manager
does it. By scripts/check-windows."""
import os
import re
import signal
import subprocess
import time

import pytest

from igtcloud import DONE, FAILED, NOT_FOUND, PASSWORD, USAGE, USER, environment, program
from sandbox import seeded
from uploads import epd, institute, put, seed

ROOT = program().rsplit("/tests/windows/", 1)[0]
KEY = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\"


@pytest.fixture(name="cloud", scope="module")
def fixture_cloud(tmp_path_factory):
    with seeded(tmp_path_factory.mktemp("seed"), seed(epd(institute("lab"), name="p"), services=[{"id": "station@all"}])) \
            as running:
        yield running


def on_windows(path):
    return os.environ["WINDOWS_DRIVE"] + str(path).replace("/", "\\")


def wine(*command):
    """A program of wine's own."""
    return subprocess.run([f"{ROOT}/scripts/wine-run", *command], capture_output=True, timeout=60, check=False)


class Service:
    def __init__(self, cloud, tmp_path):
        self.cloud, self.tmp = cloud, tmp_path
        self.name = f"igtcloud-test-{os.getpid()}-{tmp_path.name}"[:60]
        self.folder = tmp_path / "out folder"
        self.folder.mkdir()
        (tmp_path / "home").mkdir()

    def run(self, *words, status=DONE, cwd=None):
        done = subprocess.run([program(), "station", *words], capture_output=True, timeout=60, check=False,
                              cwd=cwd or self.tmp, env=environment(self.tmp / "home"))
        assert done.returncode == status, done.stderr.decode()
        return done.stderr.decode()

    def install(self, *more, status=DONE):
        return self.run("install", self.folder.name, "p", "--domain", self.cloud.url, "--service-file",
                        on_windows(self.cloud.data / "station@all.pem"), "--settle", "1s", "--service-name", self.name,
                        "--status-file", "status.json", *more, status=status)

    def registered(self):
        return wine("reg", "query", KEY + self.name, "/s").stdout.decode("utf-8", "replace")


@pytest.fixture(name="service")
def fixture_service(cloud, tmp_path):
    one = Service(cloud, tmp_path)
    yield one
    subprocess.run([program(), "station", "remove", one.name], capture_output=True, timeout=60, check=False,
                   env=environment(tmp_path / "home"))


def until(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_service_from_its_installation_to_its_end(service):
    """Relative paths, and a folder with a space, mean what they meant in the terminal."""
    text = service.install("--bwlimit", "07:00-19:00 2M, off")
    assert f"Installed the service {service.name}" in text and "icacls" in text
    put(service.folder, {"lab/one/a.txt": "a"})
    assert wine("net", "start", service.name).returncode == 0
    until(lambda: (service.folder / "done/lab/one/a.txt").exists())
    put(service.tmp, {"two/b.txt": "b"})
    os.rename(service.tmp / "two", service.folder / "lab/two")  # which ReadDirectoryChangesW reports
    until(lambda: (service.folder / "done/lab/two/b.txt").exists())
    assert wine("net", "stop", service.name).returncode == 0
    until(lambda: '"stopping"' in (service.tmp / "status.json").read_text())
    put(service.folder, {"lab/three/c.txt": "c"})
    service.run("remove", service.name)
    assert "ImagePath" not in service.registered()
    assert (service.folder / "lab/three/c.txt").exists()


def test_a_file_that_is_open_waits_and_a_hook_is_run(service):
    """Whoever the writer is: here a login, which has its log file open."""
    hook = service.tmp / "hook.cmd"
    hook.write_bytes(b"@echo off\r\necho ran>> \"%~dp0events.txt\"\r\n")
    put(service.folder, {"lab/busy": None, "lab/other/b.txt": "b"})
    writer = subprocess.Popen([program(), "login", "--domain", service.cloud.url, "--user", USER, "--password-stdin",
                               "--debug", "--log-file", on_windows(service.folder / "lab/busy/a.txt")],
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              env=environment(service.tmp / "home", TMPDIR=str(service.tmp)))
    writer.stdin.write(PASSWORD.encode() + b"\n")
    writer.stdin.close()
    try:
        until((service.folder / "lab/busy/a.txt").exists)
        service.install("--on-event", on_windows(hook), "--rescan", "1s")
        assert wine("net", "start", service.name).returncode == 0
        until(lambda: (service.folder / "done/lab/other/b.txt").exists())
        time.sleep(2)  # twice as long as it has to be quiet
        assert (service.folder / "lab/busy/a.txt").exists()
        writer.send_signal(signal.SIGINT)
        writer.wait(30)
        until(lambda: (service.folder / "done/lab/busy/a.txt").exists())
        until(lambda: (service.tmp / "events.txt").read_text().count("ran") == 2)
    finally:
        writer.kill()


def test_a_running_service_is_removed(service):
    service.install()
    assert wine("net", "start", service.name).returncode == 0
    put(service.folder, {"lab/one/a.txt": "a"})
    until(lambda: (service.folder / "done/lab/one/a.txt").exists())
    service.run("remove", service.name)
    assert "ImagePath" not in service.registered()
    assert '"stopping"' in (service.tmp / "status.json").read_text()


def test_what_windows_is_told(service):
    service.install("--account", "NT AUTHORITY\\NetworkService", "--report", 'quote"d \\', status=DONE)
    found = service.registered()
    line = re.search(r"ImagePath\s+REG_\w+\s+(.*?)\r?$", found, re.M)[1]
    assert line.count("__service") == 1 and f'"{service.name}" "{on_windows(service.tmp)}" "station" "{service.folder.name}"' in line
    assert '"quote\\"d \\\\"' in line and "--service-name" not in line and "--account" not in line
    assert re.search(r"Start\s+REG_DWORD\s+0x2", found) and "NetworkService" in found and "PreshutdownTimeout" in found


@pytest.mark.parametrize("words, status, text", [
    (["install", "none", "p"], USAGE, "is not a folder"),
    (["install", ".", "p"], USAGE, "a service cannot ask for a password"),
    (["install", ".", "p", "--service-file", "none.pem"], USAGE, "cannot read the key"),
    (["install", ".", "p", "--settle", "soon"], USAGE, "settle"),
    (["install", ".", "p", "--password-command", "x", "--proxy", "http://u:secret@proxy"], USAGE, "its password"),
    (["remove", "no-such-service"], NOT_FOUND, "there is no service 'no-such-service'"),
    (["remove", "rpcss"], FAILED, "is not an igtcloud station"),
])
def test_mistakes(service, words, status, text):
    said = service.run(*words, status=status)
    assert text in said and "secret" not in said


def test_installed_twice(service):
    service.install()
    assert "already exists" in service.install(status=FAILED)


def test_the_command_of_a_service_alone(service):
    done = subprocess.run([program(), "__service", "x", "C:\\", "station", ".", "p"], capture_output=True, timeout=60,
                          check=False, env=environment(service.tmp / "home"))
    assert done.returncode == USAGE and b"is for the service manager of Windows" in done.stderr
