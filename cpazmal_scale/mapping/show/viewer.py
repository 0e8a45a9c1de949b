"""A map as one HTML file: pan, zoom, layers, the series behind its pixels; no network needed."""

from __future__ import annotations

import base64
import html
import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale import storage, web
from cpazmal_scale.errors import ModelMismatch, StoreMissing
from cpazmal_scale.mapping.classify.recipe import Recipe
from cpazmal_scale.mapping.classify.records import floored, summary
from cpazmal_scale.mapping.classify.store import open_map
from cpazmal_scale.mapping.show.facts import about, place, times
from cpazmal_scale.mapping.show.overview import (
    BLANK,
    Averages,
    Layer,
    deflated,
    mean_layers,
    quantised,
    step_for,
)
from cpazmal_scale.mapping.show.sampled import Sampled, grid_points, sample
from cpazmal_scale.mapping.show.thumbnail import thumbnail

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.model import Model

EDGE = 2048
"""Cells along the longer side of a layer at most."""
POINTS = 60
"""Sampled pixels along the longer side."""

LAYER_BYTES = 11 << 19
_SERIES_BYTES = 5 << 19
"""Deflated layers, and series with distances, at most; the page is a third larger than both."""
_LEVELS, _GREYS = 4000, 127
_DEFLATERS = 4
"""Layers that are deflated at once."""


def write_viewer(
    map_url: str, html_url: str, *, cube_url: str, model_url: str, points: int = POINTS
) -> str:
    """Write a finished map as a page that any browser opens from disk, without a network.

    It holds the classes, the mean certainty, entropy and probabilities (unless they are withheld)
    and the mean image, reduced to at most `EDGE` cells along a side, and the series of a regular
    grid of pixels with their distances to every class. It stays below 12 MB whatever the map's
    size, and is made in bounded memory by reading the map and the cube once.

    Args:
        map_url: a finished map.
        html_url: where the page goes.
        cube_url: the cube it was made from.
        model_url: the model it was made with.
        points: sampled pixels along the longer side at most; fewer if their series are long.

    Returns:
        `html_url`.

    Raises:
        StoreError: the map is not finished, or the address cannot be written.
        ModelMismatch: the model or the cube is not the map's.
        CubeDamaged: a chunk of the cube is lost or cannot be decoded.
    """
    from cpazmal_scale.model import open_model

    data, model = open_map(map_url), open_model(model_url)
    recipe = Recipe.model_validate_json(data.attrs["recipe"])
    if model.id != recipe.model:
        raise ModelMismatch(
            f"this model is {model.id}, the map was made with {recipe.model}",
            where=model_url,
            remedy="give the map's own model",
        )
    small = thumbnail(data, pixels=EDGE, margins=False)
    shape = (int(data.sizes["y"]), int(data.sizes["x"]))
    classes = Layer(small.classes, step_for(shape, EDGE))
    mean = Averages(shape, classes.step)
    per_point = 2 * len(model.names) * (len(recipe.dates) + len(recipe.classes))
    per_side = max(1, min(points, int((_SERIES_BYTES / per_point) ** 0.5)))
    shares = () if recipe.withheld else ("margin", "entropy", "probability")
    with ThreadPoolExecutor(1) as pool:
        reduced = shares and pool.submit(mean_layers, map_url, data, shares, classes.step)
        sampled = sample(data, grid_points(classes, shape, per_side), cube_url, model, recipe, mean)
        means = reduced.result() if reduced else {}
    image, decibels = _image(mean.means(), classes.step)
    layers = fitted_layers({"class": classes, "backscatter": image, **means})
    facts = {
        **about(data, recipe, model, small.square_metres, _floored(map_url)),
        **times(recipe, model),
        "place": place(data),
        "layers": {name: [*layer.values.shape, layer.step] for name, layer in layers.items()},
        "decibels": decibels,
        "blank": BLANK,
    }
    blobs = {f"layer-{name}": layer.deflated for name, layer in layers.items()}
    series, facts["series"] = _packed(sampled, model, recipe)
    blobs |= {name: deflated(values) for name, values in series.items()}
    storage.write_bytes(html_url, _page(facts, blobs).encode())
    return html_url


def _floored(map_url: str) -> dict[str, float]:
    """Shares of pixels below the floor; empty of a map that was copied without its summary."""
    with suppress(StoreMissing):
        return floored(summary(map_url))
    return {}


