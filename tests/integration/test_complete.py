# SPDX-License-Identifier: MIT
"""Names in the cloud, as bash, zsh and fish complete them: `igtcloud __complete` and the three scripts."""

import os
import shlex
import shutil
import stat
import subprocess
import time

import pytest

from igtcloud import environment, program
from uploads import epd, institute, seed

STUDY = {"class": "Study", "patient": {"patientId": "P1"}}
SEED = seed(
    {"name": "trial", "institutes": [
        institute("north", {**STUDY, "studyId": "CT", "files": [{"path": "a.txt", "text": "a"}]},
                  {**STUDY, "studyId": "MR"}, {**STUDY, "studyId": "CT", "patient": {"patientId": "P2"}}),
        institute("north east")]},
    epd(institute("lab", {"name": "case-1"}), name="my project"),
    epd(institute("*"), institute("[a-z]*"), institute("$(x)"), institute("a\x08b"), institute("a\u009b31m"),
        institute("a\u202eb"), institute("--domain=x"), name="hostile"))


@pytest.fixture
def shell_env(cloud, igtcloud, tmp_path):
    """Of a shell in which `igtcloud login` runs."""
    more = {"CLOUD_TOKEN_MMAP": tmp_path / "token", "XDG_CACHE_HOME": tmp_path / "cache"}
    env = environment(igtcloud.home, **more, PATH=f"{os.path.dirname(program())}:{os.environ['PATH']}")
    igtcloud.run("login", "--background", env=more)
    cloud.clear()
    yield env
    subprocess.run([program(), "logout"], env=env, check=True, capture_output=True)


def complete(env, *words):
    done = subprocess.run([program(), "__complete", *words], env=env, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=10)
    assert done.returncode == 0 and done.stderr == "", done
    return done.stdout.splitlines()


@pytest.mark.parametrize("words, wanted", [
    (["ls", ""], ["trial/", "my project/", "hostile/"]), (["ls", "tr"], ["trial/"]),
    (["ls", "trial/"], ["trial/north/", "trial/north east/"]),
    (["ls", "--json", "trial/north/"], ["trial/north/P1/", "trial/north/P2/"]),
    (["du", "trial/north/P1/"], ["trial/north/P1/CT", "trial/north/P1/MR"]),
    (["study", "create", "trial/n"], ["trial/north", "trial/north east"]),
    (["download", "there", "m"], ["my project"]),
    (["download", "there", "trial", "no"], ["north", "north east"]),
    (["download", "there", "trial", "--institute", "north "], ["north east"]),
    (["download", "there", "trial", "--study", ""], ["P1/", "P2/"]),
    (["download", "there", "trial", "--institute", "north", "--study", "P1/M"], ["P1/MR"]),
    (["csv", "out", "my project", "lab", "--study", "c"], ["case-1"]),
    (["--quiet", "--retries", "2", "ls", "tr"], ["trial/"]), (["--quiet"], []), (["--retries", ""], []),
    (["config", "get", "bwl"], ["bwlimit"]), (["config", "set", "bwlimit", ""], []),
    (["rm", "trial/north/P1/M"], ["trial/north/P1/MR"]), (["sync", "here", "igt:m"], ["igt:my project/"]),
    (["cp", "x", "igt:trial/north/P2/"], ["igt:trial/north/P2/CT"]),
    (["ls", "trial/north/P1/CT/"], []), (["ls", "nope/"], []), (["nope", ""], []), ([""], []),
    (["download", ""], [])])
def test_candidates_of_each_place(shell_env, words, wanted):
    """It gives up after 0.9 s, which a busy machine may need: then Tab is pressed again."""
    found = complete(shell_env, *words)
    for _ in range(4):
        if wanted and not found:
            found = complete(shell_env, *words)
    assert found == wanted


def test_nobody_is_asked_when_nobody_is_signed_in(cloud, igtcloud, tmp_path):
    env = environment(igtcloud.home, CLOUD_TOKEN_MMAP=tmp_path / "token", CLOUD_DOMAIN=cloud.url,
                      CLOUD_USERNAME=igtcloud.user, XDG_CACHE_HOME=tmp_path / "cache")
    cloud.clear()
    assert complete(env, "ls", "") == [] and not cloud.requests()


def test_a_silent_cloud_is_not_waited_for(cloud, shell_env):
    cloud.faults({"fault": "silence", "path": "/api/data/projects", "seconds": 100, "times": 0})
    begin = time.monotonic()
    assert complete(shell_env, "ls", "") == []
    assert time.monotonic() - begin < 3
    cloud.heal()


def test_the_cache_is_private_and_short(cloud, shell_env, tmp_path):
    assert complete(shell_env, "ls", "trial/north/") == complete(shell_env, "ls", "trial/north/P")
    asked = [r["path"] for r in cloud.requests() if r["path"].endswith("/studies")]
    assert len(asked) == 1
    file, = (tmp_path / "cache" / "igtcloud").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and b"P2" in file.read_bytes()
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    cloud.wait_for(lambda: not file.exists())  # by itself


