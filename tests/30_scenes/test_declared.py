"""What GDAL says of a raster is obeyed or refused: scale, masks, alpha, names, units, fill values.

Rasters are written by GDAL, and the right values are those that GDAL's own readers give.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.shutil import copy
from support.scenes_factory import STARTS, file_name, row, run_config, speckle, write_table

from cpazmal_scale.errors import SceneError, SceneImplausible, SceneUnknown
from cpazmal_scale.scenes import Scene, discover
from cpazmal_scale.scenes.reading import read

SHAPE = (64, 80)
PLAIN = rasterio.Affine(3, 0, 339_000, 0, -3, 5_087_001)


def write(path: Path, bands: list[np.ndarray], **options: Any) -> Path:
    """A GeoTIFF of any type; `say` is done to the open dataset."""
    say = options.pop("say", None)
    profile = {"driver": "GTiff", "crs": "EPSG:32632", "transform": PLAIN, **options}
    profile |= {"count": len(bands), "height": SHAPE[0], "width": SHAPE[1]}
    with rasterio.open(path, "w", **{"dtype": bands[0].dtype, **profile}) as raster:
        for number, band in enumerate(bands, 1):
            raster.write(band, number)
        if say is not None:
            say(raster)
    return path


def scene(
    folder: Path, bands: list[np.ndarray], pols: str | None = "HH", tail: str = "", **more: Any
) -> Path:
    naming = more.pop("table", True)
    if naming:
        text = row(STARTS[0], polarisations=pols or "")
        write_table(folder, [text])
    return write(folder / file_name(STARTS[0]).replace(".tif", f"{tail}.tif"), bands, **more)


def find(folder: Path, **naming: Any) -> Scene:
    (found,) = discover(run_config(folder, "unused", **naming).ingest, check=True)
    return found


def pixels(one: Scene) -> tuple[np.ndarray, np.ndarray]:
    return read(one, one.geobox, (0, one.geobox.shape[0]))


def described(*names: str) -> Any:
    def say(raster: Any) -> None:
        raster.descriptions = names

    return say


@pytest.mark.parametrize(
    ("dtype", "factor", "offset", "scale"),
    [
        ("int16", 0.01, 0.0, "dB"),
        ("uint16", 1e-3, 0.0, "linear"),
        ("uint16", 1e-4, 0.0, "linear"),
        ("uint8", 0.25, -50.0, "dB"),
        ("int32", 1e-4, -10.0, "dB"),
        ("float32", 0.5, 0.0, "linear"),
    ],
)
def test_scale_and_offset(tmp_path, dtype: str, factor: float, offset: float, scale: str) -> None:
    power = speckle(SHAPE).clip(1e-3, 3)
    true = 10 * np.log10(power) if scale == "dB" else power
    stored = (true - offset) / factor
    stored = np.rint(stored).astype(dtype) if dtype != "float32" else stored.astype("f4")

    def say(raster: Any) -> None:
        raster.scales, raster.offsets = (factor,), (offset,)

    path = scene(tmp_path, [stored], say=say)
    found, _ = pixels(find(tmp_path, scale=scale))
    with rasterio.open(path) as raster:
        by_gdal = raster.read(1) * raster.scales[0] + raster.offsets[0]
    expected = 10 ** (by_gdal / 10) if scale == "dB" else by_gdal
    expected[(stored == 0) & ((offset == 0) | (dtype == "uint8"))] = np.nan
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)


@pytest.mark.parametrize("internal", [True, False])
def test_a_mask_of_the_dataset_hides_pixels(tmp_path, internal: bool) -> None:
    power, seen = speckle(SHAPE), np.full(SHAPE, 255, "u1")
    seen[10:30, 20:50] = 0
    power[10:30, 20:50] = 0.5
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal):
        path = scene(tmp_path, [power], say=lambda raster: raster.write_mask(seen))
    assert path.with_name(f"{path.name}.msk").exists() is not internal
    found, flags = pixels(find(tmp_path))
    np.testing.assert_array_equal(np.isnan(found[0]), seen == 0)
    np.testing.assert_array_equal(found[0][seen > 0], power[seen > 0])
    assert (flags[seen == 0] == 32).all()


def test_a_mask_file_counts_among_the_bytes_of_a_scene(tmp_path) -> None:
    power, seen = speckle(SHAPE), np.full(SHAPE, 255, "u1")
    seen[:5] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False):
        path = scene(tmp_path, [power], say=lambda raster: raster.write_mask(seen))
    before = find(tmp_path).source_sha256
    seen[:] = 255
    with rasterio.open(path, "r+") as raster, rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False):
        raster.write_mask(seen)
    assert find(tmp_path).source_sha256 != before


@pytest.mark.parametrize("count", [1, 2])
def test_an_alpha_band_is_no_mask_of_codes(tmp_path, count: int) -> None:
    bands = [speckle(SHAPE, n) for n in range(count)]
    alpha = np.full(SHAPE, 255, "f4")
    alpha[:, :9] = 0

    def say(raster: Any) -> None:
        raster.colorinterp = [*[ColorInterp.gray] * count, ColorInterp.alpha]

    scene(tmp_path, [*bands, alpha], "HH" if count == 1 else "HH/HV", say=say)
    found, flags = pixels(find(tmp_path))
    assert np.isnan(found[:, :, :9]).all()
    np.testing.assert_array_equal(found[:, :, 9:], np.stack(bands)[:, :, 9:])
    assert (flags[:, 9:] == 0).all()


def test_a_mask_that_would_flag_every_pixel_is_refused(tmp_path) -> None:
    scene(tmp_path, [speckle(SHAPE), np.full(SHAPE, 255, "f4")])
    with pytest.raises(SceneImplausible, match="every pixel would be flagged"):
        find(tmp_path)


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "complex_int16"])
def test_complex_numbers_are_refused(tmp_path, dtype: str) -> None:
    values = speckle(SHAPE).astype("c8")
    scene(tmp_path, [values], dtype=dtype)
    with pytest.raises(SceneUnknown, match="complex numbers"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("names", "naming", "match"),
    [
        (("Amplitude_HH",), {}, "no backscatter coefficient"),
        (("Intensity_HH",), {}, "intensity by their names"),
        (("i_HH",), {}, "no backscatter"),
        (("Sigma0_HH_imag",), {}, "no backscatter"),
        (("Gamma0_HH_GLCMMean",), {}, "no backscatter"),
        (("Phase_HH",), {"radiometry": "gamma0"}, "no backscatter"),
        (("Sigma0_HH",), {"radiometry": "beta0"}, "sigma0 by their names, not beta0"),
        (("Sigma0_HV",), {}, "says it is HV, but it is taken for HH"),
        (("Gamma0_HH (linear)",), {"scale": "dB"}, "linear by their names or units, not dB"),
        (("10*log10(HH)",), {}, "no backscatter"),
        (("Gamma0_HH_mean",), {}, "no backscatter"),
        (("NESZ_HH",), {}, "no backscatter"),
        (("HH interferogram",), {}, "no backscatter"),
        (("HH_pha",), {}, "no backscatter"),
        (("HH displacement",), {}, "no backscatter"),
        (("projectedLocalIncidenceAngle",), {}, "no backscatter"),
        (("Gamma0_HH_slv1_19Jan2020",), {}, "of another date than the scene, 08 Jan 2020"),
        (("HH_19JAN20",), {}, "of another date than the scene"),
        (("HH 2020-01-19",), {}, "of another date than the scene"),
        (("20200119_HH",), {}, "of another date than the scene"),
        (("uncalibrated HH",), {}, "no backscatter"),
        (("HH uncertainty",), {}, "no backscatter"),
        (("|HH|",), {}, "no backscatter"),
        (("√γ0 HH",), {}, "no backscatter"),
        (("HH*100",), {}, "no backscatter"),
        (("Gamma0_HH_x100",), {}, "no backscatter"),
        (("HH_1e4",), {}, "no backscatter"),
        (("HH amplitude²",), {}, "no backscatter"),
        (("p95_HH",), {}, "no backscatter"),
        (("sigma40_HH",), {}, "no backscatter"),
        (("C22",), {}, "no backscatter"),
        *(
            ((f"HH {word}",), {}, "no backscatter")
            for word in ("AMPIEZZA", "Kohärenz", "coerenza", "Mittelwert", "moyenne", "écart-type")
        ),
        (("HHHV",), {}, "no backscatter"),
        (("Re HVVV",), {}, "no backscatter"),
        (("VVVV",), {}, "says it is VV, but it is taken for HH"),
        *(
            ((f"HH {day}",), {}, "of another date than the scene")
            for day in ("19.01.2020", "19/1/2020", "01/19/2020", "Jan 19 2020", "19-Jan-2020")
        ),
        (("HH 2020-019",), {}, "of another date than the scene"),
        (("19 January 2020 HH",), {}, "of another date than the scene"),
        (("HH 2020-01-08 2020-01-19",), {}, "of another date than the scene"),
    ],
)
def test_names_that_contradict_are_refused(tmp_path, names, naming, match: str) -> None:
    scene(tmp_path, [speckle(SHAPE)], say=described(*names))
    with pytest.raises(SceneError, match=match):
        find(tmp_path, **naming)


@pytest.mark.parametrize(
    ("unit", "taken"),
    [
        *((unit, False) for unit in ("m/s", "%", "dBm", "K", "mm", "kelvin", "m", "in", "°C")),
        *((unit, True) for unit in ("", "1", "m2/m2", "m²/m²", "power", "linear", "unitless")),
        *((unit, True) for unit in ("m^2/m^2", "m2 m-2", "m2.m-2", "m**2/m**2", "-", "[-]")),
        *((unit, False) for unit in ("cdB", "0.01 dB", "1e-4", "m2", "m-2", "sr-1")),
    ],
)
def test_units_that_backscatter_does_not_have(tmp_path, unit: str, taken: bool) -> None:
    scene(tmp_path, [speckle(SHAPE)], say=lambda raster: setattr(raster, "units", (unit,)))
    if taken:
        assert find(tmp_path).files[0].scale == "linear"
        return
    with pytest.raises(SceneUnknown, match="which is none of backscatter"):
        find(tmp_path)


@pytest.mark.parametrize("name", ["layover_shadow_mask", "layoverShadowMask", "mask", ""])
def test_masks_of_layover_under_their_names(tmp_path, name: str) -> None:
    codes = np.zeros(SHAPE, "f4")
    codes[5:9] = 2
    scene(tmp_path, [speckle(SHAPE), codes], say=described("Gamma0_HH", name))
    np.testing.assert_array_equal(pixels(find(tmp_path))[1], codes)


@pytest.mark.parametrize("name", ["valid_mask", "Water mask", "cloud-mask", "mask_nodata"])
def test_another_mask_is_not_that_of_layover(tmp_path, name: str) -> None:
    bands = [speckle(SHAPE), np.ones(SHAPE, "f4")]
    scene(tmp_path, bands, say=described("Gamma0_HH", name))
    with pytest.raises(SceneUnknown, match="another mask than that of layover"):
        find(tmp_path)


def test_gains_of_an_envi_header(tmp_path) -> None:
    """As SNAP and ENVI write them: GDAL reads them as scale and offset."""
    power = speckle(SHAPE).clip(1e-3, 2)
    stored = np.rint(power / 1e-4).astype("u2")
    path = write(tmp_path / "x.img", [stored], driver="ENVI")
    header = path.with_suffix(".hdr")
    header.write_text(header.read_text() + "data gain values = {1e-4}\n")
    with rasterio.open(path) as raster:
        assert raster.scales[0] == 1e-4
    (tmp_path / "x.img.yaml").write_text(
        "sensor: TSX1\nstart: 20110505T172501\nbeam: A\nbands: [HH]\n"
        "radiometry: gamma0\nscale: linear\n"
    )
    np.testing.assert_allclose(pixels(find(tmp_path))[0][0], stored * 1e-4, rtol=1e-5)


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("Z_FACTOR\t= 1.000000", None),
        ("Z_FACTOR\t= 0.100000", "Z_FACTOR = 0.100000, which is not read"),
        ("DATAFILE_OFFSET\t= 320", "DATAFILE_OFFSET = 320"),
        ("NODATA_VALUE\t= -99999.0;-99999.0", None),
        ("NODATA_VALUE\t= -99999.0;0.1", "NODATA_VALUE up to = 0.1"),
        ("UNIT\t= dB", "dB by their names or units, not linear"),
        ("UNIT\t= amplitude", "has the unit `amplitude`"),
        ("NAME\t= Amplitude_HH", "no backscatter coefficient"),
    ],
)
def test_the_header_of_a_saga_grid(tmp_path, line: str, match: str | None) -> None:
    """SAGA's own entries, of which GDAL hands on the grid and its no-data value alone."""
    power = speckle(SHAPE)
    path = write(tmp_path / "x.sdat", [power], driver="SAGA", nodata=-99999)
    header = path.with_suffix(".sgrd")
    kept = [one for one in header.read_text().splitlines() if one.split()[0] != line.split()[0]]
    header.write_text("\n".join([*kept, line, ""]))
    (tmp_path / "x.sdat.yaml").write_text(
        "sensor: TSX1\nstart: 20110505T172501\nbeam: A\nbands: [HH]\n"
        "radiometry: gamma0\nscale: linear\n"
    )
    if match is not None:
        with pytest.raises(SceneError, match=match):
            find(tmp_path)
        return
    np.testing.assert_array_equal(pixels(find(tmp_path))[0][0], power)


