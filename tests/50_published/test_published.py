"""The published dataset: read and repaired, refused when hostile, written and read back."""

from __future__ import annotations

import types
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from support import small_published as small

from cpazmal_scale.errors import DatasetUnreadable, SampleError, StoreMissing
from cpazmal_scale.published import chunks, hdf5
from cpazmal_scale.published.beams import beams_by_day
from cpazmal_scale.published.canvas import canvas_of
from cpazmal_scale.published.chips import find, stacked
from cpazmal_scale.published.file import opened
from cpazmal_scale.published.repairs import Account
from cpazmal_scale.published.writing import to_codes, write_published


@pytest.fixture(scope="module")
def faithful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.write(tmp_path_factory.mktemp("published") / "CPAZMaL.hdf5")


@pytest.fixture
def copy(faithful: Path, tmp_path: Path) -> Path:
    path = tmp_path / "copy.hdf5"
    path.write_bytes(faithful.read_bytes())
    return path


def everything(file: h5py.File) -> dict[str, Any]:
    """All datasets and attributes by path."""
    found: dict[str, Any] = {}

    def visit(name: str, member: Any) -> None:
        for key, value in member.attrs.items():
            found[f"{name}@{key}"] = value
        if isinstance(member, h5py.Dataset):
            found[name] = member.dtype, member.chunks, member.compression_opts, member[()]

    file.visititems(visit)
    return found


def test_groups_series_and_pixels_are_those_of_the_file(faithful: Path) -> None:
    with opened(str(faithful)) as published:
        assert published.classes == ("ABL", "STUDY", "ICA")
        assert {name: group.label for name, group in published.groups.items()} == {
            name: label for name, (label, _, _) in small.GROUPS.items()
        }
        assert len(published.series) == 20
        series = find(published, "ICA002", "ASC", "HV")
        assert series.dates == ("20200110", "20200602")
        assert series.shape == (33, 25)
        assert published.groups["ICA002"].elevation == 2305
        for one in published.series:
            for date in range(len(one.dates)):
                power, mask = published.read(one, date)
                stored = small.chip(one.group, one.orbit, one.polarisation, date, one.shape)
                np.testing.assert_array_equal(power, np.where(stored == -999, np.nan, stored))
                codes = small.mask(stored, date)
                np.testing.assert_array_equal(mask, np.where(codes == -127, 32, codes))
        with pytest.raises(SampleError, match=r"ICA002 has no series ASC/VV; choose ASC/HH"):
            find(published, "ICA002", "ASC", "VV")


def test_a_remote_file_is_read_by_parts(faithful: Path, s3_url: str) -> None:
    from cpazmal_scale import storage

    storage.upload(faithful, f"{s3_url}/CPAZMaL.hdf5")
    with opened(f"{s3_url}/CPAZMaL.hdf5") as there, opened(str(faithful)) as here:
        for one in here.series[:3]:
            other = find(there, one.group, one.orbit, one.polarisation)
            np.testing.assert_array_equal(there.read(other, 1)[0], here.read(one, 1)[0])


