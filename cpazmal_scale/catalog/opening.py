"""The three lines of Python that open a product."""

from __future__ import annotations

import json
from typing import get_args

from cpazmal_scale import storage
from cpazmal_scale.catalog.records import Kind, catalog_url


def how_to_open(workspace: str, name: str) -> str:
    """The three lines that open a product in any Python."""
    *above, own = name.split("/")
    kind = own.split("_")[0]
    variable = {"map": "glacier_map"}.get(kind, kind if kind in get_args(Kind) else "nested")
    steps = "".join(f'["{step}"].read()' for step in (*above, own))
    if "::" in storage.absolute(workspace):
        return (
            "  from cpazmal_scale import catalog\n"
            f"  {variable} = catalog.read({_quoted(storage.absolute(workspace))}, {_quoted(name)})"
        )
    return (
        "  import intake\n"
        f"  catalog = intake.open_catalog({_quoted(catalog_url(workspace))})\n"
        f"  {variable} = catalog{steps}"
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
