"""How good the model and its map are, beside other methods, as report.md."""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cpazmal_scale import catalog, storage
from cpazmal_scale import words as say
from cpazmal_scale.catalog import how_to_open
from cpazmal_scale.config.methods import BEST, method
from cpazmal_scale.errors import ConfigError, StoreDamaged, StoreMissing
from cpazmal_scale.progress import Progress
from cpazmal_scale.stages import reuse, workspace
from cpazmal_scale.stages.classify import classify, plan_map
from cpazmal_scale.stages.provenance import acquisitions, processing
from cpazmal_scale.stages.report_contents import SUM, campaign, map_picture, portraits
from cpazmal_scale.stages.samples import training_data
from cpazmal_scale.storage import seal
from cpazmal_scale.vocabulary import STABLE

if TYPE_CHECKING:
    import pandas as pd

    from cpazmal_scale.assess import (
        CrossValidation,
        Labelled,
        MapComparison,
        Performance,
    )
    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.mapping import MapResult
    from cpazmal_scale.samples import WindowSeries

_LOG = logging.getLogger(__name__)
CLUSTERED = (
    "The classes are clusters of the series themselves: the figures say how well they are found "
    "again in other places, not what they are."
)
_SAME_BEAM = {"split": "stratified", "test_beam": None}


@dataclass(frozen=True, eq=False)
class Assessment:
    """What was found, and where the report is."""

    url: str
    validation: CrossValidation
    comparison: MapComparison | None

    def rows(self) -> list[dict[str, Any]]:
        """The methods side by side, one row each, rounded for reading."""
        table = self.validation.summary().reset_index()
        shown = ["method", "macro_f1_mean", "macro_f1_std", "macro_f1_low", "macro_f1_high"]
        shown += ["oa_mean", "oa_std", "log_loss_mean", "ece_pooled"]
        return [
            {str(k): v if isinstance(v, str) else round(float(v), 4) for k, v in row.items()}
            for row in table[shown].to_dict("records")
        ]

    def __str__(self) -> str:
        lines = [f"{'macro-F1 over folds':>52}   95 % interval"]
        lines += [
            f"{row['method']:<30}{row['macro_f1_mean']:>12.3f} ± {row['macro_f1_std']:.3f}"
            f"    {row['macro_f1_low']:.3f} to {row['macro_f1_high']:.3f}"
            for row in self.rows()
        ]
        if self.comparison is not None:
            lines += [
                f"map against reference, {name}: macro-F1 {row['macro_f1']:.3f}, "
                f"overall accuracy {row['oa']:.3f}"
                for name, row in self.comparison.table().iterrows()
            ]
        page = self.url.removesuffix(".md") + ".html"
        return "\n".join([*lines, f"report: {self.url}", f"page:   {page}"])


def assess(
    config: RunConfig,
    *,
    reading: Progress | None = None,
    progress: Progress | None = None,
    seconds: Mapping[str, float] | None = None,
) -> Assessment:
    """Cross-validate by groups beside a random forest, compare the map with the reference, report.

    Methods that were cross-validated on the same samples, cubes and settings are not again.

    Args:
        config: the run.
        reading: called as (chunks read, chunks).
        progress: called as (folds done, folds).
        seconds: wall time of the stages before this one, for the report.

    Raises:
        StoreMissing: samples were not drawn.
        StoreError: the reference is no raster of classes.
        SampleError: too few groups for the folds.
    """
    from cpazmal_scale.assess import Report, require_reference, write_report

    if config.assess.truth is not None:
        require_reference(config.assess.truth)
    began = time.perf_counter()
    config, choice = _settled(config)
    _require_folds(config)
    series, windows = training_data(config, progress=reading)
    validation, is_new = _validation(config, _labelled(series, windows), progress)
    stages = dict(seconds or {})
    if is_new:
        stages["cross-validation"] = time.perf_counter() - began
    result = _finished_map(config)
    comparison = None if result is None else _compare(config, result)
    shown = portraits(config, series, windows, validation.classes)
    told = campaign(config, series, {} if result is None else result.floored)
    dark = () if shown.backscatter is None else shown.backscatter.floored()
    report = Report(
        title=_title(config, validation.classes),
        campaign=replace(told, processing=processing(config), floored_classes=dark),
        validation=validation,
        comparison=comparison,
        boundary=_boundary_share(config, result),
        areas=None if result is None else result.areas,
        acquisitions=acquisitions(config),
        performance=_performance(result, stages),
        portraits=shown,
        pictures=() if result is None else map_picture(config, result.id),
        opening=_opening(config, result),
        remarks=(*_clustered(config), *_withheld(config, result)),
        choice=choice,
        map_method=method(config.classify.method).name,
    )
    split = "" if config.assess.split == "stratified" else f"-{config.assess.split}"
    url = storage.join(config.workspace, f"{config.assess.report or 'report' + split}.md")
    write_report(url, report)
    _add_to_card(config, validation)
    return Assessment(url, validation, comparison)