def test_what_is_written_is_read_back_identical(faithful: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.hdf5"
    when = datetime(2025, 12, 18, 16, 6)
    with opened(str(faithful)) as published:
        write_published(published, str(again), created=when)
    with h5py.File(faithful) as first, h5py.File(again) as second:
        theirs, ours = everything(first), everything(second)
    assert set(theirs) == set(ours)
    counts = {"index/by_class/ABL@n_groups": 2, "metadata@n_total_groups": 5}
    for name, value in theirs.items():
        if "@" not in name:
            assert value[:3] == ours[name][:3], name
            np.testing.assert_array_equal(ours[name][3], value[3], err_msg=name)
        elif name.endswith(("@n_groups", "@n_total_groups")):
            assert ours[name] == counts.get(name, ours[name])
        elif "@stat_" not in name:
            np.testing.assert_array_equal(ours[name], value, err_msg=name)
    path = "data/ABL001/DSC/HH"
    for key in ("mean", "std"):
        assert ours[f"{path}@stat_{key}"] == pytest.approx(theirs[f"{path}@stat_{key}"], rel=1e-5)
    assert ours[f"{path}@stat_min"] > 0
    third = tmp_path / "third.hdf5"
    with opened(str(again)) as published:
        write_published(published, str(third), created=when)
        assert published.account.findings()[0].defect == "mixed_beams"
        assert len(published.account.findings()) == 1
    with h5py.File(again) as second, h5py.File(third) as last:
        before, after = everything(second), everything(last)
    assert set(before) == set(after)
    for name, value in before.items():
        pixels = "@" not in name
        one, other = (value[3], after[name][3]) if pixels else (value, after[name])
        np.testing.assert_array_equal(one, other, err_msg=name)


def test_mask_codes_are_snap_s() -> None:
    bits = np.array([[0, 1, 2, 3, 16, 17, 32, 33, 4, 8]], np.uint8)
    assert to_codes(bits).tolist() == [[0, 1, 2, 3, 0, 1, -127, -127, -127, -127]]


def test_nothing_to_write_is_refused(tmp_path: Path) -> None:
    nothing: Any = types.SimpleNamespace(groups={}, series=())
    with pytest.raises(SampleError, match="no group has a chip"):
        write_published(nothing, str(tmp_path / "x.hdf5"))
    assert not (tmp_path / "x.hdf5").exists()


def found(path: Path) -> dict[str, list[Any]]:
    """Findings by defect after every pixel was read and every chip placed."""
    account = Account()
    with opened(str(path), account) as published:
        for one in published.series:
            stacked(published, one, range(len(one.dates)))
        canvas_of(published, account)
    table: dict[str, list[Any]] = {}
    for finding in account.findings():
        table.setdefault(finding.defect, []).append(finding)
    return table


def test_a_faithful_file_has_only_the_defects_of_its_layout(faithful: Path) -> None:
    table = found(faithful)
    assert set(table) == {"mixed_beams", "counted_paths"}
    assert table["mixed_beams"][0].note == "ASC45 3 dates, ASC54 1 dates"
    assert table["counted_paths"][0].note == "says 20 groups, holds 5 in 20 series"


def test_rims_of_resampling_are_no_data_and_reported(copy: Path) -> None:
    from scipy.ndimage import zoom

    with h5py.File(copy, "r+") as file:
        images = file["data/ABL001/DSC/HH/images"]
        stored = images[:, :, 1]
        larger = np.pad(stored, ((0, 1), (0, 1)), constant_values=small.NODATA)
        smeared = zoom(larger, (30 / 31, 36 / 37), order=1)
        assert ((smeared < 0) & (smeared > -998.9)).sum() > 20
        images[:, :, 1] = smeared
        file["data/ABL001/DSC/HH"].attrs["stat_min"] = -993.98
    account = Account()
    with opened(str(copy), account) as published:
        series = find(published, "ABL001", "DSC", "HH")
        power, _ = published.read(series, 1)
    kept = np.isfinite(power)
    assert (power[kept] > 0).all()
    np.testing.assert_array_equal(kept, smeared > 0)
    np.testing.assert_array_equal(power[kept], smeared[kept])
    table = account.table().set_index("defect")
    rim = ((smeared < 0) & (smeared != np.float32(-999))).sum()
    assert table.loc["resampling_rim", "count"] == rim
    assert table.loc["resampling_rim", "where"] == "ABL001/DSC/HH 20200804"
    assert table.loc["rim_neighbour", "count"] > 0
    assert table.loc["statistics", "note"] == "a lowest backscatter of -994"
    assert f"{rim:>12,} in 1 place" in str(account)


def test_mask_no_data_never_passes_for_a_clear_pixel(copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        masks = file["data/ICA001/DSC/HH/masks"]
        codes = masks[:, :, 0]
        codes[12, 10:14] = -127
        codes[13, 10:12] = 77
        masks[:, :, 0] = codes
    account = Account()
    with opened(str(copy), account) as published:
        _, mask = published.read(find(published, "ICA001", "DSC", "HH"), 0)
    assert (mask[12, 10:14] == 32).all()
    assert (mask[13, 10:12] == 32).all()
    table = account.table().set_index("defect")
    assert table.loc["mask_nodata", "count"] == 4
    assert table.loc["mask_unknown", "count"] == 2


def test_beams_are_told_apart_by_incidence() -> None:
    angles = {"20200110": 44.8, "20210214": 53.9, "20211031": 44.6, "20210225": 54.0}
    assert beams_by_day(angles, "ASC") == {
        "20200110": "ASC45",
        "20210214": "ASC54",
        "20210225": "ASC54",
        "20211031": "ASC45",
    }
    assert beams_by_day({"1": 37.3, "2": float("nan")}, "DSC") == {"1": "DSC37", "2": "DSC37"}
    unknown = beams_by_day({"1": 44.6, "2": float("nan"), "3": 53.9}, "ASC")
    assert unknown == {"1": "ASC45", "2": "ASC_unknown", "3": "ASC54"}
    assert beams_by_day({"1": float("nan")}, "ASC") == {"1": "ASC_unknown"}


def test_other_defects_are_repaired_and_reported(copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        for name in small.GROUPS:
            for channel in ("HH", "HV"):
                file[f"data/{name}/DSC/{channel}/angles_incidence"][2] = 0
        days = file["data/ABL001/ASC/HH/timestamps"]
        days[:] = np.array([b"20200602", b"20200110", b"20210214", b"20210214"])
        owner = file["data/ABL001/DSC/HV"]
        shape = owner["images"].shape
        for name in ("images", "masks"):
            values = owner[name][: shape[0] - 1]
            del owner[name]
            owner.create_dataset(name, data=values, chunks=(shape[0] - 1, shape[1], 1))
        owner = file["data/ICA001/DSC/HH"]
        shifted = np.array(owner.attrs["geo_transform"])
        shifted[2] += 0.4 * small.PIXEL
        owner.attrs["geo_transform"] = shifted
    table = found(copy)
    assert (table["angle_unknown"][0].where, table["angle_unknown"][0].count) == ("DSC", 1)
    assert {f.where for f in table["double_date"]} == {"ABL001/ASC/HH"}
    assert {f.where for f in table["unsorted"]} == {"ABL001/ASC/HH"}
    assert "ABL001/ASC/HH" in table["index"][0].note
    assert table["chip_shape"][0].note == "ABL001/DSC/HV (29, 36), HH (30, 36)"
    moved = table["mean_transform"][0]
    assert (moved.where, moved.note) == ("ICA001/DSC", "0.40 pixels")
    with opened(str(copy)) as published:
        series = find(published, "ABL001", "ASC", "HH")
        assert series.dates == ("20200110", "20200602", "20210214")
        stored = small.chip("ABL001", "ASC", "HH", 1, series.shape)
        np.testing.assert_array_equal(published.read(series, 0)[0] > 0, stored > 0)
        dark = find(published, "ABL001", "DSC", "HH")
        assert np.isnan(dark.angles).tolist() == [False, False, True, False]
        assert set(dark.beams) == {"DSC38"}


def hurt(path: Path, how: str) -> None:
    with h5py.File(path, "r+") as file:
        owner = file["data/ABL001/DSC/HH"]
        if how == "soft link":
            del owner["images"]
            owner["images"] = h5py.SoftLink("/data/ABL005/DSC/HH/images")
        elif how == "external link":
            del owner["images"]
            owner["images"] = h5py.ExternalLink("/etc/passwd", "/")
        elif how == "external storage":
            del owner["images"]
            owner.create_dataset(
                "images", (30, 36, 4), np.float32, external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
            )
        elif how == "virtual":
            del owner["images"]
            layout = h5py.VirtualLayout((30, 36, 4), np.float32)
            layout[:] = h5py.VirtualSource("elsewhere.h5", "x", (30, 36, 4))
            owner.create_virtual_dataset("images", layout)
        elif how == "objects":
            del owner["timestamps"]
            owner.create_dataset("timestamps", data=["20200108"] * 4, dtype=h5py.string_dtype())
        elif how == "other filter":
            values = owner["images"][()]
            del owner["images"]
            owner.create_dataset("images", data=values, chunks=(30, 36, 1), compression="lzf")
        elif how == "no chunk":
            del owner["images"]
            owner.create_dataset("images", (30, 36, 4), np.float32, chunks=(30, 36, 1))
        elif how == "too large":
            for name, kind in (("images", np.float32), ("masks", np.int8)):
                del owner[name]
                shape = (200_000, 200_000, 4)
                owner.create_dataset(name, shape, kind, chunks=(100, 100, 1), compression="gzip")
        elif how == "other lengths":
            del owner["passes"]
            owner.create_dataset("passes", data=np.array(["x"] * 3, "S20"))
        elif how == "no day":
            owner["timestamps"][0] = b"2020010x"
        elif how == "rotated":
            owner.attrs["geo_transform"] = (1.0, 0.1, 0.0, 0.0, -1.0, 0.0)
        elif how == "no transform":
            del owner.attrs["geo_transform"]
        elif how == "bomb":
            import zlib

            bomb = zlib.compress(bytes(2**26), 9)
            owner["images"].id.write_direct_chunk((0, 0, 0), bomb)
        elif how in ("checksum", "cut"):
            images = owner["images"].id
            _, raw = images.read_direct_chunk((0, 0, 0))
            raw = raw[:-4] + b"none" if how == "checksum" else raw[:-4]
            images.write_direct_chunk((0, 0, 0), raw)
        elif how == "flipped":
            owner["images"].id.write_direct_chunk((0, 0, 0), b"\x78\x9c" + bytes(50))
        elif how == "orbit":
            file["data/ABL001"].move("DSC", "../up")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("soft link", "its member images is a link elsewhere"),
        ("external link", "its member images is a link elsewhere"),
        ("external storage", "its data lie in another file"),
        ("virtual", "its data lie in another file"),
        ("objects", "its values are object"),
        ("other filter", "behind a filter other than gzip"),
        ("no chunk", "was never written"),
        ("too large", "it claims 200000 x 200000 x 4 values"),
        ("other lengths", "differ in length"),
        ("no day", "a timestamp is '2020010x'"),
        ("rotated", "not north-up"),
        ("no transform", "no attribute geo_transform"),
        ("bomb", "larger than its values|holds 4321 of 4320 bytes"),
        ("flipped", "can be read"),
        ("checksum", "incorrect data check"),
        ("cut", "ends before its checksum"),
    ],
)
def test_a_hostile_file_is_refused_in_one_sentence(copy: Path, how: str, words: str) -> None:
    hurt(copy, how)
    with pytest.raises(DatasetUnreadable, match=words) as refused, opened(str(copy)) as published:
        published.read(find(published, "ABL001", "DSC", "HH"), 0)
    assert "/data/ABL001/DSC/HH" in str(refused.value.where)
    assert refused.value.exit_code == 6
    assert str(copy) in str(refused.value.where)


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all", "half", "other"])
def test_what_is_not_the_dataset_is_refused(copy: Path, content: bytes | str) -> None:
    if content == "half":
        copy.write_bytes(copy.read_bytes()[: copy.stat().st_size // 2])
    elif content == "other":
        with h5py.File(copy, "w") as file:
            file["x"] = 1
    else:
        assert isinstance(content, bytes)
        copy.write_bytes(content)
    with pytest.raises(DatasetUnreadable), opened(str(copy)):
        pass
    copy.unlink()
    with pytest.raises(StoreMissing), opened(str(copy)):
        pass


def test_bytes_flipped_anywhere_never_end_in_another_error(copy: Path) -> None:
    whole = bytearray(copy.read_bytes())
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        hurt = whole.copy()
        for place in rng.integers(0, len(hurt), 40):
            hurt[place] = rng.integers(0, 256)
        copy.write_bytes(hurt)
        try:
            with opened(str(copy)) as published:
                for one in published.series:
                    stacked(published, one, range(len(one.dates)))
        except DatasetUnreadable:
            refused += 1
    assert refused > 30


def test_regions_of_any_chunking_equal_h5py_s(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(13, 9, 5)).astype(np.float32)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("a", data=values, chunks=(4, 5, 2), compression="gzip")
        file.create_dataset("b", data=values)
        for name in "ab":
            box = chunks.region(hdf5.dataset(file, name, "f", 3), ((3, 11), (0, 9), (1, 4)))
            np.testing.assert_array_equal(box, values[3:11, :, 1:4])
