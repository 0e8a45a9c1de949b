"""Names of feature series: what is computed of a window, in the kernels' order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from cpazmal_scale.vocabulary import BINS, Statistic

XPOL = ("logratio", "fraction", "code", "talk", "none")
"""Ways to make the third channel of a co- and a cross-polarised one (method §2)."""


STATISTICS: tuple[str, ...] = get_args(Statistic)
"""Statistics of a window: log-cumulants, those of the amplitude, and those of classes of level."""


LOG_CUMULANTS = ("k1", "k2", "k3")
"""The talk's statistics, and the default."""


_ORDERS = {"1": "mean", "2": "variance", "3": "third cumulant", "4": "fourth cumulant"}


_WORDS = {"std": "standard deviation", "cv": "coefficient of variation"}


def names(
    polarisations: Sequence[str],
    xpol: str = "logratio",
    statistics: Sequence[str] = LOG_CUMULANTS,
) -> tuple[str, ...]:
    """Names of the feature series, in the order the kernels write them.

    Args:
        polarisations: co-polarised channel, then the cross-polarised one if there is one.
        xpol: third channel, one of `XPOL`; ignored with one polarisation.
        statistics: of every channel, among `STATISTICS`.

    Returns:
        `HH.k1, HH.k2, HH.k3, HV.k1, …, HV/HH.k1, …`: K = 3 with one polarisation, 6 with two and
        xpol `none`, else 9. `k` are log-cumulants, `c` ordinary cumulants; a histogram is
        `HH.h1 … HH.h16`.

    Raises:
        ValueError: not one or two polarisations, or xpol or a statistic unknown.
    """
    if xpol not in XPOL:
        raise ValueError(f"xpol is one of {', '.join(XPOL)}, not {xpol!r}")
    if len(polarisations) not in (1, 2):
        raise ValueError(f"one or two polarisations, not {len(polarisations)}")
    require_statistics(statistics)
    channels = [(polarisation, "k") for polarisation in polarisations]
    if len(polarisations) == 2 and xpol != "none":
        co, cross = polarisations
        channels.append(
            {
                "logratio": (f"{cross}/{co}", "k"),
                "fraction": (f"{cross}/({co}+{cross})", "k"),
                "code": (f"code({co},{cross})", "c"),
                "talk": (f"talk({co},{cross})", "c"),
            }[xpol]
        )
    return tuple(
        f"{name}.{each}"
        for name, kind in channels
        for statistic in statistics
        for each in _series(statistic, kind)
    )


def require_statistics(statistics: Sequence[str]) -> None:
    """Check that statistics are known, at least one, and each once.

    Raises:
        ValueError: naming what is wrong.
    """
    unknown = [name for name in statistics if name not in STATISTICS]
    if unknown:
        raise ValueError(f"a statistic is one of {', '.join(STATISTICS)}, not {unknown[0]!r}")
    if not statistics or len(set(statistics)) < len(statistics):
        raise ValueError(f"each statistic once, and at least one, not {', '.join(statistics)!r}")


def in_words(name: str) -> str:
    """The name of a series as figures print it, such as `HH  κ₁` for `HH.k1`."""
    channel, _, statistic = name.rpartition(".")
    if statistic[:1] in ("k", "c") and statistic[1:].isdigit():
        number = statistic[1:].translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
        statistic = {"k": "κ", "c": "c"}[statistic[0]] + number
    return f"{channel}  {statistic}".strip()


def axis_label(name: str) -> str:
    """The name of a series with its unit, such as `HH  κ₁ of ln amplitude, Np` for `HH.k1`.

    Log-cumulants of order n are in nepers to the n (1 Np = 8.686 dB); other statistics have none.
    """
    nepers = unit(name)
    if not nepers:
        return in_words(name)
    what = "amplitude ratio" if "/" in name else "amplitude"
    return f"{in_words(name)} of ln {what}, {nepers}"


def unit(name: str) -> str:
    """The unit of a series: `Np` of κ₁, `Np²` of κ₂ …; empty where it has none or another's."""
    statistic = name.rpartition(".")[2]
    if statistic[:1] != "k" or not statistic[1:].isdigit():
        return ""
    power = statistic[1:].translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"Np{power if power != '¹' else ''}"


def meaning(name: str) -> str:
    """What a series is, such as `mean of the ln amplitude` for `HH.k1`."""
    channel, _, statistic = name.rpartition(".")
    what = "amplitude"
    if "(" in channel:
        what = "combination"
    elif "/" in channel:
        what = "amplitude ratio"
    if statistic[1:].isdigit() and statistic[0] in "kc":
        logarithm = "" if "(" in channel else "ln "
        return f"{_ORDERS[statistic[1:]]} of the {logarithm}{what}"
    if statistic[1:].isdigit():
        return f"share of pixels in level {statistic[1:]} of {BINS}"
    if statistic == "entropy":
        return f"entropy of the {what}'s levels"
    return f"{_WORDS.get(statistic, statistic)} of the {what}"


def _series(statistic: str, kind: str) -> tuple[str, ...]:
    if statistic == "histogram":
        return tuple(f"h{number}" for number in range(1, BINS + 1))
    return (kind + statistic[1:],) if statistic[0] == "k" and len(statistic) == 2 else (statistic,)
