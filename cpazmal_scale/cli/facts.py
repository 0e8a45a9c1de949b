"""What stages return, as plain facts by their documented names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpazmal_scale import storage

if TYPE_CHECKING:
    import pandas as pd

    from cpazmal_scale.catalog import Entry
    from cpazmal_scale.cube import CubeReport, IngestReport
    from cpazmal_scale.mapping import MapPlan, MapResult
    from cpazmal_scale.published.repairs import Account
    from cpazmal_scale.scenes import Scene
    from cpazmal_scale.stages.assess import Assessment


def product(entry: Entry, workspace: str) -> dict[str, Any]:
    """An entry of the catalog."""
    return {
        "name": entry.name,
        "kind": entry.kind,
        "id": entry.id,
        "path": entry.path,
        "url": storage.join(storage.absolute(workspace), entry.path),
        "metadata": entry.metadata,
    }


def scene(one: Scene) -> dict[str, Any]:
    """A scene, as far as `inspect` tells."""
    from cpazmal_scale.scenes import equivalent_looks

    names = ("id", "sensor", "start", "beam", "pass_direction", "polarisations")
    return {
        **{name: getattr(one, name) for name in names},
        "incidence_angle": one.incidence_angle,
        "enl": equivalent_looks(one, one.geobox),
        "radiometry": one.radiometry,
        "shape": list(one.geobox.shape),
        "crs": str(one.geobox.crs),
        "files": [file.url for file in one.files],
    }


def ingested(report: IngestReport) -> dict[str, Any]:
    """An ingest, done or planned."""
    return {
        "cubes": [cube(one) for one in report.cubes],
        "dry_run": report.dry_run,
        "refused": list(report.refused),
        "left_out": list(report.left_out),
    }


def cube(report: CubeReport) -> dict[str, Any]:
    """What one cube got."""
    names = ("beam", "url", "shape", "dates", "appended", "unchanged", "bytes", "notes")
    return {name: getattr(report, name) for name in names}


def mapped(result: MapResult) -> dict[str, Any]:
    """A finished map."""
    names = ("id", "url", "shape", "blocks_executed", "blocks_skipped", "seconds")
    return {
        **{name: getattr(result, name) for name in names},
        "pixels_per_second": result.pixels_per_second,
        "areas": result.areas.to_dict("index"),
    }


def planned(plan: MapPlan) -> dict[str, Any]:
    """A map that would be made."""
    names = ("id", "shape", "bytes_read", "bytes_written", "memory", "seconds")
    return {
        **{name: getattr(plan, name) for name in names},
        "dates": list(plan.recipe.dates),
        "blocks": len(plan.blocks),
    }


def assessed(found: Assessment) -> dict[str, Any]:
    """Methods side by side, the map beside its reference, and where the report is."""
    table = None if found.comparison is None else found.comparison.table().to_dict("index")
    return {
        "methods": found.rows(),
        "reference": table,
        "report": found.url,
        "page": found.url.removesuffix(".md") + ".html",
    }


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table, one object per row; its index is a column where it has a name."""
    whole = table.reset_index() if table.index.name else table
    return [{str(key): value for key, value in row.items()} for row in whole.to_dict("records")]


def repaired(account: Account) -> list[dict[str, Any]]:
    """What was wrong in a published file."""
    return rows(account.table())
