"""STAC Items: valid by the published schema, on the right place, and their assets are there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pystac
import pytest
from jsonschema import Draft7Validator, FormatChecker, ValidationError
from rasterio.warp import transform_geom
from referencing import Registry, Resource
from support.small_campaign import CLASSES, SHAPE, UTM, WGS84, make_cube, make_model, workspace

from cpazmal_scale import storage
from cpazmal_scale.catalog.stac import stac_item, write_stac
from cpazmal_scale.catalog.stac_fields import radar
from cpazmal_scale.cube import open_cube
from cpazmal_scale.errors import ModelMismatch, StoreError, StoreMissing
from cpazmal_scale.mapping import map_cube, open_map, plan_map, to_cog
from cpazmal_scale.mapping.classify.store import write_template


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A workspace with a cube, a model and a finished map with its GeoTIFF."""
    folder = tmp_path_factory.mktemp("workspace")
    model = make_model(f"{folder}/models/m.zarr")
    cube = make_cube(f"{folder}/cubes/DSC_1.zarr")
    finished = map_cube(workspace(folder), model, cube).url
    to_cog(finished, finished.replace(".zarr", ".tif"))
    return {"folder": str(folder), "map": finished, "cube": cube, "model": model}


def validate(item: dict) -> pystac.Item:
    """By the core's schemas, which pystac carries; those of the extensions are on the network."""
    from pystac.validation.local_validator import get_local_schema_cache

    plain = json.loads(json.dumps(item, allow_nan=False))
    schemas = get_local_schema_cache()
    registry = Registry().with_resources(
        (uri, Resource.from_contents(schema)) for uri, schema in schemas.items()
    )
    schema = schemas["https://schemas.stacspec.org/v1.1.0/item-spec/json-schema/item.json"]
    Draft7Validator(schema, registry=registry, format_checker=FormatChecker()).validate(plain)
    return pystac.Item.from_dict(plain)


def test_the_schema_refuses_what_is_wrong(made) -> None:
    item = stac_item(made["map"])
    for key, wrong in (("bbox", [1]), ("stac_version", "9"), ("geometry", {}), ("id", "")):
        with pytest.raises(ValidationError):
            validate({**item, key: wrong})
    with pytest.raises(ValidationError):
        validate({**item, "properties": {**item["properties"], "start_datetime": "yesterday"}})


def test_map_item_is_valid_and_says_what_is_known(made) -> None:
    item = stac_item(made["map"], cube_url=made["cube"])
    parsed = validate(item)
    assert parsed.id == f"map-{open_map(made['map']).attrs['id']}"
    facts = parsed.properties
    assert facts["start_datetime"] == "2020-01-08T06:20:00Z"
    assert facts["end_datetime"] == "2020-04-16T06:20:00Z"
    assert facts["datetime"] is None
    assert facts["proj:code"] == "EPSG:32632"
    assert facts["proj:shape"] == list(SHAPE)
    assert facts["proj:transform"] == list(UTM.transform)[:6]
    assert facts["proj:bbox"] == list(UTM.boundingbox.bbox)
    assert facts["sar:polarizations"] == ["HH", "HV"]
    assert facts["sar:frequency_band"] == "X"
    assert facts["platform"] == "PAZ-1"
    assert facts["view:incidence_angle"] == 35
    assert facts["sar:product_type"] == "RTC"
    assert facts["gsd"] == max(facts["sar:resolution_range"], facts["sar:resolution_azimuth"])
    assert [c["name"] for c in facts["classification:classes"]] == [*CLASSES, "rejected"]
    prefixes = {"proj": "projection", "sar": "sar", "view": "view", "zarr": "zarr"}
    for name in prefixes.values():
        assert any(f"/{name}/v" in uri for uri in item["stac_extensions"]), name
    assert not any("/sat/v" in uri for uri in item["stac_extensions"])


def test_without_a_cube_nothing_is_guessed(made) -> None:
    facts = validate(stac_item(made["map"])).properties
    assert facts["sar:polarizations"] == ["HH", "HV"]
    assert not {"platform", "sar:frequency_band", "view:incidence_angle"} & set(facts)


