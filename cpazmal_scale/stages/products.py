"""Check that the products of a workspace, beside its cubes, are intact."""

from __future__ import annotations

from cpazmal_scale import catalog, storage
from cpazmal_scale.catalog import Entry
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import StoreDamaged, StoreMissing
from cpazmal_scale.progress import Progress
from cpazmal_scale.stages import workspace
from cpazmal_scale.storage import groups, seal

_AGAIN = {
    "samples": "remove it and run `cpazmal samples`",
    "model": "remove it and run `cpazmal train`",
    "map": "remove it and make the map again",
}
"""What restores a damaged product, by its kind."""
_REBUILD = "run `cpazmal catalog rebuild`"


def damaged_products(config: RunConfig, *, progress: Progress | None = None) -> list[StoreDamaged]:
    """What is lost or altered of the samples, models and maps of a catalog, and of its index.

    Each object is compared with its checksum; what an earlier version wrote without any is not.
    Pictures, GeoTIFFs and pages have none. `progress` counts products.

    Raises:
        StoreError: the store cannot be reached.
    """
    found: list[StoreDamaged] = []
    entries = catalog.entries(config.workspace, damaged=found.append)
    products = {one.path: one for one in entries if one.kind in _AGAIN}
    for number, product in enumerate(products.values(), 1):
        found += _damages(config, product)
        if progress is not None:
            progress(number, len(products))
    return [*found, *damaged_index(config)]


def damaged_index(config: RunConfig) -> list[StoreDamaged]:
    """The finding that the index of a workspace that has products is lost or altered."""
    url = catalog.catalog_url(config.workspace)
    try:
        seal.check_trailer(storage.read_bytes(url), url, _REBUILD, required=True)
    except StoreMissing:
        if catalog.names(config.workspace):
            return [StoreDamaged("the index of the catalog is lost", where=url, remedy=_REBUILD)]
    except StoreDamaged as error:
        return [error]
    return []


def _damages(config: RunConfig, product: Entry) -> list[StoreDamaged]:
    """What is wrong with one product."""
    url, remedy = workspace.url_of(config, product), _AGAIN[product.kind]
    try:
        if product.kind == "samples":
            seal.check_trailer(storage.read_bytes(url), url, remedy)
            return []
        found = groups.damages(url, remedy)
        document = f"{url.removesuffix('.zarr')}.json"  # a map's summary, a model's card
        if product.kind == "map" or "card" in product.metadata or storage.exists(document):
            seal.read_document(document, remedy)
    except StoreMissing as error:
        return [StoreDamaged(f"{product.name} is lost", where=error.where, remedy=remedy)]
    except StoreDamaged as error:
        return [error]
    return found
