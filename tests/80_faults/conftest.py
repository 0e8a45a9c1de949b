"""Fixtures of the faults."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def undisturbed(data: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Names and digests of all objects of a map that nothing went wrong with."""
    from support.fingerprint import fingerprint
    from support.small_campaign import workspace

    from cpazmal_scale.mapping import map_cube

    return fingerprint(map_cube(workspace(tmp_path_factory.mktemp("run")), *data).url)
