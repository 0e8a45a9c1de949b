"""What is known of the real files: counts to compare a file with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpazmal_scale.published.chips import STUDY, Chips
from cpazmal_scale.published.scenarios import (
    geometry_adaptation,
    polarisation_adaptation,
    temporal_stack,
)
from cpazmal_scale.samples import WindowRule

if TYPE_CHECKING:
    from cpazmal_scale.progress import Progress

GROUPS = {"ABL": 7, "ACC": 9, "FOR": 9, "HAG": 7, "ICA": 9, "LAC": 9, "PLA": 9, "ROC": 9}
DATES = {("ASC", "HH"): 52, ("ASC", "HV"): 21, ("DSC", "HH"): 66, ("DSC", "HV"): 30}
STACKS = {
    "ACC": 3789, "PLA": 2014, "ROC": 1577, "HAG": 37, "ABL": 3511, "ICA": 102, "LAC": 62,
    "FOR": 6157,
}  # fmt: skip
"""Windows of 8 × 8 in ASC in 2020, all pixels valid, amplitude: the authors' notebook."""


@dataclass(frozen=True)
class Check:
    """One count: what is counted, what its authors found, what this file has."""

    what: str
    expected: object
    found: object

    @property
    def agrees(self) -> bool:
        """Whether the file has what is expected."""
        return self.expected == self.found

    def __str__(self) -> str:
        sign = "agrees" if self.agrees else f"differs: expected {self.expected}"
        return f"{self.what}: {self.found} ({sign})"


def check_counts(chips: Chips) -> list[Check]:
    """Groups, dates and shapes of a file beside those of the published one; no pixel is read.

    The published file was made on 2025-12-18 and has 276 series of 68 labelled groups and two
    study areas. Counts of dates are those of the fullest series.
    """
    labels = [group.label for group in chips.groups.values()]
    found = [
        Check("series", 276, len(chips.series)),
        Check("labelled groups", 68, sum(label != STUDY for label in labels)),
        Check("study areas", 2, labels.count(STUDY)),
    ]
    found += [Check(f"groups of {name}", n, labels.count(name)) for name, n in GROUPS.items()]
    for (orbit, channel), dates in DATES.items():
        lengths = [
            len(s.dates) for s in chips.series if (s.orbit, s.polarisation) == (orbit, channel)
        ]
        found.append(Check(f"dates {orbit} {channel}", dates, max(lengths, default=0)))
    days = {(s.orbit, day) for s in chips.series for day in s.dates}
    found.append(Check("acquisitions", 118, len(days)))
    shapes = {s.path: (*s.shape, len(s.dates)) for s in chips.series}
    found.append(
        Check("shape of ABL001/ASC/HH", (338, 580, 52), shapes.get("ABL001/ASC/HH", math.nan))
    )
    return found


def check_windows(chips: Chips, progress: Progress | None = None) -> list[Check]:
    """Windows of the scenarios beside those of the authors' notebook; reads the pixels.

    Scenario 1 with windows of 8 × 8 wholly valid, whose rule is known; scenarios 3 and 4 with
    their defaults.
    """
    stack = temporal_stack(
        chips, WindowRule(size=8, min_valid=1.0), scale="amplitude", progress=progress
    )
    found = [
        Check("scenario 1 windows", sum(STACKS.values()), len(stack.y)),
        Check("scenario 1 dates", 21, len(stack.dates)),
        Check("scenario 1 groups", 59, len(set(stack.groups.tolist()))),
    ]
    counts = stack.counts()
    found += [Check(f"scenario 1 {name}", n, counts.get(name, 0)) for name, n in STACKS.items()]
    same_day = polarisation_adaptation(chips, progress=progress).source
    found.append(Check("scenario 3 windows", 1217, len(same_day.y)))
    found.append(Check("scenario 3 groups", 52, len(set(same_day.groups.tolist()))))
    sides = geometry_adaptation(chips, progress=progress)
    for name, side, windows, groups in (
        ("source", sides.source, 478, 36),
        ("target", sides.target, 563, 35),
    ):
        found.append(Check(f"scenario 4 {name} windows", windows, len(side.y)))
        found.append(Check(f"scenario 4 {name} groups", groups, len(set(side.groups.tolist()))))
    return found
