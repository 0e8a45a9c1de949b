"""What people get wrong, and the one sentence each gets: what, where, remedy; nothing written."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
import yaml
from support.command import cpazmal

from cpazmal_scale.config import RunConfig
from cpazmal_scale.stages.samples import training_data


class Place(NamedTuple):
    """A copy of nothing: the finished run's settings, its campaign, and an empty folder."""

    folder: Path
    run: Path
    settings: dict[str, Any]
    campaign: Path

    def yaml(self, **changes: Any) -> Path:
        """The run's settings with changed sections, as a file in the empty folder."""
        values = dict(self.settings)
        for name, value in changes.items():
            old = values.get(name)
            values[name] = {**old, **value} if isinstance(old, dict) else value
        path = self.folder / "run.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    def polygons(self, change: Callable[[geopandas.GeoDataFrame], Any], name: str = "p") -> Path:
        """The campaign's polygons, changed, in the empty folder."""
        table = geopandas.read_file(self.campaign / "polygons.gpkg")
        made = change(table)
        path = self.folder / f"{name}.gpkg"
        (table if made is None else made).to_file(path)
        return path

    def scenes(
        self, change: Callable[[np.ndarray, dict[str, Any]], np.ndarray], n: int = 1
    ) -> Path:
        """The first scenes of the campaign, their last one changed, with the table."""
        home = self.folder / "scenes"
        home.mkdir()
        source = sorted((self.campaign / "scenes").rglob("*.tif"))[:n]
        shutil.copy(self.campaign / "scenes" / "acquisitions.csv", home)
        for path in source:
            shutil.copy(path, home)
        with rasterio.open(source[-1]) as file:
            profile, values = dict(file.profile), file.read()
        values = change(values, profile)
        profile |= {"count": len(values), "height": values.shape[1], "width": values.shape[2]}
        with rasterio.open(home / source[-1].name, "w", **profile) as file:
            file.write(values)
        return home


@pytest.fixture
def place(finished_run: Path, tmp_path: Path) -> Place:
    settings = yaml.safe_load(finished_run.read_text())
    return Place(tmp_path, finished_run, settings, finished_run.parent / "campaign")


def draw(place: Place, change: Callable[[geopandas.GeoDataFrame], Any]) -> list[object]:
    """Draw samples in changed polygons."""
    return ["samples", "-c", place.yaml(samples={"polygons": str(place.polygons(change))})]


def bring(place: Place, change: Callable[..., np.ndarray], n: int = 1) -> list[object]:
    """Ingest changed scenes into a new workspace."""
    new = {
        "workspace": str(place.folder / "new"),
        "ingest": {"scenes": str(place.scenes(change, n))},
    }
    return ["ingest", "-c", place.yaml(**new)]


def without(name: str) -> Callable[[geopandas.GeoDataFrame], Any]:
    return lambda table: table.drop(columns=name)