@pytest.mark.parametrize(("line", "read"), [("", False), ("data gain values = {1e-4}", True)])
def test_the_reflectance_scale_factor_of_an_envi_header(tmp_path, line: str, read: bool) -> None:
    """ENVI divides by it; GDAL hands it on as an item and reads the stored numbers."""
    stored = np.rint(speckle(SHAPE).clip(1e-3, 2) * 10_000).astype("f4")
    path = write(tmp_path / "x.img", [stored], driver="ENVI")
    header = path.with_suffix(".hdr")
    header.write_text(f"{header.read_text()}reflectance scale factor = 10000.000000\n{line}\n")
    (tmp_path / "x.img.yaml").write_text(
        "sensor: TSX1\nstart: 20110505T172501\nbeam: A\nbands: [HH]\n"
        "radiometry: gamma0\nscale: linear\n"
    )
    if not read:
        with pytest.raises(SceneError, match="scale 1 and the offset 0, its metadata items tell 0"):
            find(tmp_path)
        return
    np.testing.assert_allclose(pixels(find(tmp_path))[0][0], stored / 10_000, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "radiometry", "channel"),
    [
        ("Sigma0_HH", "sigma0", "HH"),
        ("Beta0_VV", "beta0", "VV"),
        ("Gamma0_HV", "gamma0_T", "HV"),
        ("VV", "gamma0_T", "VV"),
        ("gamma0 VH (linear power)", "gamma0_T", "VH"),
        ("Sigma0VV", "sigma0", "VV"),
        ("σ⁰ HH", "sigma0", "HH"),
        ("s0_VV", "sigma0", "VV"),
        ("Gamma0_HH_mst_08Jan2020", "gamma0_T", "HH"),
        ("HHHH", "gamma0_T", "HH"),
        ("HV 08/01/2020", "gamma0_T", "HV"),
        ("HV 01/08/2020", "gamma0_T", "HV"),
        ("HH January 8th, 2020", "gamma0_T", "HH"),
        ("HH 2020-008", "gamma0_T", "HH"),
        ("sigma0 HH Intensität", "sigma0", "HH"),
    ],
)
def test_names_tell_coefficient_and_polarisation(tmp_path, name, radiometry, channel) -> None:
    scene(tmp_path, [speckle(SHAPE)], channel, say=described(name))
    found = find(tmp_path)
    assert (found.radiometry, found.polarisations) == (radiometry, (channel,))


