"""What a person wants to know of a scene before using it: a card, and a quick-look picture."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.grid import lattice
from cpazmal_scale.pictures import png
from cpazmal_scale.scenes.inspect.overview import Overview, overview
from cpazmal_scale.scenes.level1b.placing import ground_spacing
from cpazmal_scale.scenes.level1b.product import Product
from cpazmal_scale.scenes.level1b.radiometry import noise_beta0
from cpazmal_scale.scenes.level1b.reader import ProductReader, open_product
from cpazmal_scale.scenes.level1b.speckle import equivalent_looks
from cpazmal_scale.scenes.scene import Scene
from cpazmal_scale.terrain.ellipsoid import EARTH_RADIUS
from cpazmal_scale.terrain.orbit import LIGHT
from cpazmal_scale.terrain.places import share
from cpazmal_scale.words import box, coefficient

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

Rows = list[tuple[str, str]]

_SIDES = {"R": "right", "L": "left", None: "unknown side"}
_PASSES = {"ASC": "ascending", "DSC": "descending", None: "unknown direction"}
_INK, _FAINT, _NO_DATA = "#1d2126", "#6b7280", "#dfe3e8"
_STRETCH = (2.0, 99.5)
_PANEL = 5.6


def scene_card(scene: Scene, seen: Overview) -> Rows:
    """Label and text of every line of a scene's card.

    Raises:
        SceneUnreadable: a product's files contradict each other.
    """
    rows = [
        ("product", scene.id),
        ("acquired", _period(scene)),
        (
            "beam",
            f"{scene.beam}: {_PASSES[scene.pass_direction]}, looking {_SIDES[scene.look_side]}",
        ),
    ]
    for file in scene.files:
        if file.product is not None:
            with open_product(file.product, file.geobox) as reader:
                reader.compare()
                rows += _annotated(file.product, reader)
    if all(file.product is None for file in scene.files):
        rows += _described(scene)
    rows += _on_the_map(scene)
    looks = equivalent_looks(scene, scene.geobox)
    if looks is not None:
        rows.append(("looks", f"{looks:.2f} equivalent looks a pixel, neighbours correlated"))
    rows += _values(scene, seen)
    rows.append(("sha256", scene.source_sha256))
    notes = {file.product.note for file in scene.files if file.product} - {""}
    return rows + [("note", note) for note in (*sorted(notes), *scene.warnings)]


def _period(scene: Scene) -> str:
    stop = "" if scene.stop is None else f" to {scene.stop:%H:%M:%S}"
    return f"{scene.start:%Y-%m-%d %H:%M:%S}{stop} UTC by {scene.sensor}"


def _described(scene: Scene) -> Rows:
    rows = []
    if not math.isnan(scene.incidence_angle):
        rows.append(("incidence", f"{scene.incidence_angle:.1f}° at centre"))
    if scene.resolution is not None:
        rows.append(
            ("resolution", "{:.1f} m in range, {:.1f} m in azimuth".format(*scene.resolution))
        )
    files = [f"{file.url.rsplit('/', 1)[-1]} ({', '.join(file.bands)})" for file in scene.files]
    return [*rows, ("files", "\n".join(files))]


def _resolution(across: float, along: float) -> str:
    return f"{across:.1f} m in range, {along:.1f} m in azimuth"


def _annotated(product: Product, reader: ProductReader) -> Rows:
    told = product.annotation
    raster = told.raster
    across = ground_spacing(told)
    return [
        (
            "orbit",
            (
                f"relative {told.relative_orbit}, absolute {told.absolute_orbit}, cycle "
                f"{told.orbit_cycle}; {len(told.orbit)} state vectors ({told.orbit_accuracy})"
            ),
        ),
        (
            "image",
            (
                f"{told.variant} {told.mode}, {raster.lines} lines x {raster.samples} samples "
                f"({across[0]:.2f} m x {across[1]:.2f} m on the ground), as annotated"
            ),
        ),
        (
            "processor",
            (
                f"{told.generator} on {told.generation_time:%Y-%m-%d}; flagged noise-corrected: "
                f"{'yes' if 'noiseCorrectedFlag' in told.processing.flags else 'no'}"
            ),
        ),
        ("resolution", _resolution(raster.range_resolution, raster.azimuth_resolution)),
        *_geometry(product, reader),
        *_elevation(reader),
        *_noise(product, reader),
    ]


def _geometry(product: Product, reader: ProductReader) -> Rows:
    """Angles, heights and how well the annotated grid fits the orbit."""
    told, grid = product.annotation, reader.geolocation.grid
    delay, heights = reader.geolocation.delay, reader.geolocation.heights
    return [
        (
            "incidence",
            (
                f"{told.centre.incidence_angle:.1f}° at centre, {grid.inc.min():.1f}° to "
                f"{grid.inc.max():.1f}°"
            ),
        ),
        (
            "heights",
            (
                f"{heights.min():.0f} m to {heights.max():.0f} m, "
                f"{told.average_height:.0f} m on average"
            ),
        ),
        (
            "geolocation",
            (
                f"grid of {grid.shape[0]} x {grid.shape[1]} points agrees with the orbit; delays "
                f"{1e6 * delay[0]:.0f} µs in azimuth, {delay[1] * LIGHT / 2:.2f} m in range"
                f"{_expected(reader)}"
            ),
        ),
    ]


def _expected(reader: ProductReader) -> str:
    """How far an image would lie from its ground without its delays, in words."""
    if not reader.product.in_radar_geometry:
        return ""
    told, where = reader.product.annotation, reader.geolocation
    orbit, (late, far) = where.orbit, where.delay
    distance = float(np.linalg.norm(orbit.position(where.first)))
    speed = float(np.linalg.norm(orbit.velocity(where.first))) * EARTH_RADIUS / distance
    across = far * LIGHT / 2 / math.sin(math.radians(told.centre.incidence_angle))
    return f": {abs(late * speed):.1f} m and {across:.1f} m on the ground"


def _elevation(reader: ProductReader) -> Rows:
    """What the elevation raster is, and how it agrees with the product's own heights."""
    if reader.elevation is None:
        return []
    difference = "not compared with the product's own heights: too few points"
    if reader.difference is not None:
        steep = math.tan(math.radians(reader.product.annotation.centre.incidence_angle))
        shift = abs(reader.difference.median) / steep
        difference = f"{reader.difference}; as much shifts it by {shift:.1f} m across the track"
    known = share(reader.elevation, reader.geobox)
    lacks = "" if known == 1 else f"; no height for {1 - known:.1%} of the scene"
    return [("elevation", f"{reader.elevation.dem.url}; {difference}{lacks}")]


