"""What the provider says about a product, by its own schema and README, is heard."""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from support.small_products import ID, TSX1, amplitudes, cut_product, settings

from cpazmal_scale.cube import append, cube_url, ingest_scenes, open_cube
from cpazmal_scale.errors import SceneImplausible, SceneUnknown, SceneUnreadable
from cpazmal_scale.grid import lattice
from cpazmal_scale.scenes import SceneReader, discover, placed_on
from cpazmal_scale.scenes.level1b.annotation_xml import parse_annotation
from cpazmal_scale.scenes.level1b.cosar import write_burst
from cpazmal_scale.scenes.level1b.geolocation import Geolocation
from cpazmal_scale.scenes.level1b.georef import parse_georef
from cpazmal_scale.scenes.level1b.placing import utm
from cpazmal_scale.scenes.level1b.radiometry import noise_beta0, unannotated
from cpazmal_scale.scenes.untrusted import xml

SHAPE = (300, 260)
Edit = Callable[[str], str]


def made(shared: Path, folder: Path, edit: Edit | None = None) -> Path:
    return cut_product(shared, folder, amplitudes(SHAPE), edit=edit)


def test_a_product_that_does_not_say_that_it_is_calibrated(tmp_path, shared_data) -> None:
    made(shared_data, tmp_path, lambda text: re.sub(r"<(radiometricCor.*?)>.*</\1>", "", text))
    with pytest.raises(SceneUnreadable, match="radiometricCorrection is missing"):
        discover(settings(tmp_path).ingest)


def test_a_flight_direction_that_the_orbit_contradicts(tmp_path, shared_data) -> None:
    made(shared_data, tmp_path, lambda text: text.replace(">DESCENDING<", ">ASCENDING<"))
    with pytest.raises(SceneUnreadable, match="its orbit is DSC, its annotation says ASC"):
        discover(settings(tmp_path).ingest)


@pytest.mark.parametrize("flag", ["NOTCALIBRATED", "RELCALIBRATED", "UNDEFINED", ""])
def test_only_what_is_flagged_calibrated_is_calibrated(tmp_path, shared_data, flag: str) -> None:
    made(shared_data, tmp_path, lambda text: text.replace(">CALIBRATED<", f">{flag}<"))
    with pytest.raises(SceneUnknown, match=f"it is flagged {flag or 'with nothing'}"):
        discover(settings(tmp_path).ingest)


@pytest.mark.parametrize("mode", ["SC", "WS", "UNDEFINED"])
def test_complex_bursts_of_any_mode_are_refused(tmp_path, shared_data, mode: str) -> None:
    made(
        shared_data,
        tmp_path,
        lambda text: text.replace("<imagingMode>SM<", f"<imagingMode>{mode}<"),
    )
    with pytest.raises(SceneUnknown, match="complex ScanSAR"):
        discover(settings(tmp_path).ingest)


@pytest.mark.parametrize("part", ["BRX2", "MTX2", "ATX2", "BRX1"])
@pytest.mark.parametrize("where", ["file", "header"])
def test_what_has_no_geometry_of_its_own_in_a_pair_is_refused(
    tmp_path, shared_data, part: str, where: str
) -> None:
    second = ID.replace("_SSC______", f"_SSC_{part}_")
    inside = where == "header"
    folder = made(shared_data, tmp_path, lambda text: text.replace(ID, second) if inside else text)
    if not inside:
        (folder / f"{ID}.xml").rename(folder / f"{second}.xml")
    with pytest.raises(SceneUnknown, match="second image of a TanDEM-X pair"):
        discover(settings(tmp_path).ingest)


def test_the_first_of_a_pair_is_read(tmp_path, shared_data) -> None:
    first = ID.replace("_SSC______", "_SSC_BTX1_")
    folder = made(shared_data, tmp_path, lambda text: text.replace(ID, first))
    (folder / f"{ID}.xml").rename(folder / f"{first}.xml")
    assert [one.id for one in discover(settings(tmp_path).ingest)] == [first]


def beams(text: str) -> str:
    """Complex ScanSAR: one image of every beam."""
    image = re.search(r"<imageData .*?</imageData>", text, re.S)[0]
    return text.replace(image, image * 4).replace("<imagingMode>SM<", "<imagingMode>SC<")