@pytest.mark.parametrize("how", ["description", "unit"])
def test_decibels_by_name_or_unit(tmp_path, how: str) -> None:
    power = speckle(SHAPE)

    def say(raster: Any) -> None:
        if how == "unit":
            raster.units = ("dB",)
        else:
            raster.descriptions = ("Gamma0_HH_db",)

    scene(tmp_path, [(10 * np.log10(power)).astype("f4")], say=say)
    np.testing.assert_allclose(pixels(find(tmp_path))[0][0], power, rtol=1e-5)


@pytest.mark.parametrize("channel", ["VV", "HV", "VH"])
def test_the_name_of_a_file_tells_its_polarisation(tmp_path, channel: str) -> None:
    scene(tmp_path, [speckle(SHAPE)], None, tail=f"_{channel}")
    assert find(tmp_path).polarisations == (channel,)


@pytest.mark.parametrize(
    ("tail", "radiometry"), [("_Sigma0_HV", "sigma0"), ("_beta0_HV", "beta0"), ("_HV", "gamma0_T")]
)
def test_the_name_of_a_file_tells_its_coefficient(tmp_path, tail: str, radiometry: str) -> None:
    scene(tmp_path, [speckle(SHAPE)], None, tail=tail)
    assert find(tmp_path).radiometry == radiometry


