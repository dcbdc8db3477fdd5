# SPDX-License-Identifier: MIT
"""The program among other programs: signals that it was started without, terminals that close,
readers that stand still or go away, output that nothing takes."""

import contextlib
import fcntl
import glob
import os
import re
import signal
import subprocess
import time

import pytest

from igtcloud import DENIED, DONE, FAILED, NOT_FOUND, USAGE, Program, ended_by, environment, open_files, program
from terminal import Terminal
from uploads import epd, institute, seed

SEED = seed(epd(institute("north", {"name": "s", "files": [{"path": "a.txt", "text": "A"}]}),
                name="demo"),
            epd(institute("many", {"name": "s", "files": [
                {"path": f"{'long name ' * 12}{n}", "text": "x"} for n in range(900)]}), name="many"),
            epd(institute("big", {"name": "film", "files": [{"path": "f.bin", "size": 20000000}]}),
                name="big"))
FILE = "demo/north/s/files/a.txt"
SOON = 20  # two seconds, on a machine that has nothing else to do


def ignoring(*numbers):
    def prepare():
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
    return prepare


def hang(cloud):
    cloud.faults({"fault": "silence", "method": "GET", "path": "/igtcloud/**", "seconds": 100})


def is_asked(cloud):
    cloud.wait_for(lambda: cloud.requests(method="GET", path="/igtcloud/**"))


# ---- signals ----

@pytest.mark.case("transfers-4")
@pytest.mark.parametrize("name", ["HUP", "INT", "TERM", "QUIT"])
def test_ignored_signals_stay_ignored(cloud, igtcloud, out, name):
    number = getattr(signal, f"SIG{name}")
    cloud.faults({"fault": "silence", "method": "GET", "path": "/igtcloud/**", "seconds": 600})
    process = igtcloud.start("download", "--timeout", "30", out, "demo",
                             preexec_fn=ignoring(number))
    is_asked(cloud)
    process.send_signal(number)
    cloud.heal()
    _, err = process.communicate(timeout=30)
    assert process.returncode == DONE, err
    assert (out / "north/s/a.txt").read_text() == "A"


@pytest.mark.case("transfers-4")
def test_nohup_keeps_a_download_alive(cloud, igtcloud, out):
    cloud.faults({"fault": "silence", "method": "GET", "path": "/igtcloud/**", "seconds": 600})
    command = ["nohup", *igtcloud.command("download", out, "demo")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, env=environment(igtcloud.home))
    process.stdin.write(b"demo\n")
    process.stdin.close()
    is_asked(cloud)
    process.send_signal(signal.SIGHUP)
    cloud.heal()
    assert process.wait(30) == DONE, process.stdout.read()
    process.stdout.close()


@pytest.mark.case("transfers-4")
def test_hang_up(cloud, igtcloud, out):
    hang(cloud)
    process = igtcloud.start("download", out, "demo")
    is_asked(cloud)
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 129 and b"run the same command again" in err


# ---- login --background ----

@contextlib.contextmanager
def background(igtcloud, **more):
    igtcloud.run("login", "--background", **more)
    try:
        yield int(holder(igtcloud))
    finally:
        logout(igtcloud, status=None)


def logout(igtcloud, **more):
    Program("", igtcloud.home).run("logout", sign_in=False, **more)


def holder(igtcloud):
    """The process whose lock is on the token file."""
    inode = os.stat(token_file(igtcloud)).st_ino
    with open("/proc/locks") as locks:
        return next(line.split()[4] for line in locks
                    if line.split()[5].endswith(f":{inode}") and line.split()[1] == "POSIX")


def token_file(igtcloud):
    return f"{igtcloud.home}/igtcloud_auth_mmap"


