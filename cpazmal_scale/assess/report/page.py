"""A report as one HTML file that needs nothing beside it and no network."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING

from cpazmal_scale.assess.report.parts import Block, Heading

if TYPE_CHECKING:
    from markupsafe import Markup

_STRONG = re.compile(r"\*\*(.+?)\*\*")
_CODE = re.compile(r"`(.+?)`")


def page(title: str, blocks: Sequence[Block], pictures: Mapping[str, bytes]) -> str:
    """The whole document, pictures and style inside.

    All text is escaped; names of classes and polygons come from files nobody has checked.

    Args:
        title: of the page.
        blocks: what it holds.
        pictures: PNG contents by the path of their block; a picture that is not there is left out.
    """
    from jinja2 import DictLoader, Environment, StrictUndefined

    template = (
        resources.files("cpazmal_scale.assess.report").joinpath("report.html").read_text("utf-8")
    )
    environment = Environment(
        loader=DictLoader({"report.html": template}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inline"] = _inline
    encoded = {path: base64.b64encode(data).decode() for path, data in pictures.items()}
    sections = [block.text for block in blocks if isinstance(block, Heading) and block.level == 2]
    shown = [(type(block).__name__, block) for block in blocks]
    return environment.get_template("report.html").render(
        title=title, blocks=shown, pictures=encoded, sections=sections
    )


def _inline(text: str) -> Markup:
    """Escaped text with `**strong**` and `` `code` `` as elements."""
    from markupsafe import Markup, escape

    marked = _STRONG.sub(r"<strong>\1</strong>", str(escape(text)))
    return Markup(_CODE.sub(r"<code>\1</code>", marked))  # noqa: S704 - escaped above
