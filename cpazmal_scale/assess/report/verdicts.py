"""The paragraphs of a report about accuracy: what was done, who leads, what to believe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpazmal_scale import words as say
from cpazmal_scale.assess.report.family import corrected, family, rival
from cpazmal_scale.assess.report.parts import Block, Heading, Picture, Table, Text
from cpazmal_scale.assess.validate.methods import TWINS
from cpazmal_scale.assess.validate.validation import MIN_GROUPS
from cpazmal_scale.config.methods import method as known_method
from cpazmal_scale.dtw import known_within
from cpazmal_scale.vocabulary import CALIBRATED_GROUPS

if TYPE_CHECKING:
    import pandas as pd

    from cpazmal_scale.assess.validate.validation import CrossValidation, Difference

_SPLITS = {
    "stratified": "whole polygons, classes as even as they allow",
    "cyclic": "the same number of polygons of every class tested in each, in turn",
    "leave-one-group-out": "one polygon tested in each, so that figures of a fold are of one class "
    "and only those of all folds together tell the methods apart",
    "temporal": "whole polygons, trained on the earlier dates and tested on the later ones",
    "geometry": "whole polygons, trained on one beam and tested on another",
}
_WORST = 6
_FITTING = 0.05
_TESTS = (
    "p by polygons: two methods' predictions are exchanged polygon by polygon, 5000 times. McNemar "
    "counts windows of the first time each is tested; it takes them as independent, which those of "
    "a polygon are not: its p is too small, and it decides nothing. Holm corrects p by polygons "
    "for the number of comparisons in this table; a method is called ahead only where that p is "
    "below 0.05, the interval excludes zero and every class has five polygons."
)
_NORMS = (
    "ECE is a mean of absolute gaps, which chance makes too large; the debiased calibration error "
    "is a root mean square (RMS) less what chance adds. The two have different norms. "
    "Both, and all other figures of this section, are of windows inside polygons."
)
_RELIABILITY = (
    "A point on the diagonal is right as often as it claims. The votes of `vote` are shares of "
    "features and were not calibrated; all other methods fit a temperature, and how sure their "
    "largest probability may be, on polygons held out of the training side."
)


def accuracy(own: CrossValidation, subject: str, *, folder: str) -> list[Block]:
    """The cross-validation: what was done, who is ahead, tables and figures."""
    shown = subject if subject in own.methods else own.methods[0]
    beside = rival(own, shown)
    return [
        Heading("Accuracy by cross-validation"),
        Text(verdict(own, subject)),
        Text(_procedure(own)),
        _samples_table(own),
        Picture(f"{folder}/methods.png", "Macro-F1 of all folds with its 95 % interval, by method"),
        _summary_table(own),
        _probability_table(own),
        Text(_NORMS),
        _time_table(own),
        Heading("Differences between methods", 3),
        Text(_TESTS),
        _difference_table(own, subject),
        Heading("By class", 3),
        Picture(
            f"{folder}/confusion.png",
            "Confusion matrices: share of each reference class, and windows, counted once for each "
            "time that they are tested",
        ),
        *_class_tables(own, tuple(dict.fromkeys((shown, beside)))),
        Heading("Polygons behind most errors", 3),
        Text(f"{shown}, over all folds."),
        Picture(f"{folder}/polygons.png", f"What {shown} takes each polygon for"),
        *_worst_table(own, shown),
        *_alarm_table(own, shown),
        Heading("Are the probabilities to be believed?", 3),
        Text(f"{_RELIABILITY} {believable(own, subject)}".strip()),
        Picture(f"{folder}/reliability.png", "Reliability: share right against confidence"),
    ]


def verdict(own: CrossValidation, subject: str) -> str:
    """Whether the subject or the best of the others is ahead; and whether warping pays.

    A method is ahead only where the interval and the permutation of polygons, corrected for all
    comparisons, agree, and every class has enough polygons.
    """
    chance = 1 / len(own.classes)
    table = own.summary()
    if not (table["macro_f1_low"] > chance).any():
        return (
            f"**No method is shown to be better than guessing**, which gives a macro-F1 near "
            f"{chance:.2f}: the best has {say.number(table['macro_f1_pooled'].max())}, and every "
            f"95 % interval reaches down to that.{_few(own.fewest_groups)}"
        )
    sentences = [f"Guessing would give a macro-F1 near {chance:.2f}."]
    every = family(own, subject)
    other = rival(own, subject)
    if subject != other and subject in own.methods:
        sentences.insert(0, _compared(own, corrected(own, every, subject, other)))
    twin = TWINS.get(subject, "")
    if {subject, twin} <= set(own.methods):
        warping = corrected(own, every, subject, twin)
        verb = "gains" if warping.value >= 0 else "loses"
        certain = "" if warping.decided else "is not shown to matter: it "
        sentences.append(
            f"Warping {certain}{verb} {say.number(abs(warping.value))} against the same method "
            f"without it ({warping.second}; {_evidence(warping)}).{_few(warping.groups)}"
        )
    return " ".join(sentences)


def _compared(own: CrossValidation, gap: Difference) -> str:
    first, second = (float(own.pooled(name).macro_f1) for name in (gap.first, gap.second))
    winner, loser, high, low = gap.first, gap.second, first, second
    if gap.value < 0:
        winner, loser, high, low = loser, winner, second, first
    span = f"{gap.first} minus {gap.second}: {_evidence(gap)}"
    if gap.decided:
        return (
            f"**{winner} is ahead**: macro-F1 over all folds {say.number(high)} against "
            f"{say.number(low)} for {loser}, the best of the others ({span})."
            if winner == gap.first
            else f"**{winner} is ahead of {loser}**: macro-F1 over all folds {say.number(high)} "
            f"against {say.number(low)} ({span})."
        )
    return (
        f"**{gap.first} and {gap.second} cannot be told apart**: macro-F1 over all folds "
        f"{say.number(first)} and {say.number(second)} ({span}), with {len(own.groups)} polygons."
        f"{_few(gap.groups)}"
    )


def _evidence(gap: Difference) -> str:
    return (
        f"95 % interval {say.interval(gap.low, gap.high)}, p by polygons {say.probability(gap.p)} "
        "after Holm's correction"
    )


def _few(groups: int) -> str:
    """Why nothing can be decided where a class has few polygons."""
    if groups >= MIN_GROUPS:
        return ""
    return (
        f" A class has {groups} polygon{'' if groups == 1 else 's'}; with fewer than {MIN_GROUPS} "
        "in every class no difference is called one."
    )


def believable(own: CrossValidation, method: str) -> str:
    """Whether a method claims what it keeps, from its mean confidence and its share right."""
    if method not in own.methods:
        return ""
    by_group = own.reliability[own.methods.index(method)].sum(axis=1)
    count, claimed, right = by_group.sum(axis=0)
    if not count:
        return f"{method} gave no probabilities."
    if known_method(method).votes:
        return f"{method} gives shares of votes, which are no chances: a map of it holds none."
    if own.fewest_groups < CALIBRATED_GROUPS:
        return (
            f"**The probabilities of {method} cannot be calibrated**: a class has "
            f"{own.fewest_groups} polygons, and {CALIBRATED_GROUPS} are needed to hold some out "
            "of the training and of the calibration. A map holds none."
        )
    gap = float((claimed - right) / count)
    known = say.number(known_within(by_group[:, 2], by_group[:, 0]))
    figures = f"mean confidence {say.number(claimed / count)}, right {say.number(right / count)}"
    figures += " in windows inside polygons"
    figures += f", which they know to ± {known}"
    return f"{_claims(method, gap, figures)} {_calibration(own, method)}"


def _claims(method: str, gap: float, figures: str) -> str:
    """Whether a method claims more or less than it keeps, on the whole."""
    if abs(gap) < _FITTING:
        return f"On the whole {method} claims what it keeps: {figures}."
    if gap > 0:
        return f"**{method} is too sure of itself**: {figures}."
    return (
        f"**{method} is too cautious**: {figures}. Its probabilities rank predictions; they are "
        "not frequencies."
    )


def _calibration(own: CrossValidation, method: str) -> str:
    """The calibration errors beside what perfect probabilities would show, and what is shown."""
    row = own.summary().loc[[method]].iloc[0].astype(float).to_dict()
    low, high = row["calibration_low"], row["calibration_high"]
    known = (
        f"**more than {_FITTING} is shown**: do not take them for frequencies"
        if low > _FITTING
        else f"it is shown to be below {_FITTING}"
        if high < _FITTING
        else f"so few polygons do not tell whether it is below {_FITTING}"
    )
    return (
        f"ECE is {say.number(row['ece_pooled'])}, where perfect probabilities would show "
        f"{say.number(row['ece_perfect'])}, in 95 % of cases up to "
        f"{say.number(row['ece_perfect_high'])}; the debiased error is "
        f"{say.number(row['calibration_rms'])} (95 % interval {say.interval(low, high)}): {known}."
    )


def _calibratable(own: CrossValidation, method: str) -> bool:
    return own.fewest_groups >= CALIBRATED_GROUPS and not known_method(method).votes


def _procedure(own: CrossValidation) -> str:
    total = own.fold_count
    lacking = {side: own.lacking_folds(side) for side in ("train", "test")}
    text = (
        f"{say.count(int(own.windows.sum()))} windows in "
        f"{int(own.windows.any(axis=1).sum())} polygons, {total} folds ({_SPLITS[own.split]}); "
        "a polygon is never trained on and tested on, and everything learnt, from standardisation "
        "to calibration, is learnt on the training side. Mean ± standard deviation over folds; the "
        "95 % interval is that of the macro-F1 over all folds' predictions together, from a "
        "bootstrap of polygons. A window without class counts as an error."
    )
    handful = int((own.trained_groups.min(axis=1) < 2).sum())
    if handful:
        text += (
            f" **{handful} of {total} folds train a class on one polygon or none**: their figures "
            "say little."
        )
    if not any(lacking.values()):
        return f"{text} Every fold trains and tests every class."
    return (
        f"{text} **{lacking['train']} of {total} folds lack a class in training and "
        f"{lacking['test']} in testing**; they are counted like the others, and a class that a "
        "fold does not test has no F1 there."
    )


def _samples_table(own: CrossValidation) -> Table:
    """Windows on either side of a fold, as the talk's Table 1."""
    counts = own.samples().to_dict("index")
    rows = [
        (side, *(say.spread(row[f"{c}_mean"], row[f"{c}_std"], 0) for c in own.classes))
        for side, row in ((str(name), row) for name, row in counts.items())
    ]
    caption = "Windows per class on either side of a fold: mean and standard deviation over folds."
    return Table(("windows", *own.classes), rows, name="samples", caption=caption)


