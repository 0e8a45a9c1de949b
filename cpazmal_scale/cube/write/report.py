"""What an ingest did or would do, in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cpazmal_scale.errors import CpazmalError

Action = Literal["append", "add", "unchanged"]
_DONE: dict[Action, str] = {
    "append": "appended",
    "add": "added to a date",
    "unchanged": "unchanged",
}
_PLANNED = _DONE | {"append": "to append", "add": "to add to a date"}


@dataclass(frozen=True)
class SceneReport:
    """What becomes of one scene: a new date, more polarisations of one, or nothing.

    `cropped` is the share outside the cube; `resampling` tells how it gets onto the grid, `shift`
    how far it lies beside the others then; `bytes` counts its pixels as stored uncompressed.
    """

    id: str
    start: datetime
    action: Action
    polarisations: tuple[str, ...]
    cropped: float = 0.0
    resampling: str = ""
    bytes: int = 0
    shift: str = ""

    def __str__(self) -> str:
        remarks = [f"{self.bytes / 2**20:.1f} MiB"] if self.bytes else []
        remarks += [text for text in (self.resampling, self.shift) if text]
        if self.cropped:
            remarks.append(f"{self.cropped:.1%} lies outside the cube and is left out")
        if self.action == "add":
            remarks.append("the date keeps its mask")
        line = f"{self.action:9} {self.start:%Y-%m-%d %H:%M:%S} {'+'.join(self.polarisations)}"
        return f"{line:38} {self.id}" + (f" ({'; '.join(remarks)})" if remarks else "")

    @property
    def notable(self) -> bool:
        """Whether people should know even when all went well."""
        return bool(self.cropped or self.resampling or self.shift or self.action == "add")


@dataclass(frozen=True)
class CubeReport:
    """What one cube got, scene by scene, and its shape and number of dates after it.

    `notes` hold for all its scenes.
    """

    url: str
    beam: str
    shape: tuple[int, int]
    scenes: tuple[SceneReport, ...]
    dates: int
    notes: tuple[str, ...] = ()

    @property
    def appended(self) -> tuple[str, ...]:
        """Ids of the scenes that brought something."""
        return tuple(scene.id for scene in self.scenes if scene.action != "unchanged")

    @property
    def unchanged(self) -> tuple[str, ...]:
        """Ids of the scenes that were there."""
        return tuple(scene.id for scene in self.scenes if scene.action == "unchanged")

    @property
    def bytes(self) -> int:
        """Uncompressed bytes of pixels."""
        return sum(scene.bytes for scene in self.scenes)

    def lines(self, *, planned: bool) -> list[str]:
        """A summary, then the scenes: all that are planned, or those people should know of."""
        height, width = self.shape
        counts = Counter(scene.action for scene in self.scenes)
        words = _PLANNED if planned else _DONE
        did = [f"{counts[action]} {word}" for action, word in words.items()]
        did = [text for text in did if planned or not text.startswith("0 added")]
        summary = f"{self.beam}: {', '.join(did)}, {self.dates} dates of {height} x {width} px"
        chosen = [scene for scene in self.scenes if planned or scene.notable]
        return [f"{summary}, {self.url}", *(f"  {line}" for line in (*self.notes, *chosen))]


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did or, if `dry_run`, would do.

    `refused` are the reasons why it would not, `left_out` those why scenes are left out.
    """

    cubes: tuple[CubeReport, ...]
    seconds: float
    dry_run: bool
    refused: tuple[CpazmalError, ...] = ()
    left_out: tuple[CpazmalError, ...] = ()

    @property
    def bytes(self) -> int:
        """Uncompressed bytes of pixels."""
        return sum(cube.bytes for cube in self.cubes)

    def __str__(self) -> str:
        lines = [line for cube in self.cubes for line in cube.lines(planned=self.dry_run)]
        lines += [f"left out: {reason}" for reason in _together(self.left_out)]
        amount = f"{self.bytes / 2**20:.0f} MiB of pixels"
        if not self.dry_run:
            return "\n".join([*lines, f"{amount} in {self.seconds:.1f} s"])
        lines += [f"refused: {reason}" for reason in _together(self.refused)]
        would = "would write nothing" if self.refused else f"would write {amount}"
        return "\n".join([*lines, f"nothing written; {would}"])


def _together(refused: tuple[CpazmalError, ...]) -> list[str]:
    """A sentence for each reason, with the first scene that it concerns and how many others."""
    alike: dict[tuple[str, str | None], list[CpazmalError]] = {}
    for one in refused:
        alike.setdefault((one.what, one.remedy), []).append(one)
    return [
        f"{first}{f' (so are {len(others)} others)' if others else ''}"
        for first, *others in alike.values()
    ]
