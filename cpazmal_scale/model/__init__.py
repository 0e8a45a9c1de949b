"""A trained classifier with all that is needed to apply it, and its place on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cpazmal_scale import __version__, storage
from cpazmal_scale.config import Features, RunConfig, identity
from cpazmal_scale.errors import ModelMismatch, SampleError, StoreError, StoreMissing

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

    from cpazmal_scale.dtw.nearest_barycenter import NearestBarycenter
    from cpazmal_scale.model.learning import Workers
    from cpazmal_scale.samples.series import WindowSeries

_ARRAYS = {
    "barycenters_": ("barycenters", ("class", "centroid", "feature", "time")),
    "tau_": ("tau", ("feature",)),
    "mean_": ("mean", ("feature",)),
    "scale_": ("scale", ("feature",)),
    "classes_": ("class", ("class",)),
    "days": ("day", ("time",)),
}
"""The classifier's arrays, as variables of the stored dataset."""


@dataclass(frozen=True)
class Model:
    """Barycenters and what they were made from.

    `id` names the settings and samples it was trained with; `dates` (T,) datetime64[s] are those of
    the training series; `provenance` holds plain JSON values.
    """

    id: str
    classifier: NearestBarycenter
    features: Features
    polarisations: tuple[str, ...]
    dates: NDArray[np.datetime64]
    provenance: Mapping[str, Any]

    @property
    def classes(self) -> tuple[str, ...]:
        """Class codes; a map holds their position, counted from 1."""
        return tuple(str(label) for label in self.classifier.classes_)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the K feature series."""
        from cpazmal_scale import features

        return features.names(self.polarisations, self.features.xpol, self.features.statistics)

    def limits(self, dates: NDArray[np.datetime64]) -> NDArray[np.int32]:
        """Column limits (T, 2) of the band for a cube's dates (T,), aligned by day of year.

        Raises:
            ModelMismatch: there are no dates.
        """
        from cpazmal_scale.dtw.band import season_days

        if len(dates) == 0:
            raise ModelMismatch(
                "the cube has no date in this period",
                remedy="change `start` and `end`, or ingest more scenes",
            )
        return self.classifier.limits(season_days(dates))


def train(
    series: WindowSeries,
    labels: Sequence[str],
    groups: Sequence[str],
    config: RunConfig,
    *,
    polarisations: tuple[str, ...],
    provenance: Mapping[str, Any],
    workers: Workers | None = None,
) -> Model:
    """Learn barycenters of labelled windows.

    Args:
        series: N windows with K features on T dates.
        labels: class of each window.
        groups: polygon of each window; the temperature is fitted on held-out ones.
        config: sections `dtw`, `train`, `classify` and the seed are used.
        polarisations: co-polarised channel, then the cross-polarised one.
        provenance: plain values that describe the samples; part of the model's identity.
        workers: find the averages; none: one after the other, here.

    Raises:
        SampleError: fewer than two classes, or a class without any valid series.
    """
    import numpy as np

    from cpazmal_scale.dtw.band import season_days
    from cpazmal_scale.model import learning

    if len(set(labels)) < 2:
        raise SampleError(
            f"one class cannot be told from none: {', '.join(sorted(set(labels))) or 'no windows'}",
            remedy="label at least two classes",
        )
    classifier = new_classifier(config, season_days(series.dates))
    try:
        learning.fit(classifier, series.values, np.asarray(labels), np.asarray(groups), workers)
    except ValueError as error:
        raise SampleError(str(error), remedy="check the polygons and the period") from None
    facts = {
        **provenance,
        "software": f"cpazmal-scale {__version__}",
        "windows": {str(c): int((np.asarray(labels) == c).sum()) for c in classifier.classes_},
        "groups": sorted({str(group) for group in groups}),
        "seed": config.seed,
    }
    settings = (config.features, config.dtw, config.train, config.classify.decision, facts)
    return Model(
        identity("model", *settings, polarisations, series.dates.astype(str).tolist()),
        classifier,
        config.features,
        polarisations,
        series.dates,
        facts,
    )


def new_classifier(config: RunConfig, days: NDArray[np.float64]) -> NearestBarycenter:
    """The unfitted classifier a configuration describes, for series on `days` (T,)."""
    from cpazmal_scale.dtw.nearest_barycenter import NearestBarycenter

    return NearestBarycenter(
        decision=config.classify.decision,
        barycenters=config.train.barycenters,
        radius=config.dtw.radius,
        days=days,
        band_days=config.dtw.band_days,
        iterations=config.train.iterations,
        restarts=config.train.restarts,
        reject=config.classify.reject,
        min_dates=config.dtw.min_dates,
        seed=config.seed,
    )


def save_model(model: Model, url: str) -> None:
    """Write a model; the metadata document that makes it readable is written last.

    Raises:
        StoreError: the store cannot be written.
    """
    from zarr.storage import MemoryStore

    documents: dict[str, Any] = {}
    as_dataset(model).to_zarr(MemoryStore(documents), zarr_format=3, consolidated=False)
    for key in sorted(documents, key=lambda key: key == "zarr.json"):
        storage.write_bytes(storage.join(url, key), documents[key].to_bytes())


def as_dataset(model: Model) -> xr.Dataset:
    """The model as labelled arrays: barycenters in z-scores, and the scaling that undoes them."""
    import numpy as np
    import xarray as xr

    arrays, text = model.classifier.state()
    variables = {}
    for name, values in arrays.items():
        variable, dims = _ARRAYS[name]
        plain = np.asarray(values)
        variables[variable] = (dims, plain.astype(object) if plain.dtype.kind == "U" else plain)
    attrs = {
        "id": model.id,
        "classifier": text,
        "features": model.features.model_dump_json(),
        "polarisations": list(model.polarisations),
        "provenance": json.dumps(dict(model.provenance), sort_keys=True),
        "temperature": float(model.classifier.temperature_),
    }
    coords = {
        "feature": np.array(model.names, dtype=object),
        "time": model.dates.astype("datetime64[ns]"),
    }
    dataset = xr.Dataset(variables, coords=coords, attrs=attrs)
    dataset["time"].encoding.update(
        units="seconds since 1970-01-01", dtype="int64", calendar="proleptic_gregorian"
    )
    dataset["barycenters"].attrs.update(
        long_name="DTW barycenter of a feature's z-scores", units="1"
    )
    return dataset


def open_model(url: str) -> Model:
    """Read a model.

    Raises:
        StoreMissing: there is none.
        StoreError: it is damaged.
    """
    import numpy as np
    import xarray as xr

    from cpazmal_scale.dtw.nearest_barycenter import NearestBarycenter

    if not storage.exists(storage.join(url, "zarr.json")):
        raise StoreMissing("no model here", where=url, remedy="run `cpazmal train`")
    try:
        data = xr.open_zarr(
            storage.zarr_store(url, read_only=True), consolidated=False, chunks=None
        ).load()
        arrays = {}
        for name, (variable, _) in _ARRAYS.items():
            if variable in data.variables:
                values = data[variable].values
                arrays[name] = np.array(values.tolist()) if values.dtype.kind in "OT" else values
        return Model(
            data.attrs["id"],
            NearestBarycenter.from_state(arrays, data.attrs["classifier"]),
            Features.model_validate_json(data.attrs["features"]),
            tuple(data.attrs["polarisations"]),
            np.asarray(data["time"].values, "datetime64[s]"),
            json.loads(data.attrs["provenance"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise StoreError(
            f"the model is damaged ({type(error).__name__}: {error})",
            where=url,
            remedy="remove it and train again",
        ) from None
