"""What the provider says about a product, by its own schema and README, is heard."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from support.small_products import ID, TSX1, amplitudes, cut_product, settings

from cpazmal_scale.cube import append, cube_url, ingest_scenes, open_cube
from cpazmal_scale.errors import SceneImplausible, SceneUnknown, SceneUnreadable
from cpazmal_scale.grid import lattice
from cpazmal_scale.scenes import SceneReader, discover, placed_on
from cpazmal_scale.scenes.level1b.annotation_xml import parse_annotation
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


def test_the_second_of_a_pair_is_refused(tmp_path, shared_data) -> None:
    folder = made(shared_data, tmp_path)
    second = ID.replace("_SSC______", "_SSC_BRX2_")
    (folder / f"{ID}.xml").rename(folder / f"{second}.xml")
    with pytest.raises(SceneUnknown, match="second image of a TanDEM-X pair"):
        discover(settings(tmp_path).ingest)


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