def _noise(product: Product, reader: ProductReader) -> Rows:
    """Calibration factor and noise at near, middle and far range of every layer."""
    grid = reader.geolocation.grid
    told = product.annotation
    tau = np.linspace(told.first_range_time, told.last_range_time, 3)
    rows = []
    for layer in told.layers:
        noise = noise_beta0(layer, grid.reference_time, np.array(grid.lines.mean()), tau)
        text = " / ".join(f"{10 * math.log10(one):.1f}" if one > 0 else "none" for one in noise)
        rows.append(
            (
                f"calibration {layer.polarisation}",
                f"ks {layer.cal_factor:.5g}; noise β0 near / middle / far {text} dB",
            )
        )
    return rows


def _on_the_map(scene: Scene) -> Rows:
    height, width = scene.geobox.shape
    bounds = lattice.bounds_in(scene.geobox, "EPSG:4326", where=scene.id)
    step = abs(scene.geobox.transform.a)
    return [
        (
            "grid",
            (
                f"{height} x {width} pixels of {step:.9g} {'°' if step < 0.1 else 'm'}, "
                f"{scene.geobox.crs}"
            ),
        ),
        ("place", box(bounds, 3)),
        ("values", f"{coefficient(scene.radiometry)}, linear power"),
        *([("processing", scene.processing)] if scene.processing else []),
    ]


def _values(scene: Scene, seen: Overview) -> Rows:
    rows = []
    for name, power in zip(scene.polarisations, seen.power, strict=True):
        valid = power[power > 0]
        spread = np.percentile(_decibels(valid), (5, 50, 95)) if valid.size else [math.nan] * 3
        share = float(np.mean(~np.isnan(power)))
        rows.append(
            (
                name,
                (
                    f"{share:.0%} of the grid; median {spread[1]:.1f} dB, 5 to 95 %: "
                    f"{spread[0]:.1f} to {spread[2]:.1f} dB (means of {seen.step}² pixels)"
                ),
            )
        )
    if seen.limited > 0:
        rows.append(("noise-limited", f"{seen.limited:.1%} of the valid pixels shown"))
    return rows


def _decibels(power: NDArray[np.float32]) -> NDArray[np.float32]:
    values: NDArray[np.float32] = 10 * np.log10(power)
    return values


def scene_picture(scene: Scene, url: str, *, seen: Overview | None = None) -> str:
    """Draw a scene in decibels as PNG at `url`, one panel per polarisation, and where it is to be
    flattened another one of that beside it; returns `url`.

    Raises:
        StoreError: the address cannot be written.
    """
    storage.write_bytes(url, png(figure_of(scene, seen or overview(scene)), 130))
    return url


