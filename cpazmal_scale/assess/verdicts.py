"""The paragraphs of a report about accuracy: what was done, who wins, what to believe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpazmal_scale.assess import markdown as md
from cpazmal_scale.assess.methods import TWINS

if TYPE_CHECKING:
    from cpazmal_scale.assess.validation import CrossValidation, Difference

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
_BESIDE = ("weighted_f1", "kappa", "auc", "log_loss", "brier", "ece")
_TESTS = (
    "p by polygons: two methods' predictions are exchanged polygon by polygon, 5000 times. McNemar "
    "counts windows of the first time each is tested; it takes them as independent, which those of "
    "a polygon are not: its p is too small. No p is corrected for the number of comparisons."
)
_RELIABILITY = (
    "A point on the diagonal is right as often as it claims. Votes are shares of features, "
    "neighbours or trees and were not calibrated; `sum` and `soft` fit one temperature on polygons "
    "held out of the training side."
)


def accuracy(own: CrossValidation, subject: str, baseline: str, *, folder: str) -> list[str]:
    """The cross-validation: what was done, who wins, tables and figures."""
    return [
        "## Accuracy by cross-validation",
        _procedure(own),
        _summary_table(own),
        verdict(own, subject, baseline),
        "### Differences between methods",
        _difference_table(own, subject, baseline),
        f"![Confusion matrices]({folder}/confusion.png)",
        "### By class",
        _class_table(own, (subject, baseline)),
        "### Polygons behind most errors",
        _worst_table(own, subject if subject in own.methods else own.methods[0]),
        "### Are the probabilities to be believed?",
        f"{_RELIABILITY} {believable(own, subject)}",
        f"![Reliability diagram]({folder}/reliability.png)",
    ]


def verdict(own: CrossValidation, subject: str, baseline: str) -> str:
    """Who wins, in plain words, whoever it is; and whether warping pays."""
    sentences = [f"Guessing would give a macro-F1 near {1 / len(own.classes):.2f}."]
    if {subject, baseline} <= set(own.methods):
        sentences.insert(0, _compared(own, own.difference(subject, baseline)))
    twin = TWINS.get(subject, "")
    if {subject, twin} <= set(own.methods):
        warping = own.difference(subject, twin)
        verb = "gains" if warping.value >= 0 else "loses"
        certain = "excludes" if warping.decided else "includes"
        sentences.append(
            f"Warping {verb} {md.number(abs(warping.value))} against the same method without "
            f"it ({warping.second}); the 95 % interval of the difference, "
            f"{md.interval(warping.low, warping.high)}, {certain} zero."
        )
    return " ".join(sentences)


def _compared(own: CrossValidation, gap: Difference) -> str:
    first, second = (float(own.pooled(name).macro_f1) for name in (gap.first, gap.second))
    winner, loser, high, low = gap.first, gap.second, first, second
    if gap.value < 0:
        winner, loser, high, low = loser, winner, second, first
    span = f"{gap.first} minus {gap.second}, 95 % interval {md.interval(gap.low, gap.high)}"
    figures = f"macro-F1 over all folds {md.number(high)} against {md.number(low)} for {loser}"
    if gap.decided:
        return f"**{winner} wins**: {figures} ({span}, without zero)."
    polygons = len(own.groups)
    return (
        f"**{winner} is ahead, but not decidedly**: {figures} ({span}, with zero): {polygons} "
        "polygons cannot tell the two apart."
    )


def believable(own: CrossValidation, method: str) -> str:
    """Whether a method claims what it keeps, from its mean confidence and its share right."""
    if method not in own.methods:
        return ""
    count, claimed, right = own.reliability[own.methods.index(method)].sum(axis=0)
    if not count:
        return f"{method} gave no probabilities."
    gap = float((claimed - right) / count)
    figures = f"mean confidence {md.number(claimed / count)}, right {md.number(right / count)}"
    if abs(gap) < _FITTING:
        return f"On the whole {method} claims what it keeps: {figures}."
    if gap > 0:
        return f"**{method} is too sure of itself**: {figures}."
    return (
        f"**{method} is too cautious**: {figures}. Its probabilities rank predictions; they are "
        "not frequencies."
    )


def _procedure(own: CrossValidation) -> str:
    total = own.fold_count
    lacking = {side: own.lacking_folds(side) for side in ("train", "test")}
    text = (
        f"{md.count(int(own.windows.sum()))} windows in "
        f"{int(own.windows.any(axis=1).sum())} polygons, {total} folds ({_SPLITS[own.split]}); "
        "a polygon is never trained on and tested on, and everything learnt, from standardisation "
        "to calibration, is learnt on the training side. Mean ± standard deviation over folds; the "
        "95 % interval is that of the macro-F1 over all folds' predictions together, from a "
        "bootstrap of polygons. A window without class counts as an error."
    )
    if not any(lacking.values()):
        return f"{text} Every fold trains and tests every class."
    return (
        f"{text} **{lacking['train']} of {total} folds lack a class in training and "
        f"{lacking['test']} in testing**; they are counted like the others, and a class that a "
        "fold does not test has no F1 there."
    )


def _summary_table(own: CrossValidation) -> str:
    table = own.summary()
    best = table["macro_f1_pooled"].idxmax()
    single = own.split == "leave-one-group-out"
    rows = []
    for name, row in table.iterrows():
        pooled = md.number(row["macro_f1_pooled"])
        rows.append(
            (
                str(name),
                md.NONE if single else md.spread(row["macro_f1_mean"], row["macro_f1_std"]),
                f"**{pooled}**" if name == best else pooled,
                md.interval(row["macro_f1_low"], row["macro_f1_high"]),
                md.spread(row["oa_mean"], row["oa_std"]),
                *(md.number(row[f"{figure}_mean"]) for figure in _BESIDE),
                md.seconds(row["seconds_fit"]),
                md.seconds(row["seconds_predict"]),
            )
        )
    header = (
        "method|macro-F1 over folds|of all folds|95 % interval|overall accuracy|weighted F1|kappa"
    )
    header += "|AUC|log-loss|Brier|ECE|fit|predict"
    return md.table(header.split("|"), rows)


def _difference_table(own: CrossValidation, subject: str, baseline: str) -> str:
    """The pairs people ask about: the map's method with all, and each with its Euclidean twin."""
    asked = [(subject, name) for name in own.methods if name != subject]
    asked += [(name, twin) for name, twin in TWINS.items() if name != subject]
    asked += [(name, baseline) for name in own.methods if name.startswith("k-NN")]
    table = own.differences()
    rows = []
    for row in table.to_dict("records"):
        pair = (row["first"], row["second"])
        if pair not in asked and pair[::-1] not in asked:
            continue
        rows.append(
            (
                f"{pair[0]} − {pair[1]}",
                md.number(row["difference"]),
                md.interval(row["low"], row["high"]),
                md.probability(row["permutation_p"]),
                f"{md.count(row['first_only'])} / {md.count(row['second_only'])}",
                md.probability(row["mcnemar_p"]),
            )
        )
    header = "macro-F1|difference|95 % interval|p by polygons|only one right|p McNemar"
    return f"{_TESTS}\n\n{md.table(header.split('|'), rows)}" if rows else "One method only."


