"""The main job: scenes to cube, samples, model, map and report, one step after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpazmal_scale.errors import ConfigError
from cpazmal_scale.progress import Progress
from cpazmal_scale.stages.notebook import bars, in_notebook

if TYPE_CHECKING:
    from cpazmal_scale.config import RunConfig

Seconds = dict[str, float]
"""Wall time of the steps done so far, by name."""


@dataclass(frozen=True)
class Step:
    """A step of the main job.

    `bars` are the titles of its parts; `work(config, seconds, *progress)` does it and returns what
    it made, with a `Progress` for every bar.
    """

    name: str
    bars: tuple[str, ...]
    work: Callable[..., object]


Watch = Callable[[Step], AbstractContextManager[tuple[Progress, ...]]]
"""Opens the progress of a step: one function for each of its bars."""
Tell = Callable[[Step, object], None]
"""Called with a step and what it made."""


def run(
    config: RunConfig,
    *,
    only: Sequence[str] | None = None,
    watch: Watch | None = None,
    tell: Tell | None = None,
) -> dict[str, object]:
    """Do the main job, or some steps of it.

    What exists and was made from the same cube, polygons and settings is used again: dates,
    windows, model, blocks and cross-validation. An interrupted run continues, and a changed
    setting makes anew what depends on it.

    Args:
        config: the run.
        only: names of the steps to do, among `ingest`, `samples`, `train`, `map` and `assess`;
            none: all, without `ingest` where `ingest.scenes` names no scenes.
        watch: opens the progress of a step; none: bars in a notebook, and nothing elsewhere.
        tell: called with what a step made, before the next one begins.

    Returns:
        What each step made, by its name.

    Raises:
        ConfigError: a step has another name.
        StoreMissing, SampleError, StoreError: polygons or reference cannot be used.
        CpazmalError: the first error of a step.
    """
    made: dict[str, object] = {}
    seconds: Seconds = {}
    chosen = steps(config, only)
    require_inputs(config, {step.name for step in chosen})
    for step in chosen:
        began = time.perf_counter()
        with (watch or _usual)(step) as progress:
            made[step.name] = step.work(config, seconds, *progress)
        seconds[step.name] = time.perf_counter() - began
        if tell is not None:
            tell(step, made[step.name])
    return made


def steps(config: RunConfig, only: Sequence[str] | None = None) -> tuple[Step, ...]:
    """The steps of a run in their order, see `run`.

    Raises:
        ConfigError: a step has another name.
    """
    names = [step.name for step in STEPS]
    if only is None:
        return STEPS if config.ingest.scenes is not None else STEPS[1:]
    unknown = sorted(set(only) - set(names))
    if unknown:
        raise ConfigError(f"no step `{unknown[0]}`", remedy=f"name some of {', '.join(names)}")
    return tuple(step for step in STEPS if step.name in only)


def _ingest(config: RunConfig, _: Seconds, progress: Progress) -> object:
    from cpazmal_scale.stages.ingest import ingest

    return ingest(config, progress=progress)


def _samples(config: RunConfig, _: Seconds, progress: Progress) -> object:
    from cpazmal_scale.stages.samples import draw_samples

    return draw_samples(config, progress=progress)


def _train(
    config: RunConfig, _: Seconds, reading: Progress, choosing: Progress, progress: Progress
) -> object:
    from cpazmal_scale.stages.train import train

    return train(config, reading=reading, choosing=choosing, progress=progress)


def _map(config: RunConfig, _: Seconds, progress: Progress) -> object:
    from cpazmal_scale.stages import workspace
    from cpazmal_scale.stages.classify import classify, export_map

    workspace.warn_of_dates(config, workspace.open_period(config))
    result, _entry = classify(config, progress=progress)
    return result, export_map(config)


def _assess(config: RunConfig, seconds: Seconds, reading: Progress, progress: Progress) -> object:
    from cpazmal_scale.stages.assess import assess

    return assess(config, reading=reading, progress=progress, seconds=seconds)


STEPS = (
    Step("ingest", ("ingest the scenes",), _ingest),
    Step("samples", ("draw the samples",), _samples),
    Step("train", ("read the windows", "compare the methods", "learn the classes"), _train),
    Step("map", ("classify the pixels",), _map),
    Step("assess", ("read the windows", "cross-validate"), _assess),
)
"""The main job in its order."""


def _usual(step: Step) -> AbstractContextManager[tuple[Progress, ...]]:
    """Bars in a notebook, nothing elsewhere."""
    return bars(*step.bars) if in_notebook() else _silent(step)


@contextmanager
def _silent(step: Step) -> Iterator[tuple[Progress, ...]]:
    yield tuple(_ignore for _ in step.bars)


def _ignore(_done: int, _total: int) -> None:
    pass


def require_inputs(config: RunConfig, names: Collection[str] = ("samples", "assess")) -> list[str]:
    """Check the polygons and the reference that steps read, before the first one begins.

    Args:
        config: the run.
        names: of the steps.

    Returns:
        What is there, a line each.

    Raises:
        StoreMissing: one of them is not there.
        SampleError, StoreError, ConfigError: one of them cannot be used.
    """
    from cpazmal_scale.assess import require_folds, require_reference
    from cpazmal_scale.model import require_method
    from cpazmal_scale.samples import read_polygons, require_condition
    from cpazmal_scale.stages.samples import without_names

    rules, found = config.samples, []
    if "samples" in names and rules.polygons is not None:
        if rules.where is not None:
            require_condition(rules.where)
        table = read_polygons(rules.polygons, rules.classes)
        counts = table["class"].value_counts(sort=False)
        held = ", ".join(f"{code} {count}" for code, count in counts.items())
        found.append(f"polygons: groups by class: {held} ({rules.polygons})")
        unnamed = without_names(table, config)
        found += [] if unnamed is None else [f"  {unnamed}"]
        if "assess" in names and not rules.also:
            require_folds(table["class"].to_numpy(), table["group"].to_numpy(), config)
    if "train" in names:
        require_method(config)
    if "assess" in names and config.assess.truth is not None:
        require_reference(config.assess.truth)
        found.append(f"reference: {config.assess.truth}")
    return found
