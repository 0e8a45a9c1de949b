"""Fusion of beams, change between years, glacier outlines and statistics in each of them."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import re
import shutil
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from support.small_campaign import CLASSES, M2, SHAPE, UTM, WGS84, make_cube, make_model, workspace

from cpazmal_scale import storage
from cpazmal_scale.catalog.stac import stac_item
from cpazmal_scale.config import ClassStyle
from cpazmal_scale.errors import ConfigError, GridMismatch, ModelMismatch, SampleError
from cpazmal_scale.execute import Execution
from cpazmal_scale.grid.areas import class_areas
from cpazmal_scale.grid.blocks import Block
from cpazmal_scale.grid.outlines import read_outlines
from cpazmal_scale.kernels.posterior import decide_again
from cpazmal_scale.legend import legend
from cpazmal_scale.mapping import (
    by_zone,
    compare_maps,
    fuse_maps,
    open_map,
    open_source,
    plan_map,
    quicklook,
    restrict,
    to_cog,
)
from cpazmal_scale.mapping.classify.acquired import unlike
from cpazmal_scale.mapping.classify.pixels import empty_products
from cpazmal_scale.mapping.classify.run import area_lines
from cpazmal_scale.mapping.classify.store import publish, write_block, write_template
from cpazmal_scale.mapping.refine.change import Change, changed, unlike_data, weighed
from cpazmal_scale.mapping.refine.fusion import fused
from cpazmal_scale.mapping.refine.rates import STABLE, estimated, ground_shares, transition_rates
from cpazmal_scale.mapping.refine.source import Source
from cpazmal_scale.mapping.show.figures import figure_of, transitions_by_kind
from cpazmal_scale.mapping.show.styles import category_names
from cpazmal_scale.mapping.show.thumbnail import thumbnail
from cpazmal_scale.palette import LOSS, colours, rgb, sides, transition, transitions
from cpazmal_scale.storage import groups
from cpazmal_scale.vocabulary import NOTHING


def random_products(seed: int, shape: tuple[int, int] = SHAPE, classes: int = 4):
    """A map in patches with rejected pixels and pixels without data."""
    rng = np.random.default_rng(seed)
    out = empty_products(classes, *shape)
    share = rng.dirichlet(np.full(classes, 0.5), shape).transpose(2, 0, 1)
    out["probability"] = np.rint(share * 10000).astype(np.uint16)
    out["class"][:] = 1
    out["distance"] = rng.random(shape).astype(np.float32)
    out["n_valid_dates"] = rng.integers(6, 200, shape).astype(np.uint8)
    lost = rng.random(shape) < 0.2
    for name, blank in empty_products(classes, 1, 1).items():
        out[name][..., lost] = blank[..., 0, 0, None] if blank.ndim == 3 else blank[0, 0]
    decide_again(out)
    out["class"][(rng.random(shape) < 0.1) & ~lost] = 254
    return out


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory):
    """Makes finished maps with random values."""
    folder = tmp_path_factory.mktemp("maps")
    model = make_model(f"{folder}/model.zarr")

    @functools.cache
    def empty(grid: GeoBox) -> str:
        at = folder / f"grid-{grid.crs.epsg}-{grid.shape[1]}"
        made = plan_map(workspace(at), model, make_cube(f"{at}/cube.zarr", grid=grid))
        write_template(made)
        return made.url

    def make(seed: int, grid: GeoBox = UTM) -> str:
        url = f"{folder}/map{seed}.zarr"
        shutil.copytree(empty(grid), url)
        every = Block(0, grid.shape[0], 0, grid.shape[1])
        sums = write_block(url, every, random_products(seed, tuple(grid.shape)))
        root = storage.read_json(f"{url}/zarr.json")
        root["attributes"]["id"] = f"map{seed}"
        storage.write_json(f"{url}/zarr.json", root)
        publish(url, sums)
        return url

    return make


@pytest.fixture(scope="module")
def pair(maps) -> tuple[str, str]:
    return maps(1), maps(2)


def fingerprint(url: str) -> dict[str, str]:
    files = (path for path in Path(url).rglob("*") if path.is_file())
    return {
        str(path.relative_to(url)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), beams=st.integers(2, 4))
def test_fusion_equals_its_twin(seed, beams) -> None:
    parts = [random_products(seed + i, (5, 6)) for i in range(beams)]
    found = fused(parts)
    backwards = fused(parts[::-1])
    for name, values in found.items():
        np.testing.assert_array_equal(values, backwards[name])
    for y, x in np.ndindex(5, 6):
        codes = [int(p["class"][y, x]) for p in parts]
        use = [p for p, c in zip(parts, codes, strict=True) if c < 254]
        use = use or [p for p, c in zip(parts, codes, strict=True) if c == 254]
        if not use:
            assert found["class"][y, x] == 255
            assert (found["probability"][:, y, x] == NOTHING).all()
            assert np.isnan(found["distance"][y, x])
            continue
        mean = np.mean([p["probability"][:, y, x] for p in use], axis=0)
        got = found["probability"][:, y, x]
        assert np.abs(got - mean).max() <= 0.5
        only_rejected = not any(c < 254 for c in codes)
        assert found["class"][y, x] == (254 if only_rejected else got.argmax() + 1)
        known = [p for p, c in zip(parts, codes, strict=True) if c != 255]
        assert found["distance"][y, x] == min(p["distance"][y, x] for p in known)
        dates = sum(int(p["n_valid_dates"][y, x]) for p in parts)
        assert found["n_valid_dates"][y, x] == min(dates, 254)


def test_fused_map(pair, tmp_path) -> None:
    made = [
        fuse_maps(workspace(tmp_path / str(block)), urls, Execution(block=block))
        for block, urls in ((32, pair), (1024, pair[::-1]))
    ]
    assert fingerprint(made[0].url) == fingerprint(made[1].url)
    data = open_map(made[0].url)
    assert data.attrs["derived_from"] == ["map1", "map2"]
    sources = [open_map(url) for url in pair]
    both = (sources[0]["class"].values < 254) & (sources[1]["class"].values < 254)
    mean = (sources[0].probability.values + sources[1].probability.values.astype(int)) / 2
    assert np.abs(data.probability.values - mean)[:, both].max() <= 0.5
    assert (data["class"].values < 255).sum() > max(
        (s["class"].values < 255).sum() for s in sources
    )


def test_a_fused_map_names_all_its_classifiers(maps, tmp_path: Path) -> None:
    other = maps(8)
    root = storage.read_json(f"{other}/zarr.json")
    recipe = root["attributes"]["recipe"]
    root["attributes"]["recipe"] = recipe.replace('"method":"sum"', '"method":"logistic"')
    storage.write_json(f"{other}/zarr.json", root)
    publish(other, groups.read_sums(other, "").chunks)
    made = fuse_maps(workspace(tmp_path), [maps(9), other])
    names = {"DTW barycenter (sum)", "logistic regression"}
    with rasterio.open(to_cog(made.url, f"{tmp_path}/fused.tif")) as file:
        assert set(file.tags()["method"].split(" + ")) == names
    assert all(name in stac_item(made.url)["properties"]["description"] for name in names)


def test_only_maps_alike_are_combined(maps, pair, tmp_path) -> None:
    config = workspace(tmp_path)
    other = maps(3, WGS84)
    moved = maps(4, GeoBox((88, 120), UTM.transform, UTM.crs))
    with pytest.raises(GridMismatch, match="its CRS is WGS 84"):
        fuse_maps(config, [pair[0], other])
    with pytest.raises(GridMismatch, match=r"its shape is \(88, 120\)"):
        compare_maps(config, pair[0], moved)
    with pytest.raises(ConfigError, match="two different maps"):
        fuse_maps(config, [pair[0], pair[0]])
    renamed = maps(5)
    root = storage.read_json(f"{renamed}/zarr.json")
    root["attributes"]["recipe"] = root["attributes"]["recipe"].replace(
        '"ABL","ACC"', '"ACC","ABL"'
    )
    storage.write_json(f"{renamed}/zarr.json", root)
    publish(renamed, groups.read_sums(renamed, "").chunks)
    with pytest.raises(ModelMismatch, match="its classes are ACC, ABL, HAG, ICA"):
        fuse_maps(config, [pair[0], renamed])
    assert not (tmp_path / "maps").exists()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), classes=st.integers(2, 5))
def test_change_equals_its_twin(seed, classes) -> None:
    a, b = (random_products(seed + i, (4, 5), classes) for i in range(2))
    weights = np.random.default_rng(seed).uniform(1e-9, 9, (classes, classes))
    found = changed(a, b, weighed(a, b, weights))
    names = transitions([f"K{i}" for i in range(classes)])
    for y, x in np.ndindex(4, 5):
        one, two = int(a["class"][y, x]), int(b["class"][y, x])
        code = int(found["class"][y, x])
        if 255 in (one, two):
            assert code == 255
            assert found["change"][y, x] == NOTHING
            continue
        p, q = (
            part["probability"][:, y, x] / part["probability"][:, y, x].sum() for part in (a, b)
        )
        joint = np.outer(p, q) * weights
        moved = 1 - np.trace(joint) / joint.sum()
        assert found["change"][y, x] == pytest.approx(1e4 * moved, abs=0.51)
        assert found["margin"][y, x] == pytest.approx(1e4 * abs(2 * moved - 1), abs=1.51)
        if 254 in (one, two):
            assert code == 254
        elif one == two:
            assert names[code - 1] == f"K{one - 1}"
        else:
            assert names[code - 1] == f"K{one - 1}-K{two - 1}"


def test_map_of_change(pair, tmp_path) -> None:
    results = [
        compare_maps(workspace(tmp_path / str(b)), *pair, Execution(block=b)) for b in (32, 1024)
    ]
    assert fingerprint(results[0].map.url) == fingerprint(results[1].map.url)
    found = results[0]
    a, b = (open_map(url)["class"].values for url in pair)
    for i, j in np.ndindex(4, 4):
        pixels = ((a == i + 1) & (b == j + 1)).sum()
        assert found.mapped.iloc[i, j] == pytest.approx(pixels * M2 / 1e6)
    known = (a < 254) & (b < 254)
    assert found.expected.to_numpy().sum() == pytest.approx(known.sum() * M2 / 1e6)
    sources = [open_source(url) for url in pair]
    weights = transition_rates(*sources).weights
    p, q = (open_map(url).probability.values[:, known].astype(float) for url in pair)
    joint = p[:, None] * q * weights[..., None]
    expected = (joint / joint.sum(axis=(0, 1))).sum(axis=2)
    np.testing.assert_allclose(found.expected, expected * M2 / 1e6, rtol=1e-6)
    found_again = estimated(p, q, *(source.shares for source in sources))
    np.testing.assert_allclose(weights, found_again.weights, rtol=1e-9)
    pd.testing.assert_frame_equal(found.expected, results[1].expected)
    data = open_map(found.map.url)
    assert data["class"].attrs["flag_meanings"].split()[:6] == [
        *("ABL", "ABL-ACC", "ABL-HAG", "ABL-ICA", "ACC-ABL", "ACC"),
    ]
    assert "probability" not in data
    with pytest.raises(ModelMismatch, match="no probabilities"):
        fuse_maps(workspace(tmp_path), [found.map.url, pair[0]])
    to_cog(found.map.url, f"{tmp_path}/change.tif")
    quicklook(found.map.url, f"{tmp_path}/change.png", dpi=40)
    shown = thumbnail(data).margin
    np.testing.assert_allclose(shown[known], data["change"].values[known] * 1e-4, rtol=1e-5)
    assert stac_item(found.map.url)["properties"]["classification:classes"][1]["name"] == "ABL-ACC"


def observed(
    random: np.random.Generator, truth: np.ndarray, classes: int, noise: float
) -> np.ndarray:
    """Bayes' probabilities (C, n) of a classifier that sees each class's place with noise."""
    seen = np.eye(classes)[truth].T + noise * random.normal(size=(classes, truth.size))
    chances = np.exp(seen / noise**2)
    return np.asarray(chances / chances.sum(axis=0))


def share_of_change(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    joint = p[:, None] * q * estimated(p, q).weights[..., None]
    return 1 - np.trace(joint) / joint.sum(axis=(0, 1))


@pytest.mark.parametrize(("noise", "most"), [(0.3, 0.005), (0.5, 0.005), (1.0, 0.05)])
@pytest.mark.parametrize("moved", [0.0, 0.02, 0.1])
def test_noise_of_two_maps_is_no_change(noise: float, most: float, moved: float) -> None:
    """Two maps of up to 60 % errors: their classes differ far more often than the ground does."""
    random = np.random.default_rng(5)
    before = random.integers(0, 4, 20_000)
    new = random.random(before.size) < moved
    after = np.where(new, (before + 1) % 4, before)
    p, q = (observed(random, truth, 4, noise) for truth in (before, after))
    assert (p.argmax(axis=0) != q.argmax(axis=0)).mean() > moved + 0.04
    found = share_of_change(p, q)
    assert found.mean() == pytest.approx(new.mean(), abs=most)
    if noise < 0.4 and moved:
        assert found[new].mean() > 20 * found[~new].mean()
    assert share_of_change(p, p).max() < 1e-3


def test_maps_that_know_nothing_leave_what_was_taken() -> None:
    even = np.full((8, 50), 0.125)
    np.testing.assert_allclose(share_of_change(even, even), (1 - STABLE) * 7 / 8, rtol=1e-3)
    none = np.empty((3, 0))
    np.testing.assert_array_equal(estimated(none, none).weights, np.ones((3, 3)))
    sure = np.repeat(np.eye(3), [6, 3, 1], axis=1)
    np.testing.assert_allclose(
        share_of_change(sure, np.roll(sure, 1, axis=1)), [1, 0, 0, 0, 0, 0, 1, 0, 0, 1], atol=1e-6
    )


@pytest.mark.parametrize("ground", [(0.9, 0.05, 0.05), (0.7, 0.2, 0.1)])
def test_change_of_ground_unlike_the_training(ground: tuple[float, ...]) -> None:
    """A model trained on as many windows of each class, on ground that is nearly all of one."""
    random = np.random.default_rng(11)
    before = random.choice(3, 40_000, p=ground)
    new = (random.random(before.size) < 0.05) & (before == 0)
    after = np.where(new, random.integers(1, 3, before.size), before)
    p, q = (observed(random, truth, 3, 0.4) for truth in (before, after))
    even = np.full(3, 1 / 3)
    np.testing.assert_allclose(ground_shares(p, even), ground, atol=0.01)
    rates = estimated(p, q, even, even)
    joint = p[:, None] * q * rates.weights[..., None]
    joint /= joint.sum(axis=(0, 1))
    change = 1 - np.trace(joint)
    assert change.mean() == pytest.approx(new.mean(), abs=0.005)
    assert new[change > 0.5].mean() > 0.7
    assert rates.alone == pytest.approx(rates.differ, rel=0.03)
    assert rates.doubt is None


def test_errors_that_both_maps_share_are_told() -> None:
    """So are probabilities that are too flat or too sure."""
    random = np.random.default_rng(3)
    truth, even = random.choice(3, 40_000, p=(0.6, 0.3, 0.1)), np.full(3, 1 / 3)

    def seen(shared: float, sure: float, noise: float = 0.5) -> list[np.ndarray]:
        common = random.normal(size=(3, truth.size))
        out = []
        for _ in range(2):
            own = random.normal(size=common.shape)
            moved = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
            chances = np.exp(sure * (np.eye(3)[truth].T + noise * moved) / noise**2)
            out.append(chances / chances.sum(axis=0))
        return out

    assert estimated(*seen(0, 1), even, even).doubt is None
    assert "share errors" in str(estimated(*seen(0.5, 1), even, even).doubt)
    assert "righter than" in str(estimated(*seen(0, 0.5), even, even).doubt)
    assert "less right than" in str(estimated(*seen(0, 2), even, even).doubt)


def test_maps_that_contradict_their_probabilities_keep_their_classes() -> None:
    """Likelihood alone would call all ground one class where probabilities are too flat."""
    random = np.random.default_rng(4)
    truth, even = random.integers(0, 4, 20_000), np.full(4, 0.25)
    p, q = (observed(random, truth, 4, 1.0) ** 0.3 for _ in range(2))
    p, q = (part / part.sum(axis=0) for part in (p, q))
    rates = estimated(p, q, even, even)
    assert rates.doubt
    joint = p[:, None] * q * rates.weights[..., None]
    share = (joint / joint.sum(axis=(0, 1))).mean(axis=2)
    np.testing.assert_allclose(share.sum(axis=1), p.mean(axis=1), atol=1e-3)
    np.testing.assert_allclose(share.sum(axis=0), q.mean(axis=1), atol=1e-3)


def test_what_stayed_is_pale() -> None:
    codes = transitions(CLASSES)
    usual, chosen = colours(CLASSES), legend(codes).colours
    for code in CLASSES:
        for part, pale in zip(rgb(usual[code]), rgb(chosen[code]), strict=True):
            assert pale == pytest.approx(255 - (255 - part) / 4, abs=1)
    assert len(set(chosen.values())) == 16
    assert all(max(rgb(chosen[a])) > min(rgb(chosen[a])) for a in codes if "-" in a)


def test_maps_of_unlike_dates_are_told(pair, monkeypatch) -> None:
    """A year with HV beside one with a single date of it; a few dates less are no matter."""
    held = iter([{"HH": 29, "HV": 29}, {"HH": 27, "HV": 1}])
    monkeypatch.setattr("cpazmal_scale.mapping.refine.change.acquired_by", lambda *_: next(held))
    doubt = unlike_data([open_source(url) for url in pair])
    assert doubt is not None
    assert "HH on 29, HV on 29" in doubt
    assert "HH on 27, HV on 1" in doubt
    assert doubt.endswith("--polarisations HH")
    assert unlike({"HH": 30, "HV": 20}, {"HH": 16, "HV": 10}) == ()
    assert unlike({"HH": 30}, {"HH": 30, "VV": 1}) == ("VV",)
    monkeypatch.undo()
    assert unlike_data([open_source(url) for url in pair]) is None


def test_transitions_are_told_apart_by_kind() -> None:
    """Of eight classes: 56 transitions, a colour each, red for glacier lost, blue for won."""
    classes = ("ABL", "ACC", "FOR", "HAG", "ICA", "LAC", "PLA", "ROC")
    codes = transitions(classes)
    chosen = legend(codes).colours
    assert len(set(chosen.values())) == 64
    for code in (one for one in codes if "-" in one):
        before, after = (one in ("ABL", "ACC", "HAG", "ICA") for one in code.split("-"))
        red, green, blue = rgb(chosen[code])
        if before and not after:
            assert red > max(green, blue)
        elif after and not before:
            assert blue > max(red, green)
        elif before:
            assert min(red, blue) > green
        else:
            assert green > blue
    areas = dict.fromkeys(range(1, 65), 0.0) | {codes.index(code) + 1: 1.0 for code in classes}
    areas |= {codes.index("ICA-FOR") + 1: 9.0, codes.index("ABL-ROC") + 1: 10.0}
    areas |= {codes.index("FOR-ABL") + 1: 2.0}
    by_kind = transitions_by_kind(legend(codes), areas)
    assert list(by_kind) == ["stayed", "loss of glacier", "gain of glacier"]
    assert by_kind["loss of glacier"] == [("ABL-ROC", 10.0), ("ICA-FOR", 9.0)]
    own = legend(codes, {"ROC": ClassStyle(glacier=True)})
    assert "within glacier" in transitions_by_kind(own, areas)


HYPHENS = ("bare ice", "debris-covered ice", "forest", "snow-ice")


def test_names_with_hyphens_are_classes_and_changes_as_others(pair, tmp_path) -> None:
    """Four surfaces, three of ice: ice that gives way to forest is loss, and of no surface now."""
    codes = transitions(HYPHENS)
    named = legend(codes, {"snow-ice": ClassStyle(glacier=True)})
    assert named.glacier == {"bare ice", "debris-covered ice", "snow-ice"}
    assert {code: sides(codes)[code] for code in ("debris-covered ice-forest", "snow-ice")} == {
        "debris-covered ice-forest": ("debris-covered ice", "forest"),
        "snow-ice": ("snow-ice", "snow-ice"),
    }
    assert len({named.colours[code] for code in codes}) == 16
    for before in set(HYPHENS) - {"forest"}:
        assert transition(before, "forest", named.glacier) == LOSS
        red, green, blue = rgb(named.colours[f"{before}-forest"])
        assert red > max(green, blue)
    table = category_names(named).decode()
    assert len(re.findall(r"<F>1</F>\s*<F>\d+</F>\s*<F>\d+</F>\s*<F>\d+</F>", table)) == 3

    found = compare_maps(workspace(tmp_path), *pair)
    data = open_map(found.map.url)
    recipe = json.loads(data.attrs["recipe"]) | {"classes": codes}
    figure = figure_of(data.assign_attrs(recipe=json.dumps(recipe)))
    assert "Change of surface classes" in figure.get_suptitle()
    titles = " ".join(axis.get_title() for axis in figure.axes)
    assert "probability that the ground changed" in titles
    assert "certainty" not in titles
    texts = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert "loss of glacier" in texts
    assert any(" → " in text and "debris-covered ice" in text for text in texts)


def test_a_change_says_which_periods_it_compares(pair, tmp_path, monkeypatch) -> None:
    """A map of 2020 and one of the first quarter of 2021: both periods, each with its dates."""
    days = ["2020-01-08", "2020-06-01", "2020-12-20", "2021-01-06", "2021-03-31"]

    def dated(url: str) -> Source:
        found = open_source(url)
        own = days[:3] if url == pair[0] else days[3:]
        return dataclasses.replace(
            found, recipe=found.recipe.model_copy(update={"dates": tuple(own)})
        )

    monkeypatch.setattr("cpazmal_scale.mapping.refine.change.open_source", dated)
    made = compare_maps(workspace(tmp_path), *pair).map
    monkeypatch.undo()
    data = open_map(made.url)
    told = " ".join(text.get_text() for text in figure_of(data).texts)
    assert "8 Jan 2020 – 20 Dec 2020 (3 dates) → 6 Jan 2021 – 31 Mar 2021 (2 dates)" in told
    assert "5 dates" not in told
    with rasterio.open(to_cog(made.url, f"{tmp_path}/change.tif")) as file:
        assert file.tags()["compared"] == (
            "2020-01-08/2020-12-20 (3 dates) -> 2021-01-06/2021-03-31 (2 dates)"
        )
        assert file.tags(1)["CLASS_1"] == "ABL ablation area"
        assert file.tags(1)["CLASS_2"] == "ABL-ACC"
    assert "compares 8 Jan 2020" in stac_item(made.url)["properties"]["description"]


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ((3, 5), (0, 3), None),
        ((0, 3), (2, 5), "1 of 5 dates are in both maps"),
        ((0, 3), (0, 3), "3 of 3 dates are in both maps"),
    ],
)
def test_periods_of_a_change_follow_each_other(
    pair, tmp_path, monkeypatch, first: tuple[int, int], second: tuple[int, int], said: str | None
) -> None:
    """Reversed ones would turn loss into gain; scenes in both hide what they make wrong."""
    days = ["2020-01-08", "2020-06-01", "2020-12-20", "2021-01-06", "2021-03-31"]

    def dated(url: str) -> Source:
        found = open_source(url)
        own = tuple(days[slice(*(first if url == pair[0] else second))])
        return dataclasses.replace(found, recipe=found.recipe.model_copy(update={"dates": own}))

    monkeypatch.setattr("cpazmal_scale.mapping.refine.change.open_source", dated)
    if said is None:
        with pytest.raises(ConfigError, match="8 Jan 2020 – 20 Dec 2020: what was lost would be"):
            compare_maps(workspace(tmp_path), *pair)
        return
    doubts = compare_maps(workspace(tmp_path), *pair).doubts
    assert any(doubt.startswith(said) for doubt in doubts)


def test_tables_of_many_classes_are_whole(pair, tmp_path) -> None:
    """Eight classes, one of a long name: every column is there, and none runs into the next."""
    names = ["ABL", "ACC", "FOR", "HAG", "ICA", "LAC", "PLA", "debris-covered ice"]
    table = pd.DataFrame(np.full((8, 8), 1.25), index=names, columns=names)
    text = str(Change(compare_maps(workspace(tmp_path), *pair).map, table, table, ()))
    assert "..." not in text
    assert text.count("1.25") == 2 * 64
    named = legend(("CEREAL", "1", "ABL", "glacier lake-forest"), {"1": ClassStyle(name="Eis")})
    counts = dict.fromkeys(named.classes, 1)
    lines = area_lines(class_areas(named, counts, dict.fromkeys(counts, 2e6)), named)
    columns = [re.split(r" {2,}", line.strip()) for line in lines]
    assert columns == [
        ["CEREAL", "2.000 km²", "25.0%"],
        ["1", "Eis", "2.000 km²", "25.0%"],
        ["ABL", "ablation area", "2.000 km²", "25.0%"],
        ["glacier lake-forest", "2.000 km²", "25.0%"],
    ]
    assert len({len(line) for line in lines}) == 1


def test_other_maps_show_no_change() -> None:
    for classes in (("ABL", "debris-covered"), HYPHENS, ("a", "a-b", "b", "b-a"), ("ABL",)):
        assert sides(classes) == {}


def test_changes_that_hyphens_make_alike_are_told_apart() -> None:
    """`snow-ice` is a surface of its own here, and what snow that became ice would be called."""
    codes = transitions(("snow", "ice", "snow-ice"))
    assert len(set(codes)) == 9
    assert sides(codes)["snow-ice"] == ("snow-ice", "snow-ice")
    assert ("snow", "ice") in sides(codes).values()
    with pytest.raises(ValueError, match="one name"):
        transitions(("a", "b", "a-b", "a->b"))


def test_a_name_says_that_a_code_is_ice() -> None:
    named = legend(transitions(("1", "2")), {"1": ClassStyle(name="glacier", colour="red")})
    assert named.glacier == {"1"}
    assert transition(*named.changes["1-2"], named.glacier) == LOSS
    red, green, blue = rgb(named.colours["1"])
    assert red == 255
    assert 180 < green == blue < 255


def test_change_needs_codes_for_all_pairs(monkeypatch, pair, tmp_path) -> None:
    monkeypatch.setattr("cpazmal_scale.mapping.refine.change.MOST_CLASSES", 3)
    with pytest.raises(ModelMismatch, match="no room"):
        compare_maps(workspace(tmp_path), *pair)


@pytest.fixture(scope="module")
def glaciers(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Four outlines, one in two parts, two that overlap, one off the map; in WGS 84."""
    left, top = UTM.transform.c, UTM.transform.f

    def disc(x: float, y: float, radius: float) -> shapely.Polygon:
        return shapely.Point(left + 3 * x, top - 3 * y).buffer(3 * radius)

    shapes = [disc(30, 30, 22.3), disc(50, 36, 17.7), disc(75, 70, 9.2), disc(20, 75, 6.1)]
    shapes.append(disc(-900, 0, 20))
    table = geopandas.GeoDataFrame(
        {"RGI_ID": ["g1", "g2", "g3", "g3", "far"], "other": range(5)}, geometry=shapes, crs=32632
    )
    path = tmp_path_factory.mktemp("outlines") / "glaciers.gpkg"
    table.to_crs(4326).to_file(path)
    return str(path)


