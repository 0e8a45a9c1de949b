"""What exists in a workspace, as an intake catalog that opens in one line anywhere.

Every product has a record of its own in `catalog.d/`; `catalog.yaml` is rebuilt from the records,
so that publishers need no lock and a lost index is no loss. Addresses are relative to the catalog
and nothing in it is secret: credentials come from the reader's environment.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cpazmal_scale import storage
from cpazmal_scale.errors import ConfigError, StoreError, StoreMissing

if TYPE_CHECKING:
    from intake.readers.entry import Catalog

Kind = Literal["cube", "samples", "model", "map"]

CODED = ("class", "n_valid_dates")
"""Variables of a map that stay whole numbers when it is opened."""

_ATTEMPTS = 20


@dataclass(frozen=True)
class Entry:
    """One product: its name, what it is, its path below the workspace, and facts about it."""

    name: str
    kind: Kind
    path: str
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ConfigError(
                f"{self.name!r} cannot be a catalog name",
                remedy="use letters, digits and underscores, beginning with a letter",
            )
        if self.path.startswith("/") or "://" in self.path or ".." in self.path.split("/"):
            raise ConfigError(
                f"{self.path!r} is not below the workspace",
                remedy="publish products that the workspace holds",
            )


def entry_name(kind: Kind, label: str) -> str:
    """A catalog name: the kind, then the label with everything but letters and digits replaced."""
    return f"{kind}_{re.sub(r'[^0-9A-Za-z]+', '_', label).strip('_')}"


def catalog_url(workspace: str) -> str:
    """Address of a workspace's catalog."""
    return storage.join(workspace, "catalog.yaml")


def publish(workspace: str, *new: Entry) -> str:
    """Record products and rebuild the index; publishing the same again changes nothing.

    Returns:
        The catalog's address.

    Raises:
        StoreError: the workspace cannot be written.
    """
    for product in new:
        storage.write_json(_record_url(workspace, product.name), asdict(product))
    return rebuild(workspace)


def entry(workspace: str, name: str) -> Entry:
    """One published product.

    Raises:
        StoreMissing: the catalog has no such entry.
    """
    if not name.isidentifier() or not storage.exists(_record_url(workspace, name)):
        raise StoreMissing(
            f"no catalog entry {name!r}",
            where=workspace,
            remedy="`cpazmal catalog ls` shows what there is",
        )
    return Entry(**storage.read_json(_record_url(workspace, name)))


def withdraw(workspace: str, name: str) -> None:
    """Take a product out of the catalog; its data stay.

    Raises:
        StoreMissing: the catalog has no such entry.
    """
    entry(workspace, name)
    storage.remove(_record_url(workspace, name))
    rebuild(workspace)


def entries(workspace: str, *, kind: Kind | None = None) -> list[Entry]:
    """All published products by name, or those of one kind."""
    found = []
    for name in _record_names(workspace):
        product = Entry(**storage.read_json(storage.join(workspace, "catalog.d", name)))
        if kind is None or product.kind == kind:
            found.append(product)
    return found


def rebuild(workspace: str) -> str:
    """Write `catalog.yaml` from the records, again until no other publisher came between."""
    url = catalog_url(workspace)
    for _ in range(_ATTEMPTS):
        names = _record_names(workspace)
        text = _as_yaml(entries(workspace))
        storage.write_bytes(url, text)
        if names == _record_names(workspace) and storage.read_bytes(url) == text:
            return url
    raise StoreError(
        "the catalog kept changing while it was written",
        where=url,
        remedy="publish again when the other writers are done",
    )


def open_catalog(workspace: str) -> Catalog:
    """The workspace's intake catalog.

    Raises:
        StoreMissing: nothing was published there.
    """
    import intake

    url = catalog_url(workspace)
    if not storage.exists(url):
        raise StoreMissing(
            "no catalog here", where=url, remedy="run `cpazmal run` or check the workspace"
        )
    return intake.open_catalog(url)


def _record_names(workspace: str) -> list[str]:
    names = storage.list_names(storage.join(workspace, "catalog.d"))
    return [name for name in names if name.endswith(".json")]


def _record_url(workspace: str, name: str) -> str:
    return storage.join(workspace, "catalog.d", f"{name}.json")


def _as_yaml(products: list[Entry]) -> bytes:
    import yaml
    from intake.readers.entry import Catalog

    catalog = Catalog(metadata={"project": "cpazmal-scale"})
    for product in products:
        # `catalog[name] = reader` would leave the name out of `list(catalog)`.
        catalog.give_name(catalog.add_entry(_reader(product)), product.name)
    # Opening adds these, and saving them would write the reader's credentials.
    for own in ("CATALOG_DIR", "CATALOG_PATH", "STORAGE_OPTIONS"):
        catalog.user_parameters.pop(own, None)
    return yaml.safe_dump(catalog.to_dict(), sort_keys=True).encode()


def _reader(product: Entry) -> Any:
    from intake.readers.datatypes import Parquet, Zarr
    from intake.readers.readers import PandasParquet, XArrayDatasetReader

    url = f"{{CATALOG_DIR}}/{product.path}"
    metadata = {"kind": product.kind, **product.metadata}
    if product.kind == "samples":
        return PandasParquet(Parquet(url), metadata=metadata)
    options: dict[str, Any] = {"consolidated": product.kind == "cube"}
    if product.kind == "map":
        options["mask_and_scale"] = dict.fromkeys(CODED, False)
    reader = XArrayDatasetReader(
        Zarr(url), metadata=metadata, chunks={}, decode_coords="all", **options
    )
    return reader.sortby("time") if product.kind == "cube" else reader
