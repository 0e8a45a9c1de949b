"""What a scene format is: how its files are recognised, described and opened.

A new sensor or format is one module with a `SceneFormat`, and one row in `registry.FORMATS`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from cpazmal_scale.config import Ingest, Naming
from cpazmal_scale.errors import SceneUnknown
from cpazmal_scale.grid.lattice import Preset
from cpazmal_scale.scenes.acquisitions import Row, find_row
from cpazmal_scale.scenes.formats.naming import Named
from cpazmal_scale.scenes.scene import SceneFile
from cpazmal_scale.scenes.spellings import looks_right
from cpazmal_scale.vocabulary import ordered

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cpazmal_scale.scenes.level1b.product import Product

LONGEST = timedelta(hours=1)
"""What no acquisition takes."""
_SAFE_BEAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class Platform(NamedTuple):
    """A satellite: its name in catalogs, radar band, and centre frequency in GHz."""

    name: str
    band: str
    gigahertz: float


@dataclass(frozen=True)
class Candidate:
    """A file recognised, before it is opened, or a Level-1b product; `format` names its reader.

    `rules` tell what its bands and values are, `shape` the rows and columns promised elsewhere;
    `folder` is one whose files all belong to it.
    """

    url: str
    named: Named
    row: Row | None
    beam: str
    pass_direction: Literal["ASC", "DSC"] | None
    rules: Naming
    format: str
    look_side: Literal["R", "L"] | None = None
    driver: str = "GTiff"
    nodata: float | None = None
    shape: tuple[int, int] | None = None
    product: Product | None = None
    folder: str | None = None

    @property
    def processing(self) -> str:
        """What is done here to make backscatter on a map of it."""
        return "" if self.product is None else self.product.processing

    @property
    def told(self) -> tuple[str, ...]:
        """Polarisations by name, settings or table, co-polarised first; empty: only it knows."""
        if self.named.polarisation is not None:
            return (self.named.polarisation,)
        of_table = self.row.polarisations if self.row else None
        return ordered(set(self.rules.bands or of_table or ()))


@dataclass(frozen=True)
class Listing:
    """The files that no format has claimed yet, and what applies to all of them.

    `table` are the acquisitions known, `grid` the pixels that were asked for.
    """

    files: tuple[str, ...]
    ingest: Ingest
    table: list[Row] = field(default_factory=list)
    grid: Preset | None = None

    def without(self, found: Iterable[Candidate]) -> Listing:
        """Less the files of candidates."""
        whole = {one.url for one in found}
        folders = tuple(f"{one.folder}/" for one in found if one.folder is not None)
        rest = [url for url in self.files if url not in whole and not url.startswith(folders)]
        return replace(self, files=tuple(rest))

    def candidate(self, url: str, named: Named, rules: Naming, *, format: str) -> Candidate:  # noqa: A002
        """A file of a known name, with what the table and the configuration add.

        Raises:
            SceneUnknown: its viewing geometry is unknown, or its stop is not soon after its start.
        """
        if named.stop is not None and not timedelta() <= named.stop - named.start < LONGEST:
            raise SceneUnknown(
                f"it starts {named.start:%Y-%m-%d %H:%M:%S} and stops "
                f"{named.stop:%Y-%m-%d %H:%M:%S}, which is no acquisition",
                where=url,
                remedy="correct its name, or the groups start and stop of ingest.naming.pattern",
            )
        row = find_row(self.table, named.sensor, named.start)
        beam = named.beam or (row and row.beam) or rules.beam
        if beam is None:
            raise SceneUnknown(
                f"its viewing geometry is unknown: no row for {named.sensor} "
                f"{named.start:%Y%m%dT%H%M%S} in an acquisition table",
                where=url,
                remedy="complete acquisitions.csv (column beam) or set ingest.naming.beam",
            )
        direction = named.pass_direction or (row and row.pass_direction) or rules.pass_direction
        usual: Literal["R", "L"] | None = "R" if looks_right(named.sensor) else None
        return Candidate(
            url=url,
            named=named,
            row=row,
            beam=safe_beam(beam, url),
            pass_direction=direction or None,
            rules=rules,
            format=format,
            look_side=(row and row.look_side) or rules.look_side or usual,
        )


def safe_beam(beam: str, url: str) -> str:
    """A beam that may name a cube.

    Raises:
        SceneUnknown: it may not.
    """
    if not _SAFE_BEAM.fullmatch(beam):
        raise SceneUnknown(
            f"the beam `{beam}` cannot name a cube",
            where=url,
            remedy="use letters, digits, dots, dashes and underscores",
        )
    return beam


class FileReader(Protocol):
    """One open file of a scene."""

    def read(self, rows: slice, columns: slice) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """A window of the file's own grid.

        Returns:
            Linear power (P, h, w) float32 in the order of the file's polarisations, NaN for
            no-data; and `MASK_BITS` flags (h, w) uint8, 0 where no polarisation is valid.
        """

    def incidence(self, rows: slice, columns: slice) -> NDArray[np.float32] | None:
        """Incidence angles (h, w) in degrees, NaN unknown; None when the file holds none."""


class SceneFormat(Protocol):
    """One kind of files that scenes come in."""

    @property
    def name(self) -> str:
        """By which candidates and files refer to it; never changes."""

    @property
    def version(self) -> str:
        """Of its reader, noted with every date: changes when other pixels come out."""

    @property
    def platforms(self) -> Mapping[str, Platform]:
        """Satellites that it is made for, by the code of their sensor, such as PAZ1."""

    def recognise(self, listing: Listing) -> list[Candidate]:
        """Those of the files that are of this format, as far as names and small documents tell.

        Raises:
            SceneUnknown: a file is of it, but cannot be described.
            SceneUnreadable: a document is damaged or hostile.
        """

    def describe(self, found: Candidate, *, check: bool, known: Container[str]) -> SceneFile:
        """A candidate as a file of a scene: hashed, its header read, and with `check` its values
        looked at too, unless its hash is `known`.

        Raises:
            SceneUnreadable, SceneUnknown, SceneImplausible: it cannot be used.
        """

    def open(self, file: SceneFile) -> contextlib.AbstractContextManager[FileReader]:
        """A file of a scene, opened for reading.

        Raises:
            SceneUnreadable: it cannot be opened.
        """