def test_zones_of_a_map_of_change(pair, glaciers, tmp_path) -> None:
    config = workspace(tmp_path, after={"outlines": glaciers, "zone": "RGI_ID"})
    found = compare_maps(config, *pair)
    codes = open_map(found.map.url)["class"].values
    table = by_zone(config, found.map.url, Execution(block=32)).set_index("zone")
    assert set(table.index) == {"g1", "g2", "g3"}
    for name, row in table.iterrows():
        inside = centres_inside(glaciers, [str(name)])
        for value, code in enumerate(found.map.classes, 1):
            pixels = (inside & (codes == value)).sum()
            assert row.get(f"{code}_km2", 0.0) == pytest.approx(pixels * M2 / 1e6)
    assert not [column for column in table if "probability" in column or "expected" in column]


def centres_inside(url: str, names: list[str]) -> np.ndarray:
    table = geopandas.read_file(url).to_crs(32632)
    shape = table[table["RGI_ID"].isin(names)].union_all()
    y, x = np.indices(SHAPE) + 0.5
    left, top = UTM.transform.c, UTM.transform.f
    return np.asarray(shapely.contains_xy(shape, left + 3 * x, top - 3 * y))


def test_restricted_map(pair, glaciers, tmp_path) -> None:
    configs = [workspace(tmp_path / str(n), after={"outlines": glaciers}) for n in range(2)]
    made = [
        restrict(c, pair[0], Execution(block=b)) for c, b in zip(configs, (32, 1024), strict=True)
    ]
    assert fingerprint(made[0].url) == fingerprint(made[1].url)
    inside = centres_inside(glaciers, ["g1", "g2", "g3"])
    source, result = open_map(pair[0]), open_map(made[0].url)
    blank = empty_products(4, 1, 1)
    for name in blank:
        expected = np.where(inside, source[name].values, blank[name])
        np.testing.assert_array_equal(result[name].values, expected)
    moved = geopandas.read_file(glaciers).translate(xoff=3e-4)
    moved.to_file(tmp_path / "moved.gpkg")
    other = workspace(tmp_path, after={"outlines": str(tmp_path / "moved.gpkg")})
    assert restrict(other, pair[0]).id != made[0].id