@pytest.mark.case("transfers-7")
def test_background_login_is_a_daemon(igtcloud, tmp_path):
    """A session, a folder and descriptors of its own."""
    lock = open(tmp_path / "lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock.fileno(), True)
    folder = tmp_path / "folder"
    folder.mkdir()
    with background(igtcloud, cwd=folder, close_fds=False) as pid:
        lock.close()
        with open(tmp_path / "lock") as again:
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        assert int(fields[3]) == pid and int(fields[4]) == 0  # its session; no terminal
        if os.geteuid() == 0:
            assert os.readlink(f"/proc/{pid}/cwd") == "/"
            links = open_files(pid)
            assert {links[n] for n in "012"} == {"/dev/null"}
            assert str(tmp_path / "lock") not in links.values()
        igtcloud.run("whoami", sign_in=False)


@pytest.mark.case("transfers-7")
@pytest.mark.parametrize("name", ["INT", "HUP", "QUIT", "TSTP"])
def test_background_login_outlives_its_script(igtcloud, name):
    """A signal to the script's process group, as Ctrl-C and a closing terminal send it."""
    command = " ".join(igtcloud.command("login --background"))
    script = f"trap : {name}; echo demo | {command} && kill -{name} 0; exit 0"
    subprocess.run(["setsid", "-w", "sh", "-c", script], env=environment(igtcloud.home), check=True,
                   capture_output=True, timeout=30)
    igtcloud.run("whoami", sign_in=False)
    logout(igtcloud)


@pytest.mark.case("transfers-7")
def test_background_login_does_not_keep_a_pipe(igtcloud):
    """$(igtcloud login --background) ends."""
    with background(igtcloud):
        pass


@pytest.mark.case("transfers-7")
def test_background_login_with_relative_paths(igtcloud, tmp_path):
    env = {"CLOUD_TOKEN_MMAP": "token"}
    igtcloud.run("login", "--background", cwd=tmp_path, env=env)
    igtcloud.run("whoami", cwd=tmp_path, env=env, sign_in=False)
    logout(igtcloud, cwd=tmp_path, env=env)
    assert not (tmp_path / "token").exists()


@pytest.mark.case("transfers-7")
def test_background_login_logs(igtcloud, tmp_path):
    log = tmp_path / "log"
    igtcloud.run("login", "--background", "--log-file", log)
    logout(igtcloud)
    end = time.monotonic() + 10
    while "Signed out" not in log.read_text():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.02)


def pending_signals(pid):
    """Those that were sent to the process and that it has not taken yet, as a mask."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
        return sum(int(line.split()[1], 16) for line in f if line.startswith("ShdPnd:"))


@pytest.mark.case("transfers-7")
@pytest.mark.parametrize("numbers", [("INT", "INT"), ("TERM", "INT"), ("HUP", "TERM"), ("QUIT",)])
def test_token_file_is_removed_at_once(cloud, igtcloud, numbers):
    """Also when signing out hangs, and by a second signal right behind the first."""
    cloud.faults({"fault": "silence", "method": "POST", "path": "**/logout", "seconds": 100})
    process = igtcloud.start("login")
    while b"Signed in" not in process.stderr.readline():
        pass
    assert os.path.exists(token_file(igtcloud))
    for name in numbers:
        cloud.wait_for(lambda: not pending_signals(process.pid))  # two of one kind would become one
        process.send_signal(getattr(signal, f"SIG{name}"))
    process.communicate(timeout=30)
    assert process.returncode == -getattr(signal, f"SIG{numbers[-1]}")
    assert not os.path.exists(token_file(igtcloud))


@pytest.mark.case("transfers-7")
@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_a_signal_while_the_login_becomes_a_daemon(cloud, igtcloud, name):
    """It is signed in, but its parent has not yet exited: the login ends, and the status says so."""
    number = getattr(signal, f"SIG{name}")
    hold = {"fault": "silence", "method": "POST", "path": "**/login", "seconds": 100}
    cloud.faults(hold)
    process = igtcloud.start("login", "--background", stderr=subprocess.DEVNULL)
    cloud.wait_for(lambda: cloud.requests(method="POST", path="*/login"))
    process.send_signal(signal.SIGSTOP)
    cloud.heal()
    cloud.wait_for(lambda: os.path.exists(token_file(igtcloud)) and is_daemon(int(holder(igtcloud))))
    process.send_signal(number)
    process.send_signal(signal.SIGCONT)
    assert process.wait(SOON) == 128 + number
    assert not os.path.exists(token_file(igtcloud))
    igtcloud.run("whoami", sign_in=False, status=DENIED)


@pytest.mark.case("transfers-7")
def test_a_signal_that_does_not_end_the_login(cloud, igtcloud):
    """A pipe's that breaks elsewhere, while it signs in: the parent does not leave the child behind."""
    cloud.faults({"fault": "silence", "method": "POST", "path": "**/login", "seconds": 100})
    process = igtcloud.start("login", "--background", stderr=subprocess.DEVNULL)
    cloud.wait_for(lambda: cloud.requests(method="POST", path="*/login"))
    process.send_signal(signal.SIGPIPE)
    cloud.heal()
    assert process.wait(SOON) == DONE
    logout(igtcloud)


