# SPDX-License-Identifier: MIT
"""Every operation of the API, called from C against a sandbox, with its effect read back.

The programs (operations_*.c) are built by Meson. Each runs against a sandbox of its own and writes
down the operations that went well; those must be all that api/*.json describe."""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from sandbox import Sandbox, program  # noqa: E402

METHODS = ("get", "put", "post", "delete", "patch")
DICOM = json.loads((ROOT / "sandbox/rest/demo.json").read_text())["projects"][0]["institutes"][0][
    "studies"][0]["files"][2]

SEED = {
    "users": [
        {"name": "demo@example.com", "password": "demo",
         "roles": ["DATA_MANAGER", "SERVICES_MANAGER"]},
        {"name": "viewer@example.com", "password": "viewer", "roles": ["MONITOR"]}],
    "projects": [
        {"name": "ops", "id": "ops-project", "projectTypeName": "IGT",
         "files": [{"path": "a/protocol.txt", "text": "first, second\n"},
                   {"path": "empty.txt", "text": ""}],
         "institutes": [
             {"name": "north", "id": "ops-north", "studies": [
                 {"id": "ops-study", "studyId": "CTA", "patient": {"patientId": "P1"}, "files": [
                     {"path": "report.txt", "text": "Nothing remarkable.\n"},
                     {"path": "waiting.txt", "text": "here", "completed": False}, DICOM,
                     {"path": "v.json", "text": "{}", "category": "annotations"}]},
                 {"id": "ops-odd-type", "studyId": "X",
                  "raw": {"studyType": "HologramStudy", "holograms": [1]}}]}]},
        {"name": "ops epd", "id": "ops-epd", "projectTypeName": "EPD", "institutes": [
            {"name": "lab", "id": "ops-epd-lab", "studies": [
                {"id": "ops-epd-study", "name": "one", "site": "lab 9"}]},
            {"name": "many", "id": "ops-many", "generate": {"studies": 300}}]},
        {"name": "ops annotated", "id": "ops-annotations", "projectTypeName": "Annotation",
         "institutes": [{"name": "a", "id": "ops-annotated", "studies": [
             {"id": "ops-annotation-study", "studyId": "A", "patient": {"patientId": "P2"}}]}]}],
}


def described():
    """All operation ids."""
    ids = []
    for name in ("auth", "action", "entities"):
        spec = json.loads((ROOT / "api" / f"{name}.json").read_text(encoding="utf-8"))
        ids += [item[method]["operationId"] for item in spec["paths"].values()
                for method in METHODS if method in item]
    assert len(ids) == len(set(ids)) >= 103
    return set(ids)


def programs():
    folder = pathlib.Path(program()).resolve().parent / "tests" / "operations"
    sources = sorted(path.stem for path in pathlib.Path(__file__).parent.glob("operations_*.c"))
    found = [folder / name for name in sources]
    missing = [str(path) for path in found if not path.exists()]
    assert not missing, f"not built: {missing}"
    return found


def run(path, folder):
    """The operations that it called."""
    seed, called = folder / f"{path.name}.json", folder / f"{path.name}.called"
    seed.write_text(json.dumps(SEED), encoding="utf-8")
    with Sandbox(seed=seed) as sandbox:
        env = dict(os.environ, OPERATIONS_URL=sandbox.url, OPERATIONS_CALLED=str(called),
                   NO_PROXY="*", no_proxy="*")
        done = subprocess.run([str(path)], env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{path.name}:\n{done.stdout}\n{done.stderr}\n{sandbox.log()}"
        assert sandbox.stop() == 0, sandbox.log()
    return set(called.read_text(encoding="utf-8").split())


@pytest.mark.smoke
def test_every_operation_is_called_and_its_effect_seen(tmp_path):
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        called = set().union(*pool.map(lambda path: run(path, tmp_path), programs()))
    missing = described() - called
    assert not missing, f"no test calls {sorted(missing)}: add one to tests/operations"
