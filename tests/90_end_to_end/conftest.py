"""One finished run of a small campaign for all tests that only look at it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from support.small_run import settings, simulated, written

import cpazmal_scale


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run.yaml of a finished run in `run` beside it, its campaign in `campaign`."""
    folder = tmp_path_factory.mktemp("finished")
    run = simulated(folder / "campaign", end=date(2020, 4, 30))
    quick = {"repeats": 1, "folds": 2, "methods": ["sum"], "truth": None}
    config = settings(run, str(folder / "run"), assess=quick)
    cpazmal_scale.run(config)
    return written(config, folder / "run.yaml")
