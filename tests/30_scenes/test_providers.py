"""GeoTIFFs as SNAP, ASF, OPERA and programs of NetCDF deliver them: what they say counts.

SNAP's files are laid out as its writer does it, names follow the providers' own conventions.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from support.scenes_factory import STARTS, file_name, row, run_config, speckle, write_table
from support.snap_factory import write_snap_geotiff

from cpazmal_scale.errors import SceneConflict, SceneError, SceneUnknown, SceneUnreadable
from cpazmal_scale.scenes import Scene, discover
from cpazmal_scale.scenes.reading import read

SHAPE = (64, 80)
PLAIN = rasterio.Affine(3, 0, 339_000, 0, -3, 5_087_001)
ASF = (
    r"(?P<sensor>S1[A-D])_IW_(?:RT30_)?(?P<start>\d{8}T\d{6})_.*?(?P<polarisation>VV|VH)?"
    r"(?:_dem|_inc_map|_ls_map|_area)?\.tif$"
)


def find(folder: Path, **naming: Any) -> Scene:
    (found,) = discover(run_config(folder, "unused", **naming).ingest, check=True)
    return found


def pixels(one: Scene) -> np.ndarray:
    return read(one, one.geobox, (0, one.geobox.shape[0]))[0]


def snap(folder: Path, *names: str, table: str | None = None, **options: Any) -> np.ndarray:
    """A file of SNAP's in the authors' name; its bands (bands, h, w)."""
    bands = {name: speckle(SHAPE, at) for at, name in enumerate(names)}
    write_table(folder, [row(STARTS[0], polarisations=table or "")])
    write_snap_geotiff(folder / file_name(STARTS[0]).replace("_Tf_", "_"), bands, **options)
    return np.stack([*bands.values()])


@pytest.mark.parametrize("big", [False, True])
def test_snap_s_document_names_the_bands(tmp_path, big: bool) -> None:
    given = snap(tmp_path, "Sigma0_VV", "Sigma0_VH", big=big, virtual="Sigma0_VV_db")
    with rasterio.open(next(tmp_path.glob("*.tif"))) as raster:
        assert raster.descriptions == (None, None)
        np.testing.assert_array_equal(raster.read(), given)
    found = find(tmp_path)
    assert (found.radiometry, found.polarisations) == ("sigma0", ("VV", "VH"))
    np.testing.assert_array_equal(pixels(found), given)


@pytest.mark.parametrize(
    ("operator", "radiometry"), [("Terrain-Flattening", "gamma0_T"), ("Speckle-Filter", "gamma0")]
)
def test_snap_s_history_tells_whether_the_terrain_is_flat(tmp_path, operator, radiometry) -> None:
    snap(tmp_path, "Gamma0_HH", table="HH", operator=operator)
    found = find(tmp_path)
    assert found.radiometry == radiometry
    assert found.files[0].note == ""
    told = "gamma0" if radiometry == "gamma0_T" else "sigma0"
    with pytest.raises(SceneUnknown, match=f"{radiometry} by their names and history, not {told}"):
        find(tmp_path, radiometry=told)


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("Amplitude_HH", ("", ""), "`Amplitude_HH`. is no backscatter coefficient"),
        ("Gamma0_HV", ("", ""), "says it is HV, but it is taken for HH"),
        ("Gamma0_HH_slv1_19Jan2020", ("", ""), "of another date than the scene, 08 Jan 2020"),
        ("Gamma0_HH", (">intensity<", ">phase<"), "has the unit `phase`"),
        ("Gamma0_HH", ("<SCALING_FACTOR>1.0<", "<SCALING_FACTOR>0.01<"), "are scaled"),
        ("Gamma0_HH", ("<SCALING_OFFSET>0.0<", "<SCALING_OFFSET>-83.0<"), "are scaled"),
        ("Gamma0_HH", ("<LOG10_SCALED>false<", "<LOG10_SCALED>true<"), "are scaled"),
        (
            "Gamma0_HH",
            (
                "<NO_DATA_VALUE_USED>",
                "<VALID_MASK_TERM>a &gt; 3</VALID_MASK_TERM><NO_DATA_VALUE_USED>",
            ),
            "hides pixels of Gamma0_HH",
        ),
        (
            "Gamma0_HH",
            (">DESCENDING<", ">ASCENDING<"),
            "pass_direction is ASC, but it is taken for",
        ),
        ("Gamma0_HH", (">right<", ">left<"), "look_side is L, but it is taken for R"),
        ("Gamma0_HH", ("</Dimap_Document>", ""), "not well-formed XML"),
        ("Gamma0_HH", ("<Dimap_Document", "<!DOCTYPE x><Dimap_Document"), "document type"),
    ],
)
def test_what_snap_s_document_contradicts_is_refused(tmp_path, name, change, match) -> None:
    snap(tmp_path, name, table="HH", change=change)
    with pytest.raises(SceneError, match=match) as caught:
        find(tmp_path)
    assert "\n" not in str(caught.value)


def test_no_data_of_snap_s_document_is_none(tmp_path) -> None:
    bands = {"Gamma0_HH": speckle(SHAPE)}
    bands["Gamma0_HH"][5:9] = 0.25
    write_table(tmp_path, [row(STARTS[0], polarisations="HH")])
    change = ("<NO_DATA_VALUE>0.0<", "<NO_DATA_VALUE>0.25<")
    write_snap_geotiff(tmp_path / file_name(STARTS[0]), bands, change=change)
    assert np.flatnonzero(np.isnan(pixels(find(tmp_path))[0]).all(axis=1)).tolist() == [5, 6, 7, 8]


def test_a_directory_of_tags_that_lies(tmp_path) -> None:
    """Every byte of the directory changed in turn ends in a sentence, or changes nothing."""
    snap(tmp_path, "Gamma0_HH", table="HH")
    path = next(tmp_path.glob("*.tif"))
    data = path.read_bytes()
    for at in range(8 + 2 + 14 * 12, 8 + 2 + 15 * 12):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        with contextlib.suppress(SceneError):
            assert find(tmp_path).polarisations == ("HH",)


def write(path: Path, values: np.ndarray, tags: dict[str, str] | None = None) -> None:
    height, width = values.shape
    profile = {"driver": "GTiff", "crs": "EPSG:32632", "transform": PLAIN, "dtype": values.dtype}
    with rasterio.open(path, "w", count=1, height=height, width=width, **profile) as raster:
        raster.write(values, 1)
        raster.update_tags(**(tags or {}))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("S1A_IW_20210214T173400_DVP_RTC30_G_gpuned_1A2B_VV.tif", ("gamma0_T", "linear")),
        ("S1B_IW_20210214T173400_DVR_RTC10_G_gdwfcm_1A2B_VH.tif", ("gamma0_T", "dB")),
        ("S1A_IW_20210214T173400_DVP_RTC30_G_spuned_1A2B_VV.tif", ("sigma0", "linear")),
        ("S1A_IW_RT30_20210214T173400_G_spn_VV.tif", ("sigma0", "linear")),
        ("S1A_IW_20210214T173400_DVP_RTC30_G_gauned_1A2B_VV.tif", None),
        ("S1C_IW_20210214T173400_DVP_RTC20_G_sauned_1A2B_VH.tif", None),
        ("S1A_IW_RT30_20210214T173400_G_gan_VV.tif", None),
        ("S1A_IW_20210214T173400_DVP_RTC30_G_gpuned_1A2B_inc_map.tif", None),
        ("S1A_IW_20210214T173400_DVP_RTC30_G_gpuned_1A2B_dem.tif", None),
    ],
)
def test_names_of_asf_tell_coefficient_and_scale(tmp_path, name: str, found) -> None:
    power = speckle(SHAPE)
    decibels = found is not None and found[1] == "dB"
    write(tmp_path / name, 10 * np.log10(power) if decibels else power)
    rules = {"pattern": ASF, "beam": "A88"} | ({"bands": ["VV"]} if "_VV.t" in name else {})
    rules |= {"bands": ["VV"]} if name.endswith(("map.tif", "dem.tif")) else {}
    if found is None:
        with pytest.raises(SceneUnknown, match="no backscatter coefficient by the name"):
            find(tmp_path, **rules)
        return
    one = find(tmp_path, **rules)
    assert (one.radiometry, one.files[0].scale) == found
    np.testing.assert_allclose(pixels(one)[0], power, rtol=1e-5)


@pytest.mark.parametrize(
    ("end", "found"),
    [
        ("g-lin", ("gamma0_T", "linear")),
        ("s-lin", ("sigma0", "linear")),
        ("s-log", ("sigma0", "dB")),
    ],
)
def test_names_of_copernicus_tell_coefficient_and_scale(tmp_path, end: str, found) -> None:
    """The files of a normalised backscatter product (S1 NRB)."""
    power = speckle(SHAPE)
    name = f"s1a-iw-nrb-20210214t173400-030639-0382d5-32tms-vv-{end}.tif"
    write(tmp_path / name, 10 * np.log10(power) if end.endswith("log") else power)
    start = r"(?P<sensor>s1[a-d])-iw-nrb-(?P<start>\d{8}t\d{6})-\w+-\w+-\w+"
    one = find(tmp_path, pattern=start + "-(?P<polarisation>vv|vh)-", beam="A88")
    assert (one.radiometry, one.files[0].scale) == found
    np.testing.assert_allclose(pixels(one)[0], power, rtol=1e-5)


@pytest.mark.parametrize(
    "end",
    [
        *("inc_geo", "ls_geo", "pix_ratio_geo", "pix_area_gamma0_geo", "lsm", "dem", "inc"),
        *("amp", "coh", "unw", "ampiezza", "coh_geo"),
    ],
)
def test_layers_beside_backscatter_are_none(tmp_path, end: str) -> None:
    """As GAMMA, ISCE and pyroSAR name them."""
    write(tmp_path / f"S1A__IW___A_20210214T173400_VV_{end}.tif", speckle(SHAPE))
    start = r"(?P<sensor>S1[A-D])__IW___(?P<pass_direction>[AD])_(?P<start>\d{8}T\d{6})"
    with pytest.raises(SceneUnknown, match="no backscatter coefficient by the name"):
        find(tmp_path, pattern=start + "_(?P<polarisation>VV|VH)", beam="A88")


def test_files_of_all_dates_that_are_called_alike(tmp_path) -> None:
    """As Microsoft's Planetary Computer keeps Sentinel-1: the date stands in the folder."""
    for start in ("20210214T173400", "20210226T173400"):
        for channel in ("vv", "vh"):
            folder = (
                tmp_path / f"S1A_IW_GRDH_1SDV_{start}_{start}_036600_044C9D_rtc" / "measurement"
            )
            folder.mkdir(parents=True, exist_ok=True)
            write(folder / f"iw-{channel}.rtc.tiff", speckle(SHAPE, len(channel)))
    pattern = (
        r"(?P<sensor>S1[A-D])_IW_GRDH_1SD._(?P<start>\d{8}T\d{6})_.*_rtc/measurement/"
        r"iw-(?P<polarisation>vv|vh)\.rtc\.tiff$"
    )
    found = discover(run_config(tmp_path, "unused", pattern=pattern, beam="A88").ingest, check=True)
    assert [one.id for one in found] == [
        "S1A_20210214T173400_iw-.rtc",
        "S1A_20210226T173400_iw-.rtc",
    ]
    assert all(one.polarisations == ("VV", "VH") for one in found)


