"""SNAP's BEAM-DIMAP products: what their document tells, what is read, what is refused."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from support.scenes_factory import row, run_config, speckle, write_table
from support.snap_factory import PIXEL, PRODUCT, write_dimap

from cpazmal_scale import storage
from cpazmal_scale.cube import ingest_scenes, open_cube
from cpazmal_scale.errors import SceneError, SceneUnknown, SceneUnreadable, StoreError
from cpazmal_scale.scenes import Scene, SceneReader, discover
from cpazmal_scale.scenes.reading import read

SHAPE = (40, 60)


def bands() -> dict[str, np.ndarray]:
    """What the authors' chain leaves: terrain-flattened backscatter, mask and angles."""
    hh, hv = speckle(SHAPE, 1), speckle(SHAPE, 2, 0.05)
    hh[:, :7] = hv[:, :7] = 0
    mask = np.zeros(SHAPE)
    mask[10:14], mask[20:24], mask[30:34] = 1, 2, 3
    angles = np.linspace(36.8, 38, SHAPE[1]) * np.ones((SHAPE[0], 1))
    return {
        "Gamma0_HH": hh,
        "Gamma0_HV": hv,
        "elevation": 2000 * np.ones(SHAPE),
        "layover_shadow_mask": mask,
        "localIncidenceAngle": angles + 10,
        "incidenceAngleFromEllipsoid": angles,
    }


def find(folder: Path | str, **naming: object) -> list[Scene]:
    return discover(run_config(folder, "unused", **{"beam": "DSC37", **naming}).ingest, check=True)


def test_the_document_tells_everything_but_the_beam(tmp_path) -> None:
    write_dimap(tmp_path, bands())
    with pytest.raises(SceneUnknown, match="viewing geometry is unknown"):
        discover(run_config(tmp_path, "unused").ingest)
    write_table(tmp_path, [row("20200108T054412", angle=37.45)])
    (scene,) = discover(run_config(tmp_path, "unused").ingest, check=True)
    assert (scene.id, scene.sensor, scene.beam) == (PRODUCT, "PAZ1", "DSC37")
    assert str(scene.start) == "2020-01-08 05:44:12+00:00"
    assert str(scene.stop) == "2020-01-08 05:44:19+00:00"
    assert (scene.pass_direction, scene.look_side) == ("DSC", "R")
    assert (scene.radiometry, scene.incidence_angle) == ("gamma0_T", 37.45)
    assert scene.polarisations == ("HH", "HV")
    assert str(scene.geobox.crs) == "EPSG:4326"
    assert scene.geobox.transform.a == pytest.approx(PIXEL, rel=1e-12)


def test_pixels_flags_and_angles_come_back(tmp_path) -> None:
    given = bands()
    write_dimap(tmp_path, given)
    (scene,) = find(tmp_path)
    assert scene.incidence_angle == pytest.approx(37.4)
    power, mask = read(scene, scene.geobox, (0, 40))
    for channel, name in enumerate(("Gamma0_HH", "Gamma0_HV")):
        expected = np.where(given[name] == 0, np.nan, given[name]).astype("f4")
        np.testing.assert_array_equal(power[channel], expected)
    valid = given["Gamma0_HH"] != 0
    np.testing.assert_array_equal(mask, np.where(valid, given["layover_shadow_mask"], 32))
    with SceneReader(scene, scene.geobox) as reader:
        angles = reader.incidence(5, 9)
    np.testing.assert_allclose(angles, given["incidenceAngleFromEllipsoid"][5:9], rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "operator", "asked", "expected"),
    [
        ("Sigma0", "Terrain-Correction", {}, "sigma0"),
        ("Gamma0", "Terrain-Correction", {}, "gamma0"),
        ("Beta0", "Terrain-Flattening", {"radiometry": "beta0"}, "beta0"),
    ],
)
def test_radiometry_by_band_name_and_processing(tmp_path, kind, operator, asked, expected) -> None:
    write_dimap(tmp_path, {f"{kind}_VV": speckle(SHAPE)}, operator=operator)
    (scene,) = find(tmp_path, **asked)
    assert (scene.radiometry, scene.polarisations) == (expected, ("VV",))