def is_daemon(pid):
    return os.getsid(pid) == pid and os.readlink(f"/proc/{pid}/cwd") == "/"


# ---- readers ----

def stalled(cloud, igtcloud, *arguments):
    """Its output goes to a pipe that nobody reads, and is full."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    process = igtcloud.start(*arguments, stdout=writer)
    os.close(writer)
    end = time.monotonic() + 30
    while not is_full(process.pid, descriptor=1):
        if time.monotonic() > end or process.poll() is not None:
            process.kill()  # else what it writes to standard error has no end
            raise AssertionError(process.stderr.read())
        time.sleep(0.02)
    return reader, process


def is_full(pid, descriptor):
    """Whether one of its threads waits in a write to it: system call 1 on x86-64, or 20, which is
    writev and what musl's stdio uses."""
    for path in glob.glob(f"/proc/{pid}/task/*/syscall"):
        with contextlib.suppress(OSError), open(path) as f:
            if f.read().startswith((f"1 {descriptor:#x} ", f"20 {descriptor:#x} ")):
                return True
    return False


@pytest.mark.case("transfers-24")
@pytest.mark.skipif(os.uname().machine != "x86_64" or os.geteuid() != 0,
                    reason="looks at the system call that it waits in")
@pytest.mark.parametrize("arguments", [
    ("download", "--json", "OUT", "many"), ("csv", "--files", "-", "many"),
    ("ls", "many/many/s/files"), ("ls", "--json", "many/many/s/files"),
    ("cat", "big/big/film/files/f.bin")])
@pytest.mark.parametrize("name", ["TERM", "INT"])
def test_reader_that_stands_still(cloud, igtcloud, out, arguments, name):
    number = getattr(signal, f"SIG{name}")
    arguments = [out if a == "OUT" else a for a in arguments]
    reader, process = stalled(cloud, igtcloud, *arguments)
    begin = time.monotonic()
    process.send_signal(number)
    process.wait(30)
    took = time.monotonic() - begin
    os.close(reader)
    process.stderr.close()
    assert process.returncode in (128 + number, -number)
    assert took < SOON


@pytest.mark.case("transfers-24")
@pytest.mark.skipif(os.uname().machine != "x86_64" or os.geteuid() != 0,
                    reason="looks at the system call that it waits in")
def test_terminal_that_stands_still(cloud, igtcloud, out):
    """Progress on a terminal whose window does not read, as behind Ctrl-S."""
    cloud.faults({"fault": "trickle", "method": "GET", "path": "/igtcloud/**", "seconds": 100,
                  "times": 0})
    terminal = Terminal([program(), "download", "--domain", cloud.url, "--user", "demo@example.com",
                         str(out), "many"], environment(igtcloud.home, TERM="xterm"))
    terminal.wait_for(b"password: ")
    terminal.write(b"demo\n")
    is_asked(cloud)
    terminal.write(b"\x13")  # Ctrl-S
    cloud.wait_for(lambda: is_full(terminal.pid, descriptor=2))
    begin = time.monotonic()
    os.kill(terminal.pid, signal.SIGTERM)
    status = terminal.wait(30)
    assert status in (143, -signal.SIGTERM)
    assert time.monotonic() - begin < SOON
    terminal.end()


@pytest.mark.case("dicom-30")
@pytest.mark.parametrize("arguments", [
    ("csv", "--files", "-", "many"), ("ls", "many/many/s/files"),
    ("ls", "--json", "many/many/s/files"), ("download", "--json", "OUT", "many"),
    ("cat", "big/big/film/files/f.bin"), ("help", "man", "download"), ("completion", "bash"),
    ("api", "--list")])
