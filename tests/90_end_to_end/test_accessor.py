"""`dataset.cpazmal` on what the catalog opens, and bars in notebooks."""

from __future__ import annotations

import contextlib
from pathlib import Path

import h5py
import intake
import nbformat
import numpy as np
import pyproj
import pytest
import rasterio
import xarray as xr
from nbclient import NotebookClient

import cpazmal_scale.catalog.accessor  # noqa: F401  # `.cpazmal` on what intake opens
from cpazmal_scale import catalog
from cpazmal_scale.cli.console import bars, short
from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import open_cube
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.mapping import open_map
from cpazmal_scale.model import open_model
from cpazmal_scale.palette import rgb
from cpazmal_scale.stages.notebook import picture


@pytest.fixture(scope="module")
def home(finished_run: Path) -> str:
    return str(RunConfig.load(finished_run).workspace)


@pytest.fixture
def glacier_map(home: str):
    return catalog.read(home, "map_DSC37")


def place(data, row: int = 100, column: int = 120) -> tuple[float, float]:
    return float(data["y"][row]), float(data["x"][column])


def test_a_map_is_drawn_with_its_legend(glacier_map, home: str) -> None:
    figure = glacier_map.cpazmal.plot()
    (image,) = figure.axes[0].get_images()
    stored = open_map(glacier_map.encoding["source"])["class"].values
    codes = list(glacier_map["class_name"].values)
    colour = glacier_map.cpazmal.legend.colours
    for value, code in enumerate(codes, 1):
        drawn = np.asarray(image.get_array())[stored == value]
        assert (drawn == rgb(colour[code])).all()
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    others = [
        name for value, name in ((254, "rejected"), (255, "no data")) if (stored == value).any()
    ]
    assert texts == [*(glacier_map.cpazmal.legend.label(code) for code in codes), *others]
    assert "no data" in texts
    for other in (
        glacier_map.transpose("class_name", "x", "y"),
        glacier_map.sel(class_name="ABL"),
        glacier_map.sel(class_name=["ROC", "ACC"]),
        glacier_map[["class"]],
    ):
        axis = other.cpazmal.plot().axes[0]
        np.testing.assert_array_equal(axis.get_images()[0].get_array(), image.get_array())
    left, dx, _, top, _, dy = map(float, glacier_map["spatial_ref"].attrs["GeoTransform"].split())
    rows, columns = stored.shape
    whole = np.array([left, left + columns * dx, top + rows * dy, top])
    np.testing.assert_allclose(np.array(image.get_extent()) * 1000, whole, rtol=1e-12)
    turned = glacier_map.isel(y=slice(None, None, -1)).cpazmal.plot().axes[0]
    assert turned.get_ylim() == figure.axes[0].get_ylim()
    part = glacier_map.isel(y=slice(10, 50), x=slice(20, 70)).cpazmal.plot()
    (image,) = part.axes[0].get_images()
    assert image.get_array().shape[:2] == (40, 50)
    window = np.array([left + 20 * dx, left + 70 * dx, top + 50 * dy, top + 10 * dy])
    np.testing.assert_allclose(np.array(image.get_extent()) * 1000, window, rtol=1e-12)


@pytest.mark.parametrize(
    ("crs", "factor", "label"),
    [("EPSG:32632", 0.001, "x (km)"), (2263, 0.3048006096 / 1000, "x (km)"), (4326, 1, "°")],
)
def test_axes_have_the_unit_of_the_reference_system(glacier_map, crs, factor, label) -> None:
    """Metres that look like degrees are metres."""
    near = glacier_map.assign_coords(
        x=np.arange(glacier_map.sizes["x"]) + 0.5, y=90.5 - np.arange(glacier_map.sizes["y"]) / 9
    )
    near["spatial_ref"].attrs |= pyproj.CRS.from_user_input(crs).to_cf()
    axis = near.cpazmal.plot().axes[0]
    assert label in axis.get_xlabel()
    (image,) = axis.get_images()
    np.testing.assert_allclose(image.get_extent()[1], near.sizes["x"] * factor, rtol=1e-6)


def test_a_class_is_that_of_the_pixel_around_a_place(glacier_map) -> None:
    left, dx, _, top, _, dy = map(float, glacier_map["spatial_ref"].attrs["GeoTransform"].split())
    values = open_map(glacier_map.encoding["source"])["class"].values
    names = {**dict(enumerate(glacier_map["class_name"].values, 1)), 254: "rejected"}
    for row, column in ((0, 0), (100, 120), (values.shape[0] - 1, values.shape[1] - 1)):
        for beside in (0.01, 0.99):
            at = top + (row + beside) * dy, left + (column + beside) * dx
            wanted = names.get(int(values[row, column]), "no data")
            assert glacier_map.cpazmal.class_at(*at) == wanted
    inside = top + 3 * dy, left + 3 * dx
    for beyond in ((top - 0.6 * dy, inside[1]), (inside[0], left - 1e6), (float("nan"), inside[1])):
        with pytest.raises(ConfigError, match="no pixel at"):
            glacier_map.cpazmal.class_at(*beyond)


