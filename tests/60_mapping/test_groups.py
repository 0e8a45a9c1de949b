"""Glacier and not glacier: areas added up, colours apart."""

from __future__ import annotations

import colorsys

from cpazmal_scale.grid.areas import class_areas, group_areas
from cpazmal_scale.legend import legend
from cpazmal_scale.palette import colours, rgb
from cpazmal_scale.vocabulary import GLACIER_CLASSES

CLASSES = ("ABL", "ACC", "FOR", "ROC")


def test_areas_are_added_up_by_group() -> None:
    pixels = {"ABL": 10, "ACC": 20, "FOR": 30, "ROC": 30, "rejected": 10}
    table = class_areas(legend(CLASSES), pixels, {c: 9.0 * n for c, n in pixels.items()})
    found = group_areas(table)
    assert found["pixels"].to_dict() == {"glacier": 30, "not glacier": 60}
    assert abs(found["share"].sum() - 0.9) < 1e-12
    assert abs(found["km2"].sum() - 9e-6 * 90) < 1e-12


def test_one_group_alone_is_not_added_up() -> None:
    assert legend(("ABL", "ICA")).groups() == {}
    assert legend(("C1", "C2")).groups() == {}
    table = class_areas(legend(("ABL", "ICA")), {"ABL": 1, "ICA": 2}, {"ABL": 9.0, "ICA": 18.0})
    assert len(group_areas(table)) == 0


def test_glacier_classes_are_more_colourful_than_the_others() -> None:
    chosen = colours(("ABL", "ACC", "CIT", "FOR", "HAG", "ICA", "LAC", "PLA", "ROC"))
    strength = {
        code: colorsys.rgb_to_hsv(*(part / 255 for part in rgb(colour)))[1]
        for code, colour in chosen.items()
    }
    glacier = min(strength[code] for code in GLACIER_CLASSES)
    assert glacier > max(value for code, value in strength.items() if code not in GLACIER_CLASSES)
    assert len(set(chosen.values())) == len(chosen)