def test_statistics_of_every_glacier(pair, glaciers, tmp_path) -> None:
    config = workspace(tmp_path, after={"outlines": glaciers})
    table = by_zone(config, pair[0], Execution(block=32))
    pd.testing.assert_frame_equal(table, by_zone(config, pair[0]))
    assert table["zone"].tolist() == ["g1", "g2", "g3"]
    data = open_map(pair[0])
    codes, chances = data["class"].values, data.probability.values
    for _, row in table.iterrows():
        inside = centres_inside(glaciers, [row["zone"]])
        known = inside & (codes < 254)
        assert row["pixels"] == known.sum() > 100
        assert row["km2"] == pytest.approx(known.sum() * M2 / 1e6)
        assert row["rejected_km2"] == pytest.approx((inside & (codes == 254)).sum() * M2 / 1e6)
        assert row["no_data_km2"] == pytest.approx((inside & (codes == 255)).sum() * M2 / 1e6)
        for i, code in enumerate(CLASSES):
            pixels = (known & (codes == i + 1)).sum()
            assert row[f"{code}_km2"] == pytest.approx(pixels * M2 / 1e6)
            assert row[f"{code}_share"] == pytest.approx(pixels / known.sum())
            mean = chances[i][known].mean() * 1e-4
            assert row[f"{code}_probability"] == pytest.approx(mean)
            assert row[f"{code}_expected_km2"] == pytest.approx(mean * known.sum() * M2 / 1e6)


