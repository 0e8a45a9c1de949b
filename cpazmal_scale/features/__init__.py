"""Windows or blocks to log-cumulant series."""

from __future__ import annotations

from collections.abc import Sequence

XPOL = ("logratio", "fraction", "code", "talk", "none")
"""Ways to make the third channel of a co- and a cross-polarised one (method §2)."""


def names(polarisations: Sequence[str], xpol: str = "logratio") -> tuple[str, ...]:
    """Names of the feature series, in the order the kernels write them.

    Args:
        polarisations: co-polarised channel, then the cross-polarised one if there is one.
        xpol: third channel, one of `XPOL`; ignored with one polarisation.

    Returns:
        `HH.k1, HH.k2, HH.k3, HV.k1, …, HV/HH.k1, …`: K = 3 with one polarisation, 6 with two and
        xpol `none`, else 9. `k` are log-cumulants, `c` ordinary cumulants.

    Raises:
        ValueError: not one or two polarisations, or xpol unknown.
    """
    if xpol not in XPOL:
        raise ValueError(f"xpol is one of {', '.join(XPOL)}, not {xpol!r}")
    if len(polarisations) not in (1, 2):
        raise ValueError(f"one or two polarisations, not {len(polarisations)}")
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
    return tuple(f"{name}.{kind}{order}" for name, kind in channels for order in (1, 2, 3))


def in_words(name: str) -> str:
    """The name of a series as figures print it, such as `HH  κ₁` for `HH.k1`."""
    channel, _, statistic = name.rpartition(".")
    if statistic[:1] in ("k", "c") and statistic[1:].isdigit():
        number = statistic[1:].translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
        statistic = {"k": "κ", "c": "c"}[statistic[0]] + number
    return f"{channel}  {statistic}".strip()