def figure_of(scene: Scene, seen: Overview) -> Figure:
    """The quick-look as a figure, for notebooks."""
    from matplotlib.figure import Figure

    seen = _cropped(seen)
    panels = _panels(scene, seen)
    count = len(panels)
    height, width = seen.power.shape[1:]
    tall = min(8.0, max(2.5, _PANEL * height / width))
    figure = Figure(
        figsize=(count * (_PANEL + 0.9), tall + 1.0), facecolor="white", layout="constrained"
    )
    for number, (name, power, radiometry) in enumerate(panels):
        axes = figure.add_subplot(1, count, number + 1)
        _draw(figure, axes, name, power, radiometry)
        _scale_bar(axes, seen)
    kind = scene.processing.partition(",")[0].partition(";")[0]
    title = f"{scene.sensor}  {scene.start:%Y-%m-%d %H:%M} UTC  {scene.beam}"
    figure.suptitle(f"{title}\n{kind}" if kind else title, color=_INK, fontsize=11)
    return figure


def _panels(scene: Scene, seen: Overview) -> list[tuple[str, NDArray[np.float32], str]]:
    """Name, power and coefficient of every panel, before flattening and after."""
    if seen.flattened is None:
        return [
            (name, power, scene.radiometry)
            for name, power in zip(scene.polarisations, seen.power, strict=True)
        ]
    panels = []
    for number, name in enumerate(scene.polarisations):
        panels.append((f"{name}, by the ellipsoid", seen.power[number], "gamma0"))
        panels.append((f"{name}, flattened", seen.flattened[number], scene.radiometry))
    return panels


def _cropped(seen: Overview) -> Overview:
    """The part that holds data, with a narrow margin."""
    valid: NDArray[np.bool_] = np.any(~np.isnan(seen.power), axis=0)
    if not valid.any():
        return seen
    parts = []
    for axis in (1, 0):
        held = np.flatnonzero(np.any(valid, axis=axis))
        margin = 2 + held.size // 50
        parts.append(slice(max(0, int(held[0]) - margin), int(held[-1]) + 1 + margin))
    rows, columns = parts
    flattened = None if seen.flattened is None else seen.flattened[:, rows, columns]
    return replace(
        seen,
        power=seen.power[:, rows, columns],
        geobox=seen.geobox[rows, columns],
        flattened=flattened,
    )


def _draw(
    figure: Figure, axes: Axes, name: str, power: NDArray[np.float32], radiometry: str
) -> None:
    from matplotlib import colormaps

    shown = np.full(power.shape, np.nan, np.float32)
    np.log10(power, out=shown, where=power > 0)
    shown *= 10
    dark = ~np.isnan(power) & ~(power > 0)
    some = shown[~np.isnan(shown)]
    low, high = np.percentile(some, _STRETCH) if some.size else (-25.0, 0.0)
    shown[dark] = low
    colours = colormaps["gray"].with_extremes(bad=_NO_DATA)
    drawn = axes.imshow(shown, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(name, color=_INK, fontsize=10)
    bar = figure.colorbar(drawn, ax=axes, shrink=0.8, pad=0.02)
    bar.set_label(f"{coefficient(radiometry)} (dB)", color=_FAINT, fontsize=9)
    bar.ax.tick_params(labelsize=8, labelcolor=_FAINT)


def _scale_bar(axes: Axes, seen: Overview) -> None:
    """A bar of a round number of kilometres below the picture."""
    from cpazmal_scale.grid.cf import middle

    _, pixel, azimuth = middle(seen.geobox)
    length = seen.power.shape[2] * pixel / 4
    digit = 10 ** math.floor(math.log10(length))
    length = max(step * digit for step in (1, 2, 5) if step * digit <= length)
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    line = -0.03 * seen.power.shape[1]
    axes.plot(
        [0, length / pixel],
        [seen.power.shape[1] - line] * 2,
        color=_INK,
        linewidth=2.5,
        clip_on=False,
        solid_capstyle="butt",
    )
    axes.annotate(
        f"{text}, {_north(azimuth)}",
        (length / pixel, seen.power.shape[1] - line),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        color=_FAINT,
        annotation_clip=False,
    )
    axes.set_xlim(-0.5, seen.power.shape[2] - 0.5)
    axes.set_ylim(seen.power.shape[1] - 0.5, -0.5)


def _north(azimuth: float) -> str:
    """Where true north is in a picture whose columns lead up at an azimuth."""
    turn = round((180 - azimuth) % 360 - 180)
    side = "right" if turn > 0 else "left"
    return f"north is {abs(turn)}° {side} of up" if turn else "north is up"
