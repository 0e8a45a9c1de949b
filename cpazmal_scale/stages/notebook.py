"""Progress bars where there is no terminal: in the output of a notebook's cell."""

from __future__ import annotations

import functools
import html
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cpazmal_scale.progress import Progress

_PAUSE = 0.2
"""Seconds between two pictures of a bar."""


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this process."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


@contextmanager
def bars(*titles: str) -> Iterator[tuple[Progress, ...]]:
    """Bars of steps that follow each other, as functions of (done, total), shown in a notebook."""
    from IPython import display as cell

    page: Any = cell.HTML
    show: Any = cell.display
    shown = show(page(""), display_id=True)
    state = [(0, 0)] * len(titles)
    last = [0.0]
    began = time.monotonic()

    def update(place: int, done: int, total: int) -> None:
        state[place] = (done, total)
        if time.monotonic() - last[0] > _PAUSE or done >= total:
            last[0] = time.monotonic()
            shown.update(page(picture(titles, state, last[0] - began)))

    yield tuple(functools.partial(update, place) for place in range(len(titles)))
    shown.update(page(picture(titles, state, time.monotonic() - began)))


def picture(titles: tuple[str, ...], state: list[tuple[int, int]], seconds: float) -> str:
    """Bars that have begun, as HTML."""
    lines = [
        f'<div><progress value="{done}" max="{total}"></progress> '
        f"{html.escape(title)}: {done:,} of {total:,}, {seconds:.0f} s</div>"
        for title, (done, total) in zip(titles, state, strict=True)
        if total
    ]
    return "".join(lines)