def test_decibels_are_told_by_name_or_unit_and_linear_goes_before(tmp_path) -> None:
    power = speckle(SHAPE, 3)
    write_dimap(tmp_path, {"Sigma0_HH_db": 10 * np.log10(power)}, unit="intensity_db")
    (scene,) = find(tmp_path)
    np.testing.assert_allclose(read(scene, scene.geobox, (0, 40))[0][0], power, rtol=1e-5)
    write_dimap(tmp_path, {"Sigma0_HH": 10 * np.log10(power)}, unit="decibel")
    (scene,) = find(tmp_path)
    np.testing.assert_allclose(read(scene, scene.geobox, (0, 40))[0][0], power, rtol=1e-5)
    both = {"Sigma0_HH_db": 10 * np.log10(power), "Sigma0_HH": power}
    write_dimap(tmp_path, both)
    (scene,) = find(tmp_path)
    assert scene.files[0].url.endswith("/Sigma0_HH.img")


@pytest.mark.parametrize("href", ["winter%20a.data/", "winter a.data/"])
def test_a_name_with_a_blank(tmp_path, href: str) -> None:
    path = write_dimap(tmp_path, bands(), stem="winter a")
    path.write_text(path.read_text().replace('href="winter a.data/', f'href="{href}'))
    assert find(tmp_path)[0].polarisations


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (('href="winter.data/', 'href="winter.data%2F..%2F'), "which is not in winter.data"),
        (("Gamma0_", "Intensity_"), "no band is calibrated backscatter"),
        (('href="winter.data/', 'href="../../etc/'), "which is not in winter.data"),
        (('href="winter.data/', 'href="winter.data/../'), "which is not in winter.data"),
        (("<SCALING_FACTOR>1.0", "<SCALING_FACTOR>0.01"), "values of Gamma0_HH are scaled"),
        (("<NROWS>40", "<NROWS>41"), "40 x 60 pixels, but its product promises 41 x 60"),
        (("08-JAN-2020", "45-JAN-2020"), "is not a time"),
        (('name="MISSION"', 'name="PASSION"'), "tell no mission"),
        (("Dimap_Document", "Dimap_Dokument"), "not <Dimap_Document>"),
        (("</Dimap_Document>", ""), "not well-formed"),
        (
            ("<Dimap_Document", '<!DOCTYPE x [<!ENTITY a "aaaa">]><Dimap_Document'),
            "document type or entities",
        ),
    ],
)
def test_hostile_and_wrong_documents_are_refused(tmp_path, change, match: str) -> None:
    path = write_dimap(tmp_path, bands())
    path.write_text(path.read_text().replace(*change))
    began = time.process_time()
    with pytest.raises(SceneError, match=match) as error:
        find(tmp_path)
    assert time.process_time() - began < 5
    assert "\n" not in str(error.value)


def test_lost_and_cut_rasters_are_refused(tmp_path) -> None:
    write_dimap(tmp_path, bands())
    image = tmp_path / "winter.data" / "Gamma0_HV.img"
    whole = image.read_bytes()
    for cut in np.linspace(0, len(whole) - 1, 20).astype(int):
        image.write_bytes(whole[:cut])
        with pytest.raises(SceneUnreadable):
            find(tmp_path)
    image.unlink()
    with pytest.raises((SceneError, StoreError)):
        find(tmp_path)


def test_a_product_on_s3_goes_into_a_cube_with_the_same_values(tmp_path, s3_url: str) -> None:
    write_dimap(tmp_path, bands())
    for path in (one for one in tmp_path.rglob("*") if one.is_file()):
        storage.write_bytes(f"{s3_url}/in/{path.relative_to(tmp_path)}", path.read_bytes())
    there = ingest_scenes(run_config(f"{s3_url}/in", f"{s3_url}/ws", beam="DSC37")).cubes[0]
    here = ingest_scenes(run_config(tmp_path, tmp_path / "ws", beam="DSC37")).cubes[0]
    one, other = open_cube(there.url), open_cube(here.url)
    assert one.attrs["state"] == other.attrs["state"]
    np.testing.assert_array_equal(one.HV, other.HV)
    assert one.attrs["radiometry"] == "gamma0_T"


@pytest.mark.parametrize(
    "names",
    [
        ("Gamma0_HH_mst_08Jan2020", "Gamma0_HH_slv1_19Jan2020", "Gamma0_HH_slv2_30Jan2020"),
        ("Sigma0_HH_slv1_19Jan2020", "Sigma0_HH_mst_08Jan2020"),
        ("Gamma0_HH_ref_08Jan2020", "Gamma0_HH_sec1_19Jan2020"),
        ("Gamma0_HH", "Gamma0_HH_slv1_19Jan2020"),
    ],
)
def test_a_coregistered_stack_is_no_scene(tmp_path, names: tuple[str, ...]) -> None:
    write_dimap(tmp_path, {name: speckle(SHAPE, at) for at, name in enumerate(names)})
    with pytest.raises(SceneUnknown, match="a stack of several dates"):
        find(tmp_path)