@pytest.mark.parametrize(
    ("tail", "match"),
    [
        ("_Amplitude_HV", "no backscatter coefficient by the name of the file"),
        ("_coherence_HV", "no backscatter coefficient by the name of the file"),
        ("_HV_db", "these look linear"),
    ],
)
def test_the_name_of_a_file_that_is_no_power(tmp_path, tail: str, match: str) -> None:
    scene(tmp_path, [speckle(SHAPE)], None, tail=tail)
    with pytest.raises(SceneError, match=match):
        find(tmp_path)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32"])
def test_whole_numbers_without_a_scale_are_no_power(tmp_path, dtype: str) -> None:
    scene(tmp_path, [np.rint(30 * speckle(SHAPE)).astype(dtype)])
    with pytest.raises(SceneUnknown, match="digital numbers, not linear power"):
        find(tmp_path)


def test_numbers_of_colours_are_refused(tmp_path) -> None:
    def say(raster: Any) -> None:
        raster.write_colormap(1, {n: (n, n, n, 255) for n in range(256)})

    values = np.rint(30 * speckle(SHAPE)).astype("u1")
    scene(tmp_path, [values], say=say, photometric="palette")
    with pytest.raises(SceneUnknown, match="numbers of colours"):
        find(tmp_path)


def test_an_alpha_band_that_nothing_names_is_refused(tmp_path) -> None:
    alpha = np.full(SHAPE, 255, "f4")
    alpha[:, :9] = 0
    scene(tmp_path, [speckle(SHAPE), alpha])
    with pytest.raises(SceneImplausible, match="it may be an alpha band"):
        find(tmp_path)


