# SPDX-License-Identifier: MIT
"""`igtcloud upgrade` while the program runs, as a login does for weeks: Windows removes no running program. By
scripts/check-windows."""
import os
import shutil
import subprocess
import time

import pytest

from igtcloud import USER, environment, program
from sandbox import seeded
from test_upgrade import Keys, Page, asset_name, with_test_key
from uploads import epd, institute, seed


@pytest.fixture(name="cloud", scope="module")
def fixture_cloud(tmp_path_factory):
    with seeded(tmp_path_factory.mktemp("seed"), seed(epd(institute("lab"), name="p"))) as running:
        yield running


@pytest.fixture(name="keys", scope="module")
def fixture_keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


class Installed:
    def __init__(self, tmp_path, keys):
        self.folder, self.keys, self.home = tmp_path / "bin", keys, tmp_path / "home"
        self.folder.mkdir()
        self.home.mkdir()
        shutil.copy(with_test_key(), self.folder / "igtcloud.exe")
        self.bytes = (self.folder / "igtcloud.exe").read_bytes()

    def start(self, *words, url="", stdin=subprocess.DEVNULL):
        env = environment(self.home, IGTCLOUD_RELEASES=url, IGTCLOUD_RETRIES=0, TEST_RELEASE_KEY=self.keys.public,
                          WINDOWS_PROGRAM=str(self.folder / "igtcloud.exe"), TMPDIR=str(self.home))
        return subprocess.Popen([program(), *words], env=env, stdin=stdin, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)

    def run(self, *words, **more):
        process = self.start(*words, **more)
        text = process.communicate(timeout=60)[0].decode()
        assert process.returncode == 0, text
        return text

    def upgrade(self, version):
        """To a program that differs by what stands behind its end."""
        name, body = asset_name(version), self.bytes + version.encode()
        with Page() as page:
            page.latest(version)
            page.asset(version, name, body)
            page.asset(version, name + ".sig", self.keys.sign(name, body))
            self.run("upgrade", url=page.url)
        assert (self.folder / "igtcloud.exe").read_bytes() == body

    def names(self):
        return sorted(os.listdir(self.folder))


def until(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_running_program_is_upgraded_twice(cloud, keys, tmp_path):
    installed = Installed(tmp_path, keys)
    login = installed.start("login", "--domain", cloud.url, "--user", USER, "--password-stdin", stdin=subprocess.PIPE)
    login.stdin.write(b"demo\n")
    login.stdin.close()
    try:
        until((installed.home / "igtcloud_auth_mmap").exists)
        installed.upgrade("9.9.8")
        assert installed.names() == ["igtcloud.exe", "igtcloud.old.exe"]
        installed.upgrade("9.9.9")
        assert installed.names() == ["igtcloud.exe", "igtcloud.old.exe", "igtcloud.old1.exe"] and login.poll() is None
    finally:
        installed.run("logout")
        login.wait(30)
    installed.run("version")
    assert installed.names() == ["igtcloud.exe"]
