# SPDX-License-Identifier: MIT
"""The cases: how much of what lies where, and how often. Sizes in bytes."""

import dataclasses

KIB, MIB = 1024, 1024 * 1024
LATENCY = 50  # ms, on every response of the latency cases
CUT = dict(up=1e6, down=1e6, delay=20, cut=15)
LIFE = dict(up=250e3, down=250e3, delay=20, life=60)
FAST = dict(up=8e6, down=8e6, delay=20)
SLOW = 30  # seconds: a tool that takes longer than that has one round


@dataclasses.dataclass
class Case:
    name: str
    kind: str            # "down", "up", "again-down", "again-up", "csv", "csv-files", "start", "plan", "python-..."
    studies: int = 0
    files: int = 0       # of each study
    size: int = 0
    latency: int = 0
    big: int = 0         # one more study with one file of this size
    tls: bool = False    # https, by nginx in front of the sandbox
    rounds: int = 5
    what: str = ""
    link: dict = dataclasses.field(default_factory=dict)  # a bad one in front of the sandbox: BadLink's
    kill: float = 0      # SIGKILL so many seconds after each start, until a run gets to its end
    calls: int = 0       # python-calls
    most: float = 0      # target: at most so many times size / rate, or (kill) so many runs

    @property
    def count(self):
        return self.studies * self.files + (1 if self.big else 0)

    @property
    def bytes(self):
        return self.studies * self.files * self.size + self.big

    @property
    def shortest(self):
        """Seconds that the link needs for the bytes."""
        return self.bytes / self.link["up" if self.kind == "up" else "down"]

    def quick(self):
        """Small enough for a test: a hundredth, and one round."""
        return dataclasses.replace(
            self, studies=max(1, self.studies // 50) if self.studies else 0, files=max(1, min(self.files, 4)) if self.files else 0,
            size=min(self.size, 3 * MIB), big=min(self.big, (6 if self.link else 20) * MIB),
            latency=min(self.latency, 2), calls=min(self.calls, 20),
            link=self.link and {**self.link, "up": 8e6, "down": 8e6, "cut": 3},
            rounds=1)


ALL = [
    Case("large-down", "down", 4, 1, 512 * MIB, rounds=3, what="4 files of 512 MiB"),
    Case("large-up", "up", 4, 1, 512 * MIB, rounds=3, what="4 files of 512 MiB"),
    Case("slices-down", "down", 40, 100, 512 * KIB, what="4,000 files of 512 KiB in 40 studies"),
    Case("slices-up", "up", 40, 100, 512 * KIB, what="4,000 files of 512 KiB in 40 studies"),
    Case("small-down", "down", 200, 100, 16 * KIB, what="20,000 files of 16 KiB in 200 studies"),
    Case("small-up", "up", 200, 100, 16 * KIB, rounds=3,
         what="20,000 files of 16 KiB in 200 studies"),
    Case("latency-down", "down", 50, 40, 32 * KIB, LATENCY, rounds=3,
         what="2,000 files of 32 KiB in 50 studies, each response delayed by 50 ms"),
    Case("latency-up", "up", 50, 40, 32 * KIB, LATENCY, rounds=3,
         what="2,000 files of 32 KiB in 50 studies, each response delayed by 50 ms"),
    Case("tls-down-large", "down", 4, 1, 256 * MIB, tls=True, rounds=3,
         what="4 files of 256 MiB over https"),
    Case("tls-down-small", "down", 40, 100, 16 * KIB, tls=True, rounds=3,
         what="4,000 files of 16 KiB in 40 studies over https"),
    Case("tls-up-large", "up", 4, 1, 256 * MIB, tls=True, rounds=3,
         what="4 files of 256 MiB over https"),
    Case("tls-up-small", "up", 40, 100, 16 * KIB, tls=True, rounds=3,
         what="4,000 files of 16 KiB in 40 studies over https"),
    Case("again-down", "again-down", 200, 100, 16 * KIB,
         what="20,000 files of 16 KiB that are already there"),
    Case("again-up", "again-up", 200, 100, 16 * KIB,
         what="20,000 files of 16 KiB that are already there"),
    Case("again-slices-down", "again-down", 40, 100, 512 * KIB,
         what="4,000 files of 512 KiB that are already there"),
    Case("again-slices-up", "again-up", 40, 100, 512 * KIB,
         what="4,000 files of 512 KiB that are already there"),
    Case("one-study-slow", "down", 49, 20, 32 * KIB, big=2048 * MIB, rounds=3,
         what="49 studies of 20 files of 32 KiB, and one of 2 GiB"),
    Case("many-studies", "down", 100, 100, 32 * KIB, what="10,000 files of 32 KiB in 100 studies"),
    Case("bad-link-down", "down", big=64 * MIB, link=CUT, rounds=1, most=1.3,
         what="a file of 64 MiB at 1 MB/s, all connections reset every 15 s"),
    Case("bad-link-up", "up", big=64 * MIB, link=CUT, rounds=1, most=2,
         what="a file of 64 MiB at 1 MB/s, all connections reset every 15 s"),
    Case("bad-link-life-down", "down", big=64 * MIB, link=LIFE, rounds=1,
         what="a file of 64 MiB at 250 kB/s, each connection reset after 60 s"),
    Case("bad-link-life-up", "up", big=64 * MIB, link=LIFE, rounds=1,
         what="a file of 64 MiB at 250 kB/s, each connection reset after 60 s"),
    Case("bad-link-killed-down", "down", big=60 * MIB, link=FAST, kill=2, rounds=1, most=8,
         what="a file of 60 MiB at 8 MB/s by runs that are killed after 2 s each"),
    Case("bad-link-killed-up", "up", big=60 * MIB, link=FAST, kill=2, rounds=1, most=8,
         what="a file of 60 MiB at 8 MB/s by runs that are killed after 2 s each"),
    Case("csv", "csv", 100000, rounds=3, what="a list of 100,000 studies"),
    Case("csv-files", "csv-files", 2000, 1, 1000, LATENCY, rounds=3,
         what="the files of 2,000 studies, each response delayed by 50 ms"),
    Case("plan", "plan", 100, 10000, 16 * KIB, rounds=1,
         what="what to do with 1,000,000 files in 100 studies (--dry-run), for its memory"),
    Case("plan-studies", "plan", 10000, 100, 16 * KIB, rounds=1,
         what="what to do with 1,000,000 files in 10,000 studies (--dry-run), for its memory"),
    Case("plan-10k", "plan", 100, 100, 16 * KIB, rounds=1,
         what="what to do with 10,000 files in 100 studies (--dry-run), for its memory"),
    Case("python-list", "python-list", 20000, rounds=3, what="a script that lists 20,000 studies and looks at each"),
    Case("python-down", "python-download", 50, 40, 32 * KIB, LATENCY, rounds=3,
         what="a script's 32 threads download 2,000 files of 32 KiB, each response delayed by 50 ms"),
    Case("python-read", "python-read", big=512 * MIB, rounds=3, what="a file of 512 MiB, read in order and written"),
    Case("python-calls", "python-calls", calls=2000, rounds=3, what="2,000 small requests in turn: get_project()"),
    Case("start", "start", rounds=50, what="igtcloud version, igtcloud --help"),
]


def named(name):
    """The case of this name, or those that begin with it: tls-down is large and small."""
    return ([c for c in ALL if c.name == name] or
            [c for c in ALL if c.name.startswith(name + "-")])


def seed(case, user, password):
    """What the sandbox holds when the case begins; uploads find an empty institute."""
    institute = {"name": "lab"}
    if case.studies and case.kind in ("down", "again-down", "csv", "csv-files", "plan", "python-list", "python-download"):
        institute["generate"] = {"studies": case.studies, "files": case.files, "size": case.size,
                                 "object": case.kind in ("down", "again-down", "python-download")}
    if case.big and case.kind in ("down", "python-read"):
        institute["studies"] = [{"name": "large", "files": [{"path": "film.bin", "size": case.big}]}]
    return {"users": [{"name": user, "password": password, "roles": ["DATA_MANAGER"]}],
            "projects": [{"name": "bench", "projectTypeName": "EPD", "institutes": [institute]}]}
