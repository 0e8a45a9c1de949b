"""Annotation and geolocation grid of real products, against another program's extraction."""

# ruff: noqa: ARG005 - all checks have one signature
from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cpazmal_scale.errors import SceneUnknown, SceneUnreadable
from cpazmal_scale.scenes.level1b.annotation import Annotation
from cpazmal_scale.scenes.level1b.annotation_xml import parse_annotation
from cpazmal_scale.scenes.level1b.georef import GeoGrid, parse_georef
from cpazmal_scale.scenes.untrusted import xml

TSX1 = "tsx1_ssc_stripmap_2008"
TDX1 = "TDX1_SAR__SSC______ST_S_SRA_20231005T014450_20231005T014450"


def main_xml(folder: Path) -> Path:
    (found,) = folder.glob("T?X1_SAR__*.xml")
    return found


@pytest.fixture(scope="module")
def tsx(shared_data: Path) -> Path:
    return shared_data / "tsx" / TSX1


@pytest.fixture(scope="module")
def tdx(shared_data: Path) -> Path:
    return shared_data / "tsx" / TDX1


@pytest.fixture(scope="module")
def annotation(tsx: Path) -> Annotation:
    return parse_annotation(xml.read(str(main_xml(tsx))))


@pytest.fixture(scope="module")
def grid(tsx: Path) -> GeoGrid:
    return parse_georef(xml.read(str(tsx / "ANNOTATION" / "GEOREF.xml")))


@pytest.fixture(scope="module")
def geom(tsx: Path) -> dict[str, str]:
    lines = (tsx / "terrasar-1.geom").read_text().splitlines()
    return {key: text.strip() for key, text in (line.split(":", 1) for line in lines if line)}


def _close(mine: float, theirs: str, step: float = 0.0) -> bool:
    return mine == pytest.approx(float(theirs), rel=2e-14, abs=step)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text.rstrip("Z")).replace(tzinfo=UTC)


def _within(mine: datetime, theirs: str, seconds: float = 4e-5) -> bool:
    """Times went through single steps of about 20 µs in the other program."""
    return abs((mine - _at(theirs)).total_seconds()) <= seconds


Check = Callable[[re.Match[str], str, Annotation, GeoGrid], bool]


def _point(field: str) -> Check:
    def check(m: re.Match[str], text: str, a: Annotation, g: GeoGrid) -> bool:
        value = getattr(g, field).reshape(-1)[int(m[1])]
        return _close(float(value) - (field in ("row", "col")), text, step=1e-13)

    return check


def _corner(field: str) -> Check:
    def check(m: re.Match[str], text: str, a: Annotation, g: GeoGrid) -> bool:
        place = a.corners[int(m[1])] if m.lastindex else a.centre
        value = getattr(place, field)
        return value == _at(text) if isinstance(value, datetime) else _close(value, text)

    return check


def _vector(field: str, axis: int) -> Check:
    return lambda m, text, a, g: _close(getattr(a.orbit[int(m[1])], field)[axis], text)


def _noise(field: str) -> Check:
    return lambda m, text, a, g: _close(
        getattr(a.layers[0].noise[int(m[1])].polynomial, field), text
    )


def _single(get: Callable[[Annotation, GeoGrid], Any]) -> Check:
    def check(m: re.Match[str], text: str, a: Annotation, g: GeoGrid) -> bool:
        value = get(a, g)
        if isinstance(value, datetime):
            return value == _at(text)
        return str(value) == text if isinstance(value, str) else _close(value, text)

    return check


