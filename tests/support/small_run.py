"""A small simulated campaign and the settings that map it in seconds."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import yaml

from cpazmal_scale.config import RunConfig

QUICK = ("sum", "euclid-sum", "discriminant")
"""One of each kind: DTW, Euclidean, learned; a second together."""


def simulated(folder: Path, *, size: int = 256, end: date = date(2020, 6, 30)) -> Path:
    """Scenes of one beam, truth and polygons; returns the run configuration."""
    from cpazmal_scale.simulate.campaign import campaign

    campaign(folder, size=size, start=date(2020, 1, 1), end=end, beams=("DSC37",))
    return folder / "run.yaml"


def settings(run: Path, workspace: str, **changes: object) -> RunConfig:
    """The campaign's run on two threads, with few folds and small chunks."""
    quick = {
        "workspace": workspace,
        "ingest": {"chunk": 64},
        "classify": {"method": "sum"},
        "assess": {"repeats": 1, "methods": QUICK},
        "cluster": {"kind": "threads", "workers": 2},
    }
    return RunConfig.load(run).with_values(quick).with_values(changes)


def written(config: RunConfig, path: Path) -> Path:
    """The configuration as a YAML file."""
    path.write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_unset=True)))
    return path
