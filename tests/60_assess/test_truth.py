"""A map against a reference raster: a hand-made pair and a plain loop."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
import xarray as xr
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from support.small_campaign import make_cube, make_model, workspace

from cpazmal_scale.assess import boundary_share, compare_map
from cpazmal_scale.assess.report import mixed, sections
from cpazmal_scale.assess.report.markdown import markdown
from cpazmal_scale.assess.validate.metrics import scores
from cpazmal_scale.errors import SampleError, StoreDamaged, StoreError, StoreMissing
from cpazmal_scale.grid.blocks import Block
from cpazmal_scale.legend import legend
from cpazmal_scale.mapping import open_map, plan_map
from cpazmal_scale.mapping.classify.pixels import empty_products
from cpazmal_scale.mapping.classify.store import publish, write_block, write_template

CLASSES = ("ABL", "ACC", "ICA")
NAMES = ("ROC", "ICA", "ABL", "FOR", "ACC")
LEFT, TOP, PIXEL = 333_000.0, 5_082_000.0, 3.0


class Pair(NamedTuple):
    map_url: str
    truth_url: str
    mapped: Any
    truth: Any
    """On the map's grid."""


@functools.cache
def template(shape: tuple[int, int], classes: tuple[str, ...]) -> str:
    """An unfinished map on a grid whose corner is `LEFT`, `TOP`."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    grid = GeoBox(shape, Affine(PIXEL, 0, LEFT, 0, -PIXEL, TOP), "EPSG:32632")
    cube = make_cube(f"{folder}/cube.zarr", grid=grid)
    made = plan_map(workspace(folder), make_model(f"{folder}/model.zarr"), cube)
    recipe = made.recipe.model_copy(update={"classes": classes})
    write_template(replace(made, recipe=recipe, legend=legend(classes), chunk=4))
    return made.url


def write_map(
    url: str, values: Any, classes: tuple[str, ...] = CLASSES, *, complete: bool = True, **more: Any
) -> None:
    shutil.copytree(template(values.shape, classes), url)
    products = empty_products(len(classes), *values.shape) | {"class": values, **more}
    sums = write_block(url, Block(0, values.shape[0], 0, values.shape[1]), products)
    if complete:
        publish(url, sums)


def write_truth(path: Path, values: Any, dx: int = 0, dy: int = 0, tag: str | None = None) -> None:
    """A reference whose corner lies (dx, dy) pixels from the map's."""
    height, width = values.shape
    profile = {
        "driver": "GTiff",
        "dtype": values.dtype,
        "count": 1,
        "height": height,
        "width": width,
        "crs": "EPSG:32632",
        "transform": Affine(PIXEL, 0, LEFT + dx * PIXEL, 0, -PIXEL, TOP - dy * PIXEL),
    }
    with rasterio.open(path, "w", **profile) as target:
        target.write(values, 1)
        target.update_tags(classes=",".join(NAMES) if tag is None else tag)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """11 × 13 map; the reference begins two columns left of it and ends three rows early."""
    rng = np.random.default_rng(0)
    mapped = rng.choice([1, 2, 3, 254, 255], (11, 13), p=[0.3, 0.3, 0.2, 0.1, 0.1])
    mapped = mapped.astype(np.uint8)
    wide = rng.integers(0, 6, (8, 17), dtype=np.uint8)
    truth = np.zeros_like(mapped)
    truth[:8] = wide[:, 2:15]
    write_map(str(tmp_path / "map.zarr"), mapped)
    write_truth(tmp_path / "truth.tif", wide, dx=-2)
    return Pair(str(tmp_path / "map.zarr"), str(tmp_path / "truth.tif"), mapped, truth)