def test_reader_that_goes_away(cloud, igtcloud, out, arguments):
    """As `| head -1`: silently, and as by SIGPIPE."""
    local = arguments[0] in ("help", "completion") or "--list" in arguments
    command = [program(), *arguments] if local else igtcloud.command(
        *[out if a == "OUT" else a for a in arguments])
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, input=b"demo\n",
                          env=environment(igtcloud.home), timeout=60)
    os.close(writer)
    assert done.returncode == ended_by(signal.SIGPIPE)
    assert re.sub(rb"Using http://\S+\n", b"", done.stderr) == b""


# ---- output that does not arrive ----

LOCAL = [("version",), ("version", "--json"), ("help",), ("help", "csv"), ("--help",), ("-h",),
         ("csv", "--help"), ("study", "--help"), ("--version",), ("completion", "fish"),
         ("help", "man"), ("help", "--json"), ("api", "--list"), ("api", "--describe", "get_studies"),
         ("report", "merge", "-", "REPORT"), ("config", "list"), ("config", "list", "--json")]
REMOTE = [("cat", FILE), ("ls", "demo"), ("ls", "--json", "demo"), ("show", "demo/north"),
          ("csv", "-", "demo"), ("download", "--json", "OUT", "demo"), ("whoami",),
          ("verify", "--json", "OUT", "demo"), ("api", "GET", "data/projects"),
          ("cp", f"igt:{FILE}", "-"), ("find", "many"), ("find", "--json", "many"), ("tree", "many"),
          ("tree", "--json", "many"), ("du", "many"), ("du", "--json", "many"), ("manifest", "many"),
          ("csv", "--files", "-", "many"), ("ls", "many/many/s/files"), ("ls", "--json", "many/many/s/files"),
          ("sync", "--dry-run", "igt:many", "OUT"), ("download", "--dry-run", "--json", "OUT", "many"),
          ("verify", "--json", "OUT", "many")]
REPORT = '{"kind":"summary","status":"IGT_OK","seconds":1}\n'


def says_why(where, done):
    why = b"No space left on device" if where == "full" else b"Bad file descriptor"
    return done.returncode == FAILED and re.search(b"cannot write.*: " + why, done.stderr)


def without_output(where, command, home):
    """Standard output is closed, or a full disk."""
    script = f'exec "$@" {">&-" if where == "closed" else ">/dev/full"}'
    return subprocess.run(["sh", "-c", script, "sh", *map(str, command)], input=b"demo\n",
                          capture_output=True, env=environment(home), timeout=60)


@pytest.mark.case("transfers-30")
@pytest.mark.parametrize("where", ["closed", "full"])
@pytest.mark.parametrize("arguments", LOCAL, ids=" ".join)
def test_output_that_cannot_be_written(tmp_path, where, arguments):
    report = tmp_path / "report.jsonl"
    report.write_text(REPORT)
    if arguments[0] == "config":
        subprocess.run([program(), "config", "set", "user", "ann"], env=environment(tmp_path), check=True)
    command = [program(), *[report if a == "REPORT" else a for a in arguments]]
    done = without_output(where, command, tmp_path)
    assert says_why(where, done), done


@pytest.mark.case("transfers-30")
@pytest.mark.parametrize("where", ["closed", "full"])
@pytest.mark.parametrize("arguments", REMOTE, ids=" ".join)
def test_output_of_the_cloud_that_cannot_be_written(igtcloud, out, where, arguments):
    """Nor does it end up in a file or a connection that got the number of the closed one."""
    if arguments[0] == "verify":
        igtcloud.run("download", out, arguments[-1])
    command = igtcloud.command(*[out if a == "OUT" else a for a in arguments])
    done = without_output(where, command, igtcloud.home)
    assert says_why(where, done), done


@pytest.mark.case("transfers-30")
def test_token_that_cannot_be_written(igtcloud):
    with background(igtcloud):
        for where in ("closed", "full"):
            done = without_output(where, [program(), "get-token"], igtcloud.home)
            assert says_why(where, done), done


@pytest.mark.case("transfers-30")
def test_all_streams_closed(igtcloud, out):
    """No file becomes standard error, so nothing is written into it."""
    command = [program(), "download", "--domain", igtcloud.url, str(out), "demo"]
    subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command], timeout=60,
                   env=environment(igtcloud.home), start_new_session=True)
    igtcloud.run("download", out, "demo")