def test_what_is_no_whole_map_is_refused_in_one_sentence(glacier_map, home: str) -> None:
    at = place(glacier_map)
    cube = catalog.read(home, "cube_DSC37")
    for ask in (
        lambda: cube.cpazmal.class_at(*at),
        lambda: cube.cpazmal.legend,
        lambda: cube.cpazmal.series(*at),
        lambda: cube.cpazmal.alignment(*at),
        lambda: glacier_map[["probability"]].cpazmal.class_at(*at),
        lambda: xr.Dataset().cpazmal.class_at(*at),
        lambda: xr.Dataset().cpazmal.plot(),
        lambda: glacier_map.drop_vars("spatial_ref").cpazmal.plot(),
        lambda: glacier_map.drop_vars("spatial_ref").cpazmal.series(*at),
        lambda: glacier_map.assign_attrs(recipe="{}").cpazmal.series(*at),
        lambda: cube.drop_vars("spatial_ref").cpazmal.plot(),
    ):
        with pytest.raises(ConfigError):
            ask()
    for part in ({"y": slice(0, 0)}, {"x": slice(0, 0)}, {"y": 3}, {"y": 3, "x": 4}):
        small = glacier_map.isel(part)
        with pytest.raises(ConfigError):
            small.cpazmal.plot()
        for name in ("class_at", "series", "alignment"):
            with pytest.raises(ConfigError):
                getattr(small.cpazmal, name)(*at)
    bare = glacier_map.drop_vars("spatial_ref")
    assert bare.cpazmal.class_at(*at) == glacier_map.cpazmal.class_at(*at)


def test_a_cube_is_drawn(home: str) -> None:
    cube = catalog.read(home, "cube_DSC37")
    for some in (cube, cube.isel(time=0), cube.mean("time", keep_attrs=True), cube.drop_vars("HH")):
        assert some.cpazmal.plot().axes[0].get_images()
    noisy = cube.copy(deep=False)
    noisy["HH"] = cube["HH"].where(cube["HH"].y > cube["y"].values[4], -1e-4)
    axis, scale = noisy.cpazmal.plot().axes
    (image,) = axis.get_images()
    assert (np.asarray(image.get_array())[4:] == image.norm.vmin).all()
    assert "black also where it is not positive, " in scale.get_ylabel()
    (image,) = cube.cpazmal.plot().axes[0].get_images()
    (turned,) = cube.transpose("x", "y", "time").cpazmal.plot().axes[0].get_images()
    np.testing.assert_allclose(turned.get_array(), image.get_array(), rtol=1e-5)
    for other in (cube.drop_vars(["HH", "HV"]), cube.rename(x="lon", y="lat")):
        with pytest.raises(ConfigError, match="neither a map nor a cube"):
            other.cpazmal.plot()
    with pytest.raises(ConfigError, match="no map of classes"):
        cube.cpazmal.series(0, 0)
    with pytest.raises(ConfigError, match="neither a map nor a cube"):
        catalog.read(home, "model_DSC37").cpazmal.plot()


def test_a_pixels_series_are_those_of_the_map(glacier_map, home: str) -> None:
    y, x = place(glacier_map)
    figure = glacier_map.cpazmal.series(y, x)
    code = glacier_map.cpazmal.class_at(y, x)
    north, east = (f"{round(at):,}".replace(",", "\u202f") for at in (y, x))
    assert figure.get_suptitle().startswith(f"y {north} m, x {east} m: {code} ")
    model = open_model(f"{home}/models/{glacier_map.attrs['model']}.zarr")
    cube = open_cube(f"{home}/cubes/DSC37.zarr", start="2020-01-08")
    place_of = {"y": slice(97, 104), "x": slice(117, 124)}
    seen = (cube["mask"].isel(place_of) & model.features.excluded) == 0
    window = cube["HH"].isel(place_of).where(seen)
    mean = np.log(window.clip(min=model.features.floor)).mean(("y", "x")) / 2
    lines = figure.axes[0].get_lines()
    assert len(lines) == len(model.classes) + 1
    drawn = np.asarray(lines[-1].get_ydata())
    assert drawn.size > 5
    np.testing.assert_allclose(drawn, mean.values[-drawn.size :], rtol=1e-4)
    stored = catalog.read(home, f"model_DSC37@{model.id}")
    typical = (stored["barycenters"] * stored["scale"] + stored["mean"]).sel(feature="HH.k1")
    for line, values in zip(lines, typical.values[:, 0], strict=False):
        np.testing.assert_allclose(line.get_ydata(), values, rtol=1e-4)