def _image(power: NDArray[np.float32], step: int) -> tuple[Layer, list[float]]:
    """The mean image in grey levels, and the decibels of the darkest and the brightest."""
    with np.errstate(divide="ignore", invalid="ignore"):
        decibel = 10 * np.log10(power)
    decibel[~np.isfinite(decibel)] = np.nan
    known = decibel[~np.isnan(decibel)]
    low, high = np.percentile(known, (0.5, 99.5)).tolist() if known.size else (-30.0, 0.0)
    decibel[power <= 0] = low
    return Layer(quantised(decibel, low, high, _GREYS), step), [
        round(low, 2),
        round(high, 2),
        _GREYS,
    ]


def fitted_layers(layers: dict[str, Layer]) -> dict[str, Layer]:
    """The layers, the costliest of them coarser until all together are small enough."""
    with ThreadPoolExecutor(_DEFLATERS) as pool:
        sizes = pool.map(lambda layer: len(layer.deflated), layers.values())
        cost = dict(zip(layers, sizes, strict=True))
    while sum(cost.values()) > LAYER_BYTES:
        worst = max(cost, key=lambda name: cost[name] / (3 if name == "class" else 1))
        layers = {**layers, worst: layers[worst].halved()}
        cost[worst] = len(layers[worst].deflated)
    return layers


class _Table(NamedTuple):
    values: NDArray[Any]
    scale: list[float]
    offset: list[float]


def _packed(
    sampled: Sampled, model: Model, recipe: Recipe
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays of the sampled pixels, little-endian, and how to read them."""
    table = _whole_numbers(sampled.series)
    dates = recipe.days
    fitted = model.on_dates(dates, recipe.season_start).shown
    centres = fitted.centres()
    means = model.means_on(dates, recipe.season_start)
    finite = np.where(np.isfinite(sampled.distances), np.minimum(sampled.distances, 65), 65.535)
    arrays = {
        "at": sampled.at.astype("<i4"),
        "series": table.values,
        "distances": np.rint(finite * 1000).astype("<u2"),
        "classes": sampled.classes,
        "probability": sampled.probability.astype("<u2"),
        "barycenters": centres.astype("<f4"),
        **({} if means is None else {"means": means.astype("<f4")}),
    }
    scale = {"scale": table.scale, "offset": table.offset, "centroids": centres.shape[1]}
    return arrays, {"count": len(sampled.at), "means": means is not None, **scale}


def _whole_numbers(series: NDArray[np.float32]) -> _Table:
    """int16 (N, K, T) with each feature's step and zero; -32768 is missing."""
    missing = np.isnan(series)
    bare = np.where(missing, np.inf, series), np.where(missing, -np.inf, series)
    low, high = bare[0].min(axis=(0, 2), initial=np.inf), bare[1].max(axis=(0, 2), initial=-np.inf)
    low = np.where(np.isfinite(low), low, 0.0).astype(np.float64)
    step = np.where(np.isfinite(high), (high - low) / _LEVELS, 1.0).clip(1e-9)
    filled = np.where(missing, 0, series)
    whole = np.rint((filled - low[:, None]) / step[:, None])
    stored = np.where(missing, -32768, whole).astype("<i2")
    return _Table(stored, step.tolist(), low.tolist())


def _page(facts: dict[str, Any], blobs: dict[str, bytes]) -> str:
    """The template with everything in its place; nothing in the data can end its element."""
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    elements = "\n".join(
        f'<script type="application/octet-stream" id="data-{name}">'
        f"{base64.b64encode(blob).decode()}</script>"
        for name, blob in blobs.items()
    )
    beam = f", beam {facts['beam']}" if facts["beam"] else ""
    title = f"{facts['title']}{beam}, {facts['dates'][0][:10]} to {facts['dates'][-1][:10]}"
    parts = {
        "title": html.escape(title),
        "style": _packaged("viewer.css"),
        "script": _packaged("viewer.js").replace("{{drawing}}", web.drawing()),
        "facts": text,
        "blobs": elements,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _packaged("viewer.html"))


def _packaged(name: str) -> str:
    return resources.files("cpazmal_scale.mapping.show").joinpath(name).read_text(encoding="utf-8")