def polygons() -> geopandas.GeoDataFrame:
    """One of a mapped class across blocks, one of a class the map does not know."""
    x, y = LEFT, TOP
    shapes = [
        shapely.box(x + 4.5 * PIXEL, y - 6.5 * PIXEL, x + 6.5 * PIXEL, y - 4.5 * PIXEL),
        shapely.box(x + 9 * PIXEL, y - 3 * PIXEL, x + 12 * PIXEL, y),
    ]
    return geopandas.GeoDataFrame(
        {"class": ["ACC", "ROC"], "group": ["ACC001", "ROC001"]},
        geometry=shapes,
        crs="EPSG:32632",
    )


def counted(mapped: Any, truth: Any, use: Any) -> Any:
    """The counts by a plain loop: map classes, then ROC and FOR; classes, rejected, no data."""
    rows = [*CLASSES, "ROC", "FOR"]
    table = np.zeros((5, 5), int)
    for i, j in np.ndindex(mapped.shape):
        if truth[i, j] and use[i, j]:
            value = int(mapped[i, j])
            column = {254: 3, 255: 4}.get(value, value - 1)
            table[rows.index(NAMES[truth[i, j] - 1]), column] += 1
    return table


@pytest.mark.parametrize("block", [2, 5, 2048])
@pytest.mark.parametrize("margin", [0, 2])
def test_counts_are_those_of_a_plain_loop(pair: Pair, block: int, margin: int) -> None:
    found = compare_map(pair.map_url, pair.truth_url, polygons(), block=block, margin=margin)
    assert found.classes == CLASSES
    assert found.unknown == ("ROC", "FOR")
    everywhere = np.ones(pair.mapped.shape, bool)
    assert np.array_equal(found.every, counted(pair.mapped, pair.truth, everywhere))
    outside = everywhere.copy()
    outside[4 - margin : 7 + margin, 4 - margin : 7 + margin] = False
    assert np.array_equal(found.outside, counted(pair.mapped, pair.truth, outside))


@pytest.mark.parametrize("block", [3, 2048])
def test_probabilities_of_windows_of_one_and_of_several_classes(
    pair: Pair, tmp_path: Path, block: int
) -> None:
    """The figures by a plain loop over the pixels and their 3 × 3 windows."""
    rng = np.random.default_rng(5)
    shares = rng.dirichlet(np.full(3, 0.3), pair.mapped.shape).transpose(2, 0, 1)
    stored = np.round(shares * 1e4).astype(np.uint16)
    stored[:, pair.mapped == 255] = 65535
    mapped = pair.mapped.copy()
    mapped[:6, :6] = 2
    url = str(tmp_path / "believed.zarr")
    write_map(url, mapped, probability=stored)
    found = compare_map(url, pair.truth_url, polygons(), margin=1, block=block)
    pixels = []
    for i, j in np.ndindex(mapped.shape):
        around = (slice(max(i - 1, 0), i + 2), slice(max(j - 1, 0), j + 2))
        name = NAMES[pair.truth[i, j] - 1] if pair.truth[i, j] else ""
        if name in CLASSES and mapped[i, j] < 254 and stored[0, i, j] < 65535:
            right = CLASSES[mapped[i, j] - 1] == name
            true = len(set(pair.truth[around].ravel()) - {0}) > 1
            own = len(set(mapped[around].ravel()) - {254, 255}) > 1
            used = 3 <= i < 8 and 3 <= j < 8
            pixels.append((true, own, used, stored[:, i, j].max() / 1e4, right))
    every = pd.DataFrame(pixels, columns=["true", "own", "used", "sure", "right"])
    assert found.calibration is not None
    table = found.calibration.table().set_index(["reference", "windows"])
    for side, some in (
        ("all labelled pixels", every),
        ("without training polygons", every[~every["used"]]),
    ):
        kinds = {
            "all": some,
            "windows of one true class": some[~some["true"]],
            "windows of several true classes": some[some["true"]],
            "windows of one mapped class": some[~some["own"]],
            "windows of several mapped classes": some[some["own"]],
        }
        for kind, own in kinds.items():
            row, sure = table.loc[(side, kind)], own[own["sure"] > 0.9]
            bins = own.groupby(np.ceil(own["sure"] * 10 - 1e-9))
            gaps = sum(abs(one["sure"].sum() - one["right"].sum()) for _, one in bins)
            count = len(own) or np.nan
            assert row.to_numpy() == pytest.approx(
                [
                    *(len(own) / len(some), own["sure"].mean(), own["right"].mean()),
                    *(gaps / count, len(sure) / count),
                    *(sure["sure"].mean(), sure["right"].mean()),
                ],
                nan_ok=True,
            )
    text = markdown("", mixed.believed(found.calibration))
    assert f"{table.iloc[2]['ece']:.3f}" in text


