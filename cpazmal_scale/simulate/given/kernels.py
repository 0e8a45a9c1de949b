"""Compiled loops over pixels: white noise by position, layover and shadow, detected intensity.

Everything is a function of the pixel's place in the whole scene, never of a block's origin, so
that blocks of any size join without a seam.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.kernels.compiled import inlined, kept

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_PRIME = np.uint64(0xC2B2AE3D27D4EB4F)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_24_BITS = np.float32(2.0**-24)
_TURN = np.float32(2.0 * math.pi * 2.0**-24)


@inlined
def _mix(z: np.uint64) -> np.uint64:
    z = (z ^ (z >> np.uint64(30))) * _MIX1
    z = (z ^ (z >> np.uint64(27))) * _MIX2
    return z ^ (z >> np.uint64(31))


@kept
def white(
    key: np.uint64, row: int, col: int, re: NDArray[np.float32], im: NDArray[np.float32]
) -> None:
    """Fill `re`, `im` (h, w) with circular Gaussian noise of unit power at (row.., col..).

    The value at one place depends on the key and that place only (SplitMix64, Box-Muller).
    """
    height, width = re.shape
    for i in range(height):
        line = _mix(key + np.uint64(row + i) * _GOLDEN)
        for j in range(width):
            bits = _mix(line ^ (np.uint64(col + j) * _PRIME))
            uniform = (np.float32(bits >> np.uint64(40)) + np.float32(1.0)) * _24_BITS
            angle = np.float32((bits >> np.uint64(8)) & np.uint64(0xFFFFFF)) * _TURN
            radius = np.sqrt(-np.log(uniform))
            re[i, j] = radius * np.cos(angle)
            im[i, j] = radius * np.sin(angle)


@kept
def smooth(
    field: NDArray[np.float32], down: NDArray[np.float32], along: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Separable filter of three or five taps per axis; the result is smaller by taps − 1."""
    height = field.shape[0] - down.size + 1
    width = field.shape[1] - along.size + 1
    middle = np.zeros((height, field.shape[1]), np.float32)
    for i in range(height):
        for k in range(down.size):
            weight = down[k]
            for j in range(field.shape[1]):
                middle[i, j] += weight * field[i + k, j]
    out = np.zeros((height, width), np.float32)
    for i in range(height):
        for k in range(along.size):
            weight = along[k]
            for j in range(width):
                out[i, j] += weight * middle[i, j + k]
    return out


@inlined
def _power(
    states: NDArray[np.float32],
    code: int,
    first: int,
    share: np.float32,
    asked: np.float32,
    softness: np.float32,
) -> np.float32:
    """Linear power of a class between two days: its dry and wet powers by the thawed share."""
    following = first + 1 if first + 1 < states.shape[2] else 0
    rest = np.float32(1.0) - share
    thaw = states[0, code, first] * rest + states[0, code, following] * share - asked
    dry = states[1, code, first] * rest + states[1, code, following] * share
    wet = states[2, code, first] * rest + states[2, code, following] * share
    thawed = np.float32(1.0) / (np.float32(1.0) + np.exp(-thaw / softness))
    power: np.float32 = dry + (wet - dry) * thawed
    return power


@kept
def backscatter(
    surface: NDArray[np.uint8],
    beside: NDArray[np.uint8],
    mixed: NDArray[np.float32],
    above: NDArray[np.float32],
    asked: NDArray[np.float32],
    departure: NDArray[np.float32],
    texture: NDArray[np.float32],
    rough: NDArray[np.float32],
    mask: NDArray[np.uint8],
    states: NDArray[np.float32],
    order: float,
    day: float,
    day_per_height: float,
    softness: float,
    layover_db: float,
    out: NDArray[np.float32],
) -> None:
    """True linear power of every pixel of a block into `out`.

    `surface` 0..7 and `mask` (SNAP codes) with `above` (hundreds of metres, `day_per_height` days
    each) and `asked` (thaw) pick from `states` (3, 8, days: thaw, dry and wet linear power) at the
    pixel's effective day; `beside` is another class that fills the share `mixed` of the pixel.
    `departure` (dB) and a Gamma texture multiply it, of an `order` less `rough` (logarithm;
    `texture` is unit Gaussian, Wilson-Hilferty). Shadow has no power.
    """
    days = states.shape[2]
    tenth = np.float32(math.log(10.0) / 10.0)
    soft = np.float32(softness)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            if mask[i, j] & 2:
                out[i, j] = np.float32(0.0)
                continue
            code = surface[i, j]
            when = (day - above[i, j] * day_per_height - 0.5) % days
            first = int(when)
            share = np.float32(when - first)
            first %= days
            power = _power(states, code, first, share, asked[i, j], soft)
            if mixed[i, j] > 0:
                other = _power(states, beside[i, j], first, share, asked[i, j], soft)
                power += mixed[i, j] * (other - power)
            level = departure[i, j]
            if mask[i, j] & 1:
                level += np.float32(layover_db)
            ninth = np.exp(rough[i, j]) / (np.float32(9.0 * order))
            root = np.float32(1.0) - ninth + np.sqrt(ninth) * texture[i, j]
            root = max(root, np.float32(0.02))
            out[i, j] = power * np.exp(level * tenth) * root * root * root


