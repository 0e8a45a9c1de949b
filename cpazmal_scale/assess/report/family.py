"""The comparisons of methods in a report, with p-values corrected for their number."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.assess.validate.methods import TWINS
from cpazmal_scale.assess.validate.significance import holm

if TYPE_CHECKING:
    import pandas as pd

    from cpazmal_scale.assess.validate.validation import CrossValidation, Difference


def rival(own: CrossValidation, subject: str) -> str:
    """The best of the other methods in macro-F1 over all folds; the subject where it is alone."""
    others = [name for name in own.methods if name != subject]
    return max(others, key=lambda name: own.pooled(name).macro_f1, default=subject)


@functools.lru_cache(maxsize=1)
def family(own: CrossValidation, subject: str) -> pd.DataFrame:
    """`CrossValidation.differences` with a column `holm_p`.

    The family is the subject with every other method, and each method with its twin without
    warping; p of the permutation is corrected over it by Holm (1979). Other pairs have NaN.
    """
    table = own.differences()
    asked = {frozenset((subject, name)) for name in own.methods if name != subject}
    asked |= {frozenset(pair) for pair in TWINS.items()}
    pairs = zip(table["first"], table["second"], strict=True)
    inside = np.array([frozenset(pair) in asked for pair in pairs], bool)
    table["holm_p"] = np.nan
    table.loc[inside, "holm_p"] = holm(table.loc[inside, "permutation_p"].to_numpy(float))
    return table


def corrected(own: CrossValidation, table: pd.DataFrame, first: str, second: str) -> Difference:
    """A difference of the family with its corrected p."""
    pair = table[["first", "second"]].isin((first, second)).all(axis=1)
    return own.difference(first, second)._replace(p=float(table.loc[pair, "holm_p"].iloc[0]))
