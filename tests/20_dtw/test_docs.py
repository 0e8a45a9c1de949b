"""The page on the DTW engine: its code runs, its pictures are those it makes, its table is true."""

import re
from pathlib import Path

import numpy as np
import pytest

from cpazmal_scale.dtw import distances

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = re.findall(r"```python\n(.*?)```", (DOCS / "dtw.md").read_text(), re.S)


@pytest.mark.slow
def test_every_block_of_code_runs_as_printed(tmp_path, monkeypatch):
    from matplotlib.image import imread

    monkeypatch.chdir(tmp_path)
    names = {}
    for block in BLOCKS:
        exec(compile(block, "docs/dtw.md", "exec"), names)
    assert len(BLOCKS) >= 7
    assert (names["model"].predict(names["X"]) == names["y"]).mean() > 0.9
    assert names["search"].best_score_ > 0.8
    for name in ("alignment.png", "barycenters.png"):
        made, kept = imread(tmp_path / name), imread(DOCS / "images" / name)
        assert made.shape == kept.shape


PAIRS = [(30, 30, 3), (24, 24, None), (31, 31, 0), (12, 12, 11)]


@pytest.fixture(params=PAIRS, ids=str)
def pair(request):
    rows, columns, radius = request.param
    rng = np.random.default_rng(rows)
    return rng.normal(size=(8, rows)), rng.normal(size=(5, columns)), radius


@pytest.mark.filterwarnings("ignore")
def test_aeon_gives_the_same_with_its_window(pair):
    aeon = pytest.importorskip("aeon.distances", reason="needs the extra `bench`")
    q, s, radius = pair
    window = None if radius is None else (radius + 0.01) / q.shape[1]
    theirs = aeon.dtw_pairwise_distance(q[:, None], s[:, None], window=window)
    np.testing.assert_allclose(distances(q, s, radius=radius), np.sqrt(theirs), rtol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("columns", [30, 25])
def test_dtaidistance_gives_the_same_with_its_window(columns):
    dtw = pytest.importorskip("dtaidistance.dtw", reason="needs the extra `bench`")
    rng = np.random.default_rng(columns)
    q, s = rng.normal(size=30), rng.normal(size=columns)
    for radius in (None, 3, 7):
        window = None if radius is None else radius + 1
        theirs = dtw.distance(q, s, window=window)
        ours = distances(q[None], s[None], radius=radius)[0, 0]
        assert ours == pytest.approx(theirs, rel=1e-5), radius
