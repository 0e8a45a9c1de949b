"""Flows without a server, a configuration or a network: a watched folder becomes a map."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from support.late_channels import channel, config, described
from support.scenes_factory import STARTS, run_config, speckle
from support.small_run import settings, simulated

from cpazmal_scale import catalog
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import StoreMissing
from cpazmal_scale.stages.ingest import arrivals, ingest

ALONE = """
import ipaddress, os, socket
connect = socket.socket.connect
def guarded(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        if not ipaddress.ip_address(address[0].split("%")[0]).is_loopback:
            with open(os.environ["CALLS"], "a") as calls:
                calls.write(f"{address}\\n")
            raise OSError("there is no network")
    return connect(self, address)
socket.socket.connect = guarded
resolve = socket.getaddrinfo
def local_names(host, *rest, **names):
    if host not in (None, "", "localhost", "127.0.0.1", "::1", socket.gethostname()):
        with open(os.environ["CALLS"], "a") as calls:
            calls.write(f"{host}\\n")
        raise socket.gaierror("there is no network")
    return resolve(host, *rest, **names)
socket.getaddrinfo = local_names
"""
"""Notes and refuses every connection that leaves this machine, in every process."""

LOOK = """
import sys
from pathlib import Path
from cpazmal_scale.config import RunConfig
from flows.watch import watch
config = RunConfig.model_validate_json(Path(sys.argv[1]).read_text())
for _ in range(2):
    state = watch(config, settle_s=0, return_state=True)
    print(state.type.value, state.message)
"""


def test_a_watched_folder_becomes_a_map_offline_and_without_configuration(tmp_path: Path) -> None:
    """On an ephemeral server; a second look finds nothing to do; nobody calls home."""
    campaign = simulated(tmp_path / "campaign", end=date(2020, 3, 30))
    config = settings(campaign, str(tmp_path / "workspace"))
    (tmp_path / "run.json").write_text(config.model_dump_json(exclude_unset=True))
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(ALONE)
    bare = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "TMPDIR")}
    calls = tmp_path / "calls"
    alone = {"HOME": str(tmp_path), "PYTHONPATH": str(tmp_path / "site"), "CALLS": str(calls)}
    ran = subprocess.run(
        [sys.executable, "-c", LOOK, str(tmp_path / "run.json")],
        env={**bare, **alone},
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=500,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    first, second = [line for line in ran.stdout.splitlines() if line.startswith("COMPLETED")]
    assert "0 new scenes" in second
    assert first != second
    assert {1, 2, 3, 4} <= set(
        catalog.open_catalog(config.workspace)["map_DSC37"].read()["class"].values.flat
    )
    assert not calls.exists(), calls.read_text()


@pytest.fixture(params=["folder", "bucket"])
def landing(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place where scenes land."""
    if request.param == "folder":
        return str(tmp_path / "landing")
    return f"{request.getfixturevalue('s3_url')}/landing"


def test_arrivals_are_told_from_what_is_held_and_what_still_comes(
    landing: str, tmp_path: Path
) -> None:
    """Names alone decide; a file that changed a moment ago holds everything back."""
    from cpazmal_scale import storage

    made = simulated(tmp_path / "campaign", end=date(2020, 2, 12))
    scenes = sorted((made.parent / "scenes").rglob("*.tif"))
    assert len(scenes) >= 3
    table = made.parent / "scenes" / "acquisitions.csv"
    config = RunConfig(workspace=str(tmp_path / "w"), ingest={"scenes": landing})
    with pytest.raises(StoreMissing):
        arrivals(config)

    def land(scene: Path) -> None:
        storage.upload(scene, storage.join(landing, "dsc", scene.name))

    storage.upload(table, storage.join(landing, "acquisitions.csv"))
    for scene in scenes[:-1]:
        land(scene)
    assert len(arrivals(config).new) == len(scenes) - 1
    found = arrivals(config, settle_s=3600)
    assert (len(found.new), len(found.arriving)) == (0, len(scenes) - 1)
    assert "still arriving" in str(found)
    ingest(config)
    assert arrivals(config).new == ()
    land(scenes[-1])
    assert len(arrivals(config).new) == 1


@pytest.mark.parametrize("told", ["name", "sidecar"])
def test_a_polarisation_that_comes_later_arrives(tmp_path: Path, told: str) -> None:
    """Beside a date that is held; once it is ingested nothing is new."""
    folder, workspace = tmp_path / "scenes", tmp_path / "w"

    def land(name: str) -> None:
        if told == "name":
            channel(folder, STARTS[0], name)
        else:
            bands = [speckle((50, 70), len(name), 0.2 if name == "HH" else 0.02)]
            described(folder, name, bands, name, "2020-01-08T05:44:11")

    run = (config if told == "name" else run_config)(folder, workspace)
    land("HH")
    ingest(run)
    assert arrivals(run).new == ()
    land("HV")
    assert len(arrivals(run).new) == 1
    assert arrivals(run, settle_s=3600).arriving
    ingest(run)
    assert arrivals(run).new == ()
