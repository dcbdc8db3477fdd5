# SPDX-License-Identifier: MIT
"""One run of a client: wall time, processor time, peak memory, and what the server spent beside it."""

import dataclasses
import os
import signal
import subprocess
import tempfile
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    pass


class Killed(Exception):
    """By kill_after."""

    def __init__(self, run):
        super().__init__("killed")
        self.run = run


kill_after = 0  # seconds after which run() kills what it started; 0: never


@dataclasses.dataclass
class Run:
    wall: float
    cpu: float      # user and system, of the client and its children
    memory: float   # peak resident MiB of its largest process
    server: float   # processor time of the sandbox, and of what stands before it, meanwhile
    requests: int = 0
    pace: tuple = ()  # latency: connections on average, seconds from the first to the last, at the end
    runs: int = 1     # kill: the one that got to its end, and those before it
    others: float = 0.0  # one-study-slow: when the last file of the other studies was there


def server_cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def servers_cpu(pids):
    return sum(map(server_cpu, pids))


def clean_environment(**more):
    """Nobody's settings, proxies and certificates."""
    private = ("CLOUD_", "IGTCLOUD_", "XDG_", "AWS_", "RCLONE_", "S3_")
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(private) and not k.lower().endswith("_proxy")}
    env.update({k: str(v) for k, v in more.items()})
    return env


class _Peak(threading.Thread):
    """The peak of its resident memory. Not ru_maxrss: that begins with what Python had when it
    forked. The kernel keeps the mark, so it is enough to look now and then."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.ended, self.kib = pid, threading.Event(), 0
        self.start()

    def run(self):
        step = 0.001
        while True:
            self.look()
            if self.ended.wait(step):
                return
            step = min(step * 1.5, 0.02)

    def look(self):
        try:
            with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as status:
                for line in status:
                    if line.startswith("VmHWM:"):
                        self.kib = max(self.kib, int(line.split()[1]))
                        return
        except OSError:
            pass


def run(command, env, servers, stdin=b""):
    """Runs it to its end; Failed with its last words when that is not success."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        before, begin = servers_cpu(servers), time.monotonic()
        process = subprocess.Popen([str(c) for c in command], env=env, stdin=given,
                                   stdout=out, stderr=out)
        peak = _Peak(process.pid)
        killer = threading.Timer(kill_after, process.send_signal, [signal.SIGKILL])
        if kill_after:
            killer.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall = time.monotonic() - begin
        killer.cancel()
        peak.ended.set()
        peak.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        done = Run(wall, used.ru_utime + used.ru_stime, peak.kib / 1024,
                   servers_cpu(servers) - before)
        if process.returncode == -signal.SIGKILL and kill_after:
            raise Killed(done)
        if process.returncode != 0:
            out.seek(0)
            raise Failed(f"{command[0]} exited with {process.returncode}: "
                         f"{out.read()[-800:].decode('utf-8', 'replace')}")
    return done