def dual(text: str) -> str:
    """Two receive antennas: two images of one polarisation."""
    image = re.search(r"<imageData .*?</imageData>", text, re.S)[0]
    return text.replace(image, image * 2).replace("<numberOfLayers>1<", "<numberOfLayers>2<")


QUAD = ("HH", "HV", "VH", "VV")
OF_A_LAYER = {
    "productComponents": "imageData",
    "calibration": "calibrationConstant",
    ".": "noise",
    "processing/doppler": "dopplerCentroid",
    "instrument": "settings",
}


def quad(text: str) -> str:
    """All four polarisations, each with a calibration factor and an image of its own."""
    root = ElementTree.fromstring(text)
    for parent, name in OF_A_LAYER.items():
        above = root.find(parent)
        one = above.find(name)
        place = list(above).index(one)
        above.remove(one)
        for number, channel in reversed(list(enumerate(QUAD))):
            part = copy.deepcopy(one)
            part.set("layerIndex", str(number + 1))
            for found in part.iter():
                told = (found.text or "").strip()
                if told == "HH":
                    found.text = channel
                elif told.startswith("IMAGE_HH"):
                    found.text = told.replace("HH", channel)
                elif found.tag == "calFactor":
                    found.text = str(float(told) + number * 1e-5)
            above.insert(place, part)
    listed = root.find("productInfo/acquisitionInfo/polarisationList")
    listed[:] = [copy.deepcopy(listed[0]) for _ in QUAD]
    for one, channel in zip(listed, QUAD, strict=True):
        one.text = channel
    root.find("productInfo/imageDataInfo/numberOfLayers").text = "4"
    return ElementTree.tostring(root, encoding="unicode")


def test_each_of_four_polarisations_has_its_own_image_and_factor(tmp_path, shared_data) -> None:
    folder = made(shared_data, tmp_path, quad)
    image = folder / "IMAGEDATA" / "IMAGE_HH_SRA_strip_011.cos"
    for number, name in enumerate(QUAD):
        with (image.parent / image.name.replace("HH", name)).open("wb") as file:
            write_burst(file, [amplitudes(SHAPE, seed=number)], SHAPE)
    config = settings(tmp_path, radiometry="beta0", noise="keep").ingest
    (scene,) = discover(config)
    with SceneReader(scene, scene.geobox) as reader:
        power, _ = reader.read(0, scene.geobox.shape[0])
    level = {
        name: float(np.nanmean(power[number])) for number, name in enumerate(scene.polarisations)
    }
    assert set(level) == set(QUAD)
    # Factors are annotated as 1.043…e-05, 2.043…e-05 and so on.
    for number, name in enumerate(QUAD):
        assert level[name] == pytest.approx(0.1 * (number + 1.0434) / 1.0434, rel=0.05)
    (image.parent / image.name.replace("HH", "VH")).write_bytes(image.read_bytes())
    with pytest.raises(SceneUnreadable, match=r"IMAGE_VH.* is IMAGEDATA/IMAGE_HH"):
        discover(config)
    (image.parent / image.name.replace("HH", "VH")).unlink()
    with pytest.raises(SceneUnreadable, match="lacks this file"):
        discover(config)


CONTRADICTIONS: dict[str, Edit] = {
    "imageDataType COMPLEX, it says DETECTED": lambda text: text.replace(">COMPLEX<", ">DETECTED<"),
    "imageDataFormat COSAR, it says GEOTIFF": lambda text: text.replace(">COSAR<", ">GEOTIFF<"),
    "projection SLANTRANGE, it says MAP": lambda text: text.replace(">SLANTRANGE<", ">MAP<"),
    "32 bits per pixel, it says 16": lambda text: text.replace(
        "<imageDataDepth>32<", "<imageDataDepth>16<"
    ),
    "image files of HH, it says 1 layers of HH/HV": lambda text: text.replace(
        "</polarisationList>", "<polLayer>HV</polLayer></polarisationList>", 1
    ),
    "image files of HH, it says 2 layers": lambda text: text.replace(
        "<numberOfLayers>1<", "<numberOfLayers>2<"
    ),
    "MGD products have the imageDataType DETECTED": lambda text: text.replace(
        "<productVariant>SSC<", "<productVariant>MGD<"
    ),
    "times span 23295 lines, its image has 300": lambda text: re.sub(
        r"(<stop>\s*<timeUTC>2008-03-10T13:32:2)\d", r"\g<1>6", text, count=1
    ),
    "bursts of complex ScanSAR": beams,
    "2 images of 1 polarisations": dual,
    "one for two polarisations": lambda text: quad(text).replace("IMAGE_VV", "IMAGE_HV"),
}


