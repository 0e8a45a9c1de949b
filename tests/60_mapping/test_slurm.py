"""A map whose blocks are computed by jobs of a SLURM that really runs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from support.fingerprint import fingerprint
from support.slurm_cluster import jobs_left, slurm_cluster
from support.small_campaign import make_cube, make_model, workspace

from cpazmal_scale.mapping import map_cube


@pytest.mark.e2e
def test_a_map_is_made_by_slurm_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same map as without SLURM, bit for bit; the jobs end with the run."""
    model, cube = make_model(f"{tmp_path}/model.zarr"), make_cube(f"{tmp_path}/cube.zarr")
    expected = map_cube(workspace(tmp_path / "here", classify={"block": 32}), model, cube)
    cluster = {
        "kind": "slurm",
        "workers": 1,
        "memory_gib": 1.5,
        "wait_s": 240,
        "slurm": {
            "queue": "cpu",
            "walltime": "00:20:00",
            "interface": "lo",
            "scratch": str(tmp_path / "scratch"),
            "logs": str(tmp_path / "logs"),
        },
    }
    folder = tmp_path / "slurm"
    folder.mkdir()
    with slurm_cluster(folder, monkeypatch):
        config = workspace(tmp_path / "there", classify={"block": 32}, cluster=cluster)
        made = map_cube(config, model, cube)
        deadline = time.monotonic() + 400
        while jobs_left() and time.monotonic() < deadline:
            time.sleep(0.5)
        assert jobs_left() == []
        log = (folder / "slurmctld.log").read_text()
    assert "Worker name" in "".join(p.read_text() for p in (tmp_path / "logs").iterdir())
    assert "sched: Allocate JobId=" in log or "sched/backfill: _start_job" in log
    assert (made.id, made.blocks_executed) == (expected.id, expected.blocks_executed)
    assert fingerprint(made.url) == fingerprint(expected.url)
