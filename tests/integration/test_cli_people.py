# SPDX-License-Identifier: MIT
"""`igtcloud service create|list|delete` and `igtcloud user ...`, with what they leave behind."""

import os
import re
import signal
import subprocess
import threading

import pytest

from igtcloud import DENIED, DONE, FAILED, NOT_FOUND, USAGE, is_private
from sandbox import seeded

SEED = {
    "users": [{"name": "demo@example.com", "password": "demo",
               "roles": ["DATA_MANAGER", "SERVICES_MANAGER"]},
              {"name": "viewer@example.com", "password": "demo", "roles": ["MONITOR"]}],
    "projects": [{"name": "trial", "id": "p1", "institutes": [{"name": "north", "id": "i1"}]}],
}


@pytest.fixture
def cloud(tmp_path):
    """One for each test: they change what is in it."""
    with seeded(tmp_path, SEED) as running:
        yield running


# ---- services ----

@pytest.mark.smoke
def test_a_service_is_created_and_signs_in(igtcloud, here):
    done = igtcloud.run("service create", "trial/north", "station", cwd=here)
    service = done.text.strip()
    assert sorted(p.name for p in here.iterdir()) == [f"{service}.pem", f"{service}.pem.info"]
    key = here / f"{service}.pem"
    assert is_private(key)
    lines = key.read_text().splitlines()
    assert lines[0].startswith("-----BEGIN ") and {len(x) for x in lines[1:-2]} == {64}
    assert "PRIVATE" not in done.text + done.err
    who = igtcloud.run("whoami", "--service-file", key, "--json", sign_in=False).lines[0]
    assert who["user"] == service and who["isService"] is True


@pytest.mark.case("security-8", "transfers-29")
def test_a_key_through_a_pipe(igtcloud, here):
    service = igtcloud.run("service create", "trial/north", "station", cwd=here).text.strip()
    key = (here / f"{service}.pem").read_bytes()
    os.mkfifo(here / "fifo.pem")
    writer = threading.Thread(target=(here / "fifo.pem").write_bytes, args=(key,))
    writer.start()
    me = ["--user", service]
    assert service in igtcloud.run("whoami", *me, "--service-file", here / "fifo.pem",
                                   sign_in=False).text
    writer.join()
    with open(here / f"{service}.pem", "rb") as stdin:
        command = [*igtcloud.command("whoami", *me, "--service-file", "-", sign_in=False)]
        done = subprocess.run(command, stdin=stdin, capture_output=True, timeout=30, check=True)
    assert service.encode() in done.stdout
    done = igtcloud.run("whoami", "--service-file", "-", sign_in=False, status=None)
    assert done.status != 0 and "--user" in done.err


def test_where_the_key_goes(igtcloud, here):
    igtcloud.run("service create", "trial", "station", "--key-file", here / "k.pem", "--json")
    assert is_private(here / "k.pem")
    before = igtcloud.run("service list", "trial").text
    done = igtcloud.run("service create", "trial", "other", "-k", here / "k.pem", status=FAILED)
    assert "never replaces" in done.err
    igtcloud.run("service create", "trial", "other", "-k", here / "no/k.pem", status=FAILED)
    assert igtcloud.run("service list", "trial").text == before


@pytest.mark.smoke
def test_services_are_listed_and_deleted(igtcloud, here):
    service = igtcloud.run("service create", "trial/north", "station", cwd=here).text.strip()
    row, = [line.split("\t") for line in igtcloud.run("service list", "trial/north")
            .text.splitlines()]
    assert row[0] == "station" and row[-1] == service
    listed, = igtcloud.run("service list", "trial/north", "--json").lines
    assert listed["serviceId"] == service and "privateKey" not in listed
    done = igtcloud.run("service list", "trial")
    assert done.out == b"" and "igtcloud service list 'trial/INSTITUTE'" in done.err
    assert "--yes" in igtcloud.run("service delete", "trial/north", service, status=USAGE).err
    status, screen = igtcloud.on_terminal("service delete", "trial/north", service,
                                          answers=[(r"\[y/N\]", "no")])
    assert status == FAILED and "nothing was changed" in screen
    igtcloud.run("service delete", "trial/north", service, "--yes")
    assert igtcloud.run("service list", "trial/north").out == b""
    igtcloud.run("service delete", "trial/north", service, "--yes", status=NOT_FOUND)
    igtcloud.run("whoami", "--service-file", here / f"{service}.pem", sign_in=False,
                 status=DENIED)


