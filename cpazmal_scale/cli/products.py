"""What the command line says of products: one line, all that is known, what to look at."""

from __future__ import annotations

from typing import Any

from cpazmal_scale import storage
from cpazmal_scale.catalog import Entry, how_to_open


def line(entry: Entry) -> str:
    """One product in one line."""
    facts = entry.metadata
    period = f"{facts['start']} to {facts['end']}" if "start" in facts else ""
    shape = " x ".join(str(n) for n in facts.get("shape", []))
    return f"{entry.kind:<8}{entry.name:<34}{period:<26}{shape:<20}{entry.id[:8]}".rstrip()


def describe(entry: Entry, workspace: str) -> str:
    """All that is known of a product, and the lines that open it."""
    facts = [f"  {name}: {_plain(value)}" for name, value in sorted(entry.metadata.items())]
    opening = how_to_open(workspace, entry.name)
    return "\n".join([f"{entry.kind} {entry.name}  ({entry.path})", *facts, "open it:", opening])


def pictures(workspace: str, entry: Entry) -> list[str]:
    """Addresses of what can be looked at: a map's page, picture and GeoTIFF, a model's figure."""
    stem = storage.join(workspace, entry.path.removesuffix(".zarr"))
    made = (f"{stem}.{ending}" for ending in ("html", "png", "tif"))
    return [url for url in made if storage.exists(url)]


def contents(data: Any) -> dict[str, Any]:
    """Lengths of the dimensions and names of the arrays of a dataset, or of a table's columns."""
    if hasattr(data, "data_vars"):
        return {"sizes": dict(data.sizes), "variables": [str(name) for name in data.variables]}
    names = getattr(data, "columns", data if hasattr(data, "__iter__") else [])
    return {"sizes": {"rows": len(data)}, "variables": [str(name) for name in names]}


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(str(v) for v in value)
    return str(value)
