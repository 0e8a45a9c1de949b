"""A plan as a few lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpazmal_scale.config.methods import method
from cpazmal_scale.words import amount, channels, duration

if TYPE_CHECKING:
    from cpazmal_scale.mapping.classify.plan import MapPlan


def plan_card(plan: MapPlan) -> str:
    """The plan in plain text, one fact per line."""
    recipe = plan.recipe
    used = channels(plan.acquired, len(recipe.dates))
    height, width = plan.shape
    workers = f"{plan.workers} worker{'s' if plan.workers > 1 else ''}"
    lines = [
        ("map", f"{plan.id} → {plan.url}"),
        ("cube", f"{recipe.cube}, {recipe.beam}"),
        ("dates", f"{len(recipe.dates)}, {recipe.dates[0][:10]} to {recipe.dates[-1][:10]}"),
        ("channels", f"{used}; classes {', '.join(recipe.classes)}"),
        ("grid", f"{height} × {width} = {height * width / 1e6:.3g} Mpx{_outlined(plan)}"),
        *_excluded(plan),
        ("blocks", f"{len(plan.blocks)} of {plan.block[0]} × {plan.block[1]} on {workers}"),
        ("reads", f"{amount(plan.bytes_read)} (uncompressed, halos included)"),
        ("writes", f"{amount(plan.bytes_written)} (uncompressed)"),
        ("method", f"{method(recipe.method).name}, {1e6 * plan.seconds_per_pixel:.3g} µs a pixel"),
        ("memory", f"{amount(plan.memory)} of {amount(plan.memory_limit)} per worker"),
        ("time", f"about {duration(plan.seconds)}"),
    ]
    return "\n".join(f"{name:<9}{text}" for name, text in lines)


def _excluded(plan: MapPlan) -> list[tuple[str, str]]:
    """What the exclusion mask leaves out."""
    if plan.exclude_url is None:
        return []
    share = plan.excluded / (plan.shape[0] * plan.shape[1])
    text = f"{plan.excluded:,} pixels ({share:.1%}) by {plan.exclude_url}: no data"
    return [("excluded", text)]


def _outlined(plan: MapPlan) -> str:
    """How much of the grid is computed, where outlines say so."""
    if plan.outlines_url is None:
        return ""
    return f", {plan.pixels / 1e6:.3g} Mpx in blocks that {plan.outlines_url} touches"
