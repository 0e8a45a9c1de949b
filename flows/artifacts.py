"""What a run shows in the Prefect UI: progress, tables, pictures, links."""

from __future__ import annotations

import base64
import io
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx
from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.logging import get_run_logger

from cpazmal_scale import storage
from cpazmal_scale.catalog import Entry
from cpazmal_scale.config import RunConfig
from cpazmal_scale.progress import Progress
from cpazmal_scale.stages import workspace
from flows.wording import facts_in_words

_SECONDS_BETWEEN_UPDATES = 2.0
_PICTURE_EDGE = 900
"""Longest edge of a picture in pixels: it travels inside the artifact."""


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """A progress artifact with rate and remaining time, as a function of (done, total)."""
    shown = _shown(create_progress_artifact, 0.0, key=_key(title), description=title)
    began = last = time.monotonic()
    first: int | None = None

    def update(done: int, total: int) -> None:
        nonlocal last, first
        now = time.monotonic()
        first = done if first is None else first
        if isinstance(shown, UUID) and total and now - last > _SECONDS_BETWEEN_UPDATES:
            last = now
            text = f"{title}: {pace(done - first, total - done, now - began)}"
            _shown(update_progress_artifact, shown, round(100 * done / total, 1), description=text)

    yield update
    if isinstance(shown, UUID):
        _shown(update_progress_artifact, shown, 100.0)


def pace(done: int, left: int, seconds: float) -> str:
    """Rate and remaining time, of what this run did itself."""
    rate = done / seconds
    if not rate:
        return f"{left:,} left"
    minutes, rest = divmod(round(left / rate), 60)
    return f"{rate:,.{0 if rate >= 10 else 1}f}/s, {left:,} left, about {minutes} min {rest:02d} s"


def show_table(title: str, rows: Sequence[Mapping[str, str]]) -> None:
    """A table of text under headings, as `flows.wording` makes it."""
    table = [dict(row) for row in rows]
    _shown(create_table_artifact, table, key=_key(title), description=f"## {_headed(title)}")


def show_product(title: str, facts: Mapping[str, Any], *, code: str = "") -> None:
    """What a product is, and the lines that open it."""
    lines = [f"## {_headed(title)}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {markdown_cell(text)} |" for name, text in facts_in_words(facts).items()]
    if code:
        lines += ["", "```python", *(line.strip() for line in code.splitlines()), "```"]
    _shown(create_markdown_artifact, "\n".join(lines), key=_key(title), description=title)


def show_text(title: str, url: str) -> None:
    """A markdown document, such as the report."""
    text = storage.read_bytes(url).decode()
    _shown(create_markdown_artifact, text, key=_key(title), description=f"{title}: {url}")


def show_links(title: str, urls: list[str]) -> None:
    """Where files are, one link each."""
    for url in urls:
        name = url.rsplit("/", 1)[-1]
        link = url if "://" in url else storage.local_path(storage.absolute(url)).as_uri()
        _shown(create_link_artifact, link, link_text=name, key=_key(name), description=title)


def picture_of(config: RunConfig, entry: Entry) -> str:
    """Where the picture of a map is."""
    return f"{workspace.url_of(config, entry).removesuffix('.zarr')}.png"


def show_picture(title: str, url: str) -> None:
    """A PNG, made small enough to be kept by the server itself: no browser reaches the store.

    One that somebody removed is not missed.
    """
    from PIL import Image

    if not storage.exists(url):
        return
    with Image.open(io.BytesIO(storage.read_bytes(url))) as picture:
        picture.thumbnail((_PICTURE_EDGE, _PICTURE_EDGE))
        small = io.BytesIO()
        picture.convert("RGB").quantize(128).save(small, "PNG", optimize=True)
    data = f"data:image/png;base64,{base64.b64encode(small.getvalue()).decode()}"
    _shown(create_image_artifact, data, key=_key(title), description=f"{title}: {url}")


def _shown(create: Callable[..., Any], *values: Any, **names: Any) -> Any:
    """Show something; a server that cannot be reached is no reason to stop a run."""
    try:
        return create(*values, **names)
    except httpx.HTTPError as error:
        get_run_logger().warning("the Prefect server does not answer (%s)", type(error).__name__)
        return None


def markdown_cell(text: str) -> str:
    """Text that ends no cell, and in which nothing is markup."""
    return re.sub(r"([\\|<>`*_\[\]])", r"\\\1", text)


def _headed(title: str) -> str:
    return title[:1].upper() + title[1:]


def _key(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