def test_a_fill_value_of_the_authors_beside_a_scale(tmp_path) -> None:
    power = speckle(SHAPE)
    stored = ((power - 1) / 1e-4).astype("f4")
    stored[:9] = -999

    def say(raster: Any) -> None:
        raster.scales, raster.offsets = (1e-4,), (1.0,)

    scene(tmp_path, [stored], say=say)
    assert np.isnan(pixels(find(tmp_path))[0][0][:9]).all()


def test_files_of_two_polarisations_are_not_averaged(tmp_path) -> None:
    hh, hv = speckle(SHAPE, 1), speckle(SHAPE, 2, 0.02)
    scene(tmp_path, [hh], "HH/HV", tail="_HH")
    scene(tmp_path, [hv], "HH/HV", tail="_HV")
    found = find(tmp_path)
    assert found.polarisations == ("HH", "HV")
    np.testing.assert_array_equal(pixels(found)[0], np.stack([hh, hv]))


@pytest.mark.parametrize(
    ("tail", "told"),
    [
        ("_slv_19Jan2020", True),
        ("_20200119T054411", True),
        ("_20190108", True),
        ("_08Jan2020", False),
        ("_20200609T101010", False),
    ],
)
def test_another_day_in_the_name_of_a_file_is_told(tmp_path, tail: str, told: bool) -> None:
    scene(tmp_path, [speckle(SHAPE)], tail=tail)
    assert any("holds another day" in text for text in find(tmp_path).warnings) is told


def test_words_that_are_not_understood_are_told(tmp_path) -> None:
    scene(tmp_path / "a", [speckle(SHAPE)], say=described("Gamma0_HH_mst_08Jan2020"))
    scene(tmp_path / "b", [speckle(SHAPE)], say=described("HH frobnicated"))
    assert find(tmp_path / "a").warnings == ()
    (told,) = find(tmp_path / "b").warnings
    assert "holds `frobnicated`, which is not understood: it is taken for HH" in told


@pytest.mark.parametrize("name", [None, "backscatter"])
def test_one_band_of_two_polarisations_is_not_taken_for_the_first(tmp_path, name) -> None:
    scene(tmp_path, [speckle(SHAPE)], "HH/HV", say=None if name is None else described(name))
    with pytest.raises(SceneUnknown, match="nothing tells which of HH and HV its only band is"):
        find(tmp_path)


def test_one_band_of_two_polarisations_says_which_it_is(tmp_path) -> None:
    hh, hv = speckle(SHAPE, 1), speckle(SHAPE, 2, 0.02)
    scene(tmp_path, [hv], "HH/HV", tail="_b", say=described("Gamma0_HV"))
    scene(tmp_path, [hh], "HH/HV", tail="_a", say=described("Gamma0_HH"))
    np.testing.assert_array_equal(pixels(find(tmp_path))[0], np.stack([hh, hv]))


def test_a_polarisation_is_never_guessed(tmp_path) -> None:
    scene(tmp_path, [speckle(SHAPE), np.zeros(SHAPE, "f4")], None)
    with pytest.raises(SceneUnknown, match="nothing gives the polarisations"):
        find(tmp_path)


@pytest.mark.parametrize("fill", [-9999.0, -99.0, -100.0, -32768.0, 9999.0])
def test_undeclared_fill_values_in_decibels_are_no_data(tmp_path, fill: float) -> None:
    power = speckle(SHAPE)
    values = (10 * np.log10(power)).astype("f4")
    values[:1, :20] = fill
    scene(tmp_path, [values])
    found, flags = pixels(find(tmp_path, scale="dB"))
    assert np.isnan(found[0][0, :20]).all()
    assert (flags[0, :20] == 32).all()
    np.testing.assert_allclose(found[0][1:], power[1:], rtol=1e-4)