@pytest.mark.parametrize(
    "other",
    ["Gamma0_HH_GLCMMean", "Gamma0_HH_Contrast", "Gamma0_HH_imag", "Gamma0_HH_std", "Phase_HH"],
)
@pytest.mark.parametrize("first", [True, False])
def test_bands_made_of_backscatter_are_left_alone(tmp_path, other: str, first: bool) -> None:
    power = speckle(SHAPE, 1)
    pair = [("Gamma0_HH", power), (other, 50 * speckle(SHAPE, 2))]
    write_dimap(tmp_path, dict(pair if first else pair[::-1]))
    (scene,) = find(tmp_path)
    np.testing.assert_array_equal(read(scene, scene.geobox, (0, 40))[0][0], power)
    write_dimap(tmp_path, {other: power})
    with pytest.raises(SceneUnknown, match="no band is calibrated backscatter"):
        find(tmp_path)


def test_two_swaths_are_not_one_band(tmp_path) -> None:
    write_dimap(tmp_path, {"Gamma0_IW1_VV": speckle(SHAPE), "Gamma0_IW2_VV": speckle(SHAPE, 1)})
    with pytest.raises(SceneUnknown, match="Gamma0_IW1_VV and Gamma0_IW2_VV are both VV"):
        find(tmp_path)


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "Infinity", "0.0", "1e400", "  ", None])
def test_no_data_that_is_no_number(tmp_path, value: str | None) -> None:
    path = write_dimap(tmp_path, {"Gamma0_HH": speckle(SHAPE)})
    tag = "" if value is None else f"<NO_DATA_VALUE>{value}</NO_DATA_VALUE>"
    path.write_text(path.read_text().replace("<NO_DATA_VALUE>0.0</NO_DATA_VALUE>", tag))
    (scene,) = find(tmp_path)
    assert not np.isnan(read(scene, scene.geobox, (0, 40))[0]).any()


@pytest.mark.parametrize(
    ("term", "known"),
    [
        ("Gamma0_HH != 0.0", True),
        ("Gamma0_HH.raw > 0", True),
        ("!nan(Gamma0_HH)", True),
        ("not nan(Gamma0_HH) and Gamma0_HH != 0", True),
        ("(fneq(Gamma0_HH.raw, 0.0) &amp;&amp; !inf('Gamma0_HH'))", True),
        ("!nan(Gamma0_HV)", False),
        ("nan(Gamma0_HH)", False),
        ("fneq(Gamma0_HH, 0.1)", False),
        ("!nan(Gamma0_HH) or Gamma0_HH != 0", False),
        ("!(Gamma0_HH != 0)", False),
        ("Gamma0_HH != 0 &amp;&amp; elevation &gt; 2000", False),
        ("elevation &gt; 2000", False),
        ("Gamma0_HV != 0.0", False),
        ("!layover_shadow_mask", False),
    ],
)
def test_expressions_that_hide_pixels(tmp_path, term: str, known: bool) -> None:
    path = write_dimap(tmp_path, {"Gamma0_HH": speckle(SHAPE)})
    tag = f"<VALID_MASK_TERM>{term.replace(' > ', ' &gt; ')}</VALID_MASK_TERM>"
    path.write_text(
        path.read_text().replace("  </Spectral_Band_Info>", f"{tag}</Spectral_Band_Info>")
    )
    if known:
        find(tmp_path)
        return
    with pytest.raises(SceneUnknown, match="hides pixels of Gamma0_HH"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("where", "told", "scaled"),
    [
        ("hdr", "data gain values = {1.0}", "data gain values = {0.5}"),
        ("hdr", "data offset values = {0.0}", "data offset values = {0.1}"),
        ("dim", "<SCALING_FACTOR>1.0<", "<SCALING_FACTOR>1.0E-4<"),
        ("dim", "<SCALING_OFFSET>0.0<", "<SCALING_OFFSET>-83.0<"),
        ("dim", "<LOG10_SCALED>false<", "<LOG10_SCALED>true<"),
    ],
)
def test_values_that_a_product_scales(tmp_path, where: str, told: str, scaled: str) -> None:
    """A band's value is 10 to the power of factor × number + offset, or that without the power."""
    document = write_dimap(tmp_path, bands())
    find(tmp_path)
    path = document if where == "dim" else tmp_path / "winter.data" / "Gamma0_HH.hdr"
    text = path.read_text()
    assert told in text
    path.write_text(text.replace(told, scaled, 1))
    with pytest.raises(SceneUnknown, match="scale"):
        find(tmp_path)
