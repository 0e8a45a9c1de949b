"""What SNAP writes into its GeoTIFF files: the document of the product, in a private tag.

SNAP stores the raw numbers of every band and tells names, units, scale, no-data and history in that
document alone. GDAL hands none of it on.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from cpazmal_scale.scenes.formats import snap_bands
from cpazmal_scale.scenes.untrusted.xml import MAX_BYTES, parse

if TYPE_CHECKING:
    from cpazmal_scale.scenes.untrusted.xml import Node

_TAG = 65000
_TEXTS = (1, 2, 7)
"""Types of TIFF values that are bytes, one each."""
_MOST_TAGS = 2**16
_BEGINNING = 4096


@dataclass(frozen=True)
class SnapHeader:
    """What the document tells of bands that are stored, in their order, and of the product."""

    bands: tuple[Node, ...] = ()
    operators: frozenset[str] = frozenset()
    facts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, raster: Any) -> SnapHeader:
        """That of an open raster; empty where it has none.

        Raises:
            SceneUnreadable: its document is damaged or hostile.
        """
        if raster.driver != "GTiff":
            return _NONE
        state = Path(raster.name).stat()
        return _read(raster.name, raster.count, state.st_ino, state.st_size, state.st_mtime_ns)

    def name(self, band: int) -> str:
        """Of a band (from 1); empty where nothing is told of it."""
        return self.bands[band - 1].text("BAND_NAME", "") if self.bands else ""

    def unit(self, band: int) -> str:
        """Of a band (from 1); empty where nothing is told of it."""
        return self.bands[band - 1].text("PHYSICAL_UNIT", "") if self.bands else ""

    def nodata(self, band: int) -> float | None:
        """Of a band (from 1), in stored numbers; none where there is none."""
        return snap_bands.nodata(self.bands[band - 1]) if self.bands else None

    def refuse_altered(self, band: int, url: str) -> None:
        """The stored numbers of a band (from 1) are its values, and none of them is hidden.

        Raises:
            SceneUnknown: they are scaled, or an expression hides pixels.
        """
        if self.bands:
            snap_bands.refuse_scaled(self.bands[band - 1], self.name(band), url)
            snap_bands.refuse_hidden(self.bands[band - 1], self.name(band), url)

    @property
    def flattened(self) -> bool | None:
        """Whether the terrain was flattened; none where no history is kept."""
        return snap_bands.FLATTENING in self.operators if self.operators else None


_NONE = SnapHeader()


@functools.lru_cache(maxsize=32)
def _read(path: str, count: int, *_state: int) -> SnapHeader:
    """The header of a file in a certain state with so many bands."""
    with Path(path).open("rb") as file:
        text = _tag(file)
    if b"<Dimap_Document" not in text[:_BEGINNING]:
        return _NONE
    root = parse(text, where=path)
    told = snap_bands.described_bands(root)
    stored = [one for one in told if not _is_computed(one)]
    bands = next((some for some in (stored, told) if len(some) == count), [])
    return SnapHeader(tuple(bands), snap_bands.operators(root), snap_bands.abstracted(root))


def _is_computed(info: Node) -> bool:
    """Whether a band is an expression or a filter of others, which SNAP does not store."""
    return info.flag("VIRTUAL_BAND", False) or info.maybe("Filter_Band_Info") is not None


def _tag(file: BinaryIO) -> bytes:
    """The text of the tag in a TIFF file's first directory; empty where there is none."""
    start = file.read(16).ljust(16, b"\0")
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None:
        return b""
    if struct.unpack_from(f"{order}H", start, 2)[0] == 43:
        (at,), number, entry = struct.unpack_from(f"{order}Q", start, 8), "Q", "HHQQ"
    else:
        (at,), number, entry = struct.unpack_from(f"{order}I", start, 4), "H", "HHII"
    if at >= 2**63:
        return b""
    file.seek(at)
    size = struct.calcsize(f"{order}{number}")
    (tags,) = struct.unpack(f"{order}{number}", file.read(size).ljust(size, b"\0"))
    form = struct.Struct(f"{order}{entry}")
    entries = file.read(min(tags, _MOST_TAGS) * form.size)
    for one in range(len(entries) // form.size):
        tag, kind, length, where = form.unpack_from(entries, one * form.size)
        if tag == _TAG and kind in _TEXTS and where < 2**63:
            file.seek(where)
            return file.read(min(length, MAX_BYTES + 1)).rstrip(b"\0")
    return b""
