"""The index of a workspace, in the form that intake opens in one line.

Addresses are relative to the catalog and nothing in it is secret: credentials come from the
reader's environment.
"""

from __future__ import annotations

from typing import Any

from cpazmal_scale.catalog.records import Entry, Kind
from cpazmal_scale.storage import seal

CODED = ("class", "n_valid_dates")
"""Variables of a map that stay whole numbers when it is opened."""

CHECKED_BY = "checksums are in the store: cpazmal verify"


def as_yaml(products: list[Entry]) -> bytes:
    """An intake catalog of the products and its digest; equal products, equal bytes."""
    import yaml
    from intake.readers.entry import Catalog

    catalog = Catalog(metadata={"project": "cpazmal-scale"})
    for product in products:
        # `catalog[name] = reader` would leave the name out of `list(catalog)`.
        catalog.give_name(catalog.add_entry(_reader(product)), product.name)
    # Opening adds these, and saving them would write the reader's credentials.
    for own in ("CATALOG_DIR", "CATALOG_PATH", "STORAGE_OPTIONS"):
        catalog.user_parameters.pop(own, None)
    text: bytes = yaml.safe_dump(catalog.to_dict(), sort_keys=True).encode()
    return seal.with_trailer(text, len(text))


def reading(kind: Kind) -> dict[str, Any]:
    """How xarray opens a product of a kind."""
    options = {"chunks": {}, "decode_coords": "all", "consolidated": kind == "cube"}
    return options | ({"mask_and_scale": dict.fromkeys(CODED, False)} if kind == "map" else {})


def _reader(product: Entry) -> Any:
    from intake.readers.datatypes import CatalogFile, Parquet, Zarr
    from intake.readers.readers import PandasParquet, XArrayDatasetReader, YAMLCatalogReader

    url = f"{{CATALOG_DIR}}/{product.path}"
    metadata = {"kind": product.kind, "path": product.path, **product.metadata}
    if product.kind == "catalog":
        return YAMLCatalogReader(CatalogFile(url), metadata=metadata)
    if product.kind == "samples":
        # Without options pandas takes the address for a URI, in which `#`, `?` and `%` mean more.
        return PandasParquet(Parquet(url), metadata=metadata, storage_options={})
    reader = XArrayDatasetReader(Zarr(url), metadata=metadata, **reading(product.kind))
    # Checksums of a cube's chunks are a table: no attribute that `to_netcdf` writes.
    cube = product.kind == "cube"
    return reader.sortby("time").assign_attrs(integrity=CHECKED_BY) if cube else reader
