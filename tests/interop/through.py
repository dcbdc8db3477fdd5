# SPDX-License-Identifier: MIT
"""Runs the integration tests of downloads and verify with every sandbox's objects in Ceph:
through.py PYTEST-ARGUMENTS."""

import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

from radosgw import Radosgw

TESTS = pathlib.Path(__file__).resolve().parents[1] / "integration"
# They inject faults, parts or checksums into the sandbox's own S3, which is not used here;
# test_interop.py kills transfers through Ceph.
OWN_S3 = ["test_large_objects_are_verified", "test_bytes_that_changed_on_the_way",
          "test_one_file_that_is_gone", "test_parts", "test_store_that_fails",
          "test_what_the_journal_knows_of_an_upload", "test_goes_on_after"]


def main(arguments):
    with tempfile.TemporaryDirectory() as folder, \
            Radosgw(pathlib.Path(folder) / "ceph", memory=4 << 30) as rgw:
        env = dict(os.environ,
                   IGTCLOUD_SANDBOX_OPTIONS=shlex.join(str(o) for o in rgw.options()))
        command = [sys.executable, "-m", "pytest", *arguments, "-k",
                   f"not ({' or '.join(OWN_S3)})", TESTS / "test_download.py",
                   TESTS / "test_verify.py"]
        return subprocess.run(command, env=env).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
