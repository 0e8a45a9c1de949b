"""What samples, models and validations are made from, so that the same is not made twice.

A product carries the identity of its inputs, `inputs`, in its record of the catalog. Inputs are
known by content: the state of a cube on the run's dates, polygons as they are read, settings. A
setting counts unless it is listed here as one that the product does not depend on.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cpazmal_scale import __version__, catalog, storage
from cpazmal_scale.config import RunConfig, identity
from cpazmal_scale.errors import SampleError, StoreDamaged, StoreMissing
from cpazmal_scale.stages import workspace
from cpazmal_scale.stages.sites import sites

if TYPE_CHECKING:
    import geopandas
    import xarray as xr

    from cpazmal_scale.catalog import Entry, Kind

_LOG = logging.getLogger(__name__)

_Fields = Mapping[str, bool | set[str]]
_NEVER: _Fields = dict.fromkeys(("workspace", "few_dates", "ingest", "after", "cluster"), True)
"""Settings that neither samples, models nor validations depend on."""
_ADDRESSES = {"polygons", "dem", "also", "table"}
"""Settings of samples that say where things are, not what they are."""
_UNTRAINED: _Fields = dict.fromkeys(("legend", "dtw", "train", "classify", "assess"), True)
_OF_MAPS = {"outlines", "exclude", "block", "network"}


def of_samples(config: RunConfig, cube: xr.Dataset, polygons: geopandas.GeoDataFrame | None) -> str:
    """Identity of what the windows of a cube are drawn from; without polygons, clustered from."""
    drawn = None
    if polygons is not None:
        columns = [polygons[name].tolist() for name in ("class", "group")]
        shapes = hashlib.sha256(b"".join(polygons.geometry.to_wkb())).hexdigest()
        drawn = [*columns, shapes, str(polygons.crs), polygons.attrs.get("legend")]
    dem = config.samples.dem
    heights = [storage.stamp(url) for url in (dem, f"{dem}.aux.xml")] if dem else []
    return identity(
        "samples",
        __version__,
        _cube(config, cube),
        drawn,
        heights,
        _settings(config, {**_UNTRAINED, "samples": _ADDRESSES}),
    )


def of_model(config: RunConfig) -> str:
    """Identity of what a model is trained on.

    Raises:
        StoreMissing: there is no cube, or samples were not drawn.
    """
    network = config.classify.network
    assessed = set(type(config.assess).model_fields) - {"neighbors"}
    left_out = {"samples": _ADDRESSES, "classify": _OF_MAPS, "assess": assessed}
    stamp = storage.stamp(network) if network else ""
    return identity("model", __version__, _data(config), stamp, _settings(config, left_out))


def of_validation(config: RunConfig) -> str:
    """Identity of what methods are cross-validated on, for a run whose method is settled.

    Raises:
        StoreMissing: there is no cube, or samples were not drawn.
    """
    left_out = {
        "samples": _ADDRESSES,
        "classify": {*_OF_MAPS, "candidates"},
        "assess": {"report", "truth"},
    }
    beams = [config]
    if config.assess.test_beam is not None:
        beams.append(config.with_values({"beam": config.assess.test_beam}))
    return identity(
        "validation", __version__, [_data(one) for one in beams], _settings(config, left_out)
    )


def found(
    config: RunConfig, kind: Kind, inputs: str, read: Callable[[str], object]
) -> Entry | None:
    """The whole product that was made from the same inputs, published as the latest again.

    Args:
        config: the run.
        kind: of product.
        inputs: identity of what it is made from.
        read: reads the product at an address, and raises an error if it is not whole.

    Returns:
        None if there is none.
    """
    name = catalog.entry_name(kind, workspace.beam_of(config))
    for entry in catalog.entries(config.workspace, kind=kind, beginning=name):
        if entry.metadata.get("inputs") != inputs:
            continue
        with suppress(StoreMissing, StoreDamaged, SampleError):
            read(workspace.url_of(config, entry))
            _LOG.info("%s %s found: made from the same cube and settings", kind, entry.id)
            return workspace.publish(config, kind, entry.id, entry.path, entry.metadata)
    return None


def _data(config: RunConfig) -> list[object]:
    """The samples of a run, and the cubes that their series are read from."""
    data: list[object] = [workspace.beam_of(config), workspace.is_labelled(config)]
    own = [] if workspace.has_table(config) else [("", config)]
    for name, one in own + [(site.name, site.config) for site in sites(config)]:
        data += [name, _cube(one, workspace.open_period(one)), *_samples(one)]
    return data if own else [*data, *_samples(config)]


def _samples(config: RunConfig) -> list[object]:
    entry = workspace.find(config, "samples")
    return [entry.id, *(entry.metadata.get(name) for name in ("legend", "stability"))]


def _cube(config: RunConfig, cube: xr.Dataset) -> list[object]:
    return [cube.attrs["state"], list(workspace.channels(config, cube))]


def _settings(config: RunConfig, left_out: _Fields) -> dict[str, Any]:
    plain: dict[str, Any] = config.model_dump(
        mode="json", exclude={"beam": True, **_NEVER, **left_out}
    )
    return plain
