"""Read everything a cube stores again, and name what is missing or rotten."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.cube import layout
from cpazmal_scale.cube.record import Record, read_record, start_of
from cpazmal_scale.errors import CubeDamaged, StoreError, StoreMissing

if TYPE_CHECKING:
    from numpy.typing import NDArray

Progress = Callable[[int, int], None]

READERS = 8


def verify(url: str, *, progress: Progress | None = None) -> list[CubeDamaged]:
    """Every chunk of every date against the CRC-32 noted when it was written.

    Returns:
        One finding per lost, altered or surplus object; empty when the cube is sound. `progress`
        counts dates.

    Raises:
        StoreMissing: no cube is there.
        StoreError: the store cannot be reached.
    """
    try:
        record = read_record(url)
    except CubeDamaged as finding:
        return [finding]
    if record is None:
        raise StoreMissing("no cube is here", where=url, remedy="check the address")
    findings = list(_coordinates(record))
    with ThreadPoolExecutor(READERS) as pool:
        for index in range(record.length):
            for layer in (*record.polarisations, "mask"):
                findings += _layer(record, layer, index, pool)
            if progress is not None:
                progress(index + 1, record.length)
    return findings


def _finding(what: str, where: str) -> CubeDamaged:
    return CubeDamaged(what, where=where, remedy="restore it from a copy, or ingest the cube again")


def _coordinates(record: Record) -> Iterator[CubeDamaged]:
    ids = record.dates["scene_id"]
    for twice in sorted({one for one in ids if ids.count(one) > 1}):
        yield _finding(f"the scene {twice} is stored twice", record.url)
    for name, values in record.dates.items():
        if len(values) != record.arrays["time"]["shape"][0]:
            yield _finding(f"the coordinate {name} has {len(values)} values", record.url)
    for name, expected in zip("yx", layout.axis_values(record.grid), strict=True):
        where = storage.join(record.url, name, "c", "0")
        try:
            same = np.array_equal(layout.decode(storage.read_bytes(where), "float64"), expected)
        except (StoreMissing, RuntimeError, ValueError):
            same = False
        if not same:
            yield _finding(f"the coordinate {name} is lost or altered", where)


def _layer(
    record: Record, layer: str, index: int, pool: ThreadPoolExecutor
) -> Iterator[CubeDamaged]:
    """Findings of one layer on one date."""
    where = storage.join(record.url, f"stored/{layer}", "c", str(index), "0", "0")
    shape = record.arrays[f"stored/{layer}"]["shape"][1:]
    label = f"{layer} of {start_of(record, index):%Y-%m-%d}"
    try:
        sums = layout.decode(storage.read_bytes(where), "uint32").reshape(shape)
    except StoreMissing:
        if layer in record.dates["polarisations"][index].split("+") or layer == "mask":
            yield _finding(f"the list of chunks of {label} is lost", where)
            return
        sums = np.zeros(shape, np.uint32)
    except (RuntimeError, ValueError):
        yield _finding(f"the list of chunks of {label} is altered", where)
        return
    folder = storage.join(record.url, layer, "c", str(index))
    noted = [tuple(place) for place in np.argwhere(sums).tolist()]
    for (row, column), problem in zip(
        noted, pool.map(partial(_problem, folder, sums), noted), strict=True
    ):
        if problem is not None:
            place = storage.join(folder, str(row), str(column))
            yield _finding(f"chunk {row},{column} of {label} {problem}", place)
    for row, column in sorted(set(_present(folder)) - set(noted)):
        place = storage.join(folder, str(row), str(column))
        yield _finding(f"chunk {row},{column} of {label} is surplus", place)


def _problem(folder: str, sums: NDArray[np.uint32], place: tuple[int, int]) -> str | None:
    row, column = place
    try:
        data = storage.read_bytes(storage.join(folder, str(row), str(column)))
    except StoreMissing:
        return "is lost"
    except StoreError as error:
        return f"cannot be read ({error.what})"
    return None if (zlib.crc32(data) or 1) == int(sums[row, column]) else "is altered"


def _present(folder: str) -> Iterator[tuple[int, int]]:
    for row in storage.list_names(folder):
        for column in storage.list_names(storage.join(folder, row)):
            if row.isdigit() and column.isdigit():
                yield int(row), int(column)
