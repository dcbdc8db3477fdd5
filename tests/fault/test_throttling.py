# SPDX-License-Identifier: MIT
"""A cloud that is busy: waited for as it asks, and asked for less at once."""

import cloud as c
from promise import promise


@promise("Throttling", "503 SlowDown or 429 with `Retry-After: 2`", "not asked again before two seconds")
def test_retry_after(cloud, igtcloud, out):
    cloud.faults({"fault": "slow-down", "path": "**/f.bin", "retry_after": 2},
                 {"fault": "too-many", "path": "/api/data/projects", "retry_after": 2})
    igtcloud.run("download", out, "one")
    for path in ("*/f.bin", "*/projects"):
        first, second = cloud.requests(path=path, method="GET")
        assert second["at"] - first["at"] >= 2, (first, second)


@promise("Throttling", "the store refuses whatever is more than three requests at once, then not any more",
         "fewer requests at once until few are refused; then more again; every file is there")
def test_concurrency_falls_and_recovers(tmp_path):
    seed = {"users": c.SEED["users"], "projects": [
        {"name": "p", "projectTypeName": "EPD", "institutes": [{"name": "i", "studies": [
            {"name": "s", "files": [{"path": f"f{n:03}", "size": 2000} for n in range(300)]}]}]}]}
    with c.start(tmp_path, "--latency", "20", seed=seed) as cloud:
        home = tmp_path / "home"
        home.mkdir()
        cloud.faults({"fault": "slow-down", "path": c.S3, "above": 3, "times": 60})
        c.Program(cloud.url, home).run("download", "--connections", "16", tmp_path / "out", "p",
                                       timeout=200)
        gets = c.objects(cloud.requests())
        assert len(c.files(tmp_path / "out")) == 300
        struck = [n for n, r in enumerate(gets) if r["fault"]]
        assert len(struck) == 60
        settled = struck[20:]  # by then it knows
        assert len(settled) < 0.5 * (settled[-1] - settled[0] + 1), struck
        assert max(r["inFlight"] for r in gets[struck[-1]:]) >= 6
