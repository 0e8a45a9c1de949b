"""Maps made of maps: smoothing, modal filter and minimum mapping unit, with naive twins."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from rio_cogeo.cogeo import cog_validate
from scipy.ndimage import label
from support.small_campaign import CLASSES, make_cube, make_model, workspace

from cpazmal_scale import storage
from cpazmal_scale.catalog.stac import stac_item
from cpazmal_scale.errors import BlocksFailed, ConfigError, StoreError
from cpazmal_scale.execute import Execution, SerialExecutor
from cpazmal_scale.kernels.posterior import as_stored, decide_again
from cpazmal_scale.mapping import (
    map_cube,
    modal,
    open_map,
    pool,
    quicklook,
    read_root,
    refine_map,
    sieve,
    smooth,
    to_cog,
)
from cpazmal_scale.mapping.refine.modal import modal_classes
from cpazmal_scale.mapping.refine.pool import pooled
from cpazmal_scale.mapping.refine.sieve import sieved
from cpazmal_scale.mapping.refine.smooth import smoothed
from cpazmal_scale.vocabulary import NOTHING


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A map with rejected pixels and pixels without data."""
    folder = tmp_path_factory.mktemp("campaign")
    data = make_model(f"{folder}/model.zarr"), make_cube(f"{folder}/cube.zarr")
    return map_cube(workspace(folder, classify={"reject": 1.5}), *data).url


def random_map(rng: np.random.Generator, classes: int, shape: tuple[int, int]):
    """Stored probabilities (C, h, w) and class values, some rejected, some without data."""
    share = rng.dirichlet(np.full(classes, 0.4), shape).transpose(2, 0, 1)
    probability = np.rint(share * 10000).astype(np.uint16)
    codes = (probability.argmax(axis=0) + 1).astype(np.uint8)
    codes[rng.random(shape) < 0.1] = 254
    lost = rng.random(shape) < 0.15
    codes[lost] = 255
    probability[:, lost] = NOTHING
    return probability, codes


def fingerprint(url: str) -> dict[str, str]:
    files = (path for path in Path(url).rglob("*") if path.is_file())
    return {
        str(path.relative_to(url)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def twin_smoothed(probability, codes, window, strength):
    """sits' estimator, pixel by pixel, in float64."""
    half = window // 2
    classes, height, width = probability.shape
    logit = np.clip(probability.astype(float), 1, 9999) / 1e4
    logit = np.log(logit / (1 - logit))
    out = probability[:, half : height - half, half : width - half].copy()
    valid = (codes >= 1) & (codes <= classes)
    for y in range(half, height - half):
        for x in range(half, width - half):
            if not valid[y, x]:
                continue
            there = (slice(y - half, y + half + 1), slice(x - half, x + half + 1))
            chances = []
            for c in range(classes):
                near = logit[c][there][valid[there]]
                value = logit[c, y, x]
                if near.size > 1:
                    variance = near.var(ddof=1)
                    weight = variance / (variance + strength) if variance >= 1e-4 else 0
                    value = weight * value + (1 - weight) * near.mean()
                chances.append(1 / (1 + math.exp(-value)))
            out[:, y - half, x - half] = np.rint(np.array(chances) / sum(chances) * 1e4)
    return out


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    classes=st.integers(1, 5),
    window=st.sampled_from([3, 5, 9]),
    strength=st.sampled_from([0.3, 20.0, 1e6]),
)
def test_smoothing_equals_its_twin(seed, classes, window, strength) -> None:
    rng = np.random.default_rng(seed)
    shape = (window + int(rng.integers(0, 9)), window + int(rng.integers(0, 9)))
    probability, codes = random_map(rng, classes, shape)
    found = smoothed(probability, codes, window=window, strength=strength)
    expected = twin_smoothed(probability, codes, window, strength)
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1


def test_smoothing_draws_doubt_to_its_neighbours_and_leaves_uniform_ground() -> None:
    probability = np.full((2, 15, 15), 9000, np.uint16)
    probability[1] = 1000
    probability[:, 7, 7] = 4500, 5500
    codes = np.where(probability[0] > 5000, 1, 2).astype(np.uint8)
    found = smoothed(probability, codes, window=7, strength=20)
    assert found[0, 4, 4] > 8500
    assert (found[:, 0, 0] == [9000, 1000]).all()
    assert np.array_equal(smoothed(probability, codes, window=1, strength=20), probability)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), classes=st.integers(1, 5), window=st.sampled_from([1, 3, 7]))
