"""Training on samples of several cubes: beams of one workspace, and other workspaces and years."""

from __future__ import annotations

import base64
import re
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from support.small_run import settings

from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError, StoreMissing
from cpazmal_scale.simulate.campaign import campaign
from cpazmal_scale.stages import sites
from cpazmal_scale.stages.assess import assess
from cpazmal_scale.stages.classify import classify, export_map, plan_map
from cpazmal_scale.stages.ingest import ingest
from cpazmal_scale.stages.samples import draw_samples, training_data
from cpazmal_scale.stages.train import train


def drawn(config: RunConfig, *beams: str) -> None:
    ingest(config)
    for beam in beams:
        draw_samples(config.with_values({"beam": beam}))


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunConfig, Path]:
    """A campaign of two beams in 2020, and another ground a year later in another workspace."""
    folder = tmp_path_factory.mktemp("sites")
    period = {"start": date(2020, 1, 1), "end": date(2020, 5, 31)}
    campaign(folder / "one", size=256, beams=("DSC37", "ASC45"), seed=1, **period)
    later = {"start": date(2021, 1, 1), "end": date(2021, 5, 31)}
    campaign(folder / "two", size=256, beams=("DSC37",), seed=2, **later)
    loose = {"classes": ("ABL", "ACC", "FOR"), "max_masked": 1.0, "min_valid": 0.3}
    one, two = (folder / name / "run.yaml" for name in ("one", "two"))
    config = settings(one, str(folder / "here"), beam="DSC37", samples=loose)
    drawn(config, "DSC37", "ASC45")
    drawn(settings(two, str(folder / "there"), samples=loose), "DSC37")
    return config, folder / "there" / "cubes" / "DSC37.zarr"


def with_also(config: RunConfig, *also: object) -> RunConfig:
    return config.with_values({"samples": {"also": [str(one) for one in also]}})


def test_series_of_all_cubes_are_on_the_dates_of_the_first(places) -> None:
    config, elsewhere = places
    own, windows = training_data(config)
    every, table = training_data(with_also(config, "ASC45", elsewhere))
    parts = [
        training_data(config.with_values({"beam": "ASC45"})),
        training_data(
            config.with_values({"workspace": str(elsewhere.parents[1]), "start": None, "end": None})
        ),
    ]
    counts = [len(windows), *(len(one) for _, one in parts)]
    assert len(every.values) == len(table) == sum(counts)
    np.testing.assert_array_equal(every.dates, own.dates)
    np.testing.assert_array_equal(every.values[: counts[0]], own.values)
    start = counts[0]
    for series, one in parts:
        part = every.values[start : start + len(one)]
        start += len(one)
        assert np.isfinite(part[:, 0]).mean() > 0.7
        # At the same day of the year they are what that cube holds.
        here, there = (
            (d - d.astype("M8[Y]")) / np.timedelta64(1, "D") for d in (own.dates, series.dates)
        )
        for t in np.flatnonzero((here > there[0]) & (here < there[-1]))[:5]:
            expected = [np.interp(here[t], there, row) for row in series.values[:20, 0]]
            np.testing.assert_allclose(part[:20, 0, t], expected, atol=0.1)


def test_the_season_of_the_other_hemisphere_begins_half_a_year_later(places, monkeypatch) -> None:
    config, elsewhere = places
    both = with_also(config, elsewhere)
    alike, table = training_data(both)
    there = (table["site"] != "").to_numpy()
    assert np.isfinite(alike.values[there, 0]).mean() > 0.7
    monkeypatch.setattr(sites, "is_southern", lambda one: one.workspace != config.workspace)
    turned, _ = training_data(both)
    # January to May there are July to November here, and this run has none of them.
    assert not np.isfinite(turned.values[there]).any()
    np.testing.assert_array_equal(turned.values[~there], alike.values[~there])


def test_the_middle_of_a_cube_tells_its_hemisphere(places, monkeypatch) -> None:
    config, _ = places
    assert not sites.is_southern(config)
    box = GeoBox((4, 4), Affine(3, 0, 500_000, 0, -3, 5_000_000), "EPSG:32719")  # the Andes
    monkeypatch.setattr("cpazmal_scale.grid.cf.grid_of", lambda _: box)
    assert sites.is_southern(config)


@pytest.mark.parametrize(
    ("start", "later"),
    [("01-01", "07-01"), ("10-01", "04-01"), ("08-31", "02-28"), ("12-31", "06-30")],
)
def test_half_a_year_later(start: str, later: str) -> None:
    assert sites.half_a_year_later(start) == later


def test_polygons_of_one_ground_are_one_group_and_those_of_another_are_not(places) -> None:
    config, elsewhere = places
    _, table = training_data(with_also(config, "ASC45", elsewhere))
    by_site = {site: set(part["group"]) for site, part in table.groupby("site")}
    assert set(by_site) == {"", "ASC45", "there/DSC37"}
    assert by_site[""] & by_site["ASC45"]
    assert not by_site["there/DSC37"] & (by_site[""] | by_site["ASC45"])


def test_a_model_of_all_is_assessed_and_maps_the_first(places) -> None:
    config, elsewhere = places
    both = with_also(config, "ASC45", elsewhere)
    alone, model = train(config), train(both)
    assert model.id != alone.id
    assert model.metadata["samples"].count("+") == 2
    assert plan_map(both).recipe.model == model.id
    own, _ = classify(both)
    export_map(both)
    other = config.with_values({"beam": "ASC45"})
    later = train(other)  # its pictures are the latest of the workspace
    classify(other)
    export_map(other)
    made = assess(both)
    page = Path(made.url).read_text()
    assert re.findall(r"\]\(((?:models|maps)/.+?|[^/]+)\.png\)", page) == [
        f"maps/{own.id}",
        f"models/{model.id}",
    ]
    drawn = [Path(config.workspace, "models", f"{one.id}.png") for one in (model, later)]
    html = Path(made.url).with_suffix(".html").read_text()
    assert [base64.b64encode(one.read_bytes()).decode() in html for one in drawn] == [True, False]
    assert (made.validation.summary()["macro_f1_mean"] > 0.4).any()
    card = (Path(config.workspace) / model.metadata["card"]).read_text()
    assert "there/DSC37" in card


def test_what_cannot_be_trained_on_together_is_refused(places, tmp_path: Path) -> None:
    config, elsewhere = places
    for also, match in (
        (("DSC99",), "neither a beam of this workspace nor a cube"),
        (("DSC37",), "trained on twice"),
        (("ASC45", "ASC45"), "is there twice"),
    ):
        with pytest.raises(ConfigError, match=match):
            training_data(with_also(config, *also))
    with pytest.raises((StoreMissing, ConfigError)):
        training_data(with_also(config, tmp_path / "cubes" / "DSC37.zarr"))
    shutil.copytree(elsewhere.parents[1] / "cubes", tmp_path / "undrawn" / "cubes")
    with pytest.raises(StoreMissing):
        training_data(with_also(config, tmp_path / "undrawn" / "cubes" / "DSC37.zarr"))
    with pytest.raises(ConfigError, match="goes with a cube"):
        RunConfig.parse({"samples": {"also": ["A"], "table": {"url": "x.csv"}}})
