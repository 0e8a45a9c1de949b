"""The page of a map, and of two beside each other: facts, tiles and series behind addresses."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.errors import ConfigError, GridMismatch
from cpazmal_scale.mapping import (
    about,
    floored,
    mean_shares,
    place,
    read_recipe,
    summary,
    times,
)
from cpazmal_scale.view.cache import Held
from cpazmal_scale.view.cube import ShownCube
from cpazmal_scale.view.maps import Made, ShownMap
from cpazmal_scale.view.paint import ramp_table
from cpazmal_scale.view.pixel import PixelSeries
from cpazmal_scale.view.pyramid import EDGE
from cpazmal_scale.view.reduce import commonest, mean_power
from cpazmal_scale.vocabulary import REJECTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from cpazmal_scale.web import Page

MEMORY = 256 << 20
"""Bytes of decoded chunks that are kept for the tiles and series of a page."""


@dataclass(frozen=True, eq=False)
class _Side:
    """One map of the page with what it was made of; none where that is not there."""

    map: ShownMap
    series: PixelSeries | None
    facts: dict[str, Any]


def map_page(*urls: str, made: Made | None = None, memory: int = MEMORY) -> Page:
    """A page of one finished map, or of two on one grid, for a local server.

    Tiles come from the chunks of map and cube and from the map's own overviews; the series of a
    pixel from all dates of the cube at once.

    Args:
        urls: one map or two.
        made: where cube and model of the first map are; none: in its workspace.
        memory: bytes of decoded chunks that are kept.

    Raises:
        StoreMissing: there is no such map, or no cube or model where `made` says.
        StoreDamaged: one of them is not what was written.
        GridMismatch: the maps lie on different grids.
    """
    from cpazmal_scale import web

    held = Held(memory)
    sides: list[_Side] = []
    for number, url in enumerate(urls):
        sides.append(_opened(url, made if number == 0 else None, held))
    if len({side.map.grid for side in sides}) > 1:
        raise GridMismatch(
            "the maps lie on different grids",
            where=urls[1],
            remedy="compare maps of cubes of one grid",
        )
    answers = _Answers(tuple(sides))
    return web.Page("cpazmal_scale.view", "page", answers.routes, answers.close)


def _opened(url: str, made: Made | None, held: Held) -> _Side:
    from cpazmal_scale.model import open_model

    where = made or Made.beside(url, read_recipe(url))
    shown = ShownMap.open(url, held)
    model = None if where.model is None else open_model(where.model)
    cube = None if where.cube is None else ShownCube.open(where.cube, shown.recipe.dates, held)
    series = None if cube is None else PixelSeries.of(cube, shown.recipe, model)
    _warm(len(shown.recipe.classes), series)
    return _Side(shown, series, _facts(shown, series))


def _warm(classes: int, series: PixelSeries | None) -> None:
    """Compile and load what tiles and series need, before somebody waits for them."""
    commonest([*range(1, classes + 1)], np.zeros((2, 2), np.uint8), 2)
    mean_shares(np.zeros((1, 2, 2), np.uint16), 2)
    mean_power(np.zeros((2, 2), np.float32), 2)
    ramp_table("gray")
    if series is not None:
        series.of_nothing()


def _facts(shown: ShownMap, series: PixelSeries | None) -> dict[str, Any]:
    """What the page says of a map, and what it can ask for."""
    model = series.model if series is not None else None
    told = summary(shown.url)
    areas = _areas(told, shown.recipe.classes)
    found = about(shown.data, shown.recipe, model, areas, floored(told))
    found |= {"place": place(shown.data), "layers": list(shown.layers), "edge": EDGE}
    found |= {"dates": list(shown.recipe.dates), "channels": []}
    if series is None:
        return found
    found["channels"] = [
        {"name": name, "dates": [series.cube.has(c, d) for d in range(len(series.cube.dates))]}
        for c, name in enumerate(series.cube.channels)
    ]
    centres = series.centres()
    if model is not None and centres is not None:
        found |= times(shown.recipe, model)
        found["centres"] = np.round(centres, 4).tolist()
        means = model.means_on(shown.recipe.days, shown.recipe.season_start)
        found["means"] = None if means is None else np.round(means, 4).tolist()
    return found


def _areas(told: Mapping[str, Any], classes: Sequence[str]) -> dict[int, float]:
    """Square metres of each class value, from a map's summary."""
    codes = {code: value for value, code in enumerate(classes, 1)}
    codes["rejected"] = REJECTED
    found: dict[int, float] = defaultdict(float)
    for block in told["blocks"]:
        for code, area in block["square_metres"].items():
            if code in codes:
                found[codes[code]] += float(area)
    return found


