"""COSAR, the provider's format of complex images, as its specification words it."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANNOTATION_LINES, ANNOTATION_WORDS = 4, 2
"""Lines above the image and words left of it, in a burst."""
_WORD = 4
_UNUSED = 0x7F7F7F7F


def cosar_bytes(lines: int, samples: int) -> int:
    """Size of a file of one burst."""
    return (lines + ANNOTATION_LINES) * (samples + ANNOTATION_WORDS) * _WORD


def write_cosar(
    file: BinaryIO, strips: Iterable[NDArray[np.complex64]], lines: int, samples: int
) -> None:
    """One burst of int16 pairs, all samples valid; strips follow each other from the first line."""
    width = samples + ANNOTATION_WORDS
    words = struct.pack(
        ">7I4sI",
        cosar_bytes(lines, samples) % 2**32,
        0,
        samples,
        lines,
        1,
        width * _WORD,
        lines + ANNOTATION_LINES,
        b"CSAR",
        1,
    )
    head = np.full((ANNOTATION_LINES, width), _UNUSED, ">u4")
    head[0, 9:12] = 0
    head[1, 2:], head[2, 2:], head[3, 2:] = 1, 1, lines
    file.write(words + head.tobytes()[len(words) :])
    for strip in strips:
        out = np.empty((len(strip), width, 2), ">i2")
        pairs = np.stack([strip.real, strip.imag], axis=-1)
        out[:, ANNOTATION_WORDS:] = np.rint(np.clip(pairs, -32767, 32767))
        valid = out.view(">u4")[..., 0]
        valid[:, 0], valid[:, 1] = 1, samples
        file.write(out.tobytes())