_COORDINATE = {
    "refRow": "row",
    "refColumn": "column",
    "lat": "lat",
    "lon": "lon",
    "rangeTime": "range_time",
    "incidenceAngle": "incidence_angle",
    "azimuthTimeUTC": "azimuth_time",
}
_CORNERS = {"ul": 0, "ur": 1, "ll": 2, "lr": 3}
_SINGLE: dict[str, Callable[[Annotation, GeoGrid], Any]] = {
    "calibration.calibrationConstant.calFactor": lambda a, g: a.layers[0].cal_factor,
    "number_lines": lambda a, g: a.raster.lines,
    "number_samples": lambda a, g: a.raster.samples,
    "support_data.number_lines": lambda a, g: a.raster.lines,
    "support_data.number_samples": lambda a, g: a.raster.samples,
    "support_data.geom.bursts.burst[0].end_line": lambda a, g: a.raster.lines - 1,
    "support_data.geom.bursts.burst[0].end_sample": lambda a, g: a.raster.samples - 1,
    "support_data.geom.gcp.number": lambda a, g: g.t.size,
    "meters_per_pixel_x": lambda a, g: a.slant_range_spacing,
    "meters_per_pixel_y": lambda a, g: a.azimuth_spacing,
    "support_data.range_spacing": lambda a, g: a.slant_range_spacing,
    "support_data.azimuth_spacing": lambda a, g: a.azimuth_spacing,
    "noise.numberOfNoiseRecords": lambda a, g: len(a.layers[0].noise),
    "noise.nameOfNoisePolarisation": lambda a, g: a.layers[0].polarisation,
    "header.polarisation": lambda a, g: a.polarisations[0],
    "orbitList.nb_orbits": lambda a, g: len(a.orbit),
    "sample_type": lambda a, g: a.raster.data_type,
    "sceneCoord.numberOfSceneCornerCoord": lambda a, g: len(a.corners),
    "support_data.abs_orbit": lambda a, g: a.absolute_orbit,
    "support_data.orbit_cycle": lambda a, g: a.orbit_cycle,
    "support_data.orbit_pass": lambda a, g: {"DSC": "DESCENDING"}[a.orbit_direction],
    "support_data.look_side": lambda a, g: {"R": "RIGHT"}[a.look_side],
    "support_data.acquisition_mode": lambda a, g: a.mode,
    "support_data.avg_scene_height": lambda a, g: a.average_height,
    "support_data.azimuth_bandwidth": lambda a, g: a.processing.azimuth_bandwidth,
    "support_data.range_bandwidth": lambda a, g: a.processing.range_bandwidth,
    "support_data.azimuth_spectral_window": lambda a, g: a.processing.azimuth_window[0],
    "support_data.range_spectral_window": lambda a, g: a.processing.range_window[0],
    "support_data.azimuth_window_coeff": lambda a, g: a.processing.azimuth_window[1],
    "support_data.range_window_coeff": lambda a, g: a.processing.range_window[1],
    "support_data.azimuth_looks": lambda a, g: a.raster.azimuth_looks,
    "support_data.range_looks": lambda a, g: a.raster.range_looks,
    "support_data.range_sampling_rate": lambda a, g: a.layers[0].range_sampling,
    "support_data.radar_frequency": lambda a, g: a.centre_frequency,
    "support_data.pulse_repetition_frequency": lambda a, g: a.prf,
    "support_data.first_line_time": lambda a, g: a.start,
    "support_data.last_line_time": lambda a, g: a.stop,
    "support_data.slant_range_to_first_pixel": lambda a, g: a.first_range_time,
    "support_data.slant_range_to_last_pixel": lambda a, g: a.last_range_time,
    "azimuthFmRate.azi_fm_rate_coef_nb_list": lambda a, g: len(a.processing.doppler_rate),
    "dopplerCentroid.dop_coef_nb_list": lambda a, g: len(a.layers[0].doppler),
}
_RATE, _DOPPLER = r"azimuthFmRate\.azi_fm_rate_coef", r"dopplerCentroid\.dop_coef"
_ORBIT, _GCP = r"orbitList\.orbit\[(\d+)\]", r"support_data\.geom\.gcp\[(\d+)\]"
_RECORD = r"noise\[(\d+)\]imageNoise"