def test_pooling_is_the_mean_of_the_windows_that_hold_a_pixel(seed, classes, window) -> None:
    """Every window gives its probabilities to all its pixels; a pixel has the mean of its gifts."""
    rng = np.random.default_rng(seed)
    half = window // 2
    shape = (window + int(rng.integers(0, 9)), window + int(rng.integers(0, 9)))
    probability, codes = random_map(rng, classes, shape)
    given_to = np.zeros((classes, shape[0] + 2 * half, shape[1] + 2 * half))
    gifts = np.zeros(given_to.shape[1:])
    valid = (codes >= 1) & (codes <= classes)
    for y, x in np.argwhere(valid):
        held = np.s_[y : y + window, x : x + window]
        given_to[:, *held] += probability[:, y, x, None, None]
        gifts[held] += 1
    mean = (given_to / np.maximum(gifts, 1))[:, half : half + shape[0], half : half + shape[1]]
    expected = np.where(valid, np.floor(mean + 0.5), probability)
    inner = np.s_[:, half : shape[0] - half, half : shape[1] - half]
    np.testing.assert_array_equal(pooled(probability, codes, window), expected[inner])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), classes=st.integers(2, 6))
def test_deciding_again_equals_its_twin(seed, classes) -> None:
    rng = np.random.default_rng(seed)
    probability, codes = random_map(rng, classes, (6, 7))
    products = {
        "class": codes.copy(),
        "probability": probability,
        "entropy": np.zeros((6, 7), np.uint16),
        "margin": np.zeros((6, 7), np.uint16),
    }
    decide_again(products)
    for y, x in np.ndindex(6, 7):
        got = tuple(int(products[name][y, x]) for name in ("class", "entropy", "margin"))
        if codes[y, x] == 255:
            assert got == (255, NOTHING, NOTHING)
            continue
        share = probability[:, y, x] / probability[:, y, x].sum()
        doubt = -sum(p * math.log(p) for p in share if p > 0) / math.log(classes)
        ordered = np.sort(share)
        assert got[0] == (254 if codes[y, x] == 254 else share.argmax() + 1)
        assert got[1] == pytest.approx(1e4 * doubt, abs=0.51)
        assert got[2] == pytest.approx(1e4 * (ordered[-1] - ordered[-2]), abs=0.51)


def test_shares_are_stored_to_the_nearest_unit() -> None:
    halves = (np.arange(10_001, dtype=np.float32) + np.float32(0.5)) * np.float32(1e-4)
    around = np.stack([halves, np.nextafter(halves, np.float32(0)), halves - np.float32(5e-5)])
    expected = np.rint(around * np.float32(10_000)).astype(np.uint16)
    around[0, 7], expected[0, 7] = np.nan, NOTHING
    np.testing.assert_array_equal(as_stored(around), expected)


def test_certain_stays_certain() -> None:
    products = {
        "class": np.array([[9, 9]], np.uint8),
        "probability": np.array([[[10000, 5000]], [[0, 5000]]], np.uint16),
        "entropy": np.zeros((1, 2), np.uint16),
        "margin": np.zeros((1, 2), np.uint16),
    }
    decide_again(products)
    assert products["class"].tolist() == [[1, 1]]
    assert products["entropy"].tolist() == [[0, 10000]]
    assert products["margin"].tolist() == [[10000, 0]]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), window=st.sampled_from([1, 3, 5, 7]))
