"""Publish products, withdraw them, and write the index that intake opens.

Every product has a record of its own and `catalog.yaml` is rebuilt from the records, so that
publishers need no lock and a lost index is no loss.
"""

from __future__ import annotations

import contextlib
import logging
import posixpath

from cpazmal_scale import storage
from cpazmal_scale.catalog.index import as_yaml
from cpazmal_scale.catalog.records import (
    Entry,
    catalog_url,
    entries,
    read_record,
    record_url,
    tags,
    write_record,
)
from cpazmal_scale.catalog.searching import entry, indexed, real_folder
from cpazmal_scale.errors import ConfigError, StoreDamaged, StoreError, StoreMissing
from cpazmal_scale.vocabulary import identifier

_LOG = logging.getLogger(__name__)
_ATTEMPTS = 20


def publish(workspace: str, *new: Entry) -> str:
    """Record products and rebuild the index; publishing the same again changes nothing.

    Returns:
        The catalog's address.

    Raises:
        ConfigError: a product belongs to a nested catalog, or its name is that of something else,
            such as the cube of a beam that differs in punctuation alone.
        StoreError: the workspace cannot be written.
    """
    for product in new:
        if "/" in product.name:
            raise ConfigError(
                f"{product.name!r} belongs to a nested catalog", remedy="publish it there"
            )
        if not product.is_version:
            _require_own_name(workspace, product)
    for product in new:
        write_record(workspace, product)
    return rebuild(workspace)


def _require_own_name(workspace: str, product: Entry) -> None:
    """A product replaces older ones of its own line alone; a damaged record says nothing."""
    with contextlib.suppress(StoreDamaged):
        held = read_record(workspace, f"{product.name}.json")
        if held is not None and held.line != product.line:
            raise ConfigError(
                f"the name {product.name} belongs to the {held.kind} in {held.path}",
                where=f"{workspace}: {product.path}",
                remedy="rename one of them, or give it a workspace of its own",
            )


def add_workspace(root: str, folder: str) -> Entry:
    """Nest the catalog of a workspace below `root` in the catalog of `root`.

    Raises:
        StoreMissing: nothing was published in `folder`.
        ConfigError: `folder` is not below `root` or leads back to it, or its name is taken.
    """
    folder = posixpath.normpath(folder.strip())
    path = storage.join(folder, "catalog.yaml")
    nested = Entry(identifier(folder), "catalog", path)
    if not storage.exists(storage.join(root, path)):
        raise StoreMissing(
            "no catalog here", where=storage.join(root, path), remedy="publish products there first"
        )
    if f"{real_folder(root)}/".startswith(f"{real_folder(storage.join(root, folder))}/"):
        raise ConfigError(
            "a catalog cannot hold itself",
            where=storage.join(root, folder),
            remedy="name the folder of another workspace, below this one",
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
    """Write `catalog.yaml` from the records, again until no other publisher came between.

    What a damaged record names is left out, and told.
    """
    url, damaged = catalog_url(workspace), dict[str | None, StoreDamaged]()

    def leave_out(error: StoreDamaged) -> None:
        if error.where not in damaged:
            _LOG.warning("left out of the catalog: %s", error)
        damaged[error.where] = error

    seen, products = tags(workspace), entries(workspace, damaged=leave_out)
    folders = {"", "catalog.d", *(one.path.rpartition("/")[0] for one in products)}
    for folder in sorted(folders):
        storage.sweep(storage.join(workspace, folder), deep=False)
    for _ in range(_ATTEMPTS):
        text = as_yaml(products)
        storage.write_bytes(url, text)
        before, last, seen = products, seen, tags(workspace)
        if seen is None or seen != last:
            products = entries(workspace, damaged=leave_out)
        if before == products and storage.read_bytes(url) == text:
            return url
    raise StoreError(
        "the catalog kept changing while it was written",
        where=url,
        remedy="publish again when the other writers are done",
    )
