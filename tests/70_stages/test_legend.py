"""A user's legend from the polygons' columns through a whole run, and a new one afterwards."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import geopandas
import pytest
import rasterio
from support.small_run import settings, simulated

import cpazmal_scale
from cpazmal_scale import catalog, storage
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.mapping import legend_of, open_map
from cpazmal_scale.stages import workspace
from cpazmal_scale.stages.classify import classify, export_map, export_polygons
from cpazmal_scale.stages.samples import draw_samples
from cpazmal_scale.storage import seal

FRENCH = {
    "ABL": "zone d'ablation", "ACC": "zone d'accumulation", "FOR": "forêt", "HAG": "suspendu",
    "ICA": "tablier", "LAC": "lac", "PLA": "plaine", "ROC": "roche", "CIT": "ville",
}  # fmt: skip
"""Class words of a French user."""


@pytest.fixture(scope="module")
def french(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """A finished run whose polygons have French classes, and colours for two of them."""
    folder = tmp_path_factory.mktemp("french")
    run = simulated(folder / "campaign", end=date(2020, 4, 30))
    table = geopandas.read_file(folder / "campaign" / "polygons.gpkg")
    table["class"] = table["class"].map(FRENCH)
    table["couleur"] = "ignored"
    table["colour"] = table["class"].map({"suspendu": "#00ff00", "tablier": "255,0,255"})
    table["glacier"] = table["class"].map({"suspendu": "oui", "tablier": "oui", "roche": "non"})
    table.to_file(folder / "polygons.gpkg")
    config = settings(
        run, str(folder / "run"), samples={"polygons": str(folder / "polygons.gpkg")},
        assess={"truth": None, "repeats": 1, "folds": 2, "methods": ["sum"]},
    )  # fmt: skip
    cpazmal_scale.run(config)
    return config


def test_the_legend_is_in_all_that_is_left(french: RunConfig) -> None:
    entry = workspace.find(french, "map")
    named = legend_of(open_map(workspace.url_of(french, entry)))
    assert named.colours["suspendu"] == "#00ff00"
    assert named.colours["tablier"] == "#ff00ff"
    assert {"roche": "#a6978c", "forêt": "#9bad76"}.items() <= named.colours.items()
    ice = {"suspendu", "tablier", "zone d'ablation", "zone d'accumulation"}
    assert named.glacier == ice & set(named.classes)
    model = workspace.find(french, "model")
    for found in (entry, model, workspace.find(french, "samples")):
        assert found.metadata["legend"]["suspendu"] == {"colour": "#00ff00", "glacier": True}
    card = seal.read_document(storage.join(french.workspace, model.metadata["card"]), "")
    assert card["classes"]["suspendu"]["colour"] == "#00ff00"
    home = Path(french.workspace)
    assert "#00ff00" in (home / "map.qml").read_text()
    assert "#00ff00" in (home / "map.html").read_text()
    with rasterio.open(home / "map.tif") as file:
        value = named.classes.index("suspendu") + 1
        assert file.colormap(1)[value] == (0, 255, 0, 255)
    assert "**glacier**" in (home / "report.md").read_text()


def test_a_new_legend_is_words_on_the_same_map(french: RunConfig) -> None:
    before = workspace.find(french, "map").fact("id")
    other = french.with_values({"legend": {"roche": {"name": "rocher", "colour": "black"}}})
    result, entry = classify(other)
    assert (entry.fact("id"), result.blocks_executed) == (before, 0)
    export_map(other)
    assert "#000000" in (Path(french.workspace) / "map.qml").read_text()
    assert entry.metadata["legend"]["roche"] == {
        "name": "rocher", "colour": "#000000", "glacier": False
    }  # fmt: skip
    assert catalog.entry(french.workspace, entry.name).metadata["legend"]["suspendu"]
    glaciers = {"suspendu": {"name": "glace"}, "tablier": {"name": "glace"}}
    alike, entry = classify(french.with_values({"legend": glaciers}))
    assert entry.metadata["km2"] == alike.areas["km2"].round(4).to_dict()
    classify(french)


def test_polygons_of_the_map(french: RunConfig, tmp_path: Path) -> None:
    count = export_polygons(french, f"{tmp_path}/map.gpkg")
    table = geopandas.read_file(tmp_path / "map.gpkg")
    assert len(table) == count
    assert set(table["class"]) <= {*FRENCH.values(), "rejected"}


def test_a_class_that_is_not_there_is_refused(french: RunConfig) -> None:
    wrong = french.with_values({"legend": {"rock": {"colour": "black"}}})
    with pytest.raises(ConfigError, match="class rock that is not there; choose among forêt"):
        draw_samples(wrong)


def test_clusters_of_few_dates_say_nothing_of_other_dates(
    french: RunConfig, tmp_path: Path
) -> None:
    shutil.copytree(french.workspace, tmp_path / "run")
    few = french.with_values(
        {"workspace": str(tmp_path / "run"), "end": "2020-01-31", "dtw": {"min_dates": 2}}
    )
    entry = draw_samples(few.with_values({"samples": {"polygons": None, "clusters": 2}}))
    assert entry.metadata["labels"] == "clusters"
    assert "stability" not in entry.metadata