def _clustered(config: RunConfig) -> tuple[str, ...]:
    """What to believe of classes that are clusters; nothing of others."""
    if workspace.is_labelled(config):
        return ()
    found = workspace.find(config, "samples").metadata.get("stability")
    if found is None:
        return (CLUSTERED,)
    text = (
        "Clusters by the even dates alone and by the odd dates alone agree at an adjusted Rand "
        f"index of {say.number(found, 2)} (1: the same, 0: chance)."
    )
    if not found >= STABLE:
        text = (
            f"**No stable classes.** {text} Other dates would give another map; that is no ground "
            "to call a pixel's class probable."
        )
    return (CLUSTERED, f"{text} Probabilities are withheld.")


def _withheld(config: RunConfig, result: MapResult | None) -> tuple[str, ...]:
    """That a map of given classes has no probabilities, where that is so."""
    from cpazmal_scale.mapping import read_recipe

    reason = None if result is None else read_recipe(result.url).withheld
    if reason is None or not workspace.is_labelled(config):
        return ()
    return (f"**The map holds no probabilities**: {reason}.",)


def _settled(config: RunConfig) -> tuple[RunConfig, Mapping[str, Any] | None]:
    """The run with the method of its latest model in place of `best`, and how that was chosen."""
    if config.classify.method != BEST:
        return config, None
    try:
        entry = workspace.find(config, "model")
    except StoreMissing:
        return config.with_values({"classify": {"method": SUM}}), None
    card = storage.join(config.workspace, entry.metadata["card"])
    told = seal.read_document(card, "train again")
    settled = config.with_values({"classify": {"method": entry.metadata.get("method", SUM)}})
    return settled, told["provenance"].get("choice")


def _add_to_card(config: RunConfig, validation: CrossValidation) -> None:
    """Write the figures of the model's method on the card of the latest model, if there is one."""
    try:
        facts = workspace.find(config, "model").metadata
    except StoreMissing:
        return
    own = workspace.find(config, "samples").fact("id")
    if "card" not in facts or facts.get("samples") != own:
        return
    url = storage.join(config.workspace, facts["card"])
    card, name = seal.read_document(url, "train again"), method(config.classify.method).name
    card.setdefault("assessed", {})[validation.split] = {
        "method": name,
        "folds": validation.fold_count,
        **validation.figures(name),
    }
    seal.write_document(url, card)


def _require_folds(config: RunConfig) -> None:
    """Check the folds by the table of windows, whose series take long to read.

    Raises:
        StoreMissing: samples were not drawn.
        SampleError: too few groups for the folds.
    """
    from cpazmal_scale.assess import require_folds
    from cpazmal_scale.samples import read_index

    if workspace.has_table(config) or config.samples.also or config.assess.split == "geometry":
        return
    windows = read_index(workspace.url_of(config, workspace.find(config, "samples")))
    require_folds(windows["class"].to_numpy(), windows["group"].to_numpy(), config)


def _labelled(series: WindowSeries, windows: pd.DataFrame) -> Labelled:
    from cpazmal_scale.assess import Labelled

    return Labelled(series, windows["class"].to_numpy(), windows["group"].to_numpy())


def _validation(
    config: RunConfig, known: Labelled, progress: Progress | None
) -> tuple[CrossValidation, bool]:
    """Every method on the folds, and whether that was computed or found."""
    from cpazmal_scale.assess import read_validation, save_validation

    folder, inputs = storage.join(config.workspace, "validations"), reuse.of_validation(config)
    with suppress(StoreMissing, StoreDamaged):
        found = read_validation(folder, inputs)
        _LOG.info("cross-validation found: made from the same samples, cubes and settings")
        return found, False
    made = _validate(config, known, progress)
    save_validation(made, folder, inputs)
    return made, True