def test_share_of_pixels_beside_another_class(tmp_path: Path) -> None:
    values = np.ones((12, 20), np.uint8)
    values[:, 10:] = 2
    values[0, 3], values[:, 19] = 254, 255
    write_map(str(tmp_path / "two.zarr"), values)
    share = 12 * 6 / (12 * 19 - 1)
    for block in (5, 1024):
        assert boundary_share(str(tmp_path / "two.zarr"), 3, block=block) == pytest.approx(share)


def test_polygons_in_another_reference_system(pair: Pair) -> None:
    here = compare_map(pair.map_url, pair.truth_url, polygons(), margin=0)
    there = compare_map(pair.map_url, pair.truth_url, polygons().to_crs("EPSG:4326"), margin=0)
    assert np.array_equal(here.outside, there.outside)


def test_table_tells_accuracies_and_what_is_left_out(pair: Pair) -> None:
    found = compare_map(pair.map_url, pair.truth_url, polygons(), margin=1)
    table = found.table()
    assert list(table.index) == ["all labelled pixels", "without training polygons"]
    for name, counts in zip(table.index, (found.every, found.outside), strict=True):
        row, own = table.loc[name], counts[:3]
        assert row["pixels"] == own.sum()
        assert row["no_data"] == own[:, 4].sum() / own.sum()
        assert row["rejected"] == own[:, 3].sum() / own.sum()
        assert row["oa"] == np.trace(own[:, :3]) / own[:, :4].sum()
        assert row["macro_f1"] == scores(own[:, :4]).macro_f1
    forced = found.every[3:, :3].sum() / found.every[:, :3].sum()
    assert found.forced == forced
    foreign = found.foreign()
    assert list(foreign.index) == ["ROC", "FOR"]
    assert foreign["pixels"].tolist() == found.every[3:, :4].sum(axis=1).tolist()
    assert foreign[[*CLASSES, "rejected"]].sum(axis=1).to_numpy() == pytest.approx([1, 1])
    text = markdown("", sections.against_reference(found))
    assert f"{100 * forced:.1f} % of the labelled pixels" in text
    assert f"{table.iloc[1]['macro_f1']:.3f}" in text


def test_perfect_map(tmp_path: Path) -> None:
    truth = np.random.default_rng(1).choice([2, 3, 5], (9, 9)).astype(np.uint8)
    write_truth(tmp_path / "truth.tif", truth, tag='["ROC", "ICA", "ABL", "FOR", "ACC"]')
    place = {2: 3, 3: 1, 5: 2}
    write_map(str(tmp_path / "map.zarr"), np.vectorize(place.get)(truth).astype(np.uint8))
    found = compare_map(str(tmp_path / "map.zarr"), str(tmp_path / "truth.tif"))
    assert found.table()["macro_f1"].tolist() == [1.0]
    assert found.outside is None
    assert found.forced == 0
    assert "knows every class" in markdown("", sections.against_reference(found))
    with pytest.raises(ValueError, match="without training polygons"):
        found.figures(outside=True)


def test_progress_counts_blocks(pair: Pair) -> None:
    told: list[tuple[int, int]] = []
    compare_map(pair.map_url, pair.truth_url, block=6, progress=lambda *at: told.append(at))
    assert told == [(n, 6) for n in range(1, 7)]