CHECKS: dict[str, Check] = {
    **{re.escape(key): _single(get) for key, get in _SINGLE.items()},
    **{
        rf"sceneCoord\.sceneC(?:enterCoord|ornerCoord\[(\d+)\])\.{key}": _corner(field)
        for key, field in _COORDINATE.items()
    },
    **{
        f"{name}_{field}": _single(lambda a, g, n=n, f=field: getattr(a.corners[n], f))
        for name, n in _CORNERS.items()
        for field in ("lat", "lon")
    },
    **{
        rf"{_ORBIT}\.{axis}_{short}": _vector(field, number)
        for short, field in (("pos", "position"), ("vel", "velocity"))
        for number, axis in enumerate("xyz")
    },
    rf"{_ORBIT}\.time": lambda m, text, a, g: _within(a.orbit[int(m[1])].time, text),
    rf"{_GCP}\.world_pt\.lat": _point("lat"),
    rf"{_GCP}\.world_pt\.lon": _point("lon"),
    rf"{_GCP}\.world_pt\.hgt": _point("height"),
    rf"{_GCP}\.slant_range_time": _point("tau"),
    rf"{_GCP}\.im_pt\.x": _point("col"),
    rf"{_GCP}\.im_pt\.y": _point("row"),
    rf"{_GCP}\.azimuthTime": lambda m, text, a, g: (
        abs((_at(text) - g.reference_time).total_seconds() - g.t.reshape(-1)[int(m[1])]) < 4e-5
    ),
    rf"{_RECORD}\.noiseEstimate\.coefficient\[(\d+)\]": lambda m, text, a, g: _close(
        a.layers[0].noise[int(m[1])].polynomial.coefficients[int(m[2])], text
    ),
    rf"{_RECORD}\.noiseEstimate\.polynomialDegree": lambda m, text, a, g: (
        len(a.layers[0].noise[int(m[1])].polynomial.coefficients) - 1 == int(text)
    ),
    rf"{_RECORD}\.noiseEstimate\.referencePoint": _noise("reference"),
    rf"{_RECORD}\.noiseEstimate\.validityRangeMin": _noise("low"),
    rf"{_RECORD}\.noiseEstimate\.validityRangeMax": _noise("high"),
    rf"{_RECORD}\.timeUTC": lambda m, text, a, g: a.layers[0].noise[int(m[1])].time == _at(text),
    rf"{_RATE}_list(\d+)\.(\d+)\.azi_fm_rate_coef": lambda m, text, a, g: _close(
        a.processing.doppler_rate[int(m[1]) - 1].polynomial.coefficients[int(m[2]) - 1], text
    ),
    rf"{_RATE}_list(\d+)\.azi_fm_rate_coef_time": lambda m, text, a, g: _within(
        a.processing.doppler_rate[int(m[1]) - 1].time, text
    ),
    rf"{_RATE}_list(\d+)\.slant_range_time": lambda m, text, a, g: _close(
        a.processing.doppler_rate[int(m[1]) - 1].polynomial.reference, text
    ),
    rf"{_DOPPLER}_list(\d+)\.(\d+)\.dop_coef": lambda m, text, a, g: _close(
        a.layers[0].doppler[int(m[1]) - 1].polynomial.coefficients[int(m[2]) - 1], text
    ),
    rf"{_DOPPLER}_list(\d+)\.dop_coef_time": lambda m, text, a, g: _within(
        a.layers[0].doppler[int(m[1]) - 1].time, text
    ),
    rf"{_DOPPLER}_list(\d+)\.slant_range_time": lambda m, text, a, g: _close(
        a.layers[0].doppler[int(m[1]) - 1].polynomial.reference, text
    ),
}

NOT_ANNOTATED = re.compile(
    r"ce90_\w+|header\.version|rect|ref_point_\w+|type|sensor|image_id|support_data\.("
    r"slice_num|data_take_id|processing_mode|product_type|line_time_interval"
    r"|geom\.bursts\.(number|burst\[0\]\.(start_\w+|azimuth_\w+)))"
)
"""What the other program made up or derived: its own numbers, zeros, and a time per line that is
(stop − start)/lines, one line off."""


def test_every_number_of_another_programs_extraction_is_equal(
    geom: dict[str, str], annotation: Annotation, grid: GeoGrid
) -> None:
    patterns = [(re.compile(key), check) for key, check in CHECKS.items()]
    used, wrong, unknown = set(), [], []
    for key, text in geom.items():
        for pattern, check in patterns:
            match = pattern.fullmatch(key)
            if match:
                used.add(pattern.pattern)
                if not check(match, text, annotation, grid):
                    wrong.append((key, text))
                break
        else:
            if not NOT_ANNOTATED.fullmatch(key):
                unknown.append(key)
    assert wrong == []
    assert unknown == []
    assert used == set(CHECKS), set(CHECKS) - used
    assert len(geom) > 58_000


def test_what_the_stripmap_product_is(annotation: Annotation) -> None:
    assert annotation.id == "TSX1_SAR__SSC______SM_S_SRA_20080310T133220_20080310T133228"
    assert (annotation.sensor, annotation.variant, annotation.mode) == ("TSX1", "SSC", "SM")
    assert annotation.beam == "DSC083_strip_011_R"
    assert annotation.layers[0].path == "IMAGEDATA/IMAGE_HH_SRA_strip_011.cos"
    assert annotation.layers[0].size == 2_006_022_480
    assert annotation.raster.units == "s"
    assert annotation.coordinate_type == "ZERODOPPLER"
    assert annotation.orbit_accuracy == "SCIE"
    assert {"rangeSpreadingLossCorrectedFlag", "noiseCorrectedFlag"} <= annotation.processing.flags
    assert "geocodedFlag" not in annotation.processing.flags
    (segment,) = annotation.layers[0].segments
    assert segment.prf == annotation.prf
    assert annotation.layers[0].noise[0].confidence == 0.5


