"""A page as its program gives it: files of the package, and what they ask the server."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute


def _nothing() -> None:
    """What a page without resources does when its server ends."""


@dataclass(frozen=True)
class Page:
    """A page and its server's answers.

    `package` names the Python package whose folder `folder` holds `index.html`, its scripts and
    styles; `routes` (Starlette) answer what they ask, at addresses relative to the page; `close`
    runs when the server ends. Files of this room are at `lib/`: `openlayers.js` (a module),
    `openlayers.css`, `page.js`, `page.css`.
    """

    package: str
    folder: str
    routes: tuple[BaseRoute, ...] = ()
    close: Callable[[], None] = field(default=_nothing)

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """Content of every file by its address."""
        own = _content(resources.files(self.package) / self.folder)
        ours = _content(resources.files("cpazmal_scale.web") / "files")
        return {**own, **{f"lib/{name}": content for name, content in ours.items()}}

    async def file(self, request: Request) -> Response:
        """One file; the page itself at the empty address."""
        name = request.path_params["name"] or "index.html"
        content = self.files.get(name)
        if content is None:
            return PlainTextResponse("there is no such file", 404)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        kind = "text/javascript" if name.endswith(".js") else kind
        return Response(content, media_type=kind)


def _content(folder: Traversable) -> dict[str, bytes]:
    kinds = (".html", ".css", ".js", ".svg", ".txt")
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.name.endswith(kinds)}
