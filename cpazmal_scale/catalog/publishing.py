"""Publish products, withdraw them, and write the index that intake opens.

Every product has a record of its own and `catalog.yaml` is rebuilt from the records, so that
publishers need no lock and a lost index is no loss.
"""

from __future__ import annotations

import re

from cpazmal_scale import storage
from cpazmal_scale.catalog.index import as_yaml
from cpazmal_scale.catalog.records import (
    Entry,
    catalog_url,
    entries,
    record_url,
    tags,
    write_record,
)
from cpazmal_scale.catalog.searching import entry, indexed
from cpazmal_scale.errors import ConfigError, StoreError, StoreMissing

_ATTEMPTS = 20


def publish(workspace: str, *new: Entry) -> str:
    """Record products and rebuild the index; publishing the same again changes nothing.

    Returns:
        The catalog's address.

    Raises:
        ConfigError: a product belongs to a nested catalog.
        StoreError: the workspace cannot be written.
    """
    for product in new:
        if "/" in product.name:
            raise ConfigError(
                f"{product.name!r} belongs to a nested catalog", remedy="publish it there"
            )
        write_record(workspace, product)
    return rebuild(workspace)


def add_workspace(root: str, folder: str) -> Entry:
    """Nest the catalog of a workspace below `root` in the catalog of `root`.

    Raises:
        StoreMissing: nothing was published in `folder`.
        ConfigError: `folder` is not below `root`.
    """
    path = storage.join(folder, "catalog.yaml")
    name = re.sub(r"[^0-9A-Za-z]+", "_", folder).strip("_")
    nested = Entry(name, "catalog", path)
    if not storage.exists(storage.join(root, path)):
        raise StoreMissing(
            "no catalog here", where=storage.join(root, path), remedy="publish products there first"
        )
    publish(root, nested)
    return nested


def withdraw(workspace: str, name: str) -> Entry:
    """Take a name out of the catalog and return what it named; the data stay.

    Raises:
        StoreMissing: the catalog has no such entry.
        ConfigError: it belongs to a nested catalog.
    """
    try:
        gone = entry(workspace, name)
    except StoreMissing:
        listed = indexed(workspace, name)
        if listed is None:
            raise
        rebuild(workspace)  # who took its record away did not come to the index
        return listed
    if "/" in gone.name:
        raise ConfigError(f"{name!r} belongs to a nested catalog", remedy="withdraw it there")
    storage.remove(record_url(workspace, gone.name))
    rebuild(workspace)
    return gone


def rebuild(workspace: str) -> str:
    """Write `catalog.yaml` from the records, again until no other publisher came between."""
    url = catalog_url(workspace)
    seen, products = tags(workspace), entries(workspace)
    folders = {"", "catalog.d", *(one.path.rpartition("/")[0] for one in products)}
    for folder in sorted(folders):
        storage.sweep(storage.join(workspace, folder), deep=False)
    for _ in range(_ATTEMPTS):
        text = as_yaml(products)
        storage.write_bytes(url, text)
        before, last, seen = products, seen, tags(workspace)
        if seen is None or seen != last:
            products = entries(workspace)
        if before == products and storage.read_bytes(url) == text:
            return url
    raise StoreError(
        "the catalog kept changing while it was written",
        where=url,
        remedy="publish again when the other writers are done",
    )