def moved(table: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    return table.set_crs("EPSG:32633", allow_override=True)


def lonely(table: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    first = table[table["class"] == "ABL"].index[0]
    return table[(table["class"] != "ABL") | (table.index == first)]


def tiny(table: geopandas.GeoDataFrame) -> None:
    table["geometry"] = table.geometry.centroid.buffer(8)


def turned(table: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    degrees = table.to_crs("EPSG:4326")
    shapes = shapely.transform(degrees.geometry.to_numpy(), lambda at: at[:, ::-1])
    return degrees.set_geometry(shapes, crs=degrees.crs)


def twice(table: geopandas.GeoDataFrame) -> Any:
    one = table[table["class"] == "ABL"].iloc[:1]
    return pd.concat([table, one.assign(**{"class": "ROC", "group": "ROC999"})])


def nowhere(place: Place) -> dict[str, Any]:
    """A new workspace for the campaign's scenes."""
    scenes = str(place.campaign / "scenes")
    return {"workspace": str(place.folder / "new"), "ingest": {"scenes": scenes}}


def first_scene(place: Place) -> Path:
    return min((place.campaign / "scenes").rglob("*.tif"))


def beside(table: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """Polygons on a strip of the cube's rim that no scene covers."""
    return table.assign(geometry=table.geometry.translate(50_000, 0))


def unlabelled(table: geopandas.GeoDataFrame) -> None:
    table.loc[3, "class"] = None


def hollow(table: geopandas.GeoDataFrame) -> None:
    table.loc[3, "geometry"] = shapely.Polygon()


def groupless(table: geopandas.GeoDataFrame) -> None:
    table.loc[3, "group"] = " "


def spelt_twice(table: geopandas.GeoDataFrame) -> None:
    table.loc[::2, "class"] = table.loc[::2, "class"].str.lower()


def lines(table: geopandas.GeoDataFrame) -> None:
    table["geometry"] = [shapely.LineString(shape.exterior.coords) for shape in table.geometry]


def decibels(values: np.ndarray, _: dict[str, Any]) -> np.ndarray:
    values[:2] = 10 * np.log10(np.where(values[:2] > 0, values[:2], np.nan))
    return values


def swapped(values: np.ndarray, _: dict[str, Any]) -> np.ndarray:
    return values[[1, 0, *range(2, len(values))]]


def exchanged(place: Place) -> list[object]:
    """One file per polarisation, each under the name of the other."""
    home = place.scenes(lambda values, _: values)
    (whole,) = home.glob("*.tif")
    with rasterio.open(whole) as file:
        profile, values = dict(file.profile) | {"count": 1}, file.read()
    whole.unlink()
    for name, band in (("HV", values[0]), ("HH", values[1])):
        with rasterio.open(home / f"{whole.stem}_{name}.tif", "w", **profile) as file:
            file.write(band, 1)
    new = {"workspace": str(place.folder / "new"), "ingest": {"scenes": str(home)}}
    return ["ingest", "-c", place.yaml(**new)]


def numbers(values: np.ndarray, _: dict[str, Any]) -> np.ndarray:
    values[:2] = np.where(values[:2] > 0, 200 * np.sqrt(np.abs(values[:2])) + 50, values[:2])
    return values


def empty(values: np.ndarray, _: dict[str, Any]) -> np.ndarray:
    values[:2] = 0
    return values


def no_crs(values: np.ndarray, profile: dict[str, Any]) -> np.ndarray:
    profile["crs"] = None
    return values


def elsewhere(values: np.ndarray, profile: dict[str, Any]) -> np.ndarray:
    profile["crs"] = "EPSG:32633"
    return values


def narrow(values: np.ndarray, _: dict[str, Any]) -> np.ndarray:
    return values[:, 100:105, 100:105]


def csv(place: Place, text: str, name: str = "polygons.csv") -> str:
    path = place.folder / name
    path.write_text(text)
    return str(path)


def two_beams(place: Place) -> list[object]:
    """A workspace whose catalog has cubes of two beams."""
    from cpazmal_scale import catalog

    for beam in ("ASC45", "DSC37"):
        entry = catalog.Entry(f"cube_{beam}", "cube", f"cubes/{beam}.zarr", {"beam": beam})
        catalog.publish(str(place.folder / "two"), entry)
    return ["samples", "--workspace", place.folder / "two"]


def small_cube(place: Place) -> list[object]:
    """A cube of five by five pixels, which can be ingested and not used."""
    ingest = bring(place, narrow)
    assert cpazmal(*ingest).code == 0
    return ["samples", *ingest[1:]]


def blind(place: Place) -> list[object]:
    """A cube whose eastern half was never seen, and polygons there."""

    def west(values: np.ndarray, _: dict[str, Any]) -> np.ndarray:
        values[:2, :, values.shape[2] // 2 :] = np.nan
        return values

    assert cpazmal(*bring(place, west)).code == 0
    table = geopandas.read_file(place.campaign / "polygons.gpkg")
    left, _, right, _ = table.total_bounds
    east = table[table.geometry.bounds["minx"] > left + 0.6 * (right - left)]
    groups = east.groupby("class")["group"].transform("nunique")
    path = place.polygons(lambda _: east[groups > 1])
    home = {"workspace": str(place.folder / "new"), "samples": {"polygons": str(path)}}
    return ["samples", "-c", place.yaml(start=None, end=None, polarisations=None, **home)]


def two_looks(place: Place) -> list[object]:
    """Scenes that look from the other side under the beam of the first."""
    home = place.scenes(lambda values, _: values, 2)
    table = home / "acquisitions.csv"
    head, first, second, *_ = table.read_text().splitlines()
    table.write_text("\n".join([head, first, second.replace(",DSC,", ",ASC,")]) + "\n")
    new = {"workspace": str(place.folder / "new"), "ingest": {"scenes": str(home)}}
    return ["ingest", "-c", place.yaml(**new)]


def far_off(values: np.ndarray, profile: dict[str, Any]) -> np.ndarray:
    """A raster that lost its place, and kept its pixels."""
    profile["transform"] = rasterio.Affine(3, 0, 0, 0, -3, 0)
    return values


def retabled(place: Place, old: str, new: str) -> list[object]:
    """An acquisition table with another text in it."""
    words = bring(place, lambda values, _: values)
    table = place.folder / "scenes" / "acquisitions.csv"
    assert old in table.read_text()
    table.write_text(table.read_text().replace(old, new))
    return words


def bands(place: Place, names: list[str]) -> list[object]:
    """Scenes whose bands are named in the settings."""
    ingest = {"scenes": str(place.scenes(lambda values, _: values)), "naming": {"bands": names}}
    return ["ingest", "-c", place.yaml(workspace=str(place.folder / "new"), ingest=ingest)]


def file_for_folder(place: Place) -> list[object]:
    (place.folder / "file").write_text("")
    return ["ingest", "-c", place.yaml(workspace=str(place.folder / "file" / "run"))]


def alone(place: Place) -> list[object]:
    """The .shp of a shapefile without the files beside it."""
    shape = place.folder / "p.shp"
    geopandas.read_file(place.campaign / "polygons.gpkg").to_file(shape)
    shape.with_suffix(".dbf").unlink()
    return ["samples", "-c", place.yaml(samples={"polygons": str(shape)})]


def delivered(place: Place, name: str) -> list[object]:
    """A folder of scenes that holds one file of this name."""
    file = place.folder / "scenes" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"CDF\x01")
    return [
        "ingest",
        "-c",
        place.yaml(**nowhere(place) | {"ingest": {"scenes": str(place.folder)}}),
    ]


def relative(place: Place) -> list[object]:
    """Paths that would be right seen from the folder above that of run.yaml."""
    (place.folder / "sub").mkdir()
    text = yaml.safe_dump({"workspace": "run", "ingest": {"scenes": "sub/scenes"}})
    (place.folder / "sub" / "run.yaml").write_text(text)
    return ["ingest", "-c", place.folder / "sub" / "run.yaml"]


Words = Callable[[Place], list[object]]
MISTAKES: dict[str, tuple[Words, str]] = {
    "misspelt section": (
        lambda p: ["train", "-c", p.yaml(sampels={"stride": 3})],
        r"run\.yaml: there is no setting `sampels`; did you mean `samples`\?",
    ),
    "setting in the wrong section": (
        lambda p: ["train", "-c", p.yaml(stride=3)],
        r"no setting `stride`; did you mean `samples\.stride`\?",
    ),
    "misspelt flag": (
        lambda _: ["train", "--sample.classes", "ABL"],
        r"[Uu]nknown option.*--sample\.classes.*--samples\.classes",
    ),
    "misspelt verb": (lambda _: ["igest"], r"igest.*ingest"),
    "word for a number": (
        lambda p: ["train", "-c", p.yaml(features={"window": "seven"})],
        r"features\.window: .*integer.*; `cpazmal config`",
    ),
    "settings without their flag": (
        lambda p: ["run", p.run],
        r"takes no further argument '.*run\.yaml': write --config before it",
    ),
    "scenes without their flag": (
        lambda p: ["ingest", p.campaign],
        r"takes no further argument '.*campaign': write --ingest\.scenes before it",
    ),
    "a flag's number out of range": (
        lambda p: ["train", "-c", p.run, "--dtw.band-days", "-3"],
        r"--dtw\.band-days: .*greater than or equal to 0",
    ),
    "a name left out": (
        lambda p: ["catalog", "show", "-c", p.run],
        r"cpazmal catalog show needs NAME: cpazmal catalog show --help says",
    ),
    "the scenes' folder for the workspace": (
        lambda p: ["ingest", "-c", p.run, "--workspace", p.campaign / "scenes"],
        r"the workspace is the folder of the scenes; give it a folder of its own",
    ),
    "a change from a map to itself": (
        lambda p: ["change", "map_DSC37", "map_DSC37", "-c", p.run],
        r"map_DSC37: a change needs two different maps; name maps of two periods",
    ),
    "a raster for a network": (
        lambda p: [
            *("train", "-c", p.run, "--classify.method", "onnx"),
            *("--classify.network", p.campaign / "truth.tif"),
        ],
        r"truth\.tif: no ONNX network: .*; export",
    ),
    "a network that nobody named": (
        lambda p: ["run", "-c", p.run, "--classify.method", "onnx"],
        r"no network is named; set classify\.network",
    ),
    "more folds than groups": (
        lambda p: ["run", "-c", p.run, "--assess.folds", "400"],
        r"\d+ groups cannot make 400 folds; lower assess\.folds",
    ),
    "even window": (
        lambda p: ["train", "-c", p.run, "--features.window", "8"],
        r"features.*window.*odd",
    ),
    "start after end": (
        lambda p: ["train", "-c", p.yaml(start="2021-01-01", end="2020-01-01")],
        r"start 2021-01-01 is after end 2020-01-01",
    ),
    "no configuration": (
        lambda p: ["train", "-c", p.folder / "absent.yaml"],
        r"absent\.yaml: the run configuration cannot be read; check the path",
    ),
    "a tab in YAML": (
        lambda p: ["train", "-c", csv(p, "dtw:\n\tradius: 3\n", "run.yaml")],
        r"run\.yaml: not valid YAML.*; `cpazmal config` prints",
    ),
    "a list for settings": (
        lambda p: ["train", "-c", csv(p, "- beam: DSC37\n", "run.yaml")],
        r"run\.yaml: not a mapping of settings; write `setting: value` lines",
    ),
    "wrong indentation": (
        lambda p: ["train", "-c", csv(p, "dtw:\n  radius: 3\n   min_dates: 9\n", "run.yaml")],
        r"run\.yaml: not valid YAML, line 3: .*; `cpazmal config` prints",
    ),
    "a section that is there twice": (
        lambda p: ["train", "-c", csv(p, "dtw:\n  radius: 3\ndtw: {}\n", "run.yaml")],
        r"run\.yaml: not valid YAML, line 3: `dtw` is there twice; ",
    ),
    "a number for a section": (
        lambda p: ["train", "-c", csv(p, "dtw: 3\n", "run.yaml")],
        r"run\.yaml: dtw: it is a section: write its settings below it",
    ),
    "one channel, no list": (
        lambda p: ["train", "-c", p.yaml(polarisations="HH")],
        r"run\.yaml: polarisations: write a list, in square brackets; ",
    ),
    "a day written in another way": (
        lambda p: ["train", "-c", p.yaml(start="08.01.2020")],
        r"run\.yaml: start: write the day as 2020-01-31; ",
    ),
    "a method that is none": (
        lambda p: ["train", "-c", p.yaml(classify={"method": "forrest"})],
        r"classify\.method: no method is called 'forrest'; there are sum, ",
    ),
    "password in an address": (
        lambda _: ["train", "--workspace", "s3://me:secret@glaciers/x"],
        r"password, token or signature; leave it out",
    ),
    "scenes that are not there": (
        lambda p: ["ingest", "-c", p.yaml(ingest={"scenes": str(p.folder / "nowhere")})],
        r"nowhere: .*; ",
    ),
    "paths seen from the wrong folder": (
        relative,
        r"sub/sub/scenes: no scenes are here; check the path.*run\.yaml.*folder",
    ),
    "decibels": (
        lambda p: bring(p, decibels),
        r"\.tif: \d+ pixels of HH are .*decibels; set ingest\.naming\.scale: dB",
    ),
    "swapped bands": (
        lambda p: bring(p, swapped),
        r"\.tif: HV is \d+\.\d dB brighter than HH, .*swapped; tell the order",
    ),
    "files under each other's names": (
        exchanged,
        r"_HV\.tif: HV is \d+\.\d dB brighter than HH, .*; exchange the names of .* and .*_HH",
    ),
    "digital numbers": (
        lambda p: bring(p, numbers),
        r"\.tif: the median of HH is \d+.*digital numbers.*; calibrate the scene first",
    ),
    "a scene of zeros": (
        lambda p: bring(p, empty),
        r"\.tif: HH has no valid pixel.*; copy or process",
    ),
    "a scene without CRS": (
        lambda p: bring(p, no_crs),
        r"\.tif: it has no coordinate reference system; give it one",
    ),
    "a scene that lost its place": (
        lambda p: bring(p, far_off, 3),
        r"lies far from the other scenes of its beam: a cube of all has \d+ x \d+ .*; check its",
    ),
    "an angle without its point": (
        lambda p: retabled(p, ",37.8,", ",378,"),
        r"acquisitions\.csv line 2: incidence_angle 378 is not between 2 and 90 degrees; correct",
    ),
    "bands in small letters": (
        lambda p: bands(p, ["hh", "hv", "mask"]),
        r"\.tif: `hh`, `hv` is the name of no band; set ingest\.naming\.bands among HH, VV",
    ),
    "scenes in two CRSs": (lambda p: bring(p, elsewhere, 2), r"EPSG:32633.*; "),
    "scenes of two looks in one beam": (two_looks, r"(ASC|DSC).*; "),
    "a cube smaller than a window": (
        small_cube,
        r"the cube has 5 x 5 pixels, a window 7 x 7; ",
    ),
    "two beams, none chosen": (
        two_beams,
        r"several beams are there; set `beam` to one of ASC45, DSC37",
    ),
    "a beam that is not there": (
        lambda p: ["map", "-c", p.run, "--beam", "DSC99"],
        r"there is no beam DSC99; set `beam` to one of DSC37",
    ),
    "a verb too early": (
        lambda p: ["train", "--workspace", p.folder / "fresh"],
        r"no cube was published here; run `cpazmal ingest`",
    ),
    "no dates in the period": (
        lambda p: ["train", "-c", p.yaml(start="2025-01-01", end="2025-12-31")],
        r"no date lies in the period; change `start`",
    ),
    "a map of other months than the model's": (
        lambda p: ["map", "-c", p.run, "--months", "3", "4"],
        r"dates.*; ",
    ),
    "too few dates": (
        lambda p: ["train", "-c", p.yaml(end="2020-02-10")],
        r"\d dates in this period, dtw\.min_dates asks for 6; widen",
    ),
    "a channel that was not flown": (
        lambda p: ["train", "-c", p.yaml(polarisations=["VV", "VH"])],
        r"polarisations: the cube has no VV, VH; choose among HH, HV",
    ),
    "no column class": (
        lambda p: draw(p, lambda t: t.rename(columns={"class": "label"})),
        r"p\.gpkg: no column `class`; .*`label`.*rename",
    ),
    "no column group": (lambda p: draw(p, without("group")), r"p\.gpkg: no column `group`; "),
    "a polygon without class": (lambda p: draw(p, unlabelled), r"a polygon has no class; fill"),
    "lines instead of polygons": (lambda p: draw(p, lines), r"LineString.*not a polygon; draw"),
    "a polygon without corners": (
        lambda p: draw(p, hollow),
        r"p\.gpkg: group ABL\d+: the geometry is empty; draw it again",
    ),
    "a blank group": (lambda p: draw(p, groupless), r"p\.gpkg: a polygon has no group; fill"),
    "a class in two spellings": (
        lambda p: draw(p, spelt_twice),
        r"p\.gpkg: classes ABL and abl differ in capitals or blanks alone; write",
    ),
    "polygons in another CRS": (
        lambda p: draw(p, moved),
        r"all polygons lie outside the cube; check the polygons' CRS",
    ),
    "latitude for longitude": (
        lambda p: draw(p, turned),
        r"all polygons lie outside the cube; their coordinates look swapped",
    ),
    "one polygon in two classes": (
        lambda p: draw(p, twice),
        r"100% of polygon .*ABL\d+ lies in .*, of another class; cut one out",
    ),
    "polygons beside the scenes": (
        lambda p: draw(p, beside),
        r"all polygons lie outside the cube; ",
    ),
    "polygons where there are no data": (
        blind,
        r"none of \d+ windows satisfies samples\.min_valid; loosen",
    ),
    "polygons smaller than a window": (
        lambda p: draw(p, tiny),
        r"no polygon .*7 [x×] 7.*; ",
    ),
    "one group of a class": (
        lambda p: draw(p, lonely),
        r"class ABL has 1 usable group, not two; draw polygons of ABL",
    ),
    "a table instead of polygons": (
        lambda p: ["samples", "-c", p.yaml(samples={"polygons": csv(p, "class,group\nA,1\n")})],
        r"polygons\.csv: .*; give a GeoPackage",
    ),
    "a class that nobody drew": (
        lambda p: ["samples", "-c", p.yaml(samples={"classes": ["ABL", "ROCK"]})],
        r"no polygon of class ROCK; set samples\.classes among ABL",
    ),
    "a colour that is none": (
        lambda p: ["map", "-c", p.yaml(legend={"ROC": {"colour": "rouge vif"}})],
        r"legend\.ROC\.colour: 'rouge vif' is not a colour; ",
    ),
    "a legend of another class": (
        lambda p: ["samples", "-c", p.yaml(legend={"ROCK": {"colour": "grey"}})],
        r"legend: .*class ROCK that is not there; choose among ABL",
    ),
    "windows that no rule admits": (
        lambda p: ["samples", "-c", p.yaml(samples={"where": "elevation > 9000"})],
        r"none of \d+ windows satisfies samples\.where.*; loosen",
    ),
    "SQL that is none": (
        lambda p: ["samples", "query", "SELEC * FROM samples", "-c", p.run],
        r"SELEC.*; ",
    ),
    "a name that the catalog lacks": (
        lambda p: ["catalog", "open", "map_DSC99", "-c", p.run],
        r"map_DSC99.*; .*map_DSC37",
    ),
    "polygons in a format that is none": (
        lambda p: ["export", "--polygons", p.folder / "map.kml", "-c", p.run],
        r"map\.kml: `\.kml` is no suffix.*; write \.gpkg",
    ),
    "a workspace below a file": (
        file_for_folder,
        r"file/run.*: a folder of this path is a file; choose another folder",
    ),
    "a raster instead of a map": (
        lambda p: ["view", p.campaign / "truth.tif", "-c", p.run],
        r"truth\.tif: not the address of a map, which ends in \.zarr; ",
    ),
    "a cube instead of a map": (
        lambda p: ["view", p.run.parent / "run/cubes/DSC37.zarr", "-c", p.run],
        r"DSC37\.zarr: a cube, no map; give a map",
    ),
    "samples counted by glacier": (
        lambda p: [
            *("zonal", "samples_DSC37", "-c", p.run),
            *("--after.outlines", p.campaign / "polygons.gpkg"),
        ],
        r"samples_DSC37 is of kind samples; give the name of a map: ",
    ),
    "a map compared with a model": (
        lambda p: ["change", "map_DSC37", "model_DSC37", "-c", p.run],
        r"model_DSC37 is of kind model; give the name of a map: ",
    ),
    "units of a cube": (
        lambda p: ["areas", "design", "cube_DSC37", p.folder / "units.gpkg", "-c", p.run],
        r"cube_DSC37 is of kind cube; give the name of a map: ",
    ),
    "a map of a map": (
        lambda p: [*("export", "map_DSC37/map_DSC37", "-c", p.run), "--raster", p.folder / "a.tif"],
        r"map_DSC37 is no nested catalog; ",
    ),
    "windows by chance": (
        lambda p: ["samples", "-c", p.run, "--samples.where", "random() < 0.5"],
        r"random\(\) < 0\.5: `random` chooses other windows every time; leave it out",
    ),
    "a condition that is none, before scenes are read": (
        lambda p: ["run", "-c", p.run, "--dry-run", "--samples.where", "1; DROP TABLE x"],
        r"1; DROP TABLE x: the query fails: .*; give one SQL condition",
    ),
    "a box from north to south": (
        lambda p: ["catalog", "ls", "-c", p.run, "--bbox", "6", "46", "7", "45"],
        r"bbox 6 46 7 45: no place on Earth; give west, south, east, north",
    ),
    "a reference that is not there": (
        lambda p: ["assess", "-c", p.yaml(assess={"truth": str(p.folder / "truth.tif")})],
        r"truth\.tif: .*; ",
    ),
    "a run whose polygons are not there": (
        lambda p: ["run", "-c", p.yaml(**nowhere(p), samples={"polygons": "no/such.gpkg"})],
        r"no/such\.gpkg: .*; ",
    ),
    "a scene for a reference": (
        lambda p: ["assess", "-c", p.yaml(assess={"truth": str(first_scene(p))})],
        r"\.tif: not a reference: uint8 with a CRS and a tag `classes` is needed; ",
    ),
    "a shapefile alone": (alone, r"p\.shp: .*several files; beside it is no \.dbf\); give"),
    "a spreadsheet of polygons": (
        lambda p: ["samples", "-c", p.run, "--samples.polygons", csv(p, "PK", "polygons.xlsx")],
        r"polygons\.xlsx: .*files of `\.xlsx` are not read\); give a GeoPackage",
    ),
    "classes with commas": (
        lambda p: ["samples", "-c", p.run, "--samples.classes", "ABL,ACC"],
        r"no polygon of class ABL,ACC; set .* ROC, several with a blank between",
    ),
    "channels with commas": (
        lambda p: ["train", "-c", p.run, "--polarisations", "HH,HV"],
        r"the cube has no HH,HV; choose among HH, HV, several with a blank between",
    ),
    "a pattern that the shell filled in": (
        lambda p: ["ingest", "--ingest.scenes", *sorted((p.campaign / "scenes").rglob("*.tif"))],
        r"takes no further \d+ files, such as .*: the shell .* quote the pattern",
    ),
    "a Sentinel-1 product as delivered": (
        lambda p: delivered(p, "S1A_IW_GRDH_1SDV_20210101T054421_1.SAFE/manifest.safe"),
        r"none of .* files is a product.*; Sentinel-1 products as ESA delivers them are not read",
    ),
    "scenes in NetCDF": (
        lambda p: delivered(p, "scene.nc"),
        r"none of .* files is a product.*; files of `\.nc` are not read: save them as GeoTIFF",
    ),
    "a class called as no class is": (
        lambda p: draw(p, lambda t: t.assign(**{"class": t["class"].replace("ROC", "Rejected")})),
        r"p\.gpkg: a class is called Rejected, which a map .*; give the class another name",
    ),
    "a picture for elevations": (
        lambda p: ["samples", "-c", p.yaml(samples={"dem": csv(p, "", "dem.png")})],
        r"dem\.png: files of `\.png` are not read; give a GeoTIFF",
    ),
    "a product for the workspace": (
        lambda p: ["map", "--workspace", p.run.parent / "run/cubes/DSC37.zarr"],
        r"DSC37\.zarr: no workspace, but a product .*; give the folder that holds",
    ),
    "a file for the workspace": (
        lambda p: ["catalog", "ls", "--workspace", p.run.parent / "run/catalog.yaml"],
        r"catalog\.yaml: no workspace, but a .*file in one; give the folder",
    ),
    "polygons for the settings": (
        lambda p: ["train", "-c", p.campaign / "polygons.gpkg"],
        r"polygons\.gpkg: not text in UTF-8; give the text file of settings",
    ),
    "a workspace that is not there": (
        lambda p: ["catalog", "ls", "--workspace", p.folder / "glacier"],
        r"glacier: no workspace is here; check the folder or bucket",
    ),
    "a layer that the map lacks": (
        lambda p: ["export", "-c", p.run, "--layer", "sure", "--raster", p.folder / "e.tif"],
        r"the map has no layer sure; choose among class, .*, confidence",
    ),
    "a layer without its file": (
        lambda p: ["export", "-c", p.run, "--layer", "entropy"],
        r"entropy: no file is named for the layer; add --raster FILE",
    ),
    "more memory than there is": (
        lambda p: ["map", "-c", p.run, "--cluster.memory-gib", "0.01"],
        r"a block of .* needs .*GiB.*; ",
    ),
}


def snapshot(*folders: Path) -> dict[str, int]:
    """Every file below folders and when it was written."""
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return {str(path): path.stat().st_mtime_ns for path in files}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gets_one_sentence(name: str, place: Place, monkeypatch) -> None:
    monkeypatch.chdir(place.folder)
    words, sentence = MISTAKES[name]
    asked = words(place)
    before = snapshot(place.folder, place.run.parent)
    ran = cpazmal(*asked)
    assert ran.code != 0, ran.out
    assert len(ran.complaints) == 1, ran.err
    said = ran.complaints[0].removeprefix("cpazmal: ")
    assert re.search(sentence, said), said
    assert "Traceback" not in ran.err
    assert len(said) < 500
    assert snapshot(place.folder, place.run.parent) == before


def test_there_are_enough() -> None:
    assert len(MISTAKES) > 80


def test_few_dates_of_a_channel_are_a_warning(place: Place) -> None:
    """HV on half of the dates, or a short period, is named and does not stop a run."""
    told = cpazmal("train", "-c", place.run)
    assert told.code == 0
    assert re.search(r"few dates in this period: \d+ of \d+ of HH, \d+ of \d+ of HV", told.err)
    assert "noise_limited" not in told.err
    assert "few dates" not in cpazmal("train", "-c", place.run, "--few-dates", 2).err


def test_masking_by_noise_is_a_warning(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    run = RunConfig.load(str(place.run))
    training_data(run.with_values({"features": {"masked": ["noise_limited"]}}))
    assert "noise_limited: of dark ground it leaves the bright speckle alone" in caplog.text


def test_classes_that_are_numbers_are_named(place: Place) -> None:
    """A column of decimals gives whole numbers, and a note until they have names."""

    def numbered(table: geopandas.GeoDataFrame) -> None:
        table["class"] = table["class"].astype("category").cat.codes + 1.0

    path = str(place.polygons(numbered))
    told = cpazmal("run", "--dry-run", "-c", place.yaml(samples={"polygons": path}))
    assert told.code == 0, told.err
    assert re.search(r"groups by class: 1 \d+, 2 \d+", told.out)
    assert "classes 1, 2, 3, " in told.out
    assert "are numbers: name them" in told.out
    legend = {str(n): {"name": f"kind {n}"} for n in range(1, 10)}
    told = cpazmal("run", "--dry-run", "-c", place.yaml(samples={"polygons": path}, legend=legend))
    assert "are numbers" not in told.out


def test_a_file_of_two_layers_is_a_warning(place: Place) -> None:
    path = place.folder / "two.gpkg"
    for name in ("summer", "winter"):
        geopandas.read_file(place.campaign / "polygons.gpkg").to_file(path, layer=name)
    told = cpazmal("samples", "-c", place.yaml(samples={"polygons": str(path), "classes": ["X"]}))
    assert "two.gpkg: it has 2 layers of shapes; the first, summer, is used\n" in told.err
    assert len(told.complaints) == 1
