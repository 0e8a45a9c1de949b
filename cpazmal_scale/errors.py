"""Every error a user can meet: what, where and the remedy, with a stable kind and exit code."""

from __future__ import annotations

import re
from typing import ClassVar

from cpazmal_scale.addresses import without_secrets

_WORD = re.compile(r"\S{301,}")
_MOST = 2000
COPY_AGAIN = "copy the product again from its source"
"""Remedy where the files of a delivered product contradict each other or themselves."""


def brief(text: str) -> str:
    """A message in which words of more than 300 signs, and the whole from 2000 on, are cut."""
    text = _WORD.sub(lambda word: f"{word[0][:120]}…{word[0][-60:]}", text)
    return text if len(text) <= _MOST else f"{text[:1600]}…{text[-300:]}"


class CpazmalError(Exception):
    """One sentence a user can act on.

    `what` is wrong, `where` it is (a path, URL, date, pixel or setting) and the `remedy`.
    `kind` names the error in logs and tests and never changes; `exit_code` is the shell's.
    """

    kind: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: object = None, remedy: str | None = None) -> None:
        self.what = without_secrets(what)
        super().__init__(self.what)
        self.where = None if where is None else without_secrets(str(where))
        self.remedy = None if remedy is None else without_secrets(remedy)

    def __str__(self) -> str:
        text = self.what if self.where is None else f"{self.where}: {self.what}"
        text = text if self.remedy is None else f"{text}; {self.remedy}"
        # What comes from a file may hold line breaks and signs that steer a terminal.
        return brief("".join(sign if sign.isprintable() else "\ufffd" for sign in text))

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.where, self.remedy)


def _rebuild(
    cls: type[CpazmalError], what: str, where: str | None, remedy: str | None
) -> CpazmalError:
    return cls(what, where=where, remedy=remedy)


class ConfigError(CpazmalError):
    """A setting is unknown, malformed or contradicts another."""

    kind, exit_code = "config", 2


class SceneError(CpazmalError):
    """A scene cannot be used; nothing of it was written."""

    kind, exit_code = "scene", 3


class SceneUnreadable(SceneError):
    """Truncated, empty or not the format its name promises."""

    kind = "scene_unreadable"


class SceneConflict(SceneError):
    """Two files or scenes are of one acquisition, and cannot both be right."""

    kind = "scene_conflict"


class SceneUnknown(SceneError):
    """The product cannot be described: sensor, date, beam or polarisation is missing."""

    kind = "scene_unknown"


class SceneImplausible(SceneError):
    """Readable, but the values cannot be linear backscatter (dB, zeros, all no-data)."""

    kind = "scene_implausible"


class SceneChanged(SceneError):
    """The cube holds this scene id with other bytes."""

    kind = "scene_changed"


class BeamMismatch(SceneError):
    """The scene was seen from another geometry than the cube's."""

    kind = "beam_mismatch"


class DemError(SceneError):
    """The elevation raster cannot be used: unreadable, elsewhere, or its heights unclear."""

    kind = "dem"


class DemMismatch(DemError):
    """The elevation raster contradicts the heights that the products themselves annotate."""

    kind = "dem_mismatch"


class GridMismatch(CpazmalError):
    """Two rasters that must share CRS, transform and shape do not."""

    kind, exit_code = "grid_mismatch", 4


class StoreError(CpazmalError):
    """The store is missing, read-only, full or answered wrongly."""

    kind, exit_code = "store", 5


class DiskFull(StoreError):
    """There is no room left; pages and verbs say each what is to be done again."""

    kind = "disk_full"


class StoreMissing(StoreError):
    """Nothing is stored at this address."""

    kind = "store_missing"


class StoreDamaged(StoreError):
    """What is stored is not what was written, or not of the form it should have."""

    kind = "store_damaged"


class WriterConflict(StoreError):
    """Another writer holds the cube, or changed it meanwhile."""

    kind = "writer_conflict"


class CubeDamaged(StoreError):
    """A stored cube contradicts its own metadata or checksums."""

    kind = "cube_damaged"


class SampleError(CpazmalError):
    """Polygons, classes or groups do not allow what was asked."""

    kind, exit_code = "samples", 6


class DatasetUnreadable(SampleError):
    """A published dataset file is damaged, unsafe, or not of the layout its authors describe."""

    kind = "dataset_unreadable"


class ModelMismatch(CpazmalError):
    """The model's features, dates or classes do not fit the cube."""

    kind, exit_code = "model_mismatch", 7


class PlanRefused(CpazmalError):
    """The plan cannot fit in memory or on disk, so it was not started."""

    kind, exit_code = "plan_refused", 8


class BlocksFailed(CpazmalError):
    """Some blocks were quarantined; the others are finished and recorded."""

    kind, exit_code = "blocks_failed", 9


class ClusterError(CpazmalError):
    """The Dask cluster cannot be had, went away, or runs other versions than this process."""

    kind, exit_code = "cluster", 10


class ClusterLost(ClusterError):
    """The Dask scheduler was there and went away; what is finished is kept."""

    kind = "cluster_lost"
