"""The power goes at any moment of an ingest: what was synced is there, the rest gone or empty."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from support.power import watched
from support.scenes_factory import STARTS, campaign, run_config
from support.writers import every

from cpazmal_scale.cube import ingest_scenes, open_cube, verify_cube


@pytest.mark.parametrize("held", [0, 1])
@pytest.mark.parametrize("order", ["none", "any"])
def test_the_power_goes_while_a_date_is_written(
    tmp_path, monkeypatch: pytest.MonkeyPatch, held: int, order: str
) -> None:
    """Of what was not synced nothing is there, or any of it."""
    scenes = campaign(tmp_path / "scenes", shape=(20, 30), starts=STARTS[:2])
    last = sorted((scenes / "dsc").iterdir())[-1]
    config = run_config(scenes, tmp_path / "ws")
    (tmp_path / "ws").mkdir()
    if held:
        last.rename(tmp_path / last.name)
        ingest_scenes(config)
        (tmp_path / last.name).rename(last)
    disk = watched(tmp_path / "ws", monkeypatch, lambda: ingest_scenes(config))
    whole = open_cube(f"{tmp_path}/ws/cubes/DSC37.zarr").compute()
    assert len(disk.moments) > 40
    lengths = set()
    for moment in range(0, len(disk.moments), every(7)):
        after = tmp_path / str(moment)
        if order == "none":
            disk.restore(moment, after)
        else:
            disk.restore_in_any_order(moment, after, random.Random(moment))
        cube = f"{after}/cubes/DSC37.zarr"
        length = 0
        if Path(cube, "zarr.json").exists():
            seen = open_cube(cube).compute()
            length = seen.sizes["time"]
            np.testing.assert_array_equal(seen.HH, whole.HH[:length])
            # The last document of a new cube's members may be the one that was to follow.
            found = [one.what for one in verify_cube(cube)]
            assert found in ([], ["the document of stored is lost or altered"])
        assert length >= held
        lengths.add(length)
        monkeypatch.setattr("os.fsync", lambda _: None)
        ingest_scenes(run_config(scenes, after))
        monkeypatch.undo()
        assert open_cube(cube).compute().identical(whole), moment
        assert verify_cube(cube) == []
        assert not list(after.rglob("*.part"))
    assert lengths <= {*range(held, 3)}
    assert max(lengths) == 2
