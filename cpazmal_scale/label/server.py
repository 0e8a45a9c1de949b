"""What the page asks: pictures, polygons, edits, series and proposals."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import shapely
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cpazmal_scale import storage
from cpazmal_scale.errors import ConfigError, DiskFull, SampleError, WriterConflict
from cpazmal_scale.label import edits
from cpazmal_scale.label.layers import CHIP
from cpazmal_scale.web import Page, answer

if TYPE_CHECKING:
    from cpazmal_scale.label.desk import Desk
    from cpazmal_scale.label.layer import Polygon

_LARGEST = 16 << 20
"""Bytes of a question."""
_KEPT = {"cache-control": "private, max-age=86400, immutable"}


def page(desk: Desk) -> Page:
    """The page of a desk."""
    questions = Questions(desk)
    routes = [
        Route("/desk", questions.desk),
        Route("/state", questions.state),
        Route("/proposals", questions.proposals),
        Route("/tile/{layer}/{date:int}/{level:int}/{row:int}/{column:int}", questions.tile),
        Route("/limits/{layer}", questions.limits),
        Route("/chip/{layer}/{date:int}/{row:int}/{column:int}", questions.chip),
    ]
    told: dict[str, Callable[[Any], Any]] = {
        "edit": questions.edit,
        "undo": questions.undo,
        "redo": questions.redo,
        "save": questions.save,
        "series": questions.series,
        "keep": questions.keep,
        "take": questions.take,
    }
    routes += [Route(f"/{name}", _told(do), methods=["POST"]) for name, do in told.items()]
    return Page("cpazmal_scale.label", "static", tuple(routes), desk.close)


def _told(do: Callable[[Any], Any]) -> Callable[[Request], Any]:
    """An endpoint that answers a question in JSON, asked in a thread."""

    async def endpoint(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _LARGEST:
                raise ConfigError("the question is too long", remedy="draw fewer corners")
        try:
            value = json.loads(body or b"{}")
            if not isinstance(value, dict):
                raise TypeError("no fields")
        except (ValueError, TypeError, RecursionError):
            raise ConfigError("not a question in JSON", remedy="load the page again") from None
        try:
            return answer(await run_in_threadpool(do, value))
        except DiskFull as error:
            raise DiskFull(
                error.what,
                where=error.where,
                remedy="free space, then do this again: it was not done",
            ) from None

    return endpoint


class Questions:
    """The answers of one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def desk(self, request: Request) -> Response:  # noqa: ARG002
        """What does not change while the page is open."""
        desk, layers, cube = self._desk, self._desk.layers, self._desk.layers.cube
        sent = [
            [name for place, name in enumerate(cube.channels) if cube.has(place, date)]
            for date in range(len(cube.dates))
        ]
        return answer(
            {
                "beam": str(desk.cube.attrs.get("beam", "")),
                "place": desk.place,
                "dates": [
                    {"time": time, "sent": channels}
                    for time, channels in zip(desk.times, sent, strict=True)
                ],
                "first": layers.middle(cube.channels[0]),
                "polarisations": cube.channels,
                "features": layers.statistics,
                "map": layers.on_the_map,
                "window": desk.features.window,
                "units": desk.units,
                "chip": CHIP,
            }
        )

    def state(self, request: Request) -> Response:  # noqa: ARG002
        """All polygons, and how the file stands."""
        session = self._desk.session
        polygons = [self._polygon(one) for one in session.layer]
        return answer(
            {
                **self._standing(),
                "polygons": polygons,
                "changed": session.changed_elsewhere(),
                "unseen": session.table.unseen,
            }
        )

    def edit(self, question: dict[str, Any]) -> dict[str, Any]:
        """Do an edit, whose corners are coordinates of the page."""
        self._same(question)
        ground, session = self._desk.ground, self._desk.session
        try:
            given = dict(question["edit"])
            if "shape" in given:
                before = session.layer[given["id"]].shape if given["kind"] == "reshape" else None
                given["shape"] = ground.drawn(given["shape"], before)
            if "line" in given:
                given["line"] = ground.coordinates(given["line"])
            if given.get("kind") == "draw" and not given.get("group"):
                given["group"] = self._new_group(str(given.get("label", "")))
        except (TypeError, ValueError, KeyError, IndexError):
            raise SampleError("not a shape of this page", remedy="load the page again") from None
        return self._after(session.do(edits.from_plain(given)))

    def undo(self, question: dict[str, Any]) -> dict[str, Any]:
        """Take the last edit back."""
        self._same(question)
        return self._after(self._desk.session.undo())

    def redo(self, question: dict[str, Any]) -> dict[str, Any]:
        """Do it again."""
        self._same(question)
        return self._after(self._desk.session.redo())

    def save(self, question: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Bring the file to what the page shows."""
        written = self._desk.session.save()
        return {**self._standing(), "written": written}

    def keep(self, question: dict[str, Any]) -> dict[str, Any]:
        """Save to another file in the same folder, whose name is given."""
        name = str(question.get("name", ""))
        url = self._desk.session.url
        if PurePosixPath(name).name != name or not name.endswith(".gpkg") or "\\" in name:
            raise ConfigError(f"`{name}` is no name of a file", remedy="write something.gpkg")
        folder = url.rpartition("/")[0] if "/" in url else "."
        self._desk.session = self._desk.session.keep_mine(storage.join(folder, name))
        return self._standing()

    def take(self, question: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Take the file as it is; what was not saved is set aside."""
        aside = self._desk.session.take_theirs()
        return {**self._standing(), "aside": aside}

    def series(self, question: dict[str, Any]) -> dict[str, Any]:
        """Mean backscatter of a polygon, by its id or its corners, on every date."""
        desk = self._desk
        if isinstance(question.get("id"), int):
            shape = desk.session.layer[question["id"]].shape
        else:
            try:
                shape = edits.built(desk.ground.drawn(question["shape"]))
            except (TypeError, ValueError, KeyError, IndexError):
                raise SampleError("not a shape", remedy="load the page again") from None
        found = desk.series(shape)
        decibel = [[round(v, 3) if v == v else None for v in row] for row in found.decibel.tolist()]
        return {
            "decibel": dict(zip(desk.layers.cube.channels, decibel, strict=True)),
            "count": found.pixels,
            "read": found.read,
            "valid": found.valid,
        }

    def proposals(self, request: Request) -> Response:  # noqa: ARG002
        """Where a label helps most."""
        if self._desk.units:
            raise ConfigError("points are judged without the map", remedy="draw polygons instead")
        return answer(self._desk.proposed())

    def tile(self, request: Request) -> Response:
        """A picture of a part of a layer."""
        at = request.path_params
        place = at["level"], at["row"], at["column"]
        data = self._desk.layers.tile(at["layer"], at["date"], place)
        return Response(data, media_type="image/png", headers=_KEPT)

    def limits(self, request: Request) -> Response:
        """Values of black and white of a channel or feature."""
        return answer(self._desk.layers.limits(request.path_params["layer"]))

    def chip(self, request: Request) -> Response:
        """A picture of the surroundings of a pixel."""
        at = request.path_params
        data = self._desk.layers.chip(at["layer"], at["date"], at["row"], at["column"])
        return Response(data, media_type="image/png", headers=_KEPT)

    def _new_group(self, label: str) -> str:
        session = self._desk.session
        numbers = session.table.group in session.table.numbers
        return session.layer.new_group(label, numbers=numbers)

    def _same(self, question: dict[str, Any]) -> None:
        """Check that the page knows the present state: another one may be open beside it."""
        if question.get("revision") != self._desk.session.revision:
            raise WriterConflict(
                "the polygons were changed in another window", remedy="they are loaded again"
            )

    def _after(self, changed: Iterable[int]) -> dict[str, Any]:
        polygons = self._desk.session.layer.polygons
        here = [polygons[number] for number in changed if number in polygons]
        gone = [number for number in changed if number not in polygons]
        return {**self._standing(), "polygons": [self._polygon(one) for one in here], "gone": gone}

    def _standing(self) -> dict[str, Any]:
        session = self._desk.session
        return {
            "revision": session.revision,
            "unsaved": session.unsaved,
            "can": session.can,
            "file": session.url,
            "classes": self._desk.classes(),
        }

    def _polygon(self, polygon: Polygon) -> dict[str, Any]:
        shape, ground = polygon.shape, self._desk.ground
        facts: dict[str, Any] = {"id": polygon.id, "class": polygon.label, "group": polygon.group}
        if shape.geom_type == "Point":
            x, y = shapely.get_coordinates(shape)[0]
            column, row = self._desk.pixels.pixels(x, y).tolist()
            return {**facts, "at": ground.pixels(x, y).tolist(), "pixel": [int(row), int(column)]}
        return {**facts, "shape": ground.shown(shape)}