@dataclass(frozen=True, eq=False)
class _Answers:
    sides: tuple[_Side, ...]

    def close(self) -> None:
        for side in self.sides:
            side.map.close()
            if side.series is not None:
                side.series.cube.close()

    @cached_property
    def routes(self) -> Any:
        from starlette.routing import Route

        at = "{level:int}/{row:int}/{column:int}.png"
        return (
            Route("/facts", self.facts),
            Route("/map/{side:int}/{layer}/{index:int}/" + at, self.tile),
            Route("/cube/{channel:int}/{date:int}/" + at, self.radar),
            Route("/limits/{channel:int}", self.limits),
            Route("/pixel/{side:int}/{row:int}/{column:int}", self.pixel),
        )

    def facts(self, _: Request) -> Response:
        """All maps of the page."""
        from cpazmal_scale.web import answer

        return answer([side.facts for side in self.sides])

    def tile(self, request: Request) -> Response:
        """A tile of a layer."""
        given = request.path_params
        hidden = [int(n) for n in request.query_params.get("hide", "").split(",") if n.isdigit()]
        hidden = [value for value in hidden if value < 256]
        shown = self._side(given["side"]).map
        tile = _place(request, shown.shape)
        return _png(shown.tile(given["layer"], tile, index=given["index"], hidden=hidden))

    def radar(self, request: Request) -> Response:
        """A tile of the first map's cube."""
        cube, channel = self._cube(request)
        date = request.path_params["date"]
        if not date < len(cube.dates):
            raise ConfigError(f"the map has no date {date}")
        return _png(cube.tile(channel, date, _place(request, cube.shape)))

    def limits(self, request: Request) -> Response:
        """Decibels of black and white of a channel."""
        from cpazmal_scale.web import answer

        cube, channel = self._cube(request)
        return answer(cube.limits(channel))

    def pixel(self, request: Request) -> Response:
        """What map and cube say of a pixel."""
        from cpazmal_scale.web import answer

        given = request.path_params
        side, row, column = self._side(given["side"]), given["row"], given["column"]
        height, width = side.map.shape
        if row >= height or column >= width:
            raise ConfigError(f"the map has {height} × {width} pixels, none at {row}, {column}")
        series = {} if side.series is None else side.series.at(row, column)
        return answer({**side.map.at(row, column), **series})

    def _side(self, number: int) -> _Side:
        if number >= len(self.sides):
            raise ConfigError(f"the page has no map {number}")
        return self.sides[number]

    def _cube(self, request: Request) -> tuple[ShownCube, int]:
        series, channel = self.sides[0].series, request.path_params["channel"]
        if series is None or channel >= len(series.cube.channels):
            raise ConfigError(f"the map's cube is not here or has no channel {channel}")
        return series.cube, channel


def _place(request: Request, shape: tuple[int, int]) -> tuple[int, int, int]:
    """Level, row and column of a tile that touches the grid."""
    level, row, column = (request.path_params[name] for name in ("level", "row", "column"))
    height, width = shape
    most = (max(shape) - 1).bit_length()
    if level > most or row * EDGE << level >= height or column * EDGE << level >= width:
        raise ConfigError(f"no tile {level}/{row}/{column} touches the map")
    return level, row, column


def _png(data: bytes) -> Response:
    from starlette.responses import Response

    return Response(data, media_type="image/png")