def test_the_spotlight_product_parses_too(tdx: Path) -> None:
    found = parse_annotation(xml.read(str(main_xml(tdx))))
    grid = parse_georef(xml.read(str(tdx / "ANNOTATION" / "GEOREF.xml")))
    assert (found.sensor, found.mode, found.beam) == ("TDX1", "ST", "ASC075_spot_026_R")
    assert (found.raster.lines, found.raster.samples) == (17_230, 7_322)
    assert found.centre.incidence_angle == pytest.approx(28.8081326679662979)
    assert len(found.layers[0].noise) == 3
    assert all(len(r.polynomial.coefficients) == 8 for r in found.layers[0].noise)
    assert "noiseCorrectedFlag" not in found.processing.flags
    assert len(found.layers[0].doppler) == 113
    assert grid.shape == (7, 15)
    assert grid.last_leap_second == datetime(2017, 1, 1, tzinfo=UTC)  # annotated as 23:59:60


def test_values_are_frozen(annotation: Annotation) -> None:
    hash(annotation)
    with pytest.raises(dataclasses.FrozenInstanceError):
        annotation.sensor = "PAZ1"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("schema", "document"),
    [
        ("level1Product.xsd", f"{TDX1}.xml"),
        ("geoReference.xsd", "ANNOTATION/GEOREF.xml"),
    ],
)
def test_the_spotlight_product_is_what_its_schemas_say(
    tdx: Path, schema: str, document: str
) -> None:
    xmlschema = pytest.importorskip("xmlschema")
    found = xmlschema.XMLSchema(str(tdx / "SUPPORT" / schema)).iter_errors(str(tdx / document))
    # XML Schema knows no leap second; the product annotates the last one.
    assert {str(error.obj) for error in found} <= {"2016-12-31T23:59:60.000000Z"}


CHANGES = {
    "exponent": ('exponent="1"', 'exponent="["', SceneUnreadable),
    "another root": ("level1Product", "level2Product", SceneUnreadable),
    "mission": ("<mission>TSX-1<", "<mission>ENVISAT<", SceneUnknown),
    "variant": ("<productVariant>SSC<", "<productVariant>XYZ<", SceneUnknown),
    "look": (">RIGHT<", ">DOWN<", SceneUnknown),
    "polarisation": ("<polLayer>HH<", "<polLayer>RR<", SceneUnknown),
    "direction": (">DESCENDING<", ">SIDEWAYS<", SceneUnknown),
    "lines": ("<numberOfRows>32710<", "<numberOfRows>-5<", SceneUnreadable),
    "too many lines": ("<numberOfRows>32710<", "<numberOfRows>9e9<", SceneUnreadable),
    "factor": ("<calFactor>1.0", "<calFactor>one", SceneUnreadable),
    "factor missing": ("calFactor>", "noFactor>", SceneUnreadable),
    "time": ("2008-03-10T13:32:20.083162Z", "2008-03-10 at noon", SceneUnreadable),
    "orbit": ("<posX>", "<posX>x", SceneUnreadable),
    "degree": ("<polynomialDegree>3<", "<polynomialDegree>2<", SceneUnreadable),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_wrong_annotation_is_refused_in_one_sentence(tsx: Path, change: str) -> None:
    old, new, kind = CHANGES[change]
    text = main_xml(tsx).read_text()
    assert old in text
    with pytest.raises(kind, match=r"broken\.xml") as refused:
        parse_annotation(xml.parse(text.replace(old, new).encode(), where="broken.xml"))
    assert "\n" not in str(refused.value)


GRID_CHANGES = {
    "points": ("<azimuth>7<", "<azimuth>8<"),
    "place": ('iaz="2" irg="3"', 'iaz="2" irg="99"'),
    "twice": ('iaz="2" irg="3"', 'iaz="2" irg="4"'),
    "negative": ('iaz="2" irg="3"', 'iaz="0" irg="3"'),
    "number": ("<inc>2", "<inc>x"),
    "off the earth": ("<lat>-", "<lat>-1"),
    "order": ("<t>", "<t>-"),
}


@pytest.mark.parametrize("change", GRID_CHANGES)
def test_a_wrong_grid_is_refused(tdx: Path, change: str) -> None:
    old, new = GRID_CHANGES[change]
    text = (tdx / "ANNOTATION" / "GEOREF.xml").read_text()
    assert old in text
    with pytest.raises(SceneUnreadable, match=r"grid\.xml"):
        parse_georef(xml.parse(text.replace(old, new).encode(), where="grid.xml"))
