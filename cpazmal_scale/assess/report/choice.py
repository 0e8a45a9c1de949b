"""How the method of the map was chosen, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cpazmal_scale import words as say
from cpazmal_scale.config.methods import method

_ONE_VERDICT = (
    "These figures say how the method was chosen, on folds of the choice's own. Which method is "
    "ahead is judged once, under “Accuracy by cross-validation”, on another division of the "
    "polygons into folds: its differences and its p are not these."
)


def choice_text(choice: Mapping[str, Any]) -> str:
    """Which method, by how much, and what choosing is worth; who is ahead is not said here.

    Args:
        choice: `Choice.plain`, as a model's provenance keeps it.
    """
    found: Mapping[str, float] = choice["macro_f1"]
    own = method(choice["method"]).name
    first = (
        f"**{own}** makes the map: macro-F1 {say.number(found[choice['method']])} in "
        f"{choice['folds']} folds of {choice['groups']} polygons, among {len(found)} methods "
        f"({_listed(found)})."
    )
    sentences = [first]
    if choice["next"] is not None:
        sentences.append(_lead(choice))
    if choice["nested_macro_f1"] is None:
        sentences.append(
            "What choosing is worth could not be tested: that needs two methods and four polygons "
            "of every class."
        )
    else:
        winners = ", ".join(
            f"{method(setting).name} {count} times" if count > 1 else method(setting).name
            for setting, count in choice["nested_winners"].items()
        )
        span = say.interval(choice["nested_low"], choice["nested_high"])
        sentences.append(
            "The choice itself, tested on polygons that took no part in it, reaches "
            f"{say.number(choice['nested_macro_f1'])} (95 % interval {span}); it fell on {winners}."
        )
    return " ".join([*sentences, _ONE_VERDICT])


def _lead(choice: Mapping[str, Any]) -> str:
    other = method(choice["next"]).name
    figures = (
        f"{say.signed(choice['difference'])}, 95 % interval "
        f"{say.interval(choice['low'], choice['high'])}, p by polygons "
        f"{say.probability(choice.get('p_corrected', choice['p']))}"
        f"{' after Holm’s correction' if 'p_corrected' in choice else ''}"
    )
    if choice["difference"] < 0:
        return f"It is the cheaper of methods that are level: {other} differs by {figures}."
    return f"The next is {other}: the difference is {figures}."


def _listed(found: Mapping[str, float]) -> str:
    return ", ".join(
        f"{method(setting).name} {say.number(value)}" for setting, value in found.items()
    )
