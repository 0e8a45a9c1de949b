"""Settings that have no effect because of the value of another setting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce

from cpazmal_scale.config.methods import BEST
from cpazmal_scale.config.run import RunConfig


def _from_table(config: RunConfig) -> bool:
    return config.samples.table.url is not None


_DRAWN = ("stride", "offset", "max_masked", "min_valid", "across", "dem", "where", "balance")
_WAITING: dict[str, tuple[Callable[[RunConfig], bool], str]] = {
    "after.strength": (lambda c: c.after.window is not None, "after.window"),
    "after.zone": (lambda c: c.after.outlines is not None, "after.outlines"),
    "assess.groups_per_class": (lambda c: c.assess.split == "cyclic", "assess.split: cyclic"),
    "assess.train_until": (lambda c: c.assess.split == "temporal", "assess.split: temporal"),
    "classify.candidates": (lambda c: c.classify.method == BEST, "classify.method: best"),
    "classify.network": (lambda c: c.classify.method == "onnx", "classify.method: onnx"),
    "samples.clusters": (
        lambda c: c.samples.polygons is None and not _from_table(c),
        "samples.polygons: null",
    ),
    "samples.min_per_group": (lambda c: c.samples.balance, "samples.balance"),
    **{
        f"samples.{name}": (lambda c: not _from_table(c), "a cube: these samples are of a table")
        for name in (*_DRAWN, "max_per_group")
    },
    **{
        f"ingest.level1b.terrain.{name}": (
            lambda c: c.ingest.level1b.terrain.dem is not None,
            "ingest.level1b.terrain.dem",
        )
        for name in ("vertical", "sea", "align")
    },
}
"""By setting: whether another one lets it change something, and which."""


def idle(config: RunConfig) -> Iterator[tuple[str, str]]:
    """Settings with another value than their default that wait for another one, and for which."""
    usual = RunConfig()
    for name, (works, other) in _WAITING.items():
        if _value(config, name) != _value(usual, name) and not works(config):
            yield name, other


def _value(config: RunConfig, name: str) -> object:
    return reduce(getattr, name.split("."), config)
