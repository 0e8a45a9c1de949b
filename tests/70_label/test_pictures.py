"""Tiles, overviews, series and proposals, compared with what the arrays themselves say."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import shapely
from matplotlib.image import imread
from support.labelling import mapped_workspace, polygons_of, ragged, square
from support.small_campaign import SHAPE, backscatter, whole_series

from cpazmal_scale.errors import ConfigError, StoreMissing
from cpazmal_scale.label import proposals
from cpazmal_scale.label.desk import Desk
from cpazmal_scale.label.layer import Layer, Polygon
from cpazmal_scale.label.layers import STEP
from cpazmal_scale.palette import colours, rgb
from cpazmal_scale.stages import label as stage


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory):
    config = mapped_workspace(tmp_path_factory.mktemp("run"))
    opened = stage.polygons(config)
    yield opened
    opened.close()


def picture(data: bytes) -> np.ndarray:
    return (imread(io.BytesIO(data)) * 255).round().astype(int)


@pytest.mark.parametrize("level", [0, 1, 3, 5])
def test_features_are_those_of_the_map(desk: Desk, level: int) -> None:
    """At full size the map's own features, farther away the means of their valid pixels."""
    date, step = 5, 1 << level
    wanted = whole_series(desk.features)[:, date : date + 1]
    for place, name in enumerate(desk.layers.statistics):
        found = desk.layers.pyramid(name, date).tile(level, 0, 0)
        for y in range(0, -(-SHAPE[0] // step), 3):
            for x in range(0, -(-SHAPE[1] // step), 3):
                cell = wanted[place, 0, y * step : (y + 1) * step, x * step : (x + 1) * step]
                known = cell[np.isfinite(cell)]
                mean = known.mean() if known.size else np.nan
                np.testing.assert_allclose(found[y, x], mean, rtol=1e-4, atol=1e-5)
        assert np.isnan(found[-(-SHAPE[0] // step) :]).all()


def test_the_map_in_its_colours(desk: Desk) -> None:
    assert desk.layers.map is not None
    classes = desk.layers.map.data["class"].values
    shown = picture(desk.layers.tile("class", 0, (0, 0, 0)))
    shades = [rgb(colour) for colour in colours(desk.layers.map.recipe.classes).values()]
    for code, shade in enumerate(shades, 1):
        here = shown[: SHAPE[0], : SHAPE[1]][classes == code]
        assert (here[:, :3] == shade).all()
        assert (here[:, 3] == 255).all()
    assert (shown[: SHAPE[0], : SHAPE[1]][classes == 255][:, 3] == 0).all()
    assert (shown[SHAPE[0] :, :, 3] == 0).all()


@pytest.mark.parametrize("layer", ["HH", "HH.k1", "distance"])
def test_brighter_is_more(desk: Desk, layer: str) -> None:
    shown = picture(desk.layers.tile(layer, 2, (0, 0, 0)))[: SHAPE[0], : SHAPE[1]]
    power, _, _ = backscatter()
    values = power[0, 2] if layer == "HH" else desk.layers.pyramid(layer, 2).tile(0, 0, 0)
    values = values[: SHAPE[0], : SHAPE[1]]
    known = np.isfinite(values)
    assert (shown[..., 3][known] == 255).all()
    assert (shown[..., 3][~known] == 0).all()
    order = np.argsort(values[known])
    assert (np.diff(shown[..., 0][known][order]) >= 0).all()
    assert np.unique(shown[..., 0]).size > 20


def test_series_of_a_polygon(desk: Desk) -> None:
    power, mask, _ = backscatter()
    found = desk.series(shapely.transform(square(56, 20, 12), lambda a: a))
    rows, columns = slice(56, 68), slice(20, 32)
    shares = []
    for channel in range(2):
        for date in range(10):
            values = power[channel, date, rows, columns]
            good = np.isfinite(values) & (mask[date, rows, columns] & desk.features.excluded == 0)
            shares.append(good.mean())
            wanted = 10 * np.log10(values[good].mean()) if good.mean() >= 0.6 else np.nan
            np.testing.assert_allclose(found.decibel[channel, date], wanted, atol=0.01)
    assert np.isnan(found.decibel[1, 3]), "a date without HV is a gap"
    assert found.pixels == 144
    assert found.valid == pytest.approx(max(shares))


def test_series_of_a_polygon_smaller_than_a_pixel(desk: Desk) -> None:
    assert desk.series(square(10.3, 10.3, 0.3)).pixels == 1


def test_chips_reach_over_the_rim(desk: Desk) -> None:
    shown = picture(desk.layers.chip("HH", 0, 1, 1))
    assert shown.shape == (48, 48, 4)
    assert (shown[:23, :, 3] == 0).all()
    assert (shown[24:, 24:, 3] == 255).all()


@pytest.mark.parametrize(("layer", "date"), [("VV", 0), ("HH", 99), ("HH", -1), ("../x", 0)])
def test_layers_that_are_not_there(desk: Desk, layer: str, date: int) -> None:
    with pytest.raises(ConfigError):
        desk.layers.tile(layer, date, (0, 0, 0))


def test_points_are_judged_without_the_map(desk: Desk) -> None:
    blind = replace(desk.layers, map=None)
    for layer in ("class", "entropy", "distance"):
        with pytest.raises(StoreMissing):
            blind.tile(layer, 0, (0, 0, 0))
        with pytest.raises(ConfigError):
            desk.layers.chip(layer, 0, 1, 1)


def layer_of(*polygons: tuple[str, str, shapely.Polygon]) -> tuple[Layer, list[shapely.Polygon]]:
    """A layer whose shapes are in pixels."""
    made = {i: Polygon(i, *one) for i, one in enumerate(polygons, 1)}
    return Layer(made, len(made) + 1), [one.shape for one in made.values()]


@pytest.mark.parametrize("gap", range(10))
def test_neighbours_are_those_whose_windows_share_pixels(gap: int) -> None:
    """Counted on pixels: windows of 7 around the last pixel of one and the first of the other."""
    layer, shapes = layer_of(
        ("A", "1", shapely.box(0, 0, 10, 10)), ("A", "2", shapely.box(10 + gap, 0, 20 + gap, 10))
    )
    last, first = set(range(9 - 3, 9 + 4)), set(range(10 + gap - 3, 10 + gap + 4))
    assert bool(proposals.near(layer, shapes, 7)) == bool(last & first)


def test_only_groups_of_one_class_are_joined_and_two_classes_do_not_overlap() -> None:
    layer, shapes = layer_of(
        ("A", "1", shapely.box(0, 0, 10, 10)),
        ("A", "1", shapely.box(11, 0, 20, 10)),
        ("B", "1", shapely.box(5, 5, 9, 9)),
        ("B", "2", shapely.box(20, 0, 30, 10)),
        ("A", "2", shapely.box(0, 12, 10, 20)),
    )
    assert {(p.first, p.second) for p in proposals.near(layer, shapes, 7)} == {(1, 5), (2, 5)}
    assert [(p.first, p.second) for p in proposals.overlapping(layer, shapes)] == [(1, 3)]
    assert proposals.near(Layer({}, 1), [], 7) == []


def test_the_highest_places_lie_apart_and_outside_labels() -> None:
    cells = np.zeros((60, 60), np.float32)
    cells[10:13, 10:13] = 1.0
    cells[11:14, 14:17] = 0.9  # too near to the first
    cells[40:43, 40:43] = 0.8
    cells[40:43, 10:13] = 0.7  # labelled
    cells[:, 55:] = np.nan
    taken = [shapely.box(11 * STEP, 41 * STEP, 12 * STEP, 42 * STEP)]
    found = proposals.highest(cells, taken, most=2)
    assert [(p.row // STEP, p.column // STEP) for p in found] == [(11, 11), (41, 41)]
    assert proposals.highest(np.full((9, 9), np.nan, np.float32), []) == []


def test_groups_that_decide_the_errors_are_read_from_the_report() -> None:
    names = ("method", "group", "class", "windows", "right", "mistaken_for", "share_of_errors")
    rows = [
        dict(zip(names, row, strict=True))
        for row in (
            ("forest", "g9", "ABL", 3, 0.1, "ROC", 0.9),
            ("sum", "g1", "ABL", 3, 0.5, "ROC", 0.4),
            ("sum", "g2", "ACC", 4, 0.6, "ROC", 0.3),
            ("sum", "g3", "ACC", 4, 0.9, "ROC", 0.1),
        )
    ]
    assert [one.group for one in proposals.decisive(rows, "sum")] == ["g1", "g2"]
    assert proposals.decisive(rows, "nothing") == []


def test_proposals_of_a_workspace(desk: Desk) -> None:
    """The places are where the map itself is least sure, or farthest from every class."""
    found = desk.proposed()
    for reason, name in (("uncertain", "entropy"), ("far", "distance")):
        values = desk.layers.pyramid(name, 0).cells(1, 0, 0, *SHAPE)
        assert found[reason]
        best = found[reason][0]
        here = values[
            best["row"] - 12 : best["row"] + 12, best["column"] - 12 : best["column"] + 12
        ]
        assert np.nanmean(here) > np.nanmean(values)


def test_a_polygon_elsewhere_is_said(desk: Desk) -> None:
    far = polygons_of([("A", "1", ragged(9000, 9000, 20))]).geometry[0]
    with pytest.raises(Exception, match="outside the scenes"):
        desk.series(far)
