"""The site's navigation: pages in the order of a reader, and whatever else there is after them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bs4 import BeautifulSoup
from sphinx.environment.adapters.toctree import TocTree

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SECTIONS = {
    "Use it": [
        "docs/tutorial",
        "docs/gallery/README",
        "docs/own-scenes",
        "docs/own-network",
        "docs/labels",
        "docs/notebook",
        "deploy/README",
    ],
    "Understand it": [
        "docs/method",
        "docs/benchmarks",
        "docs/failure-modes",
        "docs/decisions/README",
    ],
    "Look it up": [
        "docs/reference/commands",
        "docs/reference/configuration",
        "docs/reference/library",
        "catalogs/README",
    ],
    "The project": ["CHANGELOG", "CONTRIBUTING", "SECURITY"],
}
OTHERS = "Use it"
"""Where pages go that are not listed."""
FOLDERS = ("docs/decisions/", "docs/gallery/", "docs/reference/library/")
"""Folders whose pages hang below the page that stands for the folder."""

HOME = """<!doctype html>
<meta charset="utf-8">
<title>cpazmal-scale</title>
<meta http-equiv="refresh" content="0; url=README.html">
<a href="README.html">cpazmal-scale</a>
"""


def sections(pages: set[str]) -> dict[str, list[str]]:
    """Captions and their pages."""
    listed = {page for section in SECTIONS.values() for page in section} | {"README"}
    others = sorted(page for page in pages - listed if not page.startswith(FOLDERS))
    return {
        caption: pages_there + (others if caption == OTHERS else [])
        for caption, pages_there in SECTIONS.items()
    }


def add(app: Sphinx, page: str, content: list[str]) -> None:
    """Append the lists of pages to the pages that have some below them."""
    if page == "README":
        for caption, pages in sections(app.env.found_docs).items():
            content[0] += _toctree([f"/{name}" for name in pages], caption)
    below = page.removesuffix("README") if page.endswith("/README") else f"{page}/"
    if below in FOLDERS:
        names = sorted(n for n in app.env.found_docs if n.startswith(below) and n != page)
        content[0] += _toctree([f"/{name}" for name in names], None)


def again(
    app: Sphinx, env: object, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Pages that list others, or are made from the program, are read at every build."""
    listing = {"README", *(folder + "README" for folder in FOLDERS)}
    listing |= {folder.rstrip("/") for folder in FOLDERS}
    made = {"docs/reference/commands", "docs/reference/configuration"}
    return sorted((listing | made) & app.env.found_docs - added - changed)


def tree(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Give a page the navigation of the home page, its links and marks moved.

    Sphinx makes it anew for every page, which takes half of the build.
    """
    if "toctree" in context:
        whole = _of_home(app)
        context["toctree"] = lambda **_: _placed(app, whole, page)


@functools.lru_cache(maxsize=1)
def _of_home(app: Sphinx) -> str:
    nodes = TocTree(app.env).get_toctree_for(
        "README", app.builder, collapse=False, titles_only=True, maxdepth=-1, includehidden=True
    )
    return str(app.builder.render_partial(nodes)["fragment"])


def _placed(app: Sphinx, whole: str, page: str) -> str:
    """The navigation as seen from a page, whose own line and those above it are marked."""
    soup = BeautifulSoup(whole, "html.parser")
    for link in soup.find_all("a", class_="internal"):
        name = link["href"].removesuffix(".html")
        link["href"] = "#" if name == page else app.builder.get_relative_uri(page, name)
        if name == page:
            for one in (link, *link.find_parents(("li", "ul"))):
                one["class"] = [*one.get("class", ()), "current"]
    return str(soup)


def home(app: Sphinx, error: Exception | None) -> None:
    """Lead from the site's address to its first page."""
    if error is None:
        (Path(app.outdir) / "index.html").write_text(HOME, encoding="utf-8")


def _toctree(pages: list[str], caption: str | None) -> str:
    options = [f":caption: {caption}", ":hidden:"] if caption else [":maxdepth: 1"]
    return "\n".join(["\n\n```{toctree}", *options, "", *pages, "```\n"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Complete pages as they are read."""
    app.connect("env-get-outdated", again)
    app.connect("source-read", add)
    app.connect("html-page-context", tree, priority=400)  # before the theme asks for it
    app.connect("build-finished", home)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