@pytest.mark.parametrize("said", CONTRADICTIONS)
def test_an_annotation_that_says_two_things_is_refused(tmp_path, shared_data, said: str) -> None:
    made(shared_data, tmp_path, CONTRADICTIONS[said])
    with pytest.raises((SceneUnreadable, SceneUnknown), match=said):
        discover(settings(tmp_path).ingest)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (ID.replace("TSX1", "TDX1"), "its file name says TDX1, its annotation TSX1"),
        (ID.replace("SSC__", "MGD__"), "says MGD, its annotation SSC"),
        (ID.replace("20080310T133220", "20080321T133220"), "says 20080321T133220, its annotation"),
        (ID.replace("20080310T133220", "20081310T133220"), "says 20081310T133220, its annotation"),
        (ID.replace("_SM_", "_HS_"), "has the mode HS in its name and SM in its annotation"),
        (ID.replace("_S_SRA", "_D_SRA"), "has 2 polarisations by its name and 1 in its annotation"),
    ],
)
def test_a_name_of_another_product(tmp_path, shared_data, name: str, said: str) -> None:
    """Mission, variant and time are refused; mode and polarisations may be right, and are told."""
    product = made(shared_data, tmp_path / "s")
    (product / f"{ID}.xml").rename(product / f"{name}.xml")
    config = settings(tmp_path / "s").with_values({"workspace": str(tmp_path / "ws")})
    if "file name" in said or ", its" in said:
        with pytest.raises(SceneUnknown, match=rf"{said}.*its own name, {ID}\.xml"):
            discover(config.ingest)
    else:
        assert said in str(ingest_scenes(config, dry_run=True))


def of_scale(shared: Path, folder: Path, days: int, factor: str, level: float) -> None:
    """The product some days later, of another calibration factor and mean."""

    def later(text: str) -> str:
        text = re.sub(r"2008-03-10T", f"2008-03-{10 + days}T", text)
        return re.sub(r"<calFactor>[^<]*<", f"<calFactor>{factor}<", text)

    values = amplitudes(SHAPE, days, 0.1 * level / float(factor) * 1e-5)
    product = cut_product(shared, folder / str(days), values, edit=later)
    (product / f"{ID}.xml").rename(product / f"{ID.replace('20080310', f'200803{10 + days}')}.xml")
    georef = product / "ANNOTATION" / "GEOREF.xml"
    georef.write_text(re.sub(r"2008-03-10T", f"2008-03-{10 + days}T", georef.read_text()))


@pytest.mark.parametrize(
    "dates",
    [
        ((0, "1e-5", 0.1), (5, "1e-3", 10.0), (11, "1e-3", 0.1)),
        ((5, "1e-3", 10.0), (11, "1e-5", 0.1), (14, "1e-3", 0.1)),
    ],
    ids=["in the middle", "first"],
)
def test_a_date_of_another_scale_is_told(tmp_path, shared_data, dates) -> None:
    """Its constant is a hundred times the others'; the image of one is a hundredth instead."""
    for date in dates:
        of_scale(shared_data, tmp_path, *date)
    config = settings(tmp_path).with_values({"workspace": str(tmp_path / "ws")})
    told = str(ingest_scenes(config, dry_run=True))
    assert told.count("brighter than the other dates") == 1
    assert "20080315T133220" in told
    assert "HH is 20 dB brighter" in told
    assert "(calFactor 0.001, theirs 1e-05)" in told


