"""Soft-DTW beside tslearn and aeon: N x R sums, their divergence, laws, and one barycenter.

One core, processor time; the peers get fewer series, since their time is linear in them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from benchmarks.clock import Report, machine, race
from cpazmal_scale.dtw import soft_barycenter, soft_distances

SERIES, FEW, REFERENCES = 4000, 60, 36


def main() -> None:
    """Print the tables; `--write` keeps them in the documentation."""
    from aeon.clustering.averaging import elastic_barycenter_average
    from aeon.distances import soft_dtw_pairwise_distance
    from tslearn.barycenters import softdtw_barycenter
    from tslearn.metrics import cdist_soft_dtw

    report = Report("soft")
    rng = np.random.default_rng(0)
    report.say(f"{machine()}; nanoseconds per pair, no band, gamma 1.\n")
    report.table(
        "T", "soft-DTW", "divergence", "Weibull", "hard, Weibull", "tslearn", "aeon", "fastest"
    )
    for dates in (30, 60):
        q, s = rng.normal(size=(SERIES, 1, dates)), rng.normal(size=(REFERENCES, 1, dates))
        laws = np.abs(rng.normal(size=(SERIES + REFERENCES, 2, dates)))
        pair = laws[:SERIES], laws[SERIES:]
        few, turned = q[:FEW], s.transpose(0, 2, 1)
        calls: dict[str, Callable[[], object]] = {
            "soft": lambda q=q, s=s: soft_distances(q, s),
            "divergence": lambda q=q, s=s: soft_distances(q, s, divergence=True),
            "weibull": lambda pair=pair: soft_distances(*pair, cost="weibull"),
            "hard": lambda pair=pair: soft_distances(*pair, cost="weibull", gamma=0),
            "tslearn": lambda few=few, s=turned: cdist_soft_dtw(
                few.transpose(0, 2, 1), s, gamma=1.0
            ),
            "aeon": lambda few=few, s=s: soft_dtw_pairwise_distance(few, s, gamma=1.0),
        }
        spent = race(calls, 3)
        each = {
            name: 1e9 * time / ((FEW if name in ("tslearn", "aeon") else SERIES) * REFERENCES)
            for name, time in spent.items()
        }
        ratio = min(each["tslearn"], each["aeon"]) / each["soft"]
        report.row(dates, *(f"{value:,.0f}" for value in each.values()), f"{ratio:.0f} ×")
    members = np.sin(np.linspace(0, 6, 30) + rng.normal(0, 0.4, (100, 1)))
    averages: dict[str, Callable[[], np.ndarray]] = {
        "here": lambda: soft_barycenter(members, gamma=1.0).values,
        "tslearn": lambda: softdtw_barycenter(members[:, :, None], gamma=1.0, max_iter=50)[:, 0],
        "aeon": lambda: elastic_barycenter_average(
            members[:, None], method="subgradient", distance="soft_dtw", gamma=1.0, max_iters=50
        )[0],
    }
    spent = race(averages, 1)
    report.say("\nOne barycenter of 100 series, T = 30, gamma 1, at most 50 iterations.\n")
    report.table("library", "seconds", "final sum")
    for name, call in averages.items():
        total = soft_distances(members, np.asarray(call())[None]).sum()
        report.row(name, f"{spent[name]:.3f}", f"{total:.3f}")
    if "--write" in sys.argv:
        report.keep()


if __name__ == "__main__":
    main()