def _summary_table(own: CrossValidation) -> Table:
    table = own.summary()
    best = table["macro_f1_pooled"].idxmax()
    single = own.split == "leave-one-group-out"
    rows = []
    for name, row in table.iterrows():
        pooled = say.number(row["macro_f1_pooled"])
        rows.append(
            (
                str(name),
                say.NONE if single else say.spread(row["macro_f1_mean"], row["macro_f1_std"]),
                f"**{pooled}**" if name == best else pooled,
                say.interval(row["macro_f1_low"], row["macro_f1_high"]),
                say.spread(row["oa_mean"], row["oa_std"]),
                say.number(row["weighted_f1_mean"]),
                say.number(row["kappa_mean"]),
            )
        )
    header = (
        "method|macro-F1 over folds|of all folds|95 % interval|overall accuracy|weighted F1|kappa"
    )
    caption = (
        "Methods side by side: mean and standard deviation over folds, macro-F1 of all folds with "
        "its 95 % interval."
    )
    return Table(header.split("|"), rows, name="accuracy", caption=caption)


def _probability_table(own: CrossValidation) -> Table:
    """How far the methods' probabilities are from what happened."""
    rows = [
        (
            str(name),
            *(say.number(row[f"{figure}_mean"]) for figure in ("auc", "log_loss", "brier")),
            *(_errors(row) if _calibratable(own, str(name)) else (say.NONE, say.NONE, say.NONE)),
        )
        for name, row in own.summary().iterrows()
    ]
    header = "method|AUC|log-loss|Brier score|ECE|debiased RMS calibration error|95 % interval"
    caption = (
        "The methods' probabilities: area under the curve (AUC), log-loss and Brier score, means "
        "over folds; expected calibration error (ECE) and debiased calibration error of all folds, "
        "of methods whose probabilities can be calibrated, with the 95 % interval of the debiased "
        "one; 0 says that chance would show as much."
    )
    return Table(header.split("|"), rows, name="probabilities", caption=caption)


