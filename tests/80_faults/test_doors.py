"""No traceback: whatever comes in through a door ends in an error of ours, one sentence long.

A usual run tries a share of the inputs; `CPAZMAL_FAULTS=all` tries three thousand.
"""

from __future__ import annotations

import random
import traceback
import warnings
from pathlib import Path

import pytest
from support.damage import ALL
from support.doors import Door, doors

from cpazmal_scale.errors import CpazmalError

INPUTS = 3000 if ALL else 300


@pytest.fixture(scope="module")
def entrances(tmp_path_factory: pytest.TempPathFactory) -> list[Door]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return doors(tmp_path_factory.mktemp("doors"))


@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore")
def test_whatever_comes_in_ends_in_one_sentence(entrances: list[Door]) -> None:
    failed: dict[str, str] = {}
    refused = 0
    for door in entrances:
        data = door.path.read_bytes()
        door.enter()
        chance = random.Random(f"through {door.name}")
        for number in range(-(-INPUTS // len(entrances))):
            damaged = chance.choice(door.ways)(data, chance)
            door.path.write_bytes(damaged)
            try:
                door.enter()
            except CpazmalError as error:
                refused += 1
                if len(str(error).splitlines()) != 1:
                    failed[f"{door.name} {number}"] = f"several lines: {error}"
            except Exception as error:  # noqa: BLE001 - what a user would see as a traceback
                failed[f"{door.name} {number}"] = _shown(error)
            finally:
                door.path.write_bytes(data)
        door.path.write_bytes(data)
        door.enter()
    assert not failed, "\n".join(f"{where}: {what}" for where, what in failed.items())
    assert refused > INPUTS / 3, "hardly anything was refused: the inputs are hardly damaged"


def _shown(error: Exception) -> str:
    last = [
        f"{Path(frame.filename).name}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if "cpazmal_scale" in frame.filename
    ][-3:]
    first = (str(error).splitlines() or [""])[0][:100]
    return f"{type(error).__name__}: {first} at {' > '.join(last)}"
