"""Cells as pictures: classes in their colours, shares on a ramp, power in decibels."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from cpazmal_scale.mapping import LEVELS
from cpazmal_scale.palette import rgb
from cpazmal_scale.vocabulary import NO_DATA

if TYPE_CHECKING:
    from numpy.typing import NDArray

Ramp = Literal["viridis", "magma", "gray"]


def class_table(colours: Mapping[int, str], hidden: Collection[int] = ()) -> NDArray[np.uint8]:
    """Red, green, blue and opacity (256, 4) of class values; hidden ones are transparent."""
    table = np.zeros((256, 4), np.uint8)
    for value, colour in colours.items():
        table[value] = (*rgb(colour), 255)
    table[list(hidden)] = 0
    return table


@cache
def ramp_table(ramp: Ramp) -> NDArray[np.uint8]:
    """Colours (256, 4) of 0 … LEVELS on a ramp that colour-blind eyes can read; 255 transparent."""
    from matplotlib import colormaps

    table = np.zeros((256, 4), np.uint8)
    table[: LEVELS + 1] = colormaps[ramp](np.linspace(0, 1, LEVELS + 1), bytes=True)
    return table


def in_decibels(power: NDArray[np.float32], limits: tuple[float, float]) -> NDArray[np.uint8]:
    """Power (h, w) as 0 … LEVELS between two limits in dB; 255 where there is none.

    Power that is not positive, where noise was subtracted, is as dark as the lower limit.
    """
    low, high = limits
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (10 * np.log10(power) - low) / max(high - low, 1e-6)
    levels = np.rint(np.clip(np.where(power > 0, share, 0), 0, 1) * LEVELS)
    return np.where(np.isfinite(power), levels, NO_DATA).astype(np.uint8)


def picture(values: NDArray[np.uint8], table: NDArray[np.uint8]) -> bytes:
    """A PNG of values (h, w) with the colours and opacities of a table (256, 4)."""
    from PIL import Image

    image = Image.fromarray(values)
    image.putpalette(table[:, :3].tobytes())
    file = io.BytesIO()
    image.save(file, "PNG", transparency=table[:, 3].tobytes(), compress_level=1)
    return file.getvalue()