def _validate(config: RunConfig, known: Labelled, progress: Progress | None) -> CrossValidation:
    """Every method on the folds, the series shared through the workspace with other processes."""
    from cpazmal_scale.assess import cross_validate, require_comparable
    from cpazmal_scale.execute import open_executor
    from cpazmal_scale.model import Workers

    trained, tested = _sides(config, known)
    require_comparable(trained, config, tested=tested)
    with workspace.shared(config) as share, open_executor(config.cluster) as executor:
        workers = Workers(executor, share, progress)
        return cross_validate(trained, config, tested=tested, workers=workers)


def _sides(config: RunConfig, known: Labelled) -> tuple[Labelled, Labelled | None]:
    """Windows to train on, and other ones to test on where the split asks for them."""
    from cpazmal_scale.assess import by_date
    from cpazmal_scale.dtw import NEW_YEAR

    split, season = config.assess.split, config.dtw.season_start or NEW_YEAR
    if split == "temporal":
        before, after = by_date(known.series, config.assess.train_until, season)
        other = known._replace(series=after)
    elif split == "geometry":
        elsewhere = config.with_values({"beam": config.assess.test_beam, "assess": _SAME_BEAM})
        _require_beam(elsewhere)
        before, other = known.series, _labelled(*training_data(elsewhere))
    else:
        return known, None
    return known._replace(series=before), other


def _require_beam(elsewhere: RunConfig) -> None:
    try:
        workspace.beam_of(elsewhere)
    except ConfigError as error:
        raise ConfigError(
            f"there is no beam {elsewhere.beam} to test on",
            where=elsewhere.workspace,
            remedy="set `assess.test_beam` to a beam whose scenes were ingested and samples drawn",
        ) from error


def _finished_map(config: RunConfig) -> MapResult | None:
    """The published map of this configuration, if there is one."""
    try:
        published = workspace.find(config, "map").fact("id")
        planned = plan_map(config).id
    except StoreMissing:
        return None
    return classify(config)[0] if planned == published else None


def _compare(config: RunConfig, result: MapResult) -> MapComparison | None:
    from cpazmal_scale.assess import compare_map
    from cpazmal_scale.samples import read_polygons

    if config.assess.truth is None:
        return None
    polygons = None
    if config.samples.polygons is not None:
        polygons = read_polygons(config.samples.polygons, config.samples.classes)
    margin = config.features.window // 2
    return compare_map(result.url, config.assess.truth, polygons, margin=margin)


def _boundary_share(config: RunConfig, result: MapResult | None) -> float:
    """Share of the map's pixels whose window has several classes; NaN without probabilities."""
    from cpazmal_scale.assess import boundary_share
    from cpazmal_scale.mapping import read_recipe

    if result is None or read_recipe(result.url).withheld is not None:
        return float("nan")
    return boundary_share(result.url, config.features.window // 2)


def _title(config: RunConfig, classes: tuple[str, ...]) -> str:
    """What was classified, in the words of the map's picture."""
    if workspace.has_table(config):
        return f"Labelled series {workspace.beam_of(config)}"
    from cpazmal_scale.legend import legend

    shown = legend(classes, workspace.with_legend(config, classes).legend)
    return f"{shown.subject}, beam {workspace.beam_of(config)}"


def _performance(result: MapResult | None, seconds: Mapping[str, float]) -> Performance:
    from cpazmal_scale.assess import Performance, Stage

    made = tuple(Stage(name, value) for name, value in seconds.items())
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    if result is None:
        return Performance(stages=made, machine=machine)
    pixels = result.shape[0] * result.shape[1]
    return Performance(
        stages=made,
        map_pixels=pixels,
        map_seconds=pixels / result.pixels_per_second,
        workers=result.workers,
        peak_memory=float(result.peak_memory),
        machine=machine,
    )


def _opening(config: RunConfig, result: MapResult | None) -> str:
    """Lines that open the map, or else the model, or else the samples."""
    kinds: tuple[catalog.Kind, ...] = ("model", "samples") if result is None else ("map",)
    beam = workspace.beam_of(config)
    there = catalog.names(config.workspace)
    names = [catalog.entry_name(kind, beam) for kind in kinds]
    lines = how_to_open(config.workspace, next(n for n in names if n in there))
    return "\n".join(line.strip() for line in lines.splitlines())
