"""The lines that open a product in any Python."""

from __future__ import annotations

from typing import get_args

from cpazmal_scale.catalog.records import Kind, catalog_url


def how_to_open(workspace: str, name: str) -> str:
    """The three lines that open a product in any Python."""
    *above, own = name.split("/")
    kind = own.split("_")[0]
    variable = {"map": "glacier_map"}.get(kind, kind if kind in get_args(Kind) else "nested")
    steps = "".join(f'["{step}"].read()' for step in (*above, own))
    return (
        "  import intake\n"
        f'  catalog = intake.open_catalog("{catalog_url(workspace)}")\n'
        f"  {variable} = catalog{steps}"
    )
