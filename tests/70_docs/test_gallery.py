"""The gallery: the lines of every page run as they stand, and leave the picture they show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.one_process import path_of_commands

ROOT = Path(__file__).parents[2]
GALLERY = ROOT / "docs" / "gallery"
LEAVES = {
    "own-scenes-utm33": "east/run/map.png",
    "sentinel-1": "run/map.png",
    "ssc-terrain": "terrain.png",
    "year-to-year": "2020/run/maps/*.png",
    "own-model": "own.png",
}
"""The picture of each page."""
MOST_LINES = 30


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of the blocks of a page."""
    text = (GALLERY / f"{page}.md").read_text()
    return re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)


def test_every_page_is_tried() -> None:
    assert {path.stem for path in GALLERY.glob("*.md")} == {*LEAVES, "README"}
    for page in LEAVES:
        text = (GALLERY / f"{page}.md").read_text()
        (picture,) = re.findall(r"\]\((\.\./images/.*?\.png)\)", text)
        assert (GALLERY / picture).stat().st_size < 400_000
        lines = sum(body.count("\n") for language, body in blocks(page) if language != "text")
        assert lines <= MOST_LINES


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home folder of a user who tries one page after the other."""
    return tmp_path_factory.mktemp("home")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", LEAVES)
def test_a_page_runs_as_it_stands(page: str, tmp_path: Path, home: Path, request) -> None:
    env = {
        **{name: os.environ[name] for name in ("NUMBA_CACHE_DIR",) if name in os.environ},
        "PATH": path_of_commands(home),
        "HOME": str(home),
        "PROJECT": str(ROOT),
        "MPLBACKEND": "agg",
    }
    if page == "sentinel-1":
        env["SCENES"] = str(request.getfixturevalue("shared_data") / "s1-rtc")
    said = ""
    for language, body in blocks(page):
        if language == "text":
            assert " ".join(body.split()) in " ".join(said.split())
            continue
        words = ["bash", "-e", "-c", body] if language == "sh" else [sys.executable, "-c", body]
        ran = subprocess.run(
            words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=880
        )
        assert ran.returncode == 0, ran.stderr
        said += ran.stdout
    assert list(tmp_path.glob(LEAVES[page]))