def test_an_old_cache_is_not_used(shell_env, tmp_path):
    complete(shell_env, "ls", "")
    file, = (tmp_path / "cache" / "igtcloud").iterdir()
    file.write_bytes(file.read_bytes().replace(b"trial", b"spoof"))
    assert complete(shell_env, "ls", "s") == ["spoof/"]
    os.utime(file, (time.time() - 11,) * 2)
    assert complete(shell_env, "ls", "") == ["trial/", "my project/", "hostile/"]


# ---- the shells ----

def shell(name):
    path = shutil.which(name)
    assert path, f"{name} is not installed: scripts/install-deps test"
    return path


def run(command, text, env):
    done = subprocess.run(command, input=text, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.splitlines()


def test_bash_completes_remote_names(shell_env):
    script = 'compopt() { local IFS=" "; printf "compopt %s\\n" "$*"; }\nsource <(igtcloud completion bash)\n'
    for words in (["ls", "tr"], ["ls", r"my\ project/"], ["download", "x", "'my project'", ""],
                  ["download", "x", "trial", "--institute", "=", ""],
                  ["--retries", "=", "1", "ls", "tr"], ["cp", "x", "igt", ":"],
                  ["cp", "x", "igt", ":", "trial/north/P2/"], ["cp", "'igt:tr"],
                  ["csv", "x", "trial", "--study", "P2"], ["config", "get", "bwl"]):
        script += ("COMP_WORDS=(" + " ".join(map(shlex.quote, ["igtcloud", *words])) +
                   f"); COMP_CWORD={len(words)}; _igtcloud; printf '%s\\n' \"${{COMPREPLY[@]}}\" =\n")
    assert run([shell("bash"), "-u"], script, shell_env) == [
        "compopt -o filenames", "compopt -o nospace", "trial/", "=",
        "compopt -o filenames", "compopt -o nospace", "my project/lab/", "=",
        "compopt -o filenames", "lab", "=", "compopt -o filenames", "north", "north east", "=",
        "compopt -o filenames", "compopt -o nospace", "trial/", "=",
        "compopt -o filenames", "compopt -o nospace", "trial/", "my project/", "hostile/", "=",
        "compopt -o filenames", "trial/north/P2/CT", "=",
        "compopt -o filenames", "compopt -o nospace", "igt:trial/", "=",
        "compopt -o filenames", "compopt -o nospace", "P2/", "=",
        "compopt -o filenames", "bwlimit", "="]


def test_zsh_completes_remote_names(shell_env, tmp_path):
    (tmp_path / "c").write_text(subprocess.run([program(), "completion", "zsh"], check=True,
                                               capture_output=True, text=True).stdout)
    script = (f"compdef() {{ :; }}\n. {tmp_path}/c\n"
              'compadd() { print -r -- "compadd $*: ${(P@)${@[-1]}}"; }\n'
              "igtcloud_given=(igtcloud ls); PREFIX='my\\ p'; _igtcloud_remote\n"
              "igtcloud_given=(igtcloud download x 'my\\ project'); PREFIX=; _igtcloud_remote\n"
              "igtcloud_given=(igtcloud ls); PREFIX=nope; _igtcloud_remote; true\n")
    assert run([shell("zsh"), "-f"], script, shell_env) == [
        "compadd -S  -a further: my project/", "compadd -a found: lab"]


def test_fish_completes_remote_names(shell_env, tmp_path):
    (tmp_path / "c.fish").write_text(subprocess.run([program(), "completion", "fish"], check=True,
                                                    capture_output=True, text=True).stdout)
    script = f"source {tmp_path}/c.fish\n"
    for line in ("igtcloud ls tri", r"igtcloud ls my\ project/", "igtcloud download x trial north",
                 "igtcloud download x trial --institute ",
                 "igtcloud --retries 1 ls tri", "igtcloud cp x igt:tri", "igtcloud csv x trial --study P",
                 "igtcloud config get bwl"):
        script += f"complete -C {shlex.quote(line)}; echo =\n"
    offered = run([shell("fish"), "--no-config"], script,
                  {**shell_env, "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)})
    groups = [[line.split("\t")[0] for line in g.split("\n")]
              for g in "\n".join(offered).split("\n=")]
    assert "trial/" in groups[0] and "my project/lab/" in " ".join(groups[1]).replace("\\ ", " ")
    assert {"north", "north east"} <= set(groups[2]) and {"north", "north east"} <= set(groups[3])
    assert [set(g) - {""} for g in groups[4:8]] == [{"trial/"}, {"igt:trial/"}, {"P1/", "P2/"}, {"bwlimit"}]


def test_hostile_names_in_bash(shell_env):
    """A pattern does not become the files that match it, and nothing reaches the terminal or the options."""
    script = 'compopt() { :; }\nsource <(igtcloud completion bash)\ncd /\n' \
             'COMP_WORDS=(igtcloud download x hostile ""); COMP_CWORD=4; _igtcloud; printf "%s\\n" "${COMPREPLY[@]}"\n'
    assert run([shell("bash")], script, shell_env) == ["*", "[a-z]*", "$(x)"]