def _errors(row: pd.Series) -> tuple[str, str, str]:
    """Calibration errors of a row of the summary: expected, debiased, and its interval."""
    return (
        say.number(row["ece_pooled"]),
        say.number(row["calibration_rms"]),
        say.interval(row["calibration_low"], row["calibration_high"]),
    )


def _time_table(own: CrossValidation) -> Table:
    rows = [
        (str(name), say.seconds(row["seconds_fit"]), say.seconds(row["seconds_predict"]))
        for name, row in own.summary().iterrows()
    ]
    return Table(("time of a fold", "fit", "predict"), rows)


def _difference_table(own: CrossValidation, subject: str) -> Table:
    """The pairs people ask about: the map's method with all, and each with its Euclidean twin."""
    rows = [
        (
            f"{row['first']} − {row['second']}",
            say.number(row["difference"]),
            say.interval(row["low"], row["high"]),
            *(say.probability(row[p]) for p in ("permutation_p", "holm_p")),
            f"{say.count(row['first_only'])} / {say.count(row['second_only'])}",
            say.probability(row["mcnemar_p"]),
        )
        for row in family(own, subject).dropna(subset="holm_p").to_dict("records")
    ]
    header = "macro-F1|difference|95 % interval|p by polygons|Holm|only one right|p McNemar"
    caption = "Differences in macro-F1 between methods. Holm: p by polygons corrected for all rows."
    return Table(header.split("|"), rows, name="differences_between_methods", caption=caption)