# ---- empty values ----

@pytest.mark.case("security-18")
@pytest.mark.parametrize("option", [
    "domain", "user", "service-file", "ca-file", "timeout", "retries", "bwlimit", "log-file",
    "report", "ext", "start", "end", "shard", "folder-structure", "journal", "category", "include",
    "exclude", "concurrent-studies", "concurrent-files", "connections"])
@pytest.mark.parametrize("form", ["two words", "="])
def test_empty_option(tmp_path, option, form):
    given = [f"--{option}="] if form == "=" else [f"--{option}", ""]
    done = subprocess.run([program(), "download", *given, tmp_path / "out", "demo"],
                          env=environment(tmp_path), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=30)
    assert done.returncode == USAGE and f"--{option}: the value is empty" in done.stderr, done


@pytest.mark.case("security-18")
@pytest.mark.parametrize("arguments", [("", "demo"), ("out", ""), ("out", "demo", ""),
                                       ("out", "demo", "*", "")])
def test_empty_argument(tmp_path, arguments):
    done = subprocess.run([program(), "download", *arguments], env=environment(tmp_path), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=30, cwd=tmp_path)
    assert done.returncode == USAGE and "is empty" in done.stderr, done


@pytest.mark.case("security-18")
@pytest.mark.parametrize("name", ["CLOUD_DOMAIN", "IGTCLOUD_DOMAIN"])
def test_empty_domain_is_not_production(cloud, tmp_path, name):
    """It is a mistake, not a choice of the default cloud. --domain says which is meant."""
    done = Program("", tmp_path).run("csv", "-", "demo", env={name: ""}, status=USAGE)
    assert name in done.err and "--domain" in done.err
    Program(cloud.url, tmp_path).run("csv", "-", "demo", env={name: ""})


# ---- variables of flags ----

@pytest.mark.case("transfers-33")
@pytest.mark.parametrize("word", ["off", "OFF", "no", "n", "false", "0", ""])
def test_flag_that_is_off(igtcloud, out, word):
    igtcloud.run("download", out, "demo")
    done = igtcloud.run("download", "--json", out, "demo", env={"IGTCLOUD_OVERWRITE": word})
    assert done.summary["filesSkipped"] == 1


@pytest.mark.case("transfers-33")
def test_flag_that_is_neither(igtcloud, out):
    done = igtcloud.run("download", out, "demo", env={"IGTCLOUD_OVERWRITE": "never"}, status=USAGE)
    assert "IGTCLOUD_OVERWRITE" in done.err


# ---- flags on the command line ----

@pytest.mark.parametrize("flags", [["--no-quiet"], ["--quiet=false"], ["-q", "--no-quiet"],
                                   ["--quiet=off"]])
def test_a_flag_of_a_variable_is_switched_off(igtcloud, out, flags):
    done = igtcloud.run("download", out, "demo", *flags, env={"IGTCLOUD_QUIET": "1"})
    assert "Downloaded" in done.err


def test_flags_combine(igtcloud, out):
    igtcloud.run("download", "-q", out, "demo")
    assert igtcloud.run("rm", "-qy", "demo/north/none", status=NOT_FOUND).err
    done = igtcloud.run("download", "-qz", out, "demo", status=USAGE)
    assert "unknown option '-qz'" in done.err


@pytest.mark.parametrize("flag", ["--quiet=maybe", "--no-domain", "--no-quiet=1", "--no-none", "--no-"])
def test_what_cannot_be_switched_off(igtcloud, out, flag):
    igtcloud.run("download", out, "demo", flag, status=USAGE)
    assert not out.exists()


@pytest.mark.parametrize("command, flag", [("download", "--journal"), ("download", "--config"), ("uploads", "--journal"),
                                           ("station", "--status-file")])
def test_what_cannot_be_a_standard_stream(igtcloud, out, command, flag):
    """A database, and what is read or replaced again: it would be a file called "-"."""
    arguments = [] if command == "uploads" else [out, "demo"]
    done = igtcloud.run(command, *arguments, flag, "-", status=USAGE)
    assert f"{flag} '-' is standard input or output" in done.err
    assert not out.exists()