@pytest.mark.parametrize(
    ("fill", "scale"),
    [
        (9999, "linear"),
        (999, "linear"),
        (3e38, "linear"),
        (-0.5, "linear"),
        (1e-10, "linear"),
        (-60, "dB"),
        (-50, "dB"),
        (-40, "dB"),
        (9999, "dB"),
        (99, "linear"),
    ],
)
def test_fill_values_that_look_like_power_are_refused(tmp_path, fill: float, scale: str) -> None:
    values = speckle(SHAPE)
    values = (10 * np.log10(values)).astype("f4") if scale == "dB" else values
    values[:16] = fill
    scene(tmp_path, [values])
    with pytest.raises(SceneImplausible, match="not declared as no-data"):
        find(tmp_path, scale=scale)


@pytest.mark.parametrize(
    ("fill", "scale"), [(-30.0, "dB"), (1.0, "dB"), (1.0, "linear"), (0.2, "linear")]
)
@pytest.mark.parametrize(
    "where", ["border", "column", "row", "corner", "hole", "steep", "flat", "other way"]
)
def test_a_value_of_a_whole_region_is_told(tmp_path, fill: float, scale: str, where: str) -> None:
    """It may be backscatter; a value that single pixels share, or clipped noise, is no region."""
    values = speckle(SHAPE)
    if scale == "dB":
        values = 10 * np.log10(values)
    np.clip(values, np.quantile(values, 0.04), None, out=values)
    part = {
        "border": np.s_[:, :2],
        "column": np.s_[:, -1:],
        "row": np.s_[:1],
        "corner": np.s_[:9, :9],
        "hole": np.s_[30:45, 20:50],
        "steep": (np.arange(SHAPE[0]), np.arange(SHAPE[0]) // 5 + 7),
        "flat": (np.arange(SHAPE[1]) // 7 + 3, np.arange(SHAPE[1])),
        "other way": (np.arange(SHAPE[0]), SHAPE[1] - 1 - np.arange(SHAPE[0]) // 3),
    }[where]
    plain = scene(tmp_path / "a", [values, np.zeros_like(values)])
    values[part] = fill
    filled = scene(tmp_path / "b", [values, np.zeros_like(values)])
    for path, count in ((plain, 0), (filled, values[part].size)):
        found = find(path.parent, scale=scale)
        said = f": {count} connected pixels of HH" if count else ""
        assert len(found.warnings) == bool(count)
        assert all(f"{said} " in one and f" {fill:g}" in one for one in found.warnings), (
            found.warnings
        )


def test_no_data_is_compared_as_it_is_stored(tmp_path) -> None:
    """A half float cannot hold the declared −9999; GDAL stores another number."""
    values = (10 * np.log10(speckle(SHAPE))).astype("f4")
    values[:16] = -9999
    path = scene(tmp_path, [values], nodata=-9999, nbits=16)
    with rasterio.open(path) as raster:
        assert -9999 != raster.read(1)[0, 0] < -9990
    found, _ = pixels(find(tmp_path, scale="dB"))
    assert np.isnan(found[0][:16]).all()
    assert not np.isnan(found[0][16:]).any()


@pytest.mark.parametrize(("dtype", "factor"), [("uint16", 1e-4), ("int16", 1e-3)])
def test_the_highest_number_of_a_type_is_a_fill_value(tmp_path, dtype: str, factor: float) -> None:
    stored = np.rint(speckle(SHAPE).clip(1e-3, 3) / factor).astype(dtype)
    stored[:16] = np.iinfo(dtype).max

    def say(raster: Any) -> None:
        raster.scales = (factor,)

    scene(tmp_path, [stored], say=say)
    with pytest.raises(SceneImplausible, match=r"highest number of their type|a fill value"):
        find(tmp_path)


@pytest.mark.parametrize(("mean", "told"), [(1.0, True), (0.3, False)])
def test_values_as_bright_as_amplitudes_are_told(tmp_path, mean: float, told: bool) -> None:
    scene(tmp_path, [speckle(SHAPE, mean=mean)])
    assert any("if its values are amplitudes" in one for one in find(tmp_path).warnings) is told


@pytest.mark.parametrize("median", [55.0, 12.0])
def test_amplitudes_that_nothing_names_are_refused(tmp_path, median: float) -> None:
    scene(tmp_path, [speckle(SHAPE, mean=median * 1.2)])
    with pytest.raises(SceneImplausible, match="digital numbers"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("name", "match"),
    [("Sigma0_HH", "sigma0 by their names, not gamma0_T"), ("Gamma0_HH_db", "dB by their names")],
)
def test_a_sidecar_that_its_raster_contradicts(tmp_path, name: str, match: str) -> None:
    write(tmp_path / "x.tif", [speckle(SHAPE)], say=described(name))
    (tmp_path / "x.tif.yaml").write_text(
        "sensor: TSX1\nstart: 20110505T172501\nbeam: A\nbands: [HH]\n"
        "radiometry: gamma0_T\nscale: linear\n"
    )
    with pytest.raises(SceneUnknown, match=match):
        find(tmp_path)


def test_a_configuration_with_all_its_defaults_told_reads_the_same(tmp_path) -> None:
    scene(tmp_path, [speckle(SHAPE)], say=described("Sigma0_HH"))
    config = run_config(tmp_path, "unused")
    whole = type(config).model_validate(config.model_dump())
    (found,) = discover(whole.ingest, check=True)
    assert found.radiometry == find(tmp_path).radiometry == "sigma0"


FILL = {
    "_FillValue": "0.25",
    "missing_value": "0.25",
    "NODATA_VALUE": "{0.25}",
    "Null Value": "0.25",
    "valid_range": "1e-9, 0.2",
    "VALID_MAX": "0.2",
    "Valid Limits": "[1e-9 .. 0.2f]",
    "fillvalue_HH": "0.25",
}


@pytest.mark.parametrize("item", list(FILL))
def test_fill_values_of_metadata_items_are_no_data(tmp_path, item: str) -> None:
    power = speckle(SHAPE).clip(0, 0.2)
    power[5:9] = 0.25
    scene(tmp_path, [power], say=lambda raster: raster.update_tags(1, **{item: FILL[item]}))
    found, _ = pixels(find(tmp_path))
    assert np.isnan(found[0][5:9]).all()
    np.testing.assert_array_equal(
        np.delete(found[0], slice(5, 9), 0), np.delete(power, slice(5, 9), 0)
    )


def test_what_is_no_data_in_all_bands_is_none(tmp_path) -> None:
    """GDAL's item NODATA_VALUES: a pixel is none where every band has its number."""
    one, two = speckle(SHAPE), speckle(SHAPE, 2)
    one[5:9], two[7:12] = 0.25, 0.125
    path = scene(
        tmp_path,
        [one, two, np.zeros(SHAPE, "f4")],
        "HH/HV",
        say=lambda raster: raster.update_tags(NODATA_VALUES="0.25 0.125 0"),
    )
    found, _ = pixels(find(tmp_path))
    with rasterio.open(path) as raster:
        seen = raster.read_masks(1) > 0
    assert 0 < (~seen).sum() < one.size / 4
    np.testing.assert_array_equal(np.isnan(found[0]), ~seen)


@pytest.mark.parametrize(
    ("items", "match"),
    [
        ({"scale_factor": "0.5"}, "metadata items tell 0.5"),
        ({"add_offset": "{1.0}"}, "metadata items tell None and 1.0"),
        ({"SCALE": "0.01"}, "metadata items tell 0.01"),
        ({"Gain": "2"}, "metadata items tell 2.0"),
        ({"Scale-Factor": "0.5", "OFFSET": "0"}, "metadata items tell 0.5"),
        ({"scale": "dB"}, "these look linear"),
        ({"data_type": "Amplitude"}, "no backscatter coefficient|none of backscatter"),
        ({"rescaling_gain": "0.1"}, "metadata items tell 0.1"),
        ({"Radiometric Scale Factor": "0.1"}, "metadata items tell 0.1"),
        ({"CONTENT": "Interferometric coherence"}, "no backscatter coefficient"),
        ({"tx_rx_pol": "V/V"}, "says it is VV"),
        ({"long_name": "sigma0 amplitude"}, "no backscatter coefficient"),
        ({"NETCDF_VARNAME": "coherence_HH"}, "no backscatter coefficient"),
        ({"polarization": "VV"}, "says it is VV"),
        ({"units": "m"}, "has the unit `m`"),
        ({"acquisition_date": "2020-01-19"}, "of another date than the scene"),
        ({"DATETIME": "2020-01-19T05:44:12"}, "of another date than the scene"),
    ],
)
def test_metadata_items_that_say_otherwise_are_refused(tmp_path, items, match: str) -> None:
    scene(tmp_path, [speckle(SHAPE)], say=lambda raster: raster.update_tags(1, **items))
    with pytest.raises(SceneError, match=match):
        find(tmp_path)


@pytest.mark.parametrize(
    ("items", "match"),
    [
        ({"ORBIT_PASS": "ASCENDING"}, "its pass_direction is ASC"),
        ({"orbitDirection": "A"}, "its pass_direction is ASC"),
        ({"antenna_look": "left"}, "its look_side is L"),
        ({"Satellite": "TDX-1"}, "it is of TDX-1, not of PAZ1"),
        ({"sensing_time": "2020-02-10"}, "acquired 2020-02-10"),
        ({"Processing Date": "2023-02-10", "platform": "PAZ", "order": "L"}, None),
    ],
)
def test_items_of_a_whole_raster(tmp_path, items, match: str | None) -> None:
    scene(tmp_path, [speckle(SHAPE)], say=lambda raster: raster.update_tags(**items))
    if match is None:
        assert find(tmp_path).polarisations == ("HH",)
        return
    with pytest.raises(SceneUnknown, match=match):
        find(tmp_path)


@pytest.mark.parametrize("item", ["NETCDF_DIM_time", "time", "ACQUISITION_DATE"])
def test_bands_of_several_dates_are_not_polarisations(tmp_path, item: str) -> None:
    """Two dates of a NetCDF file as GDAL translates them, beside a table that says HH/HV."""

    def say(raster: Any) -> None:
        for band, day in ((1, "18269"), (2, "18281")):
            raster.update_tags(band, **{item: day, "NETCDF_VARNAME": "gamma0"})

    path = scene(tmp_path, [speckle(SHAPE), speckle(SHAPE, 2) / 5], "HH/HV", say=say)
    rules = {"pattern": r"(?P<sensor>PAZ1)_SAR__SSC______SM_D_SRA_(?P<start>\d{8}T\d{6})"}
    with pytest.raises(SceneUnknown, match="its bands are of 18269 and 18281"):
        find(tmp_path, **rules)
    with rasterio.open(path, "r+") as raster:
        raster.update_tags(2, **{item: "18269"})
    assert find(tmp_path, **rules).polarisations == ("HH", "HV")


@pytest.mark.parametrize("item", ["ACQUISITION_START_TIME", "zero_doppler_start_time"])
def test_a_raster_of_another_day_than_its_name(tmp_path, item: str) -> None:
    for day, right in (("2020-01-08T05:44:12Z", True), ("2021-01-08T05:44:12Z", False)):
        scene(tmp_path, [speckle(SHAPE)], say=lambda one, d=day: one.update_tags(**{item: d}))
        if right:
            assert find(tmp_path).polarisations == ("HH",)
            continue
        with pytest.raises(SceneUnknown, match="it says that it was acquired 2021-01-08"):
            find(tmp_path)


def test_images_behind_the_first_are_not_left_out(tmp_path) -> None:
    """A TIFF file of several pages, as programs write stacks: GDAL opens the first."""
    path = scene(tmp_path, [speckle(SHAPE)])
    second = write(tmp_path / "second.tif", [speckle(SHAPE, 2)])
    copy(str(second), str(path), driver="GTiff", APPEND_SUBDATASET="YES")
    second.unlink()
    with rasterio.open(path) as raster:
        assert len(raster.subdatasets) == 2
    with pytest.raises(SceneUnknown, match="it holds 2 images, of which one would be read"):
        find(tmp_path)


def test_items_that_repeat_the_raster_s_own_scale_count_once(tmp_path) -> None:
    stored = np.rint(10 * np.log10(speckle(SHAPE).clip(1e-3, 3)) * 100).astype("i2")

    def say(raster: Any) -> None:
        raster.scales = (0.01,)
        raster.update_tags(1, scale_factor="0.01", add_offset="0", units="dB")

    scene(tmp_path, [stored], say=say)
    found, _ = pixels(find(tmp_path))
    expected = np.where(stored == 0, np.nan, 10 ** (stored * 0.01 / 10))
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("amplitude", "no backscatter coefficient by the name of the file"),
        ("Coherence", "no backscatter coefficient by the name of the file"),
        ("VV", "it is VV by the name of the file"),
        ("dB", "these look linear"),
    ],
)
def test_names_by_a_pattern_say_what_values_are(tmp_path, name: str, match: str) -> None:
    write(tmp_path / f"x_20200108T054412_{name}.tif", [speckle(SHAPE)])
    rules = {"pattern": r"x_(?P<start>\d{8}T\d{6})", "sensor": "X1", "beam": "b", "bands": ["HH"]}
    with pytest.raises(SceneError, match=match):
        find(tmp_path, **rules)
    (tmp_path / f"x_20200108T054412_{name}.tif").rename(tmp_path / "x_20200108T054412_mean_i.tif")
    assert find(tmp_path, **rules).polarisations == ("HH",)
