"""Scripts of this room for a page that is one file."""

from __future__ import annotations

import re
from importlib import resources


def drawing() -> str:
    """JavaScript without modules: `make` elements, and `chart` series into an SVG element."""
    files = resources.files("cpazmal_scale.web") / "files"
    texts = [(files / name).read_text(encoding="utf-8") for name in ("make.js", "chart.js")]
    return re.sub(r"^(?:import .*\n|export )", "", "".join(texts), flags=re.MULTILINE)