def _class_table(own: CrossValidation, methods: tuple[str, ...]) -> str:
    shown = [name for name in methods if name in own.methods] or list(own.methods)
    of = {(row["method"], row["class"]): row for row in own.per_class().to_dict("records")}
    header = ["class", "windows", "polygons"]
    for name in shown:
        header += [f"{name}: producer's", "user's", "F1 over folds"]
    rows = []
    for label in own.classes:
        first = of[shown[0], label]
        cells = [label, md.count(first["windows"]), str(first["groups"])]
        for name in shown:
            row = of[name, label]
            cells += [md.per_cent(row["producers"]), md.per_cent(row["users"])]
            cells.append(md.spread(row["f1_mean"], row["f1_std"]))
        rows.append(cells)
    return md.table(header, rows)


def _worst_table(own: CrossValidation, method: str) -> str:
    table = own.errors()
    worst = table[(table["method"] == method) & (table["right"] < 1)].head(_WORST)
    rows = [
        (
            *(str(row["group"]), str(row["class"]), str(row["mistaken_for"])),
            md.count(int(row["windows"])),
            md.per_cent(row["right"]),
            md.per_cent(row["share_of_errors"]),
        )
        for _, row in worst.iterrows()
    ]
    header = ("polygon", "class", "mostly taken for", "windows", "right", "share of all errors")
    note = f"{method}, over all folds."
    return f"{note}\n\n{md.table(header, rows, text_columns=3)}" if rows else f"{note} No errors."