@pytest.mark.parametrize("odd", ["new", "held"])
def test_a_date_of_another_scale_than_the_cubes_is_told(tmp_path, shared_data, odd: str) -> None:
    usual, high = ("1e-5", 0.1), ("1e-3", 10.0)
    of_scale(shared_data, tmp_path / "s", 0, *(usual if odd == "new" else high))
    config = settings(tmp_path / "s").with_values({"workspace": str(tmp_path / "ws")})
    assert "other dates of its beam" not in str(ingest_scenes(config))
    of_scale(shared_data, tmp_path / "s", 11, *(high if odd == "new" else usual))
    told = str(ingest_scenes(config))
    day, there = ("21", "") if odd == "new" else ("10", ", in the cube already,")
    assert re.search(rf"200803{day}T133220\S*: its HH{there} is 20 dB brighter", told)
    assert told.count("brighter than the other dates") == 1
    assert "brighter" not in str(ingest_scenes(config))


@pytest.mark.parametrize(
    "name", ["SUPPORT/{}.txt", "support/{}.TXT", "{}.pdf"], ids=["usual", "small", "beside"]
)
def test_the_disclaimer_and_old_processing_are_told(tmp_path, shared_data, name: str) -> None:
    def old(text: str) -> str:
        return re.sub(r"<generationTime>[^<]*<", "<generationTime>2007-12-20T10:00:00Z<", text)

    folder = made(shared_data, tmp_path / "s", old)
    path = folder / name.format("GEOLOCATION_AND_TIMING_PROBLEM")
    path.parent.mkdir(exist_ok=True)
    path.write_text("see README")
    config = settings(tmp_path / "s").with_values({"workspace": str(tmp_path / "ws")})
    told = str(ingest_scenes(config, dry_run=True))
    assert "GEOLOCATION_AND_TIMING_PROBLEM.txt: its place may be off" in told
    assert "processed before 07 January 2008" in told


def in_parts(text: str) -> str:
    """Every noise polynomial as four with adjacent ranges of validity, as for ScanSAR."""

    def split(match: re.Match[str]) -> str:
        one = match[0]
        low, high = (
            float(re.search(rf"<validityRange{end}>([^<]+)<", one)[1]) for end in ("Min", "Max")
        )
        edges = np.linspace(low, high, 5)
        parts = []
        for start, stop in pairwise(edges.tolist()):
            part = re.sub(r"(<validityRangeMin>)[^<]+", rf"\g<1>{start!r}", one)
            parts.append(re.sub(r"(<validityRangeMax>)[^<]+", rf"\g<1>{stop!r}", part))
        return "".join(parts)

    return re.sub(r"<noiseEstimate>.*?</noiseEstimate>", split, text, flags=re.S)


def test_all_noise_polynomials_of_a_time_count(shared_data: Path) -> None:
    text = (shared_data / "tsx" / TSX1 / f"{ID}.xml").read_text()
    whole = parse_annotation(xml.parse(text.encode(), where="x"))
    parts = parse_annotation(xml.parse(in_parts(text).encode(), where="x"))
    assert len(parts.layers[0].noise[0].beside) == 3
    ends = whole.first_range_time, whole.last_range_time
    tau = np.linspace(*ends, 1001)
    for t in (0.0, 3.0, 7.5):
        one, other = (
            noise_beta0(told.layers[0], whole.start, np.array(t), tau) for told in (whole, parts)
        )
        np.testing.assert_allclose(other, one, rtol=1e-12)
        assert (other > 0).all()
    assert unannotated(whole.layers[0], *ends) == unannotated(parts.layers[0], *ends) == 0


def test_noise_that_is_not_told_is_not_subtracted_as_zero(tmp_path, shared_data) -> None:
    """Only the first quarter of the range is annotated."""

    def first(text: str) -> str:
        return re.sub(
            r"(<noiseEstimate>.*?<validityRangeMax>)[^<]+",
            r"\g<1>4.22757e-03",
            text,
            flags=re.S,
        )

    made(shared_data, tmp_path, first)
    with pytest.raises(SceneUnknown, match=r"noise is annotated for \d+% of the range only"):
        discover(settings(tmp_path).ingest)
    assert discover(settings(tmp_path, noise="keep").ingest)