def test_modal_filter_equals_counting(seed, window) -> None:
    rng = np.random.default_rng(seed)
    half = window // 2
    codes = rng.choice([1, 2, 3, 254, 255], (10, 12)).astype(np.uint8)
    found = modal_classes(codes, window)
    assert found.shape == (10 - 2 * half, 12 - 2 * half)
    for y, x in np.ndindex(found.shape):
        own = int(codes[y + half, x + half])
        near = [v for v in codes[y : y + window, x : x + window].ravel().tolist() if v != 255]
        most = max((near.count(v) for v in near), default=0)
        modes = sorted(v for v in set(near) if near.count(v) == most)
        expected = own if own == 255 or own in modes else modes[0]
        assert found[y, x] == expected


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), least=st.integers(1, 12))
def test_sieve_leaves_no_small_patch(seed, least) -> None:
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.repeat(rng.choice([1, 2, 3, 254, 255], (7, 8)), 2, 0), 3, 1)
    codes = np.where(rng.random(codes.shape) < 0.2, rng.choice([1, 2], codes.shape), codes)
    codes = codes.astype(np.uint8)
    valid = (codes != 255).astype(np.uint8)
    found = sieved(codes.copy(), np.empty_like(codes), valid, least)
    assert ((found == 255) == (codes == 255)).all()
    grounds = label(valid)[0]
    for value in np.unique(codes):
        if value == 255:
            continue
        before, after = (label(image == value) for image in (codes, found))
        for number in range(1, before[1] + 1):
            patch = before[0] == number
            assert patch.sum() < least or (found[patch] == value).all()
        for number in range(1, after[1] + 1):
            patch = after[0] == number
            # What is still small is no larger with all its neighbours, or touches no large patch.
            if patch.sum() < least:
                ground = grounds == grounds[patch][0]
                assert _largest(codes, ground) < least


def _largest(codes, ground) -> int:
    sizes = [0]
    for value in np.unique(codes[ground]):
        parts = label((codes == value) & ground)[0]
        sizes += np.bincount(parts.ravel())[1:].tolist()
    return max(sizes)


@pytest.mark.parametrize(
    ("step", "after"),
    [
        (pool, {"pool": 7}),
        (smooth, {"window": 9}),
        (modal, {"modal": 5}),
        (sieve, {"min_area": 90.0}),
    ],
)
def test_blocks_change_nothing(finished, tmp_path, step, after) -> None:
    """The same bytes for one block, for many, and for several workers."""
    found = []
    for number, (block, cluster) in enumerate(
        [(1024, {"kind": "serial"}), (32, {"kind": "threads", "workers": 2})]
    ):
        config = workspace(tmp_path / str(number), after=after, cluster=cluster)
        made = step(config, finished, Execution(block=block))
        found.append((made.id, made.pixels_by_class, fingerprint(made.url)))
    assert found[0] == found[1]
    assert len(made.blocks) == 12
    source, result = open_map(finished), open_map(made.url)
    assert (source["class"].values != result["class"].values).any()
    lost = source["class"].values == 255
    np.testing.assert_array_equal(lost, result["class"].values == 255)
    assert made.pixels_by_class["no_data"] == lost.sum()
    np.testing.assert_array_equal(source.distance, result.distance)


def test_smoothed_map_equals_the_function(finished, tmp_path) -> None:
    made = smooth(
        workspace(tmp_path, after={"window": 5, "strength": 3.0}), finished, Execution(block=32)
    )
    source, result = open_map(finished), open_map(made.url)
    around = ((2, 2), (2, 2))
    probability = np.pad(source.probability.values, ((0, 0), *around), constant_values=NOTHING)
    codes = np.pad(source["class"].values, around, constant_values=255)
    expected = smoothed(probability, codes, window=5, strength=3.0)
    np.testing.assert_array_equal(result.probability, expected)
    rejected = source["class"].values == 254
    assert rejected.any()
    assert (result["class"].values[rejected] == 254).all()
    np.testing.assert_array_equal(
        result.probability.values[:, rejected], source.probability.values[:, rejected]
    )


