"""Compiled code is kept between processes, made again when a helper changes, and called at once."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

pytestmark = pytest.mark.compiled

KERNEL = """
from cpazmal_scale.kernels.compiled import kept_with
import helpers_of_the_test

@kept_with(helpers_of_the_test.CONTENT)
def twice(values):
    for i in range(values.size):
        values[i] *= 2
"""


def fresh(path: Path) -> Any:
    """The kernel as another process sees it."""
    described = importlib.util.spec_from_file_location("kernel_of_the_test", path)
    assert described
    assert described.loader
    module = importlib.util.module_from_spec(described)
    described.loader.exec_module(module)
    kernel = module.twice
    kernel(np.ones(3))
    return kernel


def test_code_is_made_again_when_a_helper_changes_and_called_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helpers: Any = ModuleType("helpers_of_the_test")
    monkeypatch.setitem(sys.modules, helpers.__name__, helpers)
    path = tmp_path / "kernel_of_the_test.py"
    path.write_text(KERNEL)
    found = []
    for helpers.CONTENT in (1, 1, 2, 2):
        kernel = fresh(path)
        found.append(sum(kernel.stats.cache_hits.values()))
        stamp = kernel._cache._cache_file._source_stamp  # Numba's own, which another may not have
        assert stamp[1] == helpers.CONTENT
    assert found == [0, 1, 0, 1]

    def asked(*_: object) -> None:
        raise AssertionError("a call goes by the compiler")

    monkeypatch.setattr(Dispatcher, "_compile_for_args", asked)
    kernel(np.ones(3))
