"""Figures as PNG, their words as they are written."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def literal(figure: Figure) -> Figure:
    """Let names in a figure stand as they are: `$` and backslashes mean nothing in them."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)
    return figure


def png(figure: Figure, dpi: int = 150) -> bytes:
    """A figure as PNG, its names as they are."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "constrained_layout not applied")  # names too long for it
        literal(figure).savefig(buffer, format="png", dpi=dpi, facecolor="white")
    return buffer.getvalue()
