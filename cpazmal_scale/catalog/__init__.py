"""What exists in a workspace, as an intake catalog that opens in one line anywhere."""

from cpazmal_scale.catalog.opening import how_to_open
from cpazmal_scale.catalog.publishing import add_workspace, publish, rebuild, withdraw
from cpazmal_scale.catalog.records import Entry, Kind, catalog_url, entries, entry_name, names
from cpazmal_scale.catalog.searching import entry, open_catalog, read, search

__all__ = [
    "Entry",
    "Kind",
    "add_workspace",
    "catalog_url",
    "entries",
    "entry",
    "entry_name",
    "how_to_open",
    "names",
    "open_catalog",
    "publish",
    "read",
    "rebuild",
    "search",
    "withdraw",
]
