"""A trained classifier in a store: written with checksums, and compared with them when read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cpazmal_scale import storage
from cpazmal_scale.config import Features
from cpazmal_scale.errors import StoreMissing
from cpazmal_scale.legend import legend, parsed
from cpazmal_scale.model.trained import Model

if TYPE_CHECKING:
    import xarray as xr

_ARRAYS = {
    "barycenters_": ("barycenters", ("class", "centroid", "feature", "time")),
    "tau_": ("tau", ("feature",)),
    "mean_": ("mean", ("feature",)),
    "scale_": ("scale", ("feature",)),
    "classes_": ("class", ("class",)),
    "days": ("day", ("time",)),
    "centres_": ("centres", ("class", "feature", "time")),
}
"""Arrays of many classifiers, as variables of the stored dataset; others keep their names."""
_MEANS = "window_means"
_REMEDY = "remove it and train again"


def save_model(model: Model, url: str) -> None:
    """Write a model with a checksum of every object; the document that makes it readable is last.

    Raises:
        StoreError: the store cannot be written.
    """
    from zarr.storage import MemoryStore

    from cpazmal_scale.storage import groups

    storage.sweep(url)
    stored: dict[str, Any] = {}
    dataset = as_dataset(model)
    dataset.attrs = groups.marked(dataset.attrs)
    dataset.to_zarr(MemoryStore(stored), zarr_format=3, consolidated=False)
    groups.write_group(url, {key: value.to_bytes() for key, value in stored.items()})


def as_dataset(model: Model) -> xr.Dataset:
    """The model as labelled arrays: typical series in z-scores, the scaling that undoes them, and
    what else the classifier has learnt.
    """
    import numpy as np
    import xarray as xr

    arrays, text = model.classifier.state()
    variables = {}
    for name, values in arrays.items():
        plain = np.asarray(values)
        variable, dims = _ARRAYS.get(name) or (name, _axes(name, plain.shape))
        variables[variable] = (dims, plain.astype(object) if plain.dtype.kind == "U" else plain)
    if model.means is not None:
        variables[_MEANS] = ("class", "feature", "time"), model.means
    attrs = {
        "id": model.id,
        "method": model.method,
        "classifier": text,
        "features": model.features.model_dump_json(),
        "polarisations": list(model.polarisations),
        "provenance": json.dumps(dict(model.provenance), sort_keys=True),
        "season_start": model.season_start,
        "temperature": float(model.classifier.temperature_),
        **({"legend": said.text()} if (said := legend(model.classes, model.legend)).given else {}),
    }
    coords = {
        "feature": np.array(model.names, dtype=object),
        "time": model.dates.astype("datetime64[ns]"),
    }
    dataset = xr.Dataset(variables, coords=coords, attrs=attrs)
    dataset["time"].encoding.update(
        units="seconds since 1970-01-01", dtype="int64", calendar="proleptic_gregorian"
    )
    for name in {"barycenters", "centres"} & set(dataset.variables):
        dataset[name].attrs.update(long_name="typical series of a feature's z-scores", units="1")
    return dataset


def _axes(name: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Names of an array's axes that no other array shares."""
    return tuple(f"{name}{axis}" for axis in range(len(shape)))


def open_model(url: str) -> Model:
    """Read a model; every byte of it is compared with its checksum.

    Models written without checksums are opened too, their bytes as they are.

    Raises:
        StoreMissing: there is none.
        StoreDamaged: it is not what was written, or no model.
    """
    import numpy as np
    import xarray as xr

    from cpazmal_scale.dtw import NEW_YEAR, check_start
    from cpazmal_scale.model import methods
    from cpazmal_scale.storage import groups, seal, stores

    if not storage.exists(storage.join(url, groups.ROOT)):
        raise StoreMissing("no model here", where=url, remedy="run `cpazmal train`")
    store = stores.open_checked(url, _REMEDY)
    with seal.parsing("the model is damaged", url, _REMEDY):
        data = xr.open_zarr(store, consolidated=False, chunks=None).load()
        names = {variable: name for name, (variable, _) in _ARRAYS.items()}
        arrays = {}
        for variable in set(data.variables) - {"time", "feature"}:
            values = data[variable].values
            plain = np.array(values.tolist()) if values.dtype.kind in "OT" else values
            arrays[names.get(str(variable), str(variable))] = plain
        means = arrays.pop(_MEANS, None)
        text = data.attrs["classifier"]
        setting = data.attrs.get("method") or json.loads(text)["settings"]["decision"]
        return _consistent(
            Model(
                str(data.attrs["id"]),
                setting,
                methods.opened(setting, arrays, text),
                Features.model_validate_json(data.attrs["features"]),
                tuple(data.attrs["polarisations"]),
                np.asarray(data["time"].values, "datetime64[s]"),
                json.loads(data.attrs["provenance"]),
                check_start(data.attrs.get("season_start", NEW_YEAR)),
                parsed(data.attrs.get("legend")),
                means,
            )
        )


def _consistent(model: Model) -> Model:
    """The model, once its arrays fit each other and its settings."""
    import numpy as np

    own, centres = model.classifier, model.classifier.centres()
    classes, _, features, dates = centres.shape
    shapes = {
        "classes": (len(model.classes), classes),
        "dates": (len(model.dates), dates),
        "features": (len(model.names), features),
        "scales": (own.scale_.shape, (features,)),
        "means": (own.mean_.shape, (features,)),
        "within-class distances": (np.broadcast_to(own.tau_, features).shape, (features,)),
    }
    if model.means is not None:
        shapes["means of windows"] = (model.means.shape, (classes, features, dates))
    for what, (one, two) in shapes.items():
        if one != two:
            raise ValueError(f"{what} {one} for typical series of {two}")
    if len(set(model.classes)) != classes or not np.isfinite(own.scale_).all():
        raise ValueError("classes are named twice or scales are not finite")
    return model
