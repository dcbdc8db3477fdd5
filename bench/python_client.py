# SPDX-License-Identifier: MIT
"""What scripts do, for any client with this interface: python_client.py list|download|read|calls URL USER TARGET

The password is a line on standard input. list: all studies of the project "bench", and a field of each. download:
their files, each by file.download() in a pool of 32 threads. read: the first file by file.open(), in order.
calls: TARGET times get_project().
"""

import getpass
import sys
from concurrent.futures import ThreadPoolExecutor

getpass.getpass = lambda *_, **__: sys.stdin.readline().rstrip("\n")

from igtcloud.client.core.auth import smart_auth  # noqa: E402
from igtcloud.client.services import entities_service, set_auth  # noqa: E402

THREADS = 32


def list_studies(project, target):
    return sum(len(study.study_database_id) > 0 for institute in project.institutes for study in institute.studies)


def download(project, target):
    with ThreadPoolExecutor(THREADS) as pool:
        files = list(pool.map(lambda study: list(study.files), project.institutes[0].studies))
        wanted = [(file, f"{target}/{number}") for number, listed in enumerate(files) for file in listed]
        return sum(pool.map(lambda job: job[0].download(job[1]), wanted))


def read(project, target):
    count = 0
    with project.institutes[0].studies[0].files[0].open() as content, open(f"{target}/film", "wb") as written:
        while True:
            data = content.read(1 << 20)
            if not data:
                return count
            count += written.write(data)


def calls(project, target):
    return sum(entities_service.get_project(project.id).name == "bench" for _ in range(int(target)))


def main(what, url, user, target):
    with smart_auth(url, user) as auth:
        set_auth(auth)
        project = next(one for one in entities_service.get_projects() if one.name == "bench")
        work = {"list": list_studies, "download": download, "read": read, "calls": calls}[what]
        print(work(project, target))


main(*sys.argv[1:])
