"""Names and tables of scenes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from support.scenes_factory import file_name, product, row, write_table

from cpazmal_scale.config import Ingest, Naming
from cpazmal_scale.errors import ConfigError, SceneUnknown
from cpazmal_scale.scenes import acquisitions as tables
from cpazmal_scale.scenes import spellings
from cpazmal_scale.scenes.format import Listing, Named
from cpazmal_scale.scenes.formats import naming

AUTHORS = Naming()
OPERA = Naming(
    pattern=(
        r"OPERA_L2_RTC-S1_(?P<beam>T\d{3}-\d{6}-IW\d)_(?P<start>\d{8}T\d{6})Z_\d{8}T\d{6}Z_"
        r"(?P<sensor>S1[A-D])_\d+_v[\d.]+_(?P<polarisation>VV|VH)\.tif$"
    ),
    pass_direction="ASC",
)


@pytest.mark.parametrize(
    "name",
    [
        file_name("20211122T172529"),
        file_name("20211122T172529", subset=12),
        "TDX1_SAR__SSC______SM_S_SRA_20211122T172529_20211122T172536_Cal_TF_TC.tif",
        "s3://bucket/asc/" + file_name("20211122T172529", sensor="TSX1", mode="S"),
    ],
)
def test_authors_names(name: str) -> None:
    found = naming.parse_name(name, AUTHORS)
    assert found is not None
    assert found.start == datetime(2021, 11, 22, 17, 25, 29, tzinfo=UTC)
    assert found.stop == datetime(2021, 11, 22, 17, 25, 36, tzinfo=UTC)
    assert found.sensor in ("PAZ1", "TSX1", "TDX1")
    assert found.id.startswith(found.sensor)
    assert found.id.endswith("_20211122T172536")
    assert found.beam is None


def test_files_that_are_no_scenes() -> None:
    for name in ("dem.tif", "truth.tif", "PA_ABL001_HH_20200110.tif", "slope_20200101.tif"):
        assert naming.parse_name(name, AUTHORS) is None


def test_unknown_sensor_is_refused() -> None:
    with pytest.raises(SceneUnknown, match="unknown sensor `ERS2`") as error:
        naming.parse_name(product("20211122T172529", sensor="ERS2") + ".tif", AUTHORS)
    assert error.value.exit_code == 3


@pytest.mark.parametrize("kind", ["BRX2", "MRX2", "MTX2", "BTX1"])
def test_the_second_image_of_a_pair_has_no_geometry_of_its_own(kind: str) -> None:
    name = f"TDX1_SAR__SSC_{kind}_SM_S_SRA_20111122T172529_20111122T172536_Cal_TC.tif"
    if kind == "BTX1":
        assert naming.parse_name(name, AUTHORS).sensor == "TDX1"
        return
    with pytest.raises(SceneUnknown, match="second image of a TanDEM-X pair"):
        naming.parse_name(name, AUTHORS)


def test_opera_names_by_pattern_share_an_id() -> None:
    stem = "OPERA_L2_RTC-S1_T137-292319-IW1_20211119T015857Z_20250830T120333Z_S1A_30_v1.0"
    both = [naming.parse_name(f"/data/x/{stem}_{p}.tif", OPERA) for p in ("VV", "VH")]
    assert [one.polarisation for one in both if one] == ["VV", "VH"]
    assert {(one.id, one.sensor, one.beam) for one in both if one} == {
        (stem, "S1A", "T137-292319-IW1")
    }
    assert naming.parse_name("/data/x/other.tif", OPERA) is None


@pytest.mark.parametrize(
    ("sensor", "rules", "side"),
    [
        ("S1A", {}, "R"),
        ("S1D", {}, "R"),
        ("SENTINEL-1C", {}, "R"),
        ("PAZ1", {}, "R"),
        ("RS2", {}, None),
        ("S2A", {}, None),
        ("RS2", {"look_side": "L"}, "L"),
        ("TSX1", {"look_side": "L"}, "L"),
    ],
)
def test_sides_that_antennas_look_to(sensor: str, rules: dict[str, str], side: str | None) -> None:
    """Sentinel-1 looks right always; of what may look to either side only the user knows."""
    named = Named("x", sensor, datetime(2021, 11, 19, tzinfo=UTC), beam="A1")
    listing = Listing(("x.tif",), Ingest())
    found = listing.candidate("x.tif", named, Naming(**rules), format="geotiff")
    assert found.look_side == side


@pytest.mark.parametrize(
    ("pattern", "match"),
    [
        ("(?P<start", "not a regular expression"),
        (r"(?P<start>\d+)(?P<orbit>\d)", "orbit"),
        ("x", "none"),
    ],
)
def test_bad_patterns(pattern: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        naming.parse_name("a.tif", Naming(pattern=pattern))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20200108T054412", datetime(2020, 1, 8, 5, 44, 12)),
        ("2020-01-08T05:44:12.75Z", datetime(2020, 1, 8, 5, 44, 12)),
        ("20200108", datetime(2020, 1, 8)),
        ("20161231T235960", datetime(2017, 1, 1)),
        ("2020-01-08T05:44", datetime(2020, 1, 8, 5, 44)),
        ("20200108T0544", datetime(2020, 1, 8, 5, 44)),
        ("2020-01-08 05:44:21.5+02:00", datetime(2020, 1, 8, 3, 44, 21)),
        ("20200108T054421-0130", datetime(2020, 1, 8, 7, 14, 21)),
        ("2020/01/08 05:44:21Z", datetime(2020, 1, 8, 5, 44, 21)),
        ("20200108054412", datetime(2020, 1, 8, 5, 44, 12)),
    ],
)
def test_times(text: str, expected: datetime) -> None:
    assert naming.parse_time(text, where="x") == expected.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        *("", "2020", "20201308T000000", "yesterday", "20200108T054461"),
        *("1578462252", "1578462252123", "202001080544", "2020-1-8T05:44:12", "2020-01-08T5:44:12"),
        *("2020-01-08T05:44:21+25:00", "2020-01-08T05:44:21+14:30", "20200615T123060"),
        *("20200108T0544123", "2020-01-08T05:44:1", "20200108T05", "2020-01-08T25:44", "20200230"),
    ],
)
def test_bad_times(text: str) -> None:
    with pytest.raises(SceneUnknown, match="is not a time"):
        naming.parse_time(text, where="x")


def test_table_rows_match_within_two_minutes_and_by_sensor(tmp_path) -> None:
    path = write_table(
        tmp_path,
        [
            row("20200108T054412"),
            row("20200108T172529", "ASC45", "ASC", 44.8, "HH", sensor="TSX1"),
            row("20200108T172700", "ASC54", "ASC", 53.9, "HH", sensor="TDX1"),
        ],
    )
    table = tables.read_table(str(path))
    at = datetime(2020, 1, 8, 17, 26, 30, tzinfo=UTC)
    assert tables.find_row(table, "TSX1", at).beam == "ASC45"
    assert tables.find_row(table, "TDX1", at).incidence_angle == 53.9
    assert tables.find_row(table, "PAZ1", at) is None
    assert tables.find_row(table, "TSX1", at.replace(minute=28)) is None
    assert table[0].polarisations == ("HH", "HV")
    assert table[0].resolution == (2.9, 6.6)


@pytest.mark.parametrize("text", ["Away", "Dunno", "up", "1", "left"])
def test_what_only_begins_like_a_direction(text: str) -> None:
    with pytest.raises(SceneUnknown, match="not a flight direction"):
        spellings.parse_direction(text, where="x")


@pytest.mark.parametrize(
    ("text", "side"), [("looking right", "R"), ("Left-looking", "L"), ("r", "R"), ("LEFT", "L")]
)
def test_a_look_side_in_words(text: str, side: str) -> None:
    assert spellings.parse_side(text, where="x") == side
    with pytest.raises(SceneUnknown, match="not a look side"):
        spellings.parse_side(f"{text} or not", where="x")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("start,beam\n1,2\n", "no column sensor"),
        ("sensor,start\nPAZ1,soon\n", "`soon` is not a time"),
        ("sensor,start,incidence_angle\nPAZ1,20200108,steep\n", "steep"),
        ("sensor,start,pass_direction\nPAZ1,20200108,up\n", "flight direction"),
        ("sensor,start,incidence_angle\nPAZ1,20200108,-5\n", "not between 2 and 90"),
        ("sensor,start,incidence_angle\nPAZ1,20200108,95\n", "not between 2 and 90"),
        ("sensor,start,incidence_angle\nPAZ1,20200108,0\n", "not between 2 and 90"),
        ("sensor,start,incidence_angle\nPAZ1,20200108,nan\n", "`nan` is no such number"),
        ("sensor,start,beam,beam\nPAZ1,20200108,A,B\n", "two columns beam"),
        ("sensor,start,incidence_angle\nPAZ1,20200108,37,4\n", "4 cells for 3 columns"),
        ("sensor,start,polarisations\nPAZ1,20200108,HH/XX\n", "polarisations"),
        ("sensor,start,polarisations\nPAZ1,20200108,HH/HH\n", "polarisations"),
    ],
)
def test_bad_tables_name_the_line(tmp_path, text: str, match: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(SceneUnknown, match=match):
        tables.read_table(str(tmp_path / "t.csv"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("between", [",", ", ", ";", "\t"])
def test_tables_as_office_programs_save_them(tmp_path, between: str, encoding: str) -> None:
    angle = "37,4" if between in ";\t" else "37.4"
    lines = [["Sensor", "start", "beam", "incidence_angle", "look_side"]]
    lines += [["PAZ1", "2020-01-08T05:44", "DSC37", angle, "left"], ["", "", "", "", ""]]
    text = "\r\n".join(between.join(cells) for cells in lines) + "\r\n"
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    (found,) = tables.read_table(str(tmp_path / "t.csv"))
    assert (found.sensor, found.beam, found.look_side) == ("PAZ1", "DSC37", "L")
    assert found.incidence_angle == 37.4
    at = datetime(2020, 1, 8, 5, 44, 21, tzinfo=UTC)
    assert tables.find_row([found], "PAZ1", at) is found


def test_rows_of_one_time_that_contradict_each_other_are_refused(tmp_path) -> None:
    at = datetime(2020, 1, 8, 5, 44, 12, tzinfo=UTC)
    rows = [row("20200108T054412"), row("20200108T054413", beam="DSC44")]
    with pytest.raises(SceneUnknown, match="say different things"):
        tables.find_row(tables.read_table(str(write_table(tmp_path, rows))), "PAZ1", at)
    slices = [row("20200108T054412"), row("20200108T054419")]
    assert tables.find_row(tables.read_table(str(write_table(tmp_path, slices))), "PAZ1", at)
    minutes = [row("20200108T0544", beam="DSC37"), row("20200108T0545", beam="DSC44")]
    table = tables.read_table(str(write_table(tmp_path, minutes)))
    with pytest.raises(SceneUnknown, match="say different things"):
        tables.find_row(table, "PAZ1", at.replace(second=21))
    assert tables.find_row(table, "PAZ1", at.replace(second=2)).beam == "DSC37"
    assert tables.find_row(table[1:], "PAZ1", at).beam == "DSC44"