def test_two_acquisitions_of_one_name_are_refused_before_anything_is_written(tmp_path) -> None:
    for day in ("08", "19"):
        (tmp_path / day).mkdir()
        write(tmp_path / day / "HH.tif", speckle(SHAPE, int(day)))
        (tmp_path / day / "HH.tif.yaml").write_text(
            f"sensor: TSX1\nstart: 202001{day}T054412\nbeam: A\nbands: [HH]\n"
            "radiometry: gamma0\nscale: linear\n"
        )
    with pytest.raises(SceneConflict, match=r"is called HH as .*08/HH.tif is, which is another"):
        discover(run_config(tmp_path, "unused").ingest)


OPERA = "PROCESSING_INFORMATION_OUTPUT_BACKSCATTER_{}_CONVENTION"


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({OPERA.format("NORMALIZATION"): "sigma0"}, "sigma0"),
        ({OPERA.format("NORMALIZATION"): "gamma0"}, "gamma0_T"),
        ({OPERA.format("EXPRESSION"): "linear backscatter intensity"}, "gamma0_T"),
        ({"units": "meters", "ORBIT_PASS_DIRECTION": "descending"}, "gamma0_T"),
        ({"x#units": "m", "VV#units": "1", "NC_GLOBAL#scale_factor": "2"}, "gamma0_T"),
        ({OPERA.format("EXPRESSION"): "linear backscatter amplitude"}, SceneUnknown),
        ({"ORBIT_PASS_DIRECTION": "ascending"}, SceneUnknown),
        ({"LOOK_DIRECTION": "left"}, SceneUnknown),
        ({"lookDirection": "LEFT"}, SceneUnknown),
        ({"flightDirection": "ASC"}, SceneUnknown),
        ({"orbit": "12345", "Orbit-State": "ASCENDING"}, SceneUnknown),
        ({"orbit": "12345", "orbitState": "descending"}, "gamma0_T"),
        ({"radiometry": "sigma0"}, "sigma0"),
        ({"calibration": "done", "Backscatter-Coefficient": "Sigma0"}, "sigma0"),
        ({"units": "meters", "BACKSCATTER_UNITS": "amplitude"}, SceneUnknown),
        ({"scale_factor": "0.1"}, SceneUnreadable),
        ({"add_offset": "-1"}, SceneUnreadable),
        ({"HH#scale_factor": "0.1", "mask#scale_factor": "0.1"}, SceneUnreadable),
        ({"HH#units": "amplitude"}, SceneUnknown),
        ({"units": "amplitude"}, SceneUnknown),
    ],
)
def test_items_of_the_whole_raster(tmp_path, tags: dict[str, str], told) -> None:
    write_table(tmp_path, [row(STARTS[0], polarisations="HH")])
    write(tmp_path / file_name(STARTS[0]), speckle(SHAPE), tags)
    if isinstance(told, str):
        assert find(tmp_path).radiometry == told
        return
    with pytest.raises(told):
        find(tmp_path)


def test_the_polarisation_of_a_whole_raster_of_one_band(tmp_path) -> None:
    write_table(tmp_path, [row(STARTS[0], polarisations="HH")])
    path = tmp_path / file_name(STARTS[0])
    write(path, speckle(SHAPE), {"POLARIZATION": "HH"})
    assert find(tmp_path).polarisations == ("HH",)
    write(path, speckle(SHAPE), {"POLARIZATION": "VV"})
    with pytest.raises(SceneUnknown, match="says it is VV, but it is taken for HH"):
        find(tmp_path)


@pytest.mark.parametrize("item", ["_FillValue", "HH#_FillValue"])
def test_a_fill_value_of_the_whole_raster(tmp_path, item: str) -> None:
    power = speckle(SHAPE)
    power[:5] = 0.25
    write_table(tmp_path, [row(STARTS[0], polarisations="HH")])
    write(tmp_path / file_name(STARTS[0]), power, {item: "0.25"})
    assert np.isnan(pixels(find(tmp_path))[0][:5]).all()
