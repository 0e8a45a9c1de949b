"""Find products by name, version, class, beam, time and place, and open them."""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from cpazmal_scale import storage
from cpazmal_scale.catalog.index import reading
from cpazmal_scale.catalog.records import Entry, Kind, catalog_url, entries, names, read_record
from cpazmal_scale.errors import ConfigError, StoreDamaged, StoreMissing
from cpazmal_scale.storage import seal

if TYPE_CHECKING:
    from intake.readers.entry import Catalog


_REMEDY = "run `cpazmal catalog rebuild`"
Box = tuple[float, float, float, float]
Period = tuple[date | None, date | None]


def entry(workspace: str, name: str) -> Entry:
    """One published product.

    Args:
        workspace: folder or bucket URL.
        name: `map_DSC37`, the latest; `map_DSC37@1a2b`, the version whose identity begins so;
            `mont_blanc/map_DSC37`, one of a nested catalog.

    Raises:
        StoreMissing: the catalog has no such entry or version.
        ConfigError: several versions begin so.
    """
    head, _, rest = name.partition("/")
    if head and rest:
        nested = entry(workspace, head)
        if nested.kind != "catalog":
            raise StoreMissing(
                f"{head} is no nested catalog",
                where=workspace,
                remedy="`cpazmal catalog ls` shows what there is",
            )
        return _below(nested, entry(_folder(workspace, nested), rest))
    plain, _, identity = name.partition("@")
    if identity:
        return _version(workspace, plain, identity)
    found = read_record(workspace, f"{name}.json") if name.isidentifier() else None
    if found is None:
        raise StoreMissing(
            f"no catalog entry {name!r}",
            where=workspace,
            remedy=f"{_near(workspace, name)}`cpazmal catalog ls` shows what there is",
        )
    return found


def _near(workspace: str, name: str) -> str:
    """A question for the name that was meant; empty where none is like it."""
    close = difflib.get_close_matches(name, names(workspace), n=1)
    return f"did you mean {close[0]}? " if close else ""


def search(
    workspace: str,
    *,
    kind: Kind | None = None,
    beam: str | None = None,
    time: Period | None = None,
    bbox: Box | None = None,
    versions: bool = False,
) -> list[Entry]:
    """Products that meet every condition given, those of nested catalogs too.

    Args:
        workspace: folder or bucket URL.
        kind: class of product.
        beam: viewing geometry.
        time: first and last day; a product whose period overlaps is found. None: open.
        bbox: west, south, east, north in degrees; a product that overlaps is found. A west beyond
            the east crosses 180°, as in GeoJSON (RFC 7946).
        versions: also the names of single versions, not only the latest.

    Raises:
        ConfigError: `time` ends before it begins, the south of `bbox` is beyond its north, or an
            edge is none on Earth.
    """
    first, last = time or (None, None)
    if first is not None and last is not None and first > last:
        raise ConfigError(f"a period from {first} to {last}", remedy="exchange its days")
    if bbox is not None:
        _require_box(bbox)
    return [
        e
        for e in _walk(workspace)
        if kind in (None, e.kind)
        and beam in (None, e.metadata.get("beam"))
        and (versions or not e.is_version)
        and (time is None or _meets_period(e, time))
        and (bbox is None or _meets_box(e, bbox))
    ]


def open_catalog(workspace: str) -> Catalog:
    """The workspace's intake catalog.

    Raises:
        StoreMissing: nothing was published there.
        StoreDamaged: it was altered, or is no catalog.
        ConfigError: intake cannot read a path like this one.
    """
    import intake

    import cpazmal_scale.catalog.accessor  # noqa: F401  # makes `.cpazmal`

    url = catalog_url(workspace)
    if not storage.exists(url):
        raise StoreMissing(
            "no catalog here", where=url, remedy="run `cpazmal run` or check the workspace"
        )
    seal.check_trailer(storage.read_bytes(url), url, _REMEDY)
    if "::" in storage.absolute(url) and not storage.is_remote(url):
        raise ConfigError(
            "intake takes `::` in a path for a chain of stores",
            where=url,
            remedy="rename the folder, or open its products one by one: `cpazmal catalog open`",
        )
    with seal.parsing("not a catalog", url, _REMEDY):
        catalog: Catalog = intake.open_catalog(url)
        list(catalog)
        return catalog


def indexed(workspace: str, name: str) -> Entry | None:
    """A product by the index alone; none if it does not list it or cannot be read."""
    try:
        catalog = open_catalog(workspace)
        with seal.parsing("not an entry", name, _REMEDY):
            if name not in list(catalog):
                return None
            facts = catalog[name].metadata
            return Entry(name, facts["kind"], facts["path"])
    except (StoreMissing, StoreDamaged, ConfigError):
        return None


