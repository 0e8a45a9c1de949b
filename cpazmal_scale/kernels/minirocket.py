"""MiniRocket's shares of dates above a bias (Dempster et al. 2021), many pixels at once.

Loops over pixels are innermost and in a fixed order, without fast-math: a pixel's bits depend on
its own series only.
"""

from __future__ import annotations

import numpy as np

from cpazmal_scale.kernels.compiled import kept

TAPS = 9
"""Length of every kernel: three weights of 2 and six of -1."""
_TOGETHER = 64


@kept
def shares_above(
    block: np.ndarray,
    taps: np.ndarray,
    dilations: np.ndarray,
    per_dilation: np.ndarray,
    bounds: np.ndarray,
    channels: np.ndarray,
    biases: np.ndarray,
    out: np.ndarray,
) -> None:
    """Shares `(F, P)` of the dates of series `(K, T, P)` where a convolution is above a bias.

    Args:
        block: complete series; outside their dates they are 0.
        taps: `(84, 3)` places of the large weights of each kernel.
        dilations: `(D,)` steps between the dates that a kernel sees.
        per_dilation: `(D,)` biases of each kernel at each dilation.
        bounds: `(84 D + 1,)`; kernel n sums the channels from `bounds[n]` to `bounds[n + 1]`.
        channels: channel numbers.
        biases: `(F,)`, by dilation, kernel and bias.
        out: float32 `(F, P)`.
    """
    features, dates, pixels = block.shape
    tile = np.zeros((features, dates, _TOGETHER), np.float32)
    summed = np.zeros((dates, _TOGETHER), np.float32)
    made = np.zeros((dates, _TOGETHER), np.float32)
    count = np.zeros(_TOGETHER, np.float32)
    for p in range(0, pixels, _TOGETHER):
        some = min(_TOGETHER, pixels - p)
        tile[:, :, :some] = block[:, :, p : p + some]
        kernel, feature = 0, 0
        for d in range(dilations.size):
            step = dilations[d]
            padding = step * (TAPS - 1) // 2
            for number in range(taps.shape[0]):
                summed[:] = 0
                for at in range(bounds[kernel], bounds[kernel + 1]):
                    for t in range(dates):
                        row, total = tile[channels[at], t], summed[t]
                        for lane in range(_TOGETHER):
                            total[lane] += row[lane]
                _convolve(summed, taps[number], step, made)
                first, last = 0, dates
                if (d + number) % 2 == 1:
                    first, last = padding, dates - padding
                for _ in range(per_dilation[d]):
                    bias = biases[feature]
                    count[:] = 0
                    for t in range(first, last):
                        row = made[t]
                        for lane in range(_TOGETHER):
                            count[lane] += np.float32(1) if row[lane] > bias else np.float32(0)
                    span = np.float32(last - first)
                    for lane in range(some):
                        out[feature, p + lane] = count[lane] / span
                    feature += 1
                kernel += 1


@kept
def convolutions(
    series: np.ndarray, taps: np.ndarray, step: int, channels: np.ndarray, out: np.ndarray
) -> None:
    """The convolution `(T, P)` of channels of series `(K, T, P)` summed; P is 64."""
    summed = np.zeros(out.shape, np.float32)
    for channel in channels:
        summed += series[channel]
    _convolve(summed, taps, step, out)


@kept
def _convolve(summed: np.ndarray, taps: np.ndarray, step: int, out: np.ndarray) -> None:
    dates = summed.shape[0]
    for t in range(dates):
        total = out[t]
        total[:] = 0
        for tap in range(TAPS):
            at = t + (tap - TAPS // 2) * step
            if at < 0 or at >= dates:
                continue
            weight = np.float32(-1)
            if tap == taps[0] or tap == taps[1] or tap == taps[2]:
                weight = np.float32(2)
            row = summed[at]
            for lane in range(_TOGETHER):
                total[lane] += weight * row[lane]
