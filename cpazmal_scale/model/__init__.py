"""A trained classifier with all that is needed to apply it, and its place on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cpazmal_scale import __version__, storage
from cpazmal_scale.config import Features, RunConfig, identity
from cpazmal_scale.config.methods import BEST, method
from cpazmal_scale.errors import ConfigError, SampleError, StoreMissing
from cpazmal_scale.legend import Styles, legend, parsed
from cpazmal_scale.vocabulary import CALIBRATED_GROUPS, CLUSTERS, STABLE

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

    from cpazmal_scale.model.learning import Workers
    from cpazmal_scale.model.methods import PixelModel
    from cpazmal_scale.model.season import OnDates
    from cpazmal_scale.samples import WindowSeries

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
_REMEDY = "remove it and train again"


@dataclass(frozen=True)
class Model:
    """A classifier and what it was made from.

    `method` is what `classify.method` calls it; `id` names the settings and samples it was trained
    with; `dates` (T,) datetime64[s] are those of the training series; `provenance` holds plain
    JSON values; `season_start` is the first day of the training series' season, `MM-DD`;
    `legend` is what the user said of classes, which changes nothing in `id`.
    """

    id: str
    method: str
    classifier: PixelModel
    features: Features
    polarisations: tuple[str, ...]
    dates: NDArray[np.datetime64]
    provenance: Mapping[str, Any]
    season_start: str = "01-01"
    legend: Styles = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class codes; a map holds their position, counted from 1."""
        return tuple(str(label) for label in self.classifier.classes_)

    @property
    def withheld(self) -> str | None:
        """Why its maps hold no probabilities; none: they were calibrated on held-out groups."""
        if self.provenance.get("labels") == CLUSTERS:
            return _clustered(self.provenance.get("stability"))
        if method(self.method).votes:
            return "shares of votes are no chances"
        if self.classifier.calibrated_:
            return None
        if not method(self.method).learns:
            return "the network does not say that it is calibrated"
        return f"a class has fewer than {CALIBRATED_GROUPS} polygons to calibrate them on"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the K feature series."""
        from cpazmal_scale import features

        return features.names(self.polarisations, self.features.xpol, self.features.statistics)

    def on_dates(self, dates: NDArray[np.datetime64], season_start: str | None = None) -> OnDates:
        """The classifier for a cube's dates (T,), season to season.

        Args:
            dates: datetime64 of the cube, increasing.
            season_start: first day of the cube's season, `MM-DD`; none: the model's own.

        Raises:
            ModelMismatch: no dates, or too many of them at a time of the year that the training
                lacks, or the other way round.
        """
        from cpazmal_scale.model.season import on_dates

        starts = (season_start or self.season_start, self.season_start)
        return on_dates(self.classifier, self.dates, dates, starts)


def _clustered(stability: float | None) -> str:
    """Why clusters have no probabilities: agreement of those of the even and of the odd dates."""
    text = "classes are clusters of the series themselves"
    if stability is None:
        return text
    found = (
        f"{text}; maps of the even and of the odd dates agree at an adjusted Rand index of "
        f"{stability:.2f}"
    )
    return found if stability >= STABLE else f"{found}: no stable classes"


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
    """Train the classifier of the run on labelled windows.

    Args:
        series: N windows with K features on T dates.
        labels: class of each window.
        groups: polygon of each window; the temperature is fitted on held-out ones.
        config: sections `dtw`, `train`, `classify`, the legend and the seed are used.
        polarisations: co-polarised channel, then the cross-polarised one.
        provenance: plain values that describe the samples; part of the model's identity.
        workers: find barycenters; none: one after the other, here.

    Raises:
        ConfigError: the method is `best`.
        SampleError: fewer than two classes, or a class without any valid series.
    """
    import numpy as np

    from cpazmal_scale.dtw import NEW_YEAR, season_days
    from cpazmal_scale.model import learning, methods

    if len(set(labels)) < 2:
        raise SampleError(
            f"one class cannot be told from none: {', '.join(sorted(set(labels))) or 'no windows'}",
            remedy="label at least two classes",
        )
    if config.classify.method == BEST:
        raise ConfigError(
            "one method can be trained, not the best of several",
            remedy="set classify.method, or to the one that assess.choose names",
        )
    setting, start = config.classify.method, config.dtw.season_start or NEW_YEAR
    known = np.isfinite(series.values).sum(axis=2).max(axis=1) >= config.dtw.min_dates
    short = sorted(set(labels) - set(np.asarray(labels)[known].tolist()))
    if short:
        raise SampleError(
            f"no window of class {short[0]} has {config.dtw.min_dates} valid dates in any feature",
            remedy="use more dates, or lower dtw.min_dates",
        )
    classifier = methods.make(setting, config, season_days(series.dates, start))
    try:
        methods.expect(classifier, series)
        learning.fit(classifier, series.values, np.asarray(labels), np.asarray(groups), workers)
    except ValueError as error:
        raise SampleError(str(error), remedy="check the polygons and the period") from None
    facts = {
        **provenance,
        **getattr(classifier, "facts_", {}),
        "software": f"cpazmal-scale {__version__}",
        "windows": {str(c): int((np.asarray(labels) == c).sum()) for c in classifier.classes_},
        "groups": sorted({str(group) for group in groups}),
        "seed": config.seed,
    }
    settings = (config.features, config.dtw, config.train, setting, facts)
    return Model(
        identity("model", *settings, polarisations, series.dates.astype(str).tolist()),
        setting,
        classifier,
        config.features,
        polarisations,
        series.dates,
        facts,
        start,
        config.legend,
    )


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
    for what, (one, two) in shapes.items():
        if one != two:
            raise ValueError(f"{what} {one} for typical series of {two}")
    if len(set(model.classes)) != classes or not np.isfinite(own.scale_).all():
        raise ValueError("classes are named twice or scales are not finite")
    return model