@kept
def neighbours(
    surface: NDArray[np.uint8], reach: int, beside: NDArray[np.uint8], mixed: NDArray[np.float32]
) -> None:
    """Another class `reach` pixels up, down, left or right, and the share of a pixel it fills.

    `surface` (h + 2 reach, w + 2 reach) is wider than `beside` and `mixed` (h, w) on every side;
    each of the four places that holds another class adds an eighth, of the last one met.
    """
    for i in range(mixed.shape[0]):
        for j in range(mixed.shape[1]):
            code = surface[i + reach, j + reach]
            beside[i, j] = code
            share = np.float32(0.0)
            for k in range(4):
                a = i + reach + (0, 0, reach, -reach)[k]
                b = j + reach + (reach, -reach, 0, 0)[k]
                if surface[a, b] != code:
                    beside[i, j] = surface[a, b]
                    share += np.float32(0.125)
            mixed[i, j] = share


@kept
def detect(
    power: NDArray[np.float32],
    row: int,
    col: int,
    to_line: NDArray[np.float64],
    to_sample: NDArray[np.float64],
    re: NDArray[np.float32],
    im: NDArray[np.float32],
    line: int,
    sample: int,
    noise: float,
    out: NDArray[np.float32],
) -> None:
    """Noise-subtracted intensity on the map grid, as the authors' chain makes it, into `out`.

    The pixel (row + i, col + j) falls at `to_line` · (1, row, col), `to_sample` · (1, row, col)
    in the slant-range image, whose speckle `re`, `im` starts at (line, sample). Each of the four
    samples around holds |(power + noise)·|z|² − noise|; they are interpolated bilinearly.
    """
    floor = np.float32(noise)
    one = np.float32(1.0)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            y = to_line[0] + to_line[1] * (row + i) + to_line[2] * (col + j)
            x = to_sample[0] + to_sample[1] * (row + i) + to_sample[2] * (col + j)
            top, left = math.floor(y), math.floor(x)
            down, along = np.float32(y - top), np.float32(x - left)
            a, b = int(top) - line, int(left) - sample
            total = power[i, j] + floor
            value = np.float32(0.0)
            for k in range(2):
                for m in range(2):
                    u, v = re[a + k, b + m], im[a + k, b + m]
                    weight = (down if k else one - down) * (along if m else one - along)
                    value += weight * abs(total * (u * u + v * v) - floor)
            out[i, j] = value


@inlined
def _height(z: NDArray[np.float32], y: float, x: float) -> float:
    top, left = int(y), int(x)
    down, along = y - top, x - left
    top2, left2 = min(top + 1, z.shape[0] - 1), min(left + 1, z.shape[1] - 1)
    height: float = (z[top, left] * (1 - along) + z[top, left2] * along) * (1 - down) + (
        z[top2, left] * (1 - along) + z[top2, left2] * along
    ) * down
    return height


@kept
def layover_shadow(
    z: NDArray[np.float32], step_down: float, step_along: float, step: float, incidence: float
) -> NDArray[np.uint8]:
    """SNAP codes (0 none, 1 layover, 2 shadow, 3 both) of a terrain seen by a plane wave.

    `z` heights in metres; one step of `step` metres away from the sensor moves by
    (step_down, step_along) cells; `incidence` in degrees from the vertical. Layover: another
    point of the line of sight has the same range; shadow: a nearer one hides the pixel.
    """
    height, width = z.shape
    rise = step * math.tan(math.radians(incidence))
    fall = step / math.tan(math.radians(incidence))
    lowest, highest = z.min(), z.max()
    codes = np.zeros((height, width), np.uint8)
    for i in range(height):
        for j in range(width):
            here = z[i, j]
            layover = shadow = False
            n = 1
            while not (layover and shadow):
                y, x = i - n * step_down, j - n * step_along
                inside = 0 <= y <= height - 1 and 0 <= x <= width - 1
                if not inside or (here - n * rise < lowest and here + n * fall > highest):
                    break
                other = _height(z, y, x)
                layover = layover or other <= here - n * rise
                shadow = shadow or other > here + n * fall
                n += 1
            n = 1
            while not layover:
                y, x = i + n * step_down, j + n * step_along
                inside = 0 <= y <= height - 1 and 0 <= x <= width - 1
                if not inside or here + n * rise > highest:
                    break
                layover = _height(z, y, x) >= here + n * rise
                n += 1
            codes[i, j] = (1 if layover else 0) + (2 if shadow else 0)
    return codes