def read(workspace: str, name: str) -> Any:
    """What a name stands for: a lazy Dataset, a DataFrame, or a nested catalog.

    It is what intake makes of the catalog's entry, but made here from the product's record alone:
    nothing that a catalog asks for is run, and every object is compared with its checksum.

    Raises:
        StoreMissing: the catalog has no such entry, or what it names is gone.
        StoreDamaged: it is not what was written.
        CubeDamaged: the cube cannot be read.
    """
    import pandas as pd
    import xarray as xr

    import cpazmal_scale.catalog.accessor  # noqa: F401  # makes `.cpazmal`
    from cpazmal_scale.storage import stores

    found = entry(workspace, name)
    url = storage.join(workspace, found.path)
    if not storage.exists(url):
        raise StoreMissing(
            f"{found.name} is no longer there",
            where=url,
            remedy=f"put it back, or run `cpazmal catalog rm {found.name}`",
        )
    if found.kind == "cube":
        from cpazmal_scale.cube import open_cube

        return open_cube(url)
    remedy = "remove it and make it again"
    with seal.parsing(f"{found.name} cannot be opened", url, remedy):
        if found.kind in ("model", "map"):
            data = xr.open_zarr(stores.open_checked(url, remedy), **reading(found.kind))
            data.encoding["source"] = url
            return data
        if found.kind == "samples":
            table = storage.read_bytes(url)
            seal.check_trailer(table, url, remedy)
            return pd.read_parquet(io.BytesIO(table))
        return open_catalog(url.rpartition("/")[0])


def _version(workspace: str, name: str, identity: str) -> Entry:
    found = {}
    for product in entries(workspace, beginning=name):
        if product.id.startswith(identity) and (
            product.name == name or (product.is_version and product.name[:-9] == name)
        ):
            found[product.id] = product
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise ConfigError(
            f"several versions of {name} begin with {identity}",
            where=workspace,
            remedy=f"give more digits: {', '.join(sorted(found))}",
        )
    raise StoreMissing(
        f"no version {identity} of {name!r}",
        where=workspace,
        remedy="`cpazmal catalog ls --versions` shows what there is",
    )


def _walk(workspace: str, above: tuple[str, ...] = ()) -> Iterator[Entry]:
    """All products; a catalog that is nested in itself, by a link, is not entered again."""
    way = (*above, real_folder(workspace))
    for found in entries(workspace):
        yield found
        if found.kind == "catalog" and real_folder(_folder(workspace, found)) not in way:
            for product in _walk(_folder(workspace, found), way):
                yield _below(found, product)


def real_folder(url: str) -> str:
    """The address of a folder without symbolic links, which object stores do not have."""
    return url if storage.is_remote(url) else str(storage.local_path(url).resolve())


def _folder(workspace: str, nested: Entry) -> str:
    return storage.join(workspace, nested.path.rpartition("/")[0])


def _below(nested: Entry, product: Entry) -> Entry:
    """A nested catalog's product as the catalog above sees it."""
    folder = nested.path.rpartition("/")[0]
    name = f"{nested.name}/{product.name}"
    return replace(product, name=name, path=storage.join(folder, product.path))


def _meets_period(product: Entry, period: Period) -> bool:
    first, last = product.metadata.get("start"), product.metadata.get("end")
    if first is None or last is None:
        return False
    after, before = period
    return (after is None or str(last) >= after.isoformat()) and (
        before is None or str(first) <= before.isoformat()
    )


def _meets_box(product: Entry, box: Box) -> bool:
    if "bbox" not in product.metadata:
        return False
    _, south, _, north = product.metadata["bbox"]
    beside = any(
        west <= last and first <= east
        for west, east in _spans(product.metadata["bbox"])
        for first, last in _spans(box)
    )
    return bool(beside and south <= box[3] and box[1] <= north)


def _spans(box: Sequence[float]) -> list[tuple[float, float]]:
    """Longitudes of a box from west to east, two spans where it crosses 180°."""
    west, east = box[0], box[2]
    return [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]


def _require_box(box: Box) -> None:
    west, south, east, north = box
    if not (-90 <= south <= north <= 90 and -180 <= west <= 180 and -180 <= east <= 180):
        raise ConfigError(
            "no place on Earth",
            where=f"bbox {west:g} {south:g} {east:g} {north:g}",
            remedy="give west, south, east, north in degrees; a west beyond the east crosses 180°",
        )
