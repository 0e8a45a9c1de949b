"""What is known of a model, for people: a JSON card and a picture of its barycenters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.config.methods import method
from cpazmal_scale.legend import legend
from cpazmal_scale.model.panels import feature_panels, legend_and_title
from cpazmal_scale.model.trained import CALIBRATED
from cpazmal_scale.pictures import with_gaps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cpazmal_scale.model.trained import Model
    from cpazmal_scale.samples import WindowSeries

MISSING = {
    True: "a missing date is matched one to one at no cost and the sum scaled by samples / valid "
    "samples (DTW-AROW); features with fewer than min_dates valid dates do not count",
    False: "a missing number counts as its mean over the training windows, or goes the way that a "
    "tree learnt for it; series with fewer than min_dates valid dates in every feature get no "
    "class",
}
"""Of classifiers that warp, and of those that see a series as one vector."""
_ELSEWHERE = {
    *("days", "band_days", "radius", "open_ends"),
    *("min_dates", "decision", "reject", "temperature"),
}
LIMITS = (
    "Every pixel gets one of these classes, whatever it is, unless it is rejected.",
    "Accuracy holds for polygons like the trained ones, seen by this beam.",
)


def model_card(
    model: Model, labels: Sequence[str], groups: Sequence[str], figure: str
) -> dict[str, Any]:
    """Plain values that say what a model is, was made from and can be trusted with.

    Args:
        model: the trained model.
        labels: class of each training window.
        groups: polygon of each.
        figure: name of the picture beside the card.
    """
    own = model.classifier
    known, polygons = np.asarray(labels), np.asarray(groups)
    styles = legend(model.classes, model.legend)
    return {
        "id": model.id,
        "kind": method(model.method).name,
        "classes": {
            code: {
                "name": styles.name(code),
                "colour": styles.colours[code],
                "glacier": code in styles.glacier,
                "windows": int((known == code).sum()),
                "groups": sorted(set(polygons[known == code].tolist())),
            }
            for code in model.classes
        },
        "features": {
            name: {"mean": float(mean), "scale": float(scale), "tau": float(tau)}
            for name, mean, scale, tau in zip(
                model.names,
                own.mean_,
                own.scale_,
                np.broadcast_to(own.tau_, len(model.names)),
                strict=True,
            )
        },
        "made_by": model.features.model_dump(mode="json"),
        "polarisations": list(model.polarisations),
        "dates": model.dates.astype(str).tolist(),
        **_settings(model),
        "missing_dates": {"rule": _missing(own), "min_dates": own.min_dates},
        "decision": {
            "rule": model.method,
            "temperature": None if model.withheld else float(own.temperature_),
            "calibrated": own.calibrated_ and not model.withheld,
            "withheld": model.withheld,
            "known_within": own.known_within_,
            "reject": own.reject,
        },
        "held_out": _held_out(model),
        "provenance": dict(model.provenance),
        "limits": [*LIMITS, _probabilities(model)],
        "figure": figure,
    }


def _missing(own: Any) -> str:
    return getattr(own, "missing_rule", None) or MISSING[hasattr(own, "radius")]


def _probabilities(model: Model) -> str:
    """What to believe of the probabilities of its maps."""
    if model.withheld:
        return f"Maps hold no probabilities: {model.withheld}."
    said = model.calibration or CALIBRATED
    return f"Probabilities were {said}. The area mapped may differ from them."


def _settings(model: Model) -> dict[str, Any]:
    """The classifier's settings, and its band where it has one."""
    own = model.classifier.get_params(deep=False)
    told = {name: own[name] for name in sorted(own) if name not in _ELSEWHERE}
    if "radius" not in own:
        return {"settings": told}
    names = {"days": "band_days", "samples": "radius", "open_ends": "open_ends"}
    return {"band": {said: own[name] for said, name in names.items()}, "settings": told}


def _held_out(model: Model) -> dict[str, Any] | None:
    """How training windows fare against barycenters of other polygons, before and after
    calibration; none where no barycenters were held out.
    """
    from cpazmal_scale.dtw import NO_CLASS, HeldOut, decide

    own: Any = model.classifier
    held = getattr(own, "held_out_", None)
    if not isinstance(held, HeldOut):
        return None
    distances, codes, _ = held
    figures: dict[str, Any] = {"windows": int(codes.size)}
    for name, temperature in (("uncalibrated", 1.0), ("calibrated", own.temperature_)):
        made = decide(distances, np.ones(len(distances)), temperature, decision=own.decision)
        decided = made.index != NO_CLASS
        chance = made.probability[codes, np.arange(codes.size)][decided].astype(np.float64)
        loss = -np.log(np.maximum(chance, 1e-4))
        figures[f"log_loss_{name}"] = float(loss.mean()) if loss.size else None
        figures["accuracy"] = float((made.index == codes).mean())
    return figures


def barycenters_figure(
    model: Model, series: WindowSeries, labels: Sequence[str], colours: Mapping[str, str]
) -> Figure:
    """Every feature's typical series by class, over the middle half of their class's windows.

    Barycenters are means of aligned series, whose ups and downs have no date; beside them the mean
    of the windows date by date is dashed.

    Args:
        model: the trained model.
        series: the windows it was trained on.
        labels: class of each window.
        colours: colour of each class.
    """
    figure, panels = feature_panels(model.names)
    centres = model.classifier.centres()
    row = method(model.method)
    days = model.dates.astype("datetime64[s]")
    for k, axis in enumerate(panels):
        for c, code in enumerate(model.classes):
            members = series.values[np.asarray(labels) == code, k]
            seen = ~np.isnan(members).all(axis=0)
            low, high = np.nanpercentile(members[:, seen], (25, 75), axis=0)
            dates, lower, upper = with_gaps(days[seen], days, low, high)
            axis.fill_between(dates, lower, upper, color=colours[code], alpha=0.18, lw=0)
            for m, values in enumerate(centres[c, :, k]):
                known = np.where(seen, values, np.nan)
                line = with_gaps(days, days, known)
                axis.plot(*line, color=colours[code], lw=1.8, label=code if m == 0 else None)
            if model.means is not None:
                mean = with_gaps(days, days, model.means[c, k])
                axis.plot(*mean, "--", color=colours[code], lw=0.9)
    typical = row.typical.capitalize()
    if model.means is not None:
        typical = f"{typical}, {row.aligned}; dashed: mean of the windows on each date"
    legend_and_title(figure, panels[0], f"{typical}; bands hold the middle half of the windows")
    return figure