def test_areas_on_the_ellipsoid(maps, tmp_path) -> None:
    """On a geographic grid a zone of the whole map has the map's area."""
    url = maps(6, WGS84)
    box = WGS84.extent.geom
    geopandas.GeoDataFrame({"name": ["all"]}, geometry=[box], crs=4326).to_file(
        tmp_path / "all.gpkg"
    )
    row = by_zone(workspace(tmp_path, after={"outlines": str(tmp_path / "all.gpkg")}), url).iloc[0]
    pixel = math.radians(2.69494585e-5) ** 2 * 6378137**2 * math.cos(math.radians(45.84))
    whole = row["km2"] + row["rejected_km2"] + row["no_data_km2"]
    assert whole == pytest.approx(SHAPE[0] * SHAPE[1] * pixel / 1e6, rel=5e-3)
    assert whole != pytest.approx(SHAPE[0] * SHAPE[1] * M2 / 1e6, rel=0.1)


def test_outlines_that_cannot_be_used(pair, glaciers, tmp_path) -> None:
    config = workspace(tmp_path)
    for step in (restrict, by_zone):
        with pytest.raises(ConfigError, match="no outlines"):
            step(config, pair[0])
    (tmp_path / "broken.gpkg").write_bytes(b"not a file")
    with pytest.raises(SampleError, match="not a vector file"):
        read_outlines(f"{tmp_path}/broken.gpkg", open_source(pair[0]).grid)
    with pytest.raises(SampleError, match="no column `nom`"):
        read_outlines(glaciers, open_source(pair[0]).grid, "nom")
    table = geopandas.read_file(glaciers)
    table[table["RGI_ID"] == "far"].to_file(tmp_path / "far.gpkg")
    with pytest.raises(SampleError, match="no outline covers a pixel"):
        read_outlines(f"{tmp_path}/far.gpkg", open_source(pair[0]).grid)
    table.set_geometry(table.geometry.representative_point()).to_file(tmp_path / "points.gpkg")
    with pytest.raises(SampleError, match="no polygon"):
        read_outlines(f"{tmp_path}/points.gpkg", open_source(pair[0]).grid)
    assert read_outlines(glaciers, open_source(pair[0]).grid, "other").table["zone"].tolist() == [
        *"01234"
    ]
    assert not (tmp_path / "maps").exists()


def test_drawing_does_not_depend_on_the_block(pair, glaciers) -> None:
    outlines = read_outlines(glaciers, open_source(pair[0]).grid)
    whole = outlines.inside(Block(0, SHAPE[0], 0, SHAPE[1]))
    part = Block(32, 64, 32, 96)
    np.testing.assert_array_equal(outlines.inside(part), whole[32:64, 32:96])