def test_derived_maps_are_maps(finished, tmp_path) -> None:
    """Everything that is made of a map can be made of a smoothed one."""
    made = smooth(workspace(tmp_path, after={"window": 5}), finished)
    data = open_map(made.url)
    source = open_map(finished)
    assert data.attrs["derived"] == "smoothed"
    assert data.attrs["derived_from"] == [source.attrs["id"]]
    assert json.loads(data.attrs["settings"]) == {"window": 5, "strength": 20.0}
    assert data.rio.crs.to_epsg() == 32632
    np.testing.assert_array_equal(data.x, source.x)
    assert {n: v.dtype for n, v in data.items()} == {n: v.dtype for n, v in source.items()}
    tif = to_cog(made.url, f"{tmp_path}/map.tif")
    assert cog_validate(tif)[0]
    with rasterio.open(tif) as file:
        np.testing.assert_array_equal(file.read(1), data["class"])
    assert Path(quicklook(made.url, f"{tmp_path}/map.png", dpi=40)).stat().st_size > 0
    assert stac_item(made.url)["id"] == f"map-{made.id}"
    assert made.areas["pixels"].sum() == (data["class"].values < 255).sum()
    assert "ABL  ablation area" in str(made)


def test_made_once_and_resumed(finished, tmp_path, monkeypatch) -> None:
    config = workspace(tmp_path, after={"window": 5})
    whole = smooth(config, finished, Execution(block=32))
    assert whole.blocks_executed == len(whole.blocks) == 12
    assert smooth(config, finished).blocks_executed == 0
    expected = fingerprint(whole.url)
    shutil.rmtree(whole.url)
    storage.remove(whole.url.replace(".zarr", ".json"))

    class Dying(SerialExecutor):
        def run(self, function, keys):
            for number, (key, result) in enumerate(super().run(function, keys)):
                yield key, result if number < 5 else RuntimeError("lost")

    with pytest.raises(BlocksFailed, match=r"7 of 12 blocks failed.*lost"):
        smooth(config, finished, Execution(block=32, executor=Dying()))
    with pytest.raises(StoreError, match="not finished"):
        open_map(whole.url)
    # All blocks were recorded before their answers were lost; two records go as well.
    for name in ("block-y0-x0.json", "block-y32-x64.json"):
        storage.remove(whole.url.replace(".zarr", f".progress/{name}"))
    again = smooth(config, finished)
    assert again.blocks_executed == 2
    assert fingerprint(again.url) == expected
    assert again.pixels_by_class == whole.pixels_by_class
    assert not Path(whole.url.replace(".zarr", ".progress")).exists()


def test_on_an_object_store(finished, tmp_path, s3_url) -> None:
    here, there = (
        smooth(workspace(at, after={"window": 5}), finished, Execution(block=64))
        for at in (tmp_path, s3_url)
    )
    again = modal(workspace(s3_url, after={"modal": 3}), there.url)
    assert here.id == there.id
    xr.testing.assert_identical(open_map(here.url).load(), open_map(there.url).load())
    assert again.pixels_by_class["no_data"] == here.pixels_by_class["no_data"]


def test_steps_follow_each_other(finished, tmp_path) -> None:
    config = workspace(tmp_path, after={"pool": 7, "window": 5, "modal": 3, "min_area": 50.0})
    steps = refine_map(config, finished)
    assert [made.kind for made in steps] == ["pooled", "smoothed", "modal-filtered", "sieved"]
    for before, after in itertools.pairwise(steps):
        assert read_root(after.url)["attributes"]["derived_from"] == [before.id]
    summary = json.loads(Path(steps[-1].url.replace(".zarr", ".json")).read_text())
    assert summary["settings"] == {"pixels": 6}
    shares = [open_map(url).attrs["class_shares"] for url in (finished, steps[-1].url)]
    assert shares[0] == shares[1]
    assert sum(shares[0]) == pytest.approx(1)
    final = open_map(steps[-1].url)
    assert tuple(final.class_name.values) == CLASSES
    with pytest.raises(ConfigError, match="nothing to do"):
        refine_map(workspace(tmp_path), finished)


def test_windows_are_odd() -> None:
    with pytest.raises(ConfigError, match=r"after.window must be odd"):
        workspace("x", after={"window": 4})
    for name in ("pool", "modal"):
        with pytest.raises(ConfigError, match=rf"after.{name} must be odd"):
            workspace("x", after={name: 6})
