"""Every corner of the input space against the naive twin; also run alone under other compilers.

`python -m support.dtw_corners` in `tests/` prints the number of pixels computed at once, or fails.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cpazmal_scale.dtw import (
    band_limits,
    barycenter,
    block_distances,
    decide,
    distance,
    distances,
    path,
    time_weights,
)
from cpazmal_scale.kernels.lanes_f32 import LANES
from support.dtw_twin import naive

RNG = np.random.default_rng(9)
GAPS = RNG.normal(size=(133, 7)).astype(np.float32)
GAPS[1, 2] = GAPS[4, :] = GAPS[5, 0] = GAPS[6, -1] = GAPS[65, 1:6] = np.nan
REFERENCES = RNG.normal(size=(67, 7)).astype(np.float32)
NO = np.nan

CASES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "tails, gaps, many references": (GAPS, REFERENCES, {"radius": 2}),
    "nothing missing": (GAPS[10:20], REFERENCES[:3], {"radius": 2}),
    "fewer pixels than lanes": (GAPS[:3], REFERENCES[:2], {"radius": 0}),
    "no band": (GAPS[:9], REFERENCES[:2], {}),
    "longer references": (GAPS[:9], RNG.normal(size=(2, 12)), {"radius": 1}),
    "shorter references": (GAPS[:9], RNG.normal(size=(2, 4)), {"radius": 1}),
    "enough dates": (GAPS[:9], REFERENCES[:2], {"radius": 2, "min_dates": 7}),
    "more dates than there are": (GAPS[:9], REFERENCES[:2], {"radius": 2, "min_dates": 8}),
    "all missing": (np.full((3, 5), NO), np.zeros((2, 5)), {}),
    "constant": (np.full((3, 5), 7.0), np.full((2, 6), 7.0), {"radius": 1}),
    "one date": ([[2.0], [NO]], [[5.0]], {"radius": 3}),
    "one date to many": ([[2.0], [NO]], [[5.0, 6.0, 1.0]], {}),
    "many dates to one": ([[2.0, 1.0], [NO, 1.0]], [[5.0]], {}),
    "no series": (np.zeros((0, 4)), np.zeros((2, 4)), {}),
    "no references": (np.zeros((2, 4)), np.zeros((0, 4)), {}),
    "whole numbers": (np.arange(8).reshape(2, 4), np.ones((1, 4), int), {"radius": 1}),
    "not contiguous": (GAPS[::2, ::-1], REFERENCES[::3, ::-1], {"radius": 2}),
    "no date within the band": (
        GAPS[:5, :4],
        REFERENCES[:2, :4],
        {"days": ([0, 10, 20, 30], [100, 110, 120, 130]), "band_days": 5},
    ),
    "dependent, any feature missing": (
        GAPS[:60].reshape(20, 3, 7),
        REFERENCES[:6].reshape(2, 3, 7),
        {"radius": 2},
    ),
    "time weights": (
        GAPS[:9],
        REFERENCES[:2],
        {"radius": 2, "time_weights": time_weights(np.arange(7) * 40, np.arange(7) * 40 + 9)},
    ),
}
"""Series, references and options of `distances`."""

REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "infinite series": (lambda: distances([[1.0, np.inf]], [[1.0, 2.0]]), "infinite"),
    "infinite in one feature": (
        lambda: distances([[[1.0, 0.0], [-np.inf, 1.0]]], np.zeros((1, 2, 2))),
        "infinite",
    ),
    "infinite reference": (lambda: distances([[1.0]], [[np.inf]]), "references must be finite"),
    "missing in a reference": (lambda: distances([[1.0]], [[NO]]), "references must be finite"),
    "missing date refused": (
        lambda: distances([[1.0, NO]], [[1.0, 2.0]], missing="refuse"),
        "missing dates",
    ),
    "unknown rule": (
        lambda: distances([[1.0]], [[1.0]], missing="drop"),  # type: ignore[arg-type]
        "one of arow, refuse",
    ),
    "no dates": (lambda: distances(np.zeros((2, 0)), np.zeros((2, 3))), "shape"),
    "one dimension": (lambda: distances(np.zeros(3), np.zeros((2, 3))), "shape"),
    "text": (lambda: distances([["a"]], [[1.0]]), "real numbers"),
    "complex": (lambda: distances([[1j]], [[1.0]]), "real numbers"),
    "other features": (lambda: distances(np.zeros((2, 3, 4)), np.zeros((2, 2, 4))), "features"),
    "negative radius": (lambda: distances([[1.0]], [[1.0]], radius=-1), "radius"),
    "half a sample": (
        lambda: distances([[1.0]], [[1.0]], radius=1.5),  # type: ignore[arg-type]
        "whole number",
    ),
    "limits and radius": (
        lambda: distances([[1.0]], [[1.0]], limits=[[0, 1]], radius=1),
        "not both",
    ),
    "radius and days": (
        lambda: distances([[1.0]], [[1.0]], radius=1, days=([0], [0])),
        "not both",
    ),
    "empty band": (
        lambda: distances(np.zeros((1, 2)), np.zeros((1, 2)), limits=[[0, 1], [1, 1]]),
        "without a gap",
    ),
    "days of one side": (
        lambda: distances([[1.0]], [[1.0]], days=([0],)),  # type: ignore[arg-type]
        "both series",
    ),
    "days without dates": (lambda: distances([[1.0]], [[1.0]], band_days=3), "dates"),
    "negative weights": (
        lambda: distances([[1.0]], [[1.0]], time_weights=[[-1.0]]),
        "not negative",
    ),
    "weights of another shape": (
        lambda: path([1.0], [1.0], time_weights=[[1.0, 1.0]]),
        "time_weights",
    ),
    "no path": (lambda: path([NO, NO, 2.0], [1.0, 1.0]), "no path"),
    "path of other features": (lambda: path(np.zeros((2, 3)), np.zeros((1, 3))), "features"),
    "path of an infinite series": (lambda: path([np.inf], [1.0]), "infinite"),
}
"""Calls that raise, and what they say."""


def check(name: str) -> None:
    q, s, options = CASES[name]
    found = distances(q, s, **options)
    q, s = np.asarray(q, np.float32), np.asarray(s, np.float32)
    assert found.shape == (len(q), len(s))
    assert found.dtype == np.float32
    least, weights = options.get("min_dates", 1), options.get("time_weights")
    rest = {k: v for k, v in options.items() if k in ("radius", "days", "band_days")}
    limits = band_limits(q.shape[-1], s.shape[-1], **rest)
    for n, r in np.ndindex(found.shape):
        expected = naive(q[n], s[r], limits, weights, least)
        np.testing.assert_allclose(found[n, r], expected, rtol=3e-6, err_msg=name)
        if least == 1 and r < 2:
            alone = {k: v for k, v in options.items() if k != "min_dates"}
            np.testing.assert_allclose(distance(q[n], s[r], **alone), expected, rtol=3e-6)
            if np.isfinite(expected):
                assert path(q[n], s[r], **alone).distance == pytest.approx(expected, rel=1e-12)
    if q.ndim == 2 and len(q) and len(s):
        block = np.ascontiguousarray(q.T[None])
        same = block_distances(block, s[None].copy(), limits, time_weights=weights, min_dates=least)
        assert same[0].T.tobytes() == found.tobytes()


def check_all() -> None:
    """Every case, every refusal, an average and a decision."""
    for name in CASES:
        check(name)
    for call, match in REFUSED.values():
        with pytest.raises(ValueError, match=match):
            call()
    average = barycenter(GAPS, radius=2, iterations=3)
    limits = band_limits(7, 7, radius=2)
    away = np.array([naive(one, average.values, limits) for one in GAPS])
    assert average.cost == pytest.approx(np.nansum(away**2), rel=1e-9)
    near = distances(GAPS, REFERENCES[:2], radius=2)
    made = decide(np.ascontiguousarray(near.T[None]), [1.0])
    known = ~np.isnan(near[:, 0])
    assert (made.index[known] == near[known].argmin(axis=1)).all()
    assert (made.index[~known] == 255).all()


if __name__ == "__main__":
    check_all()
    print(LANES)