def test_memory_holds_one_block(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """No read of the map or the reference is larger than a block."""
    from cpazmal_scale.assess.against import truth as module

    seen = []
    honest = module.cross_table

    def watched(rows: Any, values: Any, shape: tuple[int, int]) -> Any:
        seen.append(values.shape)
        assert rows.shape == values.shape
        return honest(rows, values, shape)

    monkeypatch.setattr(module, "cross_table", watched)
    compare_map(pair.map_url, pair.truth_url, block=4)
    assert len(seen) == 12
    assert max(height * width for height, width in seen) == 16


def test_what_cannot_be_compared_is_refused(pair: Pair, tmp_path: Path) -> None:
    with pytest.raises(StoreMissing, match="no map here"):
        compare_map(str(tmp_path / "none.zarr"), pair.truth_url)
    with pytest.raises(StoreMissing, match="no such file"):
        compare_map(pair.map_url, str(tmp_path / "none.tif"))
    (tmp_path / "text.tif").write_text("not a raster")
    with pytest.raises(StoreError, match="not a GeoTIFF"):
        compare_map(pair.map_url, str(tmp_path / "text.tif"))
    write_truth(tmp_path / "bare.tif", np.ones((2, 2), np.uint8), tag="")
    with pytest.raises(StoreError, match="tag `classes`"):
        compare_map(pair.map_url, str(tmp_path / "bare.tif"))
    write_truth(tmp_path / "float.tif", np.ones((2, 2), np.float32))
    with pytest.raises(StoreError, match="not a reference"):
        compare_map(pair.map_url, str(tmp_path / "float.tif"))
    write_truth(tmp_path / "masked.tif", np.ones((2, 2), np.uint8))
    with rasterio.open(tmp_path / "masked.tif", "r+") as raster:
        raster.write_mask(np.array([[255, 0], [255, 255]], np.uint8))
    with pytest.raises(StoreError, match="a mask hides some of its pixels"):
        compare_map(pair.map_url, str(tmp_path / "masked.tif"))
    xr.Dataset({"HH": ("x", [1.0])}).to_zarr(tmp_path / "cube.zarr", zarr_format=3)
    with pytest.raises(StoreDamaged, match="not a map"):
        compare_map(str(tmp_path / "cube.zarr"), pair.truth_url)
    write_map(str(tmp_path / "clusters.zarr"), pair.mapped, ("C1", "C2", "C3"))
    with pytest.raises(SampleError, match="none of the map's classes C1, C2, C3"):
        compare_map(str(tmp_path / "clusters.zarr"), pair.truth_url)
    write_map(str(tmp_path / "half.zarr"), pair.mapped, complete=False)
    with pytest.raises(StoreError, match="not finished"):
        compare_map(str(tmp_path / "half.zarr"), pair.truth_url)


def test_a_lost_or_altered_chunk_is_no_lack_of_data(pair: Pair) -> None:
    chunk = next(Path(pair.map_url, "class", "c").rglob("1"), None)
    assert chunk is not None
    chunk = next(one for one in sorted(chunk.parent.rglob("*")) if one.is_file())
    kept = chunk.read_bytes()
    for damage in (chunk.unlink, lambda: chunk.write_bytes(kept[:-1])):
        damage()
        with pytest.raises(StoreDamaged):
            compare_map(pair.map_url, pair.truth_url)


def test_classes_of_several_words(tmp_path: Path) -> None:
    """CF's meanings are words that blanks separate; the classes keep their names."""
    named = ("bare rock", "zone d'ablation", "forêt")
    truth = np.random.default_rng(2).choice([1, 2, 3], (9, 9)).astype(np.uint8)
    write_truth(tmp_path / "truth.tif", truth, tag=",".join(named))
    write_map(str(tmp_path / "map.zarr"), truth, named)
    found = compare_map(str(tmp_path / "map.zarr"), str(tmp_path / "truth.tif"))
    assert found.classes == named
    assert found.table()["oa"].tolist() == [1.0]
    flags = open_map(str(tmp_path / "map.zarr"))["class"].attrs
    assert flags["flag_meanings"].split(" ") == [
        "bare_rock",
        "zone_d_ablation",
        "forêt",
        "rejected",
    ]