def test_noise_far_above_the_image_s_own_power_is_not_subtracted(tmp_path, shared_data) -> None:
    """A mean of powers holds the noise; polynomials in other units, or a sign lost, do not fit."""

    def loud(text: str) -> str:
        def times(match: re.Match[str]) -> str:
            return re.sub(
                r"(<coefficient[^>]*>)([^<]+)", lambda c: f"{c[1]}{1000 * float(c[2])!r}", match[0]
            )

        return re.sub(r"<noiseEstimate>.*?</noiseEstimate>", times, text, flags=re.S)

    made(shared_data, tmp_path, loud)
    with pytest.raises(SceneImplausible, match=r"mean β0 is -\d.*but the noise in it is annotated"):
        discover(settings(tmp_path).ingest, check=True)
    assert discover(settings(tmp_path, noise="keep").ingest, check=True)


def test_a_scene_across_the_date_line(shared_data: Path) -> None:
    """The real scene turned about the earth's axis until 180 degrees cut it in two."""
    folder = shared_data / "tsx" / TSX1
    annotation = parse_annotation(xml.read(str(folder / f"{ID}.xml")))
    grid = parse_georef(xml.read(str(folder / "ANNOTATION" / "GEOREF.xml")))
    angle = 180 - float(grid.lon.mean())
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))

    def turned(v: tuple[float, float, float]) -> tuple[float, float, float]:
        return c * v[0] - s * v[1], s * v[0] + c * v[1], v[2]

    orbit = tuple(
        replace(one, position=turned(one.position), velocity=turned(one.velocity))
        for one in annotation.orbit
    )
    cut = (grid.lon + angle + 180) % 360 - 180
    assert cut.min() < -179
    assert cut.max() > 179
    here = Geolocation(annotation, grid, where="x")
    there = Geolocation(replace(annotation, orbit=orbit), replace(grid, lon=cut), where="x")
    t, tau = grid.t[3:9, 3:9], grid.tau[3:9, 3:9]
    lon, lat = here.ground(t, tau, 1500.0)
    moved, same = there.ground(t, tau, 1500.0)
    np.testing.assert_allclose((moved - lon - angle + 180) % 360, 180, atol=1e-7)
    np.testing.assert_allclose(same, lat, atol=1e-7)
    assert utm(-179.9, 60) == "EPSG:32601"
    assert utm(180.1, 60) == "EPSG:32601"


def test_a_product_is_geocoded_onto_the_cubes_zone(tmp_path, shared_data) -> None:
    """A cube in the next UTM zone takes a product without resampling its pixels a second time."""
    from pyproj import Transformer

    values = np.full(SHAPE, 10, "c8")
    values[150:153, 130:133] = 30_000
    folder = cut_product(shared_data, tmp_path / "s", values)
    config = settings(tmp_path / "s", noise="keep").with_values({"workspace": str(tmp_path / "ws")})
    (scene,) = discover(config.ingest, check=True)
    bounds = lattice.bounds_in(scene.geobox, "EPSG:32613", where="x")
    grid = lattice.snapped(bounds, lattice.Preset("EPSG:32613", 3.0))
    moved = placed_on(scene, grid)
    assert str(moved.geobox.crs) == "EPSG:32613"
    places = []
    for one in (scene, moved):
        with SceneReader(one, one.geobox) as reader:
            power = reader.read(0, one.geobox.shape[0])[0][0]
        rows, columns = np.nonzero(power > 0.5 * np.nanmax(power))
        x, y = one.geobox.transform * (columns.mean() + 0.5, rows.mean() + 0.5)
        to_degrees = Transformer.from_crs(str(one.geobox.crs), "EPSG:4326", always_xy=True)
        places.append(to_degrees.transform(x, y))
    assert np.abs(np.subtract(*places)).max() < 3 / 80_000
    url = cube_url(str(tmp_path / "ws"), scene.beam)
    append(url, moved, chunk=64, grid=moved.geobox)
    for name in (f"{ID}.xml", "ANNOTATION/GEOREF.xml"):
        text = (folder / name).read_text().replace("2008-03-10", "2008-03-21")
        (folder / name).write_text(text.replace("20080310T", "20080321T"))
    (folder / f"{ID}.xml").rename(folder / f"{ID.replace('20080310T', '20080321T')}.xml")
    shutil.rmtree(tmp_path / "ws" / "catalog", ignore_errors=True)
    assert ingest_scenes(config).cubes[0].dates == 2
    assert open_cube(url).resampling.to_numpy().tolist() == ["", ""]
