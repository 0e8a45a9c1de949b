"""What the columns of a polygons file say of its classes."""

from __future__ import annotations

from pathlib import Path

import geopandas
import pytest
import shapely

from cpazmal_scale.errors import ConfigError
from cpazmal_scale.samples import read_polygons


def file(folder: Path, **columns: list[object]) -> str:
    """Two groups of two classes in a GeoPackage."""
    values = {"class": ["G", "G", "R", "R"], "group": ["1", "2", "3", "4"], **columns}
    shapes = [shapely.box(10 * n, 0, 10 * n + 9, 9) for n in range(4)]
    path = folder / "polygons.gpkg"
    geopandas.GeoDataFrame(values, geometry=shapes, crs="EPSG:32632").to_file(path)
    return str(path)


def said(folder: Path, **columns: list[object]) -> dict[str, object]:
    return dict(read_polygons(file(folder, **columns)).attrs.get("legend", {}))


def test_all_columns(tmp_path: Path) -> None:
    found = said(
        tmp_path,
        Name=["glacier", "glacier", "roche", "roche"],
        color=["#0000FF", None, "", "128,128,128"],
        order=[2, 2, 1, None],
        Glacier=["oui", "oui", "non", "non"],
    )
    assert found == {
        "G": {"name": "glacier", "colour": "#0000ff", "order": 2.0, "glacier": True},
        "R": {"name": "roche", "colour": "#808080", "order": 1.0, "glacier": False},
    }


def test_no_columns_no_legend(tmp_path: Path) -> None:
    assert "legend" not in read_polygons(file(tmp_path)).attrs


def test_names_of_polygons_and_of_glaciers_are_not_those_of_classes(tmp_path: Path) -> None:
    named = {"name": ["Argentière", "Mer de Glace", "Dru", "Dru"]}
    assert said(tmp_path, **named) == {}
    assert said(tmp_path, name=["p", "p", "p", "p"]) == {}
    assert said(tmp_path, glacier=["Argentière", "Talèfre", None, None]) == {}


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"colour": ["rouge", None, None, None]}, "colour of class G: 'rouge' is not a colour"),
        ({"colour": ["red", None, "#f00", None]}, "classes G and R have one colour, #ff0000"),
        ({"colour": ["red", "blue", None, None]}, "class G disagree on its colour: red, blue"),
        ({"glacier": ["yes", "no", None, None]}, "class G disagree on its glacier: False, True"),
        ({"glacier": ["yes", "yes", "maybe", None]}, "'maybe' is neither yes nor no"),
        ({"order": ["first", None, None, None]}, "order of class G: .*number"),
    ],
)
def test_wrong_values_are_one_sentence(
    tmp_path: Path, columns: dict[str, list[object]], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        read_polygons(file(tmp_path, **columns))
    assert "polygons.gpkg" in str(caught.value)
    assert "\n" not in str(caught.value)
