"""Polygons are edited, journalled and saved; what nobody touched keeps its bytes."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from affine import Affine
from geopandas.testing import assert_geodataframe_equal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.labelling import STANDARD, polygons_of, ragged, square, users_file

from cpazmal_scale.errors import SampleError, StoreDamaged, StoreError, StoreMissing, WriterConflict
from cpazmal_scale.label import edits
from cpazmal_scale.label.edits import CutOut, Delete, Draw, Relabel, Reshape, Split
from cpazmal_scale.label.places import Places
from cpazmal_scale.label.session import Session
from cpazmal_scale.samples import read_polygons

BOX = [[[[7.0, 46.0], [7.1, 46.0], [7.1, 46.1], [7.0, 46.1]]]]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rows(path: Path) -> dict[int, tuple]:
    database = sqlite3.connect(path)
    found = {row[0]: row[1:] for row in database.execute("SELECT * FROM polygons")}
    database.close()
    return found


def lines(shape: shapely.Geometry) -> list:
    return [[[list(corner) for corner in shape.exterior.coords]]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return users_file(tmp_path / "polygons.gpkg")


@pytest.fixture
def session(file: Path, tmp_path: Path):
    opened = Session(str(file), str(tmp_path / "run"))
    yield opened
    opened.close()


def test_open_and_save_leave_the_file_as_it_was(file: Path, session: Session) -> None:
    before = digest(file)
    assert [one.label for one in session.layer] == ["ABL", "ABL", "ACC", "ICA"]
    assert session.save() == 0
    session.do(Delete([1]))
    session.undo()
    assert session.save() == 0
    assert digest(file) == before


def test_only_edited_rows_change(file: Path, session: Session) -> None:
    before = rows(file)
    table = geopandas.read_file(file, layer="polygons", fid_as_index=True)
    session.do(Relabel([2], label="HAG", group="HAG001"))
    (new,) = session.do(Draw(BOX, "ICA", "ICA001"))
    session.do(Delete([4]))
    assert session.unsaved == 3
    assert session.save() == 3
    after = rows(file)
    assert after[1] == before[1]
    assert after[3] == before[3]
    assert after[2] == (before[2][0], "HAG", "HAG001", before[2][3])
    assert set(after) == {1, 2, 3, new}
    read = geopandas.read_file(file, layer="polygons", fid_as_index=True)
    assert read.crs == table.crs
    assert read.geometry[new].equals(shapely.Polygon(BOX[0][0]))
    assert read.who[2] == "mapper 1"
    assert len(geopandas.read_file(file, layer="notes")) == 1
    database = sqlite3.connect(file)
    assert database.execute("SELECT styleQML FROM layer_styles").fetchone() == ("<qgis>…</qgis>",)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    inside = geopandas.read_file(file, layer="polygons", bbox=(6.99, 45.99, 7.2, 46.2))
    assert inside["class"].tolist() == ["ICA"], "the spatial index knows the new polygon"


@pytest.mark.filterwarnings("ignore:More than one layer")
def test_what_is_saved_is_read_as_samples(file: Path, session: Session) -> None:
    for group in ("HAG001", "HAG002"):
        session.do(Draw(BOX, "HAG", group))
    session.save()
    read = read_polygons(str(file), ["ABL", "HAG"])
    assert read["group"].tolist() == ["ABL001", "ABL002", "HAG001", "HAG002"]


def test_undo_after_a_save_brings_back_the_same_bits(file: Path, session: Session) -> None:
    first, before = rows(file), geopandas.read_file(file, layer="polygons", fid_as_index=True)
    west, south, east, north = session.layer[1].shape.bounds
    middle = (south + north) / 2
    session.do(Split(1, [[west - 1, middle], [east + 1, middle]]))
    session.do(Delete([2]))
    assert session.save() == 3
    assert len(rows(file)) == 4
    session.undo()
    session.undo()
    assert not session.can["undo"]
    assert session.save() == 3
    assert rows(file) == first
    assert_geodataframe_equal(
        before, geopandas.read_file(file, layer="polygons", fid_as_index=True)
    )


def test_a_cut_keeps_class_group_and_attributes(file: Path, session: Session) -> None:
    whole = session.layer[1].shape
    west, south, east, north = whole.bounds
    middle = (west + east) / 2
    changed = session.do(Split(1, [[middle, south - 1], [middle, north + 1]]))
    parts = [session.layer[number] for number in changed]
    assert {part.group for part in parts} == {"ABL001"}
    np.testing.assert_allclose(sum(part.shape.area for part in parts), whole.area, rtol=1e-12)
    assert parts[0].id == 1
    assert parts[0].shape.area >= parts[1].shape.area
    session.save()
    assert {rows(file)[number][3] for number in changed} == {"mapper 0"}
    with pytest.raises(SampleError, match="does not cross"):
        session.do(Split(3, [[0, 0], [1, 1]]))


def test_cut_out_leaves_a_hole(session: Session) -> None:
    whole = session.layer[3].shape
    hole = shapely.affinity.scale(whole, 0.5, 0.5)
    session.do(CutOut(3, lines(hole)))
    assert len(session.layer[3].shape.interiors) == 1
    np.testing.assert_allclose(session.layer[3].shape.area, whole.area * 0.75, rtol=1e-9)
    with pytest.raises(SampleError, match="does not touch"):
        session.do(CutOut(3, BOX))
    with pytest.raises(SampleError, match="nothing would be left"):
        session.do(CutOut(3, lines(whole.buffer(1))))


def test_new_groups_are_named_as_those_of_the_class(session: Session) -> None:
    assert session.layer.new_group("ABL") == "ABL003"
    assert session.layer.new_group("FOR") == "FOR001"
    assert session.layer.new_group("ICA") == "8"
    assert session.layer.new_group("ABL", numbers=True) == "8"


@pytest.mark.parametrize(
    "plain",
    [
        {"kind": "draw", "shape": [[[[0, 0], [1, 1]]]], "label": "A", "group": "1"},
        {"kind": "draw", "shape": [[[[0, 0], [1, 1], [0, 1], [1, 0]]]], "label": "A", "group": "1"},
        {"kind": "draw", "shape": BOX, "label": " ", "group": "1"},
        {"kind": "draw", "shape": BOX, "label": "A\nB", "group": "1"},
        {"kind": "draw", "shape": BOX, "label": "A" * 300, "group": "1"},
        {"kind": "draw", "shape": [[[[0, 0], [1e300, 1], [0, 1]]]], "label": "A", "group": "1"},
        {"kind": "draw", "shape": [[[["0", 0], [1, 1], [0, 1]]]], "label": "A", "group": "1"},
        {"kind": "draw", "shape": [], "label": "A", "group": "1"},
        {"kind": "draw", "label": "A", "group": "1"},
        {"kind": "reshape", "id": 99, "shape": BOX},
        {"kind": "reshape", "id": True, "shape": BOX},
        {"kind": "delete", "ids": [1, 99]},
        {"kind": "delete", "ids": ["1"]},
        {"kind": "split", "id": 1, "line": [[0, 0]]},
        {"kind": "relabel", "ids": [1], "label": 3},
        {"kind": "drop_table"},
    ],
)
def test_nonsense_is_refused_and_nothing_happens(session: Session, plain: dict) -> None:
    before, revision = session.layer, session.revision
    with pytest.raises(SampleError):
        session.do(edits.from_plain(plain))
    assert session.layer is before
    assert session.revision == revision


def test_edits_survive_a_process_that_is_killed(file: Path, tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    first = Session(str(file), run)
    before = digest(file)
    first.do(Draw(BOX, "ICA", "ICA001"))
    first.do(Delete([2]))
    first.undo()
    kept = first.layer
    first.close()  # without saving, as a killed process

    again = Session(str(file), run)
    assert digest(file) == before
    assert again.unsaved == 1
    assert again.can == {"undo": True, "redo": True}
    assert again.layer.polygons.keys() == kept.polygons.keys()
    again.redo()
    again.save()
    again.close()
    assert sorted(rows(file)) == [1, 3, 4, 5]

    last = Session(str(file), run)
    assert last.unsaved == 0
    assert not last.can["undo"], "a finished journal is not read again"
    last.close()
    (place,) = (tmp_path / "run" / "labels").iterdir()
    assert len([one for one in place.iterdir() if one.is_dir()]) == 1


def test_a_save_that_was_killed_after_the_file_is_known(file: Path, tmp_path: Path) -> None:
    """The journal says what is about to be written before it is."""
    session = Session(str(file), str(tmp_path / "run"))
    session.do(Delete([2]))
    session.save()
    session.do(Delete([3]))
    session.close()
    again = Session(str(file), str(tmp_path / "run"))
    assert again.unsaved == 1
    assert not again.changed_elsewhere()
    again.close()


def test_a_change_elsewhere_is_noticed_and_nothing_overwritten(
    file: Path, session: Session
) -> None:
    session.do(Draw(BOX, "ICA", "ICA001"))
    database = sqlite3.connect(file)
    with database:
        database.execute("UPDATE layer_styles SET styleQML = 'theirs'")
    database.close()
    theirs = digest(file)
    assert session.changed_elsewhere()
    with pytest.raises(WriterConflict, match="changed elsewhere"):
        session.save()
    assert digest(file) == theirs
    assert session.unsaved == 1

    mine = file.with_name("mine.gpkg")
    with pytest.raises(StoreError, match="something is there"):
        session.keep_mine(str(file))
    other = session.keep_mine(str(mine))
    assert digest(file) == theirs
    assert sorted(rows(mine)) == [1, 2, 3, 4, 5]
    other.do(Delete([1]))
    other.save()
    assert sorted(rows(mine)) == [2, 3, 4, 5]
    other.close()


def test_theirs_are_taken_and_mine_set_aside(file: Path, session: Session) -> None:
    session.do(Delete([1]))
    file.unlink()
    polygons_of(list(STANDARD[:2])).to_file(file, driver="GPKG", layer="polygons")
    aside = Path(session.take_theirs())
    assert [one.id for one in session.layer] == [1, 2]
    assert session.unsaved == 0
    entries = [json.loads(one.read_text()) for one in sorted(aside.glob("*.json"))]
    assert [one.get("kind") for one in entries] == [None, "delete"]


def test_a_change_while_the_page_was_closed(file: Path, tmp_path: Path) -> None:
    session = Session(str(file), str(tmp_path / "run"))
    session.do(Delete([1]))
    session.close()
    file.unlink()
    polygons_of(list(STANDARD[:2])).to_file(file, driver="GPKG", layer="polygons")
    again = Session(str(file), str(tmp_path / "run"))
    assert again.unsaved == 1
    assert again.changed_elsewhere()
    with pytest.raises(WriterConflict):
        again.save()
    again.close()


def test_two_at_once_are_refused(file: Path, session: Session, tmp_path: Path) -> None:
    with pytest.raises(WriterConflict, match="another `cpazmal label`"):
        Session(str(file), str(tmp_path / "run"))


def test_changes_that_another_program_holds_back_are_noticed(file: Path, tmp_path: Path) -> None:
    """What QGIS does while it has the layer open: a write-ahead log beside the file."""
    other = sqlite3.connect(file)
    other.execute("PRAGMA journal_mode = WAL")
    with other:
        other.execute("UPDATE layer_styles SET styleQML = 'theirs'")
    with pytest.raises(WriterConflict, match="another program"):
        Session(str(file), str(tmp_path / "run"))
    other.close()
    session = Session(str(file), str(tmp_path / "run"))
    session.do(Delete([1]))
    session.save()
    assert sorted(rows(file)) == [2, 3, 4]
    session.close()


def test_entries_that_change_places_are_told(file: Path, tmp_path: Path) -> None:
    session = Session(str(file), str(tmp_path / "run"))
    for number in (1, 2):
        session.do(Delete([number]))
    session.close()
    one, two = (next((tmp_path / "run").rglob(f"00000{place}.json")) for place in (1, 2))
    data = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(data)
    with pytest.raises(StoreDamaged, match="entry 1 is another one's"):
        Session(str(file), str(tmp_path / "run"))


def test_a_lost_entry_is_said(file: Path, tmp_path: Path) -> None:
    session = Session(str(file), str(tmp_path / "run"))
    for number in (1, 2):
        session.do(Delete([number]))
    session.close()
    next((tmp_path / "run").rglob("000001.json")).unlink()
    with pytest.raises(StoreDamaged, match="entry 1 is lost"):
        Session(str(file), str(tmp_path / "run"))


@pytest.mark.parametrize("suffix", ["geojson", "shp"])
def test_other_formats_become_a_geopackage_beside(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"drawn.{suffix}"
    polygons_of(list(STANDARD)).to_file(path)
    session = Session(str(path), str(tmp_path / "run"))
    assert session.url == str(tmp_path / "drawn.gpkg")
    session.do(Delete([1]))
    session.save()
    session.close()
    assert len(geopandas.read_file(tmp_path / "drawn.gpkg")) == 3
    assert len(geopandas.read_file(path)) == 4


def test_a_new_file_in_the_cubes_crs(tmp_path: Path) -> None:
    path = tmp_path / "run" / "labels.gpkg"
    with pytest.raises(StoreMissing):
        Session(str(path), str(tmp_path / "run"))
    session = Session(str(path), str(tmp_path / "run"), crs="EPSG:32632")
    assert not path.exists()
    shape = lines(square(4, 4, 10))
    session.do(Draw(shape, "ICA", session.layer.new_group("ICA")))
    session.do(Draw(lines(square(40, 40, 10)), "ICA", session.layer.new_group("ICA")))
    session.save()
    session.close()
    read = read_polygons(str(path))
    assert read["group"].tolist() == ["ICA001", "ICA002"]
    assert read.crs.to_epsg() == 32632


def test_files_of_other_shapes(tmp_path: Path) -> None:
    """Columns in capitals, whole numbers as groups, multipolygons, points between."""
    path = tmp_path / "odd.gpkg"
    table = geopandas.GeoDataFrame(
        {"Class": ["A", "B", None], "GROUP": [3, 4, 5]},
        geometry=[
            shapely.MultiPolygon([square(4, 4, 5), square(14, 4, 5)]),
            shapely.MultiPolygon([square(24, 4, 5)]),
            shapely.Point(331300, 5078300),
        ],
        crs="EPSG:32632",
    )
    table.to_file(path, driver="GPKG")
    session = Session(str(path), str(tmp_path / "run"))
    assert (session.table.label, session.table.group) == ("Class", "GROUP")
    assert len(session.layer) == 2
    assert session.table.unseen == 1
    assert session.layer.new_group("A", numbers=True) == "5"
    session.do(Draw(lines(square(50, 4, 5)), "A", "9"))
    session.do(Reshape(1, [*lines(square(4, 30, 5)), *lines(square(14, 30, 5))]))
    session.save()
    session.do(Relabel([1], group="nine"))
    with pytest.raises(SampleError, match="holds whole numbers"):
        session.save()
    session.close()
    read = geopandas.read_file(path)
    assert sorted(read["GROUP"].tolist()) == [3, 4, 5, 9]
    assert read.geometry[0].geom_type == "MultiPolygon"


def test_a_file_without_class_and_group_gets_them(tmp_path: Path) -> None:
    path = tmp_path / "bare.gpkg"
    polygons_of(list(STANDARD))[["who", "geometry"]].to_file(path, driver="GPKG")
    session = Session(str(path), str(tmp_path / "run"))
    for number, group in ((1, "1"), (2, "2"), (3, "3"), (4, "4")):
        session.do(Relabel([number], label="ICA", group=group))
    session.save()
    session.close()
    assert read_polygons(str(path))["group"].tolist() == ["1", "2", "3", "4"]


def test_what_is_no_geopackage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "torn.gpkg"
    path.write_bytes(b"SQLite format 3\0" + b"\0" * 500)
    with pytest.raises(SampleError, match="not a GeoPackage"):
        Session(str(path), str(tmp_path / "run"))


def test_on_an_object_store(s3_url: str, tmp_path: Path) -> None:
    from cpazmal_scale import storage

    url = f"{s3_url}/polygons.gpkg"
    storage.upload(users_file(tmp_path / "polygons.gpkg"), url)
    session = Session(url, f"{s3_url}/run")
    session.do(Delete([1]))
    session.close()
    session = Session(url, f"{s3_url}/run")
    assert session.unsaved == 1
    session.save()
    storage.write_bytes(url, storage.read_bytes(url) + b"\0")
    session.do(Delete([2]))
    with pytest.raises(WriterConflict):
        session.save()
    session.close()


@given(st.lists(st.sampled_from("drwsxunz"), max_size=14), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_history_is_the_same_when_read_again(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], random
) -> None:
    """Edits, undo, redo and saves in any order, then the journal is replayed."""
    folder = tmp_path_factory.mktemp("history")
    path = users_file(folder / "polygons.gpkg", "EPSG:32632")
    session = Session(str(path), str(folder / "run"))
    for step in steps:
        ids = list(session.layer.polygons) or [0]
        number = random.choice(ids)
        try:
            if step == "d":
                shape = lines(ragged(random.uniform(5, 80), random.uniform(5, 80), 9))
                session.do(Draw(shape, "ICA", session.layer.new_group("ICA")))
            elif step == "r":
                session.do(Reshape(number, lines(square(random.uniform(5, 80), 5, 8))))
            elif step == "w":
                session.do(Relabel([number], label="HAG"))
            elif step == "s":
                west, south, east, north = session.layer[number].shape.bounds
                session.do(Split(number, [[west - 1, south - 1], [east + 1, north + 1]]))
            elif step == "x":
                session.do(Delete([number]))
            elif step == "u":
                session.undo()
            elif step == "n":
                session.redo()
            else:
                session.save()
        except SampleError:
            continue
    expected = {n: (p.label, p.group, p.shape.wkb) for n, p in session.layer.polygons.items()}
    unsaved, can = session.unsaved, session.can
    session.close()
    again = Session(str(path), str(folder / "run"))
    found = {n: (p.label, p.group, p.shape.wkb) for n, p in again.layer.polygons.items()}
    assert found == expected
    assert again.unsaved == unsaved
    if unsaved:
        assert again.can == can
    again.save()
    again.close()
    database = sqlite3.connect(path)
    assert database.execute("SELECT count(*) FROM polygons").fetchone()[0] == len(expected)
    counted = "SELECT feature_count FROM gpkg_ogr_contents WHERE table_name = 'polygons'"
    assert database.execute(counted).fetchone()[0] == len(expected)
    database.close()
    read = geopandas.read_file(path, layer="polygons", fid_as_index=True)
    assert {n: s.wkb for n, s in read.geometry.items()} == {
        n: s for n, (_, _, s) in expected.items()
    }


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32632", "EPSG:2056"])
def test_corners_that_were_not_moved_keep_their_bits(crs: str) -> None:
    grid = Affine(3, 0, 331200, 0, -3, 5078400) * Affine.scale(1 / 3, -1 / 3)
    places = Places.between(grid, "EPSG:32632", crs)
    shape = geopandas.GeoSeries([ragged(40, 40, 30)], crs="EPSG:32632").to_crs(crs)[0]
    shown = json.loads(json.dumps(places.shown(shape)))
    shown[0][0][5][0] += 3.0
    back = np.array(places.drawn(shown, shape)[0][0])
    before = np.array(shape.exterior.coords)
    kept = np.arange(len(before)) != 5
    np.testing.assert_array_equal(back[kept], before[kept])
    moved = geopandas.GeoSeries([shapely.Point(before[5]), shapely.Point(back[5])], crs=crs)
    one, two = moved.to_crs("EPSG:32632")
    np.testing.assert_allclose([two.x - one.x, two.y - one.y], [3, 0], atol=0.01)
