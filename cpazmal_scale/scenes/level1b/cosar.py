"""COSAR, the format of complex images (SSC): read by block from a mapped file, and written.

Big-endian. A burst is `AS + 4` lines of `(RS + 2)·4` bytes: four lines of header, then for every
azimuth line its first and last valid sample (from 1, both inclusive) and RS complex samples, two
int16 each (version 1) or two half-precision floats (version 2). ScanSAR files hold several bursts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from cpazmal_scale.errors import COPY_AGAIN, SceneUnreadable
from cpazmal_scale.kernels.compiled import kept
from cpazmal_scale.scenes.level1b.annotation import MAX_EDGE

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC = b"CSAR"
HEADER_LINES = 4
SAMPLE_BYTES = 4
FILLER = 0x7F7F7F7F
_HEADER = struct.Struct(">7I4s2Id")
_TYPES: dict[int, str] = {1: ">i2", 2: ">f2"}


@dataclass(frozen=True)
class Burst:
    """One burst: `offset` of its header in the file, its number from 1, its size and version."""

    offset: int
    index: int
    lines: int
    samples: int
    version: int

    @property
    def line_bytes(self) -> int:
        """Bytes of one line, annotation included."""
        return (self.samples + 2) * SAMPLE_BYTES

    @property
    def bytes(self) -> int:
        """Bytes of the burst, header included."""
        return (self.lines + HEADER_LINES) * self.line_bytes


class Cosar:
    """A COSAR file, mapped into memory: only what is read is fetched from the disk.

    `offset` and `size` say where the file lies inside `path` (an archive's member); default: all
    of it.
    """

    def __init__(
        self, path: str | Path, *, offset: int = 0, size: int | None = None, where: object = None
    ) -> None:
        """Read the headers of all bursts.

        Raises:
            SceneUnreadable: no COSAR file, truncated, or a header contradicts the file's size.
        """
        self.path, self.where = Path(path), where or path
        end = self.path.stat().st_size
        size = end - offset if size is None else size
        if offset + size > end:
            raise self._unreadable(f"truncated: {end - offset} bytes of {size}")
        self._maps: dict[int, NDArray[Any]] = {}
        with self.path.open("rb") as file:
            self.bursts = self._bursts(file, offset, offset + size)

    def _bursts(self, file: BinaryIO, at: int, end: int) -> tuple[Burst, ...]:
        found: list[Burst] = []
        while at < end:
            file.seek(at)
            head = file.read(_HEADER.size)
            if len(head) < _HEADER.size or head[28:32] != MAGIC:
                raise self._unreadable(f"no COSAR header at byte {at}: not COSAR, or truncated")
            size, _, samples, lines, index, line_bytes, all_lines, _, version, _, _ = (
                _HEADER.unpack(head)
            )
            burst = Burst(at, index, lines, samples, version)
            if version not in _TYPES:
                raise self._unreadable(f"COSAR version {version} is unknown (1 and 2 are read)")
            if not (0 < lines <= MAX_EDGE and 0 < samples <= MAX_EDGE):
                raise self._unreadable(f"its header promises {lines} x {samples} samples")
            told = size, line_bytes, all_lines
            # The size is a 32-bit number: bursts of 4 GiB and more wrap around.
            if told != (burst.bytes % 2**32, burst.line_bytes, lines + HEADER_LINES):
                raise self._unreadable("its header contradicts itself about the size")
            if at + burst.bytes > end:
                raise self._unreadable(
                    f"truncated: {lines} x {samples} samples end at byte {at + burst.bytes} "
                    f"of {end}"
                )
            found.append(burst)
            at += burst.bytes
        if not found or len({(burst.samples, burst.version) for burst in found}) > 1:
            raise self._unreadable("it is empty, or its bursts differ in width or version")
        return tuple(found)

    @property
    def shape(self) -> tuple[int, int]:
        """Lines of all bursts, one after the other, and samples."""
        return sum(burst.lines for burst in self.bursts), self.bursts[0].samples

    def read(self, lines: slice, samples: slice) -> tuple[NDArray[np.complex64], NDArray[np.bool_]]:
        """A window of the image.

        Args:
            lines: From and to, over all bursts, within the image.
            samples: From and to, within the image.

        Returns:
            Amplitudes (h, w) complex64, 0 where not valid; and whether each sample is valid.

        Raises:
            SceneUnreadable: a line's valid range lies outside the image, or a sample is not finite.
        """
        shape = lines.stop - lines.start, samples.stop - samples.start
        values, valid = np.zeros(shape, np.complex64), np.zeros(shape, bool)
        first = 0
        for burst in self.bursts:
            begin, stop = max(lines.start, first), min(lines.stop, first + burst.lines)
            if begin < stop:
                part = slice(begin - lines.start, stop - lines.start)
                rows = slice(begin - first, stop - first)
                values[part], valid[part] = self._window(burst, rows, samples)
            first += burst.lines
        self._require_finite(values, lines)
        return values, valid

    def _require_finite(self, values: NDArray[np.complex64], lines: slice) -> None:
        if not np.isfinite(values).all():
            raise self._unreadable(f"a sample of lines {lines.start} to {lines.stop} is not finite")

    def power(self, lines: slice, samples: slice) -> NDArray[np.float32]:
        """|DN|² (h, w) float32 of a window, NaN where not valid; see `read`."""
        found = np.empty((lines.stop - lines.start, samples.stop - samples.start), np.float32)
        first = 0
        for burst in self.bursts:
            begin, stop = max(lines.start, first), min(lines.stop, first + burst.lines)
            if begin < stop:
                part = found[begin - lines.start : stop - lines.start]
                self._power(burst, slice(begin - first, stop - first), samples, part)
            first += burst.lines
        return found

    def _power(self, burst: Burst, rows: slice, samples: slice, found: NDArray[np.float32]) -> None:
        """Power of a window of a burst."""
        if burst.version != 1:
            values, valid = self._window(burst, rows, samples)
            self._require_finite(values, rows)
            np.copyto(found, values.real**2 + values.imag**2)
            found[~valid] = np.nan
            return
        mapped, (first, last, begin, end) = self._valid(burst, rows, samples)
        lines = slice(rows.start + HEADER_LINES, rows.stop + HEADER_LINES)
        parts = mapped.view("<u2")[lines, samples.start + 2 : samples.stop + 2]
        _integer_power(parts, first, last, begin, end, (rows.start, samples.start), found)

    def unwritten(self, lines: slice) -> int:
        """How many of some lines were never written: they lack the range of valid samples."""
        count, first = 0, 0
        for burst in self.bursts:
            begin, stop = max(lines.start, first), min(lines.stop, first + burst.lines)
            if begin < stop:
                words = self._map(burst).view(">u4")[..., 0]
                part = words[begin - first + HEADER_LINES : stop - first + HEADER_LINES, :2]
                count += int((part == 0).all(axis=1).sum())
            first += burst.lines
        return count

    def _window(
        self, burst: Burst, rows: slice, samples: slice
    ) -> tuple[NDArray[np.complex64], NDArray[np.bool_]]:
        mapped, (first, last, begin, end) = self._valid(burst, rows, samples)
        lines = slice(rows.start + HEADER_LINES, rows.stop + HEADER_LINES)
        columns = slice(samples.start + 2, samples.stop + 2)
        parts = np.asarray(mapped[lines, columns]).astype(np.float32)
        values = parts.view(np.complex64)[..., 0]
        sample = np.arange(samples.start + 1, samples.stop + 1)
        line = np.arange(rows.start + 1, rows.stop + 1)[:, None]
        valid = (sample >= first[:, None]) & (sample <= last[:, None])
        valid &= (line >= begin) & (line <= end)
        values[~valid] = 0
        return values, valid

    def _valid(
        self, burst: Burst, rows: slice, samples: slice
    ) -> tuple[NDArray[Any], tuple[NDArray[np.uint32], ...]]:
        """A burst as a mapped file; first and last valid sample of lines, and line of samples."""
        mapped = self._map(burst)
        words = mapped.view(">u4")[..., 0]
        lines = slice(rows.start + HEADER_LINES, rows.stop + HEADER_LINES)
        columns = slice(samples.start + 2, samples.stop + 2)
        told = words[lines, 0], words[lines, 1], words[2, columns], words[3, columns]
        first, last, begin, end = (np.asarray(one, np.uint32) for one in told)
        if (last > burst.samples).any():
            raise self._unreadable(
                f"a line of {rows.start} to {rows.stop} says that sample {last.max()} of "
                f"{burst.samples} is valid"
            )
        return mapped, (first, last, begin, end)

    def _map(self, burst: Burst) -> NDArray[Any]:
        if burst.offset not in self._maps:
            self._maps[burst.offset] = np.memmap(
                self.path,
                dtype=_TYPES[burst.version],
                mode="r",
                offset=burst.offset,
                shape=(burst.lines + HEADER_LINES, burst.samples + 2, 2),
            )
        return self._maps[burst.offset]

    def _unreadable(self, what: str) -> SceneUnreadable:
        return SceneUnreadable(what, where=self.where, remedy=COPY_AGAIN)


@kept
def _integer_power(
    parts: NDArray[np.uint16],
    first: NDArray[np.uint32],
    last: NDArray[np.uint32],
    begin: NDArray[np.uint32],
    end: NDArray[np.uint32],
    start: tuple[int, int],
    found: NDArray[np.float32],
) -> None:
    """|DN|² of big-endian int16, NaN where not valid.

    Args:
        parts: (h, w, 2) real and imaginary parts, their bytes in the wrong order.
        first: (h) first valid sample of every line, from 1.
        last: (h) the last one.
        begin: (w) first valid line of every sample, from 1.
        end: (w) the last one.
        start: Line and sample of the first, from 0.
        found: (h, w) gets the power.
    """
    for r in range(found.shape[0]):
        line = start[0] + r + 1
        for c in range(found.shape[1]):
            one, other = parts[r, c, 0], parts[r, c, 1]
            real = np.float32(np.int16(((one & 255) << 8) | (one >> 8)))
            imaginary = np.float32(np.int16(((other & 255) << 8) | (other >> 8)))
            power = real * real + imaginary * imaginary
            valid = start[1] + c + 1 >= first[r] and start[1] + c + 1 <= last[r]
            valid = valid and line >= begin[c] and line <= end[c]
            found[r, c] = power if valid else np.float32(np.nan)


def write_burst(
    file: BinaryIO,
    blocks: Iterable[NDArray[np.complexfloating[Any, Any]]],
    shape: tuple[int, int],
    *,
    version: int = 1,
    index: int = 1,
    valid_samples: tuple[NDArray[Any], NDArray[Any]] | None = None,
    valid_lines: tuple[NDArray[Any], NDArray[Any]] | None = None,
) -> None:
    """Append one burst to a file.

    Args:
        file: Open for writing.
        blocks: Strips of lines (n, samples) that make up the image from top to bottom.
        shape: Lines and samples.
        version: 1 rounds to int16; 2 to half precision.
        index: Number of the burst, from 1.
        valid_samples: First and last valid sample of every line, from 1; default: all.
        valid_lines: First and last valid line of every sample, from 1; default: all.

    Raises:
        ValueError: the blocks do not make up the shape, or a value does not fit the version.
    """
    lines, samples = shape
    burst = Burst(0, index, lines, samples, version)
    if burst.line_bytes < _HEADER.size:
        raise ValueError(f"{samples} samples are too few for the header")
    head = np.full((HEADER_LINES, samples + 2), FILLER, ">u4")
    fields = _HEADER.pack(
        *(burst.bytes % 2**32, 0, samples, lines, index, burst.line_bytes, lines + HEADER_LINES),
        *(MAGIC, version, 0, 0.0),
    )
    first, last = valid_lines or (np.ones(samples), np.full(samples, lines))
    head[1, 2:], head[2, 2:], head[3, 2:] = first, first, last
    file.write(fields + head.tobytes()[len(fields) :])
    begin, end = valid_samples or (np.ones(lines), np.full(lines, samples))
    done = 0
    for block in blocks:
        rows = slice(done, done + len(block))
        if block.shape[1:] != (samples,) or rows.stop > lines:
            raise ValueError(f"a block of {block.shape} samples does not fit into {shape}")
        file.write(_coded(block, version, begin[rows], end[rows]))
        done += len(block)
    if done != lines:
        raise ValueError(f"the blocks have {done} lines, not {lines}")


def _coded(block: NDArray[Any], version: int, begin: NDArray[Any], end: NDArray[Any]) -> bytes:
    parts = np.ascontiguousarray(block, np.complex64).view(np.float32)
    limit = 32767 if version == 1 else 65504
    if not (np.abs(parts) <= limit).all():
        raise ValueError(f"amplitudes beyond ±{limit} do not fit COSAR version {version}")
    values = np.rint(parts) if version == 1 else parts
    out = np.empty((len(block), parts.shape[1] // 2 + 2, 2), _TYPES[version])
    out[:, 2:] = values.reshape(len(block), -1, 2)
    words = out.view(">u4")[..., 0]
    words[:, 0], words[:, 1] = begin, end
    return out.tobytes()