def _class_tables(own: CrossValidation, methods: tuple[str, ...]) -> list[Block]:
    """A table for each method, as narrow as a page."""
    every = own.per_class()
    found: list[Block] = []
    for place, name in enumerate(method for method in methods if method in own.methods):
        rows = [
            (
                str(row["class"]),
                say.count(row["windows"]),
                str(row["groups"]),
                say.per_cent(row["producers"]),
                say.per_cent(row["users"]),
                say.spread(row["f1_mean"], row["f1_std"]),
            )
            for row in every[every["method"] == name].to_dict("records")
        ]
        header = ("class", "windows", "polygons", "recall of windows", "precision", "F1 over folds")
        caption = (
            f"Accuracy by class of {name}: recall and precision of windows of all folds, F1 over "
            "folds. Windows are drawn per polygon, not per area, so that precision is no user's "
            "accuracy of the map."
        )
        file = f"accuracy_by_class_{place + 1}" if place else "accuracy_by_class"
        found += [Text(f"{name}:"), Table(header, rows, name=file, caption=caption)]
    return found


def _alarm_table(own: CrossValidation, method: str) -> list[Block]:
    """The polygon that causes most false predictions of each class."""
    table = own.false_alarms()
    worst = table[table["method"] == method].drop_duplicates("predicted")
    rows = [
        (
            str(row["predicted"]),
            str(row["group"]),
            say.count(int(row["predictions"])),
            say.per_cent(row["share"]),
        )
        for row in worst.to_dict("records")
    ]
    header = ("falsely predicted", "most of all in", "predictions", "share of the class's")
    return [Table(header, rows, text_columns=2)] if rows else []


def _worst_table(own: CrossValidation, method: str) -> list[Block]:
    table = own.errors()
    worst = table[(table["method"] == method) & (table["right"] < 1)].head(_WORST)
    rows = [
        (
            *(str(row["group"]), str(row["class"]), str(row["mistaken_for"])),
            say.count(int(row["windows"])),
            say.per_cent(row["right"]),
            say.per_cent(row["share_of_errors"]),
        )
        for _, row in worst.iterrows()
    ]
    header = ("polygon", "class", "mostly taken for", "windows", "right", "share of all errors")
    return [Table(header, rows, text_columns=3)] if rows else [Text("No errors.")]