def test_cube_item(made) -> None:
    parsed = validate(stac_item(made["cube"]))
    assert parsed.id == f"cube-DSC_1-{open_cube(made['cube']).attrs['state']}"
    assert parsed.properties["start_datetime"] == "2020-01-08T06:20:00Z"
    assert parsed.assets["zarr"].href == "./DSC_1.zarr"
    assert parsed.assets["zarr"].media_type == "application/vnd.zarr"


@pytest.mark.parametrize("grid", [UTM, WGS84], ids=["utm", "degrees"])
def test_footprint_is_the_grid_in_degrees(tmp_path: Path, grid) -> None:
    import shapely

    item = stac_item(make_cube(f"{tmp_path}/cube.zarr", grid=grid))
    validate(item)
    ring = np.array(item["geometry"]["coordinates"][0])
    outline = shapely.Polygon(ring)
    assert outline.is_valid
    assert outline.exterior.is_ccw
    plain = shapely.geometry.mapping(grid.extent.geom)
    expected = shapely.geometry.shape(transform_geom(grid.crs, "EPSG:4326", plain))
    # Rounded to a centimetre.
    assert outline.symmetric_difference(expected).area < 3e-4 * expected.area
    assert item["bbox"] == pytest.approx(outline.bounds)
    west, south, east, north = item["bbox"]
    assert west < east < 12
    assert 45 < south < north < 47


def test_links_are_relative_to_where_the_item_is(made) -> None:
    folder = Path(made["folder"])
    for place in (folder / "map.stac.json", folder / "maps" / "one.stac.json"):
        item = json.loads(Path(write_stac(made["map"], str(place))).read_text())
        validate(item)
        assert set(item["assets"]) == {"zarr", "cog", "summary"}
        for asset in item["assets"].values():
            assert asset["href"].startswith("./")
            assert (place.parent / asset["href"]).exists()
    far = Path(write_stac(made["map"], str(folder / "items" / "here" / "one.json")))
    assets = json.loads(far.read_text())["assets"]
    assert (far.parent / assets["cog"]["href"]).resolve() == Path(
        made["map"].replace(".zarr", ".tif")
    )


def test_on_an_object_store(made, s3_url: str) -> None:
    cube = make_cube(f"{s3_url}/cubes/DSC_1.zarr")
    item = storage.read_json(write_stac(cube, f"{s3_url}/cube.stac.json"))
    validate(item)
    assert item["assets"]["zarr"]["href"] == "./cubes/DSC_1.zarr"
    apart = stac_item(cube, base="s3://elsewhere/items")
    assert apart["assets"]["zarr"]["href"] == cube


def test_several_sensors_and_unknown_ones(made) -> None:
    cube = open_cube(made["cube"])
    names = np.array(["PAZ1", "TSX1"] * 5)
    mixed = radar(cube.assign_coords(sensor=("time", names)), ["HH"])
    assert mixed["sar:frequency_band"] == "X"
    assert "platform" not in mixed
    unknown = radar(cube.assign_coords(sensor=("time", np.array(["PAZ1", "XYZ"] * 5))), ["HH"])
    assert not {"platform", "sar:frequency_band"} & set(unknown)
    scenes = np.array(["PAZ1_SAR__SSC______SM_D_SRA_x"] * 10)
    assert radar(cube.assign_coords(scene_id=("time", scenes)), [])["sar:instrument_mode"] == "SM"


def test_a_cube_of_other_dates_is_refused(made, tmp_path: Path) -> None:
    with pytest.raises(ModelMismatch):
        stac_item(made["map"], cube_url=make_cube(f"{tmp_path}/short.zarr", dates=7))
    order = (9, 0, 5, 1, 2, 3, 4, 6, 7, 8)
    shuffled = make_cube(f"{tmp_path}/shuffled.zarr", order=order)
    assert stac_item(made["map"], cube_url=shuffled) == stac_item(
        made["map"], cube_url=made["cube"]
    )


def test_nothing_and_unfinished_are_refused(made, tmp_path: Path) -> None:
    with pytest.raises(StoreMissing):
        stac_item(f"{tmp_path}/nothing.zarr")
    unfinished = plan_map(workspace(tmp_path), made["model"], made["cube"])
    write_template(unfinished)
    with pytest.raises(StoreError):
        write_stac(unfinished.url, f"{tmp_path}/item.json")
    assert not (tmp_path / "item.json").exists()