@pytest.mark.parametrize("how", ["lost response", "SIGTERM"])
def test_a_service_whose_key_is_lost(cloud, igtcloud, here, how):
    """It is in the cloud, but the response with its key never arrived; a rotation keeps the old key."""
    sid = igtcloud.run("service create", "trial/north", "gate", "--key-file", here / "k").text.strip()
    key = (here / "k").read_bytes()
    cloud.clear()
    cloud.faults({"fault": "lost-response" if how == "lost response" else "silence", "method": "POST",
                  "path": "**/services", "times": 0, "seconds": 100})
    process = igtcloud.start("service rotate", "trial/north", sid, "--key-file", here / "k", "--retries", 0)
    cloud.wait_for(lambda: cloud.requests(method="POST", path="*/services"))
    if how == "SIGTERM":
        process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == (FAILED if how == "lost response" else 143), err
    assert b"may have been created, but its key is lost" in err
    assert (here / "k").read_bytes() == key and [f.name for f in here.iterdir() if "new" in f.name] == []
    cloud.clear()
    for service in igtcloud.run("service list", "trial/north", "--json").lines:
        igtcloud.run("service delete", "trial/north", service["serviceId"], "--yes")


def test_services_that_cannot_be(igtcloud, here):
    igtcloud.run("service create", "trial/south", "x", cwd=here, status=NOT_FOUND)
    igtcloud.run("service create", "", "x", cwd=here, status=USAGE)
    igtcloud.run("service create", "trial", "no name!", cwd=here, status=FAILED)
    igtcloud.user = "viewer@example.com"
    igtcloud.run("service create", "trial", "x", cwd=here, status=DENIED)
    assert list(here.iterdir()) == []


# ---- users ----

NEW = ["loginId=new@example.com", "email=new@example.com", "givenName=Nel", "familyName=Wu"]


@pytest.mark.smoke
def test_users_are_listed(igtcloud):
    users = [line.split("\t")[1] for line in igtcloud.run("user list").text.splitlines()]
    assert users == ["demo@example.com", "viewer@example.com"]
    assert igtcloud.run("user list", "--fields", "loginId", "--json").lines[0] == {
        "loginId": "demo@example.com"}


@pytest.mark.smoke
def test_a_user_is_created_and_shown(igtcloud):
    made = igtcloud.run("user create", *NEW, "--json").lines[0]
    by_name = igtcloud.run("user show", "new@example.com", "--json").lines[0]
    by_id = igtcloud.run("user show", made["userUUID"], "--json").lines[0]
    assert by_name == by_id and by_name["profile"]["givenName"] == "Nel"
    me = dict(line.split("\t") for line in igtcloud.run("user show", "me").text.splitlines())
    assert me["loginId"] == "demo@example.com"
    igtcloud.run("user show", "nobody@example.com", status=NOT_FOUND)


def test_a_user_lacks_fields(igtcloud):
    done = igtcloud.run("user create", *NEW[:2], status=None)
    assert done.status in (FAILED, USAGE) and re.search("givenName|familyName", done.err)
    assert "no field" in igtcloud.run("user create", *NEW, "colour=red", status=USAGE).err


@pytest.mark.smoke
def test_second_factor_and_activation(igtcloud):
    igtcloud.run("user create", *NEW)
    assert "Reset" in igtcloud.run("user reset-mfa", "new@example.com").err
    assert "again" in igtcloud.run("user resend-activation", "new@example.com").err
    for command in ("user reset-mfa", "user resend-activation"):
        done = igtcloud.run(command, "nobody@example.com", status=None)
        assert done.status in (FAILED, NOT_FOUND), done


def test_who_may_not(igtcloud):
    igtcloud.user = "viewer@example.com"
    igtcloud.run("user create", *NEW, status=DENIED)
    assert igtcloud.run("user show", "me").status == DONE