def test_alignment_shows_a_pixel_and_a_class(glacier_map) -> None:
    y, x = place(glacier_map)
    assert glacier_map.cpazmal.alignment(y, x, "ABL", feature="HH.k1").axes
    values = open_map(glacier_map.encoding["source"])["class"].values
    nothing = place(glacier_map, *np.argwhere(values == 255)[0])
    with pytest.raises(ConfigError, match=r"has no class \(no data\); name one as `code`: ABL"):
        glacier_map.cpazmal.alignment(*nothing)
    with pytest.raises(ConfigError, match="no class ROCK; choose among ABL"):
        glacier_map.cpazmal.alignment(y, x, "ROCK")
    with pytest.raises(ConfigError, match="no window of 7 x 7 pixels around"):
        glacier_map.cpazmal.series(*place(glacier_map, 0, 0))


def test_what_intake_opens_has_it_too(home: str) -> None:
    opened = intake.open_catalog(f"{home}/catalog.yaml")["map_DSC37"].read()
    y, x = place(opened)
    assert opened.cpazmal.series(y, x, home).axes
    assert opened.cpazmal.plot().axes


def test_all_that_is_opened_is_written_as_netcdf(home: str, tmp_path: Path) -> None:
    index = intake.open_catalog(f"{home}/catalog.yaml")
    names = ("cube_DSC37", "map_DSC37", "model_DSC37")
    opened = [index[name].read() for name in names]
    opened += [catalog.read(home, name) for name in names]
    url = opened[4].encoding["source"]
    opened += [open_map(url), xr.open_zarr(url, decode_coords="all")]
    opened += [open_cube(f"{home}/cubes/DSC37.zarr")]
    for whole in opened:
        part = {name: slice(100, 120) for name in ("y", "x") if name in whole.dims}
        written = whole.isel(part)
        written.to_netcdf(f"{tmp_path}/a.nc")
        with xr.open_dataset(f"{tmp_path}/a.nc", decode_coords="all") as found:
            assert found.rio.crs == written.rio.crs
            for name, values in written.data_vars.items():
                expected = xr.conventions.decode_cf_variable(name, values.variable).values
                np.testing.assert_array_equal(found[name].values, expected, err_msg=name)
        with h5py.File(f"{tmp_path}/a.nc") as file:  # NetCDF has no numbers of two bytes
            assert not [name for name, held in file.items() if held.dtype == np.float16]


def test_a_map_s_variables_are_rasters_and_tables(glacier_map, tmp_path: Path) -> None:
    part = glacier_map.isel(y=slice(100, 120), x=slice(100, 130))
    for name, values in part.data_vars.items():
        values.rio.to_raster(f"{tmp_path}/{name}.tif")
        with rasterio.open(f"{tmp_path}/{name}.tif") as file:
            assert file.crs.to_epsg() == part.rio.crs.to_epsg()
            assert file.transform == part.rio.transform()
    assert len(part["distance"].to_dataframe()) == 600
    with pytest.raises(ConfigError, match="neither a map nor a cube"):
        xr.concat([part, part], "year").cpazmal.plot()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_run_in_a_notebook_shows_bars(finished_run: Path) -> None:
    source = (
        "import cpazmal_scale\n"
        f"config = cpazmal_scale.RunConfig.load({str(finished_run)!r})\n"
        "made = cpazmal_scale.run(config, only=['ingest'])"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, timeout=500).execute()
    (output,) = notebook.cells[0]["outputs"]
    assert "ingest the scenes" in output["data"]["text/html"]
    assert "<progress" in output["data"]["text/html"]


def test_bars_fit_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No number is cut on 80 characters, and an error before the first step leaves no bar."""
    monkeypatch.setenv("COLUMNS", "80")
    with bars("classify the pixels") as (progress,):
        progress(123_400_000, 123_400_000)
    said = capsys.readouterr().err
    assert "123M/123M" in said
    assert "…" not in said
    assert max(map(len, said.splitlines())) <= 80

    def refused(done: int) -> str:
        with contextlib.suppress(ConfigError), bars("fuse the maps", "later") as (progress, _):
            if done:
                progress(done, 3)
            raise ConfigError("a fusion needs two different maps")
        return capsys.readouterr().err

    assert "fuse" not in refused(0)
    assert "1/3" in refused(1)
    values = (0, 9.94, 9.96, 9999, 9999.6, 65_536, 999_600, 5e13)
    texts = ["0", "9.9", "10", "9999", "10k", "65.5k", "1M", "50T"]
    assert [short(value) for value in values] == texts


def test_titles_of_bars_are_text() -> None:
    assert "<script>" not in picture(("<script>",), [(1, 2)], 0.0)
    assert picture(("later",), [(0, 0)], 0.0) == ""
