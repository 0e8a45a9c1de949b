"""Areas with intervals: units drawn from a map, and what their interpretation says of it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cpazmal_scale.errors import SampleError
from cpazmal_scale.legend import answered, spelt_as
from cpazmal_scale.palette import STAYED, sides, transition
from cpazmal_scale.progress import Progress
from cpazmal_scale.stages import workspace
from cpazmal_scale.vocabulary import NO_DATA, REJECTED

if TYPE_CHECKING:
    import geopandas
    import pandas as pd
    from numpy.typing import NDArray

    from cpazmal_scale.assess import AreaEstimate, Population, Reader
    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.mapping import Source

SQUARE_METRES_PER_KM2 = 1e6


def design(
    config: RunConfig,
    name: str,
    *,
    units: int | None = None,
    standard_error: float = 0.01,
    users: float = 0.8,
) -> geopandas.GeoDataFrame:
    """Draw units from a map, at random within each of its strata, to be interpreted.

    Args:
        config: the run; its seed rules the draw.
        name: of a map in the catalog, of classes or of change (`assess.strata`).
        units: how many; none: as many as `standard_error` needs.
        standard_error: of the overall accuracy.
        users: user's accuracy expected of every class.

    Returns:
        One point per unit, see `assess.units.points`.

    Raises:
        StoreMissing: the catalog has no map of this name.
        ConfigError: it is the name of something else.
        SampleError: too few units for the map's classes, or too many to interpret.
    """
    source = _source(config, name)
    return _drawn(
        config, source, _Shown(source), units=units, standard_error=standard_error, users=users
    )


def estimate(
    config: RunConfig,
    name: str,
    reference: str,
    *,
    progress: Progress | None = None,
) -> tuple[AreaEstimate, pd.DataFrame | None, Population]:
    """Unbiased planimetric areas (km²) and accuracies of a map's classes with 95 % intervals.

    Args:
        config: the run; with `after.outlines`, glaciers are estimated one by one too.
        name: of a map in the catalog, of classes or of change.
        reference: interpreted units of `design`, of which those answered `unknown` are left out
            and counted; or a reference raster (uint8, tag `classes`), where units are drawn and
            areas estimated only where it has a class. Of a map of change both name transitions,
            `a` or `a-a` where nothing changed and `a-b` where it did. Capitals and blanks make no
            difference.
        progress: called with pixels done and pixels in all.

    Returns:
        The whole map's estimate; a table by `zone` and `class` with `units`, `mapped_km2`, `km2`
        and its 95 % interval, `km2_low` to `km2_high`, NaN where too few units are
        in the zone (`assess.without_slivers`), or None without outlines; and what they are of.

    Raises:
        StoreMissing: the catalog has no map of this name.
        ConfigError: it is the name of something else.
        SampleError: the units are not this map's, are incomplete, or too few.
    """
    from cpazmal_scale.assess import drawn_in_all, open_on_grid, read_units

    source = _source(config, name)
    if not reference.lower().endswith((".tif", ".tiff")):
        table = read_units(reference, source.id)
        table = table.assign(reference=_named(source, table["reference"].tolist(), reference))
        return _estimated(config, source, _Shown(source, progress), table, drawn_in_all(table))
    grid = source.grid.geobox
    with open_on_grid(reference, str(grid.crs), grid.transform, source.shape) as (read, names):
        if source.of_change and not any("-" in name for name in {*names} - {*_alone(source)}):
            raise SampleError(
                "its classes are of one date, those of the map of change of two",
                where=reference,
                remedy="give a raster whose classes are pairs, `a-a` where nothing changed",
            )
        labels = _Reference(read, tuple(_named(source, names, reference)))
        shown = _Shown(source, progress, labels)
        if not shown.pixels.any():
            raise SampleError(
                "it has a class on no pixel that the map has a class of",
                where=reference,
                remedy="give a reference raster that covers the map",
            )
        table = _drawn(config, source, shown)
        table = table.assign(reference=labels.at(table))
        return _estimated(config, source, shown, table, len(table))


def groups(config: RunConfig, name: str, found: AreaEstimate) -> pd.DataFrame | None:
    """Areas (km²) and 95 % intervals of glacier and other classes, or of the kinds of change.

    Args:
        config: the run.
        name: of the map that was estimated.
        found: its estimate.

    Returns:
        By `group`: `units`, `mapped`, `area`, `area_low`, `area_high`; none if all is of one group.
    """
    from cpazmal_scale.mapping import legend_of, open_map

    source = _source(config, name)
    named = legend_of(open_map(source.url))
    if not source.of_change:
        members = named.with_classes(found.classes).groups()
        return found.groups(members) if members else None
    known = _alone(source)
    both = {code: named.changes.get(code) or answered(code, known) for code in found.classes}
    ice = named.with_classes(dict.fromkeys(itertools.chain(*both.values()))).glacier
    kinds: dict[str, list[str]] = {}
    for code, (before, after) in both.items():
        kinds.setdefault(transition(before, after, ice), []).append(code)
    moved = [code for kind, codes in kinds.items() if kind != STAYED for code in codes]
    return found.groups({STAYED: kinds.pop(STAYED), "changed": moved, **kinds})


def _named(source: Source, classes: Sequence[str], where: str) -> list[str]:
    """Names of classes as the map has them: on a map of change `a` for `a-a`."""
    from cpazmal_scale.assess import UNKNOWN

    if not source.of_change:
        return list(classes)
    changes = sides(source.recipe.classes)
    code_of = {both: code for code, both in changes.items()}
    alone = _alone(source)
    found = {code: code for code in (*changes, UNKNOWN)}
    for code in {*classes} - set(found):
        before, after = answered(code, alone)
        if not all(one in alone or re.fullmatch(r"[\w ]+", one) for one in (before, after)):
            raise SampleError(
                f"`{code}` is neither a class that stayed nor a transition",
                where=where,
                remedy=f"name them as the map does, such as {_examples(source)}",
            )
        alike = before if before == after else f"{before}-{after}"
        found[code] = code_of.get((before, after), alike)
    return [found[code] for code in classes]


def _alone(source: Source) -> tuple[str, ...]:
    """Classes of a map of change that stayed."""
    changes = sides(source.recipe.classes)
    return tuple(code for code, both in changes.items() if both[0] == both[1])


def _moved(source: Source) -> list[bool] | None:
    """Which classes of a map of change are transitions; none: it is a map of classes."""
    if not source.of_change:
        return None
    changes = sides(source.recipe.classes)
    return [before != after for before, after in changes.values()]


def _examples(source: Source) -> str:
    """The first class that stays and the first that changes."""
    return " and ".join(source.recipe.classes[:2])


class _Reference(NamedTuple):
    """A reference raster on the map's grid, and the classes of its values from 1."""

    read: Reader
    names: tuple[str, ...]

    def known(self, top: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Where whole rows have a class."""
        labels = self.read(top, 0, *shape)
        return (labels > 0) & (labels <= len(self.names))

    def at(self, table: geopandas.GeoDataFrame) -> list[str]:
        """The class at units that lie where there is one."""
        places = zip(table["row"].tolist(), table["column"].tolist(), strict=True)
        return [self.names[int(self.read(row, column, 1, 1)[0, 0]) - 1] for row, column in places]


class _Shown:
    """The pixels of a map that units stand for, by class: all, or those with a reference.

    `pixels`, `square_metres` and `strata` are by class, of the population; `mapped`, `rejected` and
    `no_data` m² of the whole map.
    """

    def __init__(
        self,
        source: Source,
        progress: Progress | None = None,
        reference: _Reference | None = None,
    ) -> None:
        from cpazmal_scale.assess import strata
        from cpazmal_scale.grid.blocks import Block

        self.source, self._reference = source, reference

        values = [*range(1, len(source.recipe.classes) + 1), REJECTED, NO_DATA]
        known, whole = np.zeros((2, len(values) - 2)), np.zeros(len(values))
        for top, codes in _strips(source):
            own, block = self._of(top, codes), Block(top, top + len(codes), 0, source.shape[1])
            counts = np.bincount(own.ravel(), minlength=NO_DATA + 1)[values[:-2]]
            every = source.areas.of(codes, block, values)
            ground = every if own is codes else source.areas.of(own, block, values)
            whole += every
            known += counts, ground[:-2]
            if progress is not None:
                progress((top + len(codes)) * source.shape[1], source.shape[0] * source.shape[1])
        self.pixels, self.square_metres = known[0].astype(np.int64), known[1]
        self.strata = strata(self.pixels, _moved(source))
        self.mapped = float(whole[:-2].sum())
        self.rejected, self.no_data = float(whole[-2]), float(whole[-1])

    def strips(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """First row and values of whole rows, no data where a pixel is not of the population."""
        for top, codes in _strips(self.source):
            yield top, self._of(top, codes)

    def _of(self, top: int, codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._reference is None:
            return codes
        return np.where(self._reference.known(top, codes.shape), codes, np.uint8(NO_DATA))


def _drawn(
    config: RunConfig,
    source: Source,
    shown: _Shown,
    *,
    units: int | None = None,
    standard_error: float = 0.01,
    users: float = 0.8,
) -> geopandas.GeoDataFrame:
    from cpazmal_scale.assess import FLOOR, allocate, draw_units, place_units, sample_size

    mapped = np.bincount(shown.strata, shown.square_metres)
    pixels = np.bincount(shown.strata, shown.pixels)
    present = int((mapped > 0).sum())
    wanted = units
    if wanted is None:
        wanted = sample_size(mapped, np.full_like(mapped, users), standard_error)
    shares = allocate(mapped, wanted, floor=min(FLOOR, wanted // max(present, 1)))
    stratum = np.zeros(NO_DATA + 1, np.uint8)
    stratum[1 : len(shown.strata) + 1] = shown.strata + 1
    strips = ((top, stratum[codes]) for top, codes in shown.strips())
    drawn = draw_units(strips, pixels, shares, config.seed)
    grid = source.grid.geobox
    return place_units(drawn, grid.transform, str(grid.crs), source.id, config.seed)


def _estimated(
    config: RunConfig, source: Source, shown: _Shown, table: geopandas.GeoDataFrame, units: int
) -> tuple[AreaEstimate, pd.DataFrame | None, Population]:
    from cpazmal_scale.assess import UNKNOWN, Population, count_units, estimate_areas

    known = source.recipe.classes
    answers = spelt_as(table["reference"], known)
    table = table.assign(mapped=_classes_at(source, table), reference=answers)
    lost = (table["reference"] == UNKNOWN) & (UNKNOWN not in known)
    answered = table[~lost]
    classes, counts = count_units(answered["mapped"], answered["reference"], known)
    mapped = np.zeros(len(classes))
    mapped[: len(known)] = shown.square_metres / SQUARE_METRES_PER_KM2
    whole = estimate_areas(counts, mapped, classes, _with_new(shown.strata, len(classes)))
    of = Population(
        mapped=shown.mapped / SQUARE_METRES_PER_KM2,
        covered=float(mapped.sum()),
        rejected=shown.rejected / SQUARE_METRES_PER_KM2,
        no_data=shown.no_data / SQUARE_METRES_PER_KM2,
        units=units,
        unknown={code: int((lost & (table["mapped"] == code)).sum()) for code in known},
        removed=units - len(table),
        beside={code: int((answered["reference"] == code).sum()) for code in classes[len(known) :]},
    )
    zones = None if config.after.outlines is None else _by_zone(config, shown, answered)
    return whole, zones, of


def _source(config: RunConfig, name: str) -> Source:
    from cpazmal_scale.mapping import open_source

    return open_source(workspace.map_url(config, name), of_change=True)


def _with_new(strata: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Strata of `count` classes, of which those that the map does not know are empty ones."""
    extra = count - strata.size
    return np.concatenate([strata, strata.max(initial=-1) + 1 + np.arange(extra)])


def _strips(source: Source) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    from cpazmal_scale.grid.blocks import Block

    height, width = source.shape
    for y in range(0, height, source.chunk):
        yield y, source.read("class", Block(y, min(y + source.chunk, height), 0, width))


def _classes_at(source: Source, table: geopandas.GeoDataFrame) -> list[str]:
    rows, columns = (table[axis].to_numpy(np.int64) for axis in ("row", "column"))
    height, width = source.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    values = source.at("class", rows, columns) if inside.all() else np.zeros(1)
    classes = source.recipe.classes
    if ((values < 1) | (values > len(classes))).any():
        raise SampleError(
            "a unit lies where the map has no class",
            where=source.url,
            remedy="use units that were drawn from this map",
        )
    return [classes[int(value) - 1] for value in values]


def _by_zone(config: RunConfig, shown: _Shown, table: geopandas.GeoDataFrame) -> pd.DataFrame:
    import pandas as pd

    from cpazmal_scale.grid.blocks import Block
    from cpazmal_scale.grid.outlines import read_outlines
    from cpazmal_scale.grid.vectors import placed

    source = shown.source
    outlines = read_outlines(str(config.after.outlines), source.grid, config.after.zone)
    inside = placed(table, str(source.grid.geobox.crs)).sjoin(outlines.table, predicate="within")
    values = range(1, len(source.recipe.classes) + 1)
    mapped: dict[int, NDArray[np.float64]] = {}
    for top, codes in shown.strips():
        here = Block(top, top + len(codes), 0, source.shape[1])
        for number, part, drawn in outlines.zones(here):
            own = codes[part.y0 - top : part.y1 - top, part.x0 : part.x1]
            inside_m2 = source.areas.of(np.where(drawn, own, np.uint8(NO_DATA)), part, values)
            km2 = inside_m2 / SQUARE_METRES_PER_KM2
            mapped[number] = mapped.get(number, 0) + km2
    found: list[dict[str, object]] = []
    for number, sizes in sorted(mapped.items()):
        zone = outlines.table["zone"].iloc[number]
        units = inside[inside["zone"] == zone]
        found += _zone_rows(str(zone), shown, sizes, units)
    return pd.DataFrame(found)


def _zone_rows(
    zone: str, shown: _Shown, mapped: NDArray[np.float64], units: geopandas.GeoDataFrame
) -> list[dict[str, object]]:
    from cpazmal_scale.assess import count_units, estimate_areas, without_slivers

    known = shown.source.recipe.classes
    classes, counts = count_units(units["mapped"], units["reference"], known)
    sizes = np.array([*mapped, *[0.0] * (len(classes) - len(known))])
    held = _with_new(shown.strata, len(classes))
    held = without_slivers(held, counts.sum(axis=1), sizes)
    told = np.bincount(held, counts.sum(axis=1)) >= 2
    nothing = np.full(len(classes), np.nan)
    km2, ends = nothing, np.stack([nothing, nothing], axis=1)
    if (told | (np.bincount(held, sizes) == 0)).all() and sizes.any():
        found = estimate_areas(counts, sizes, classes, held)
        km2, ends = found.areas, found.areas_95
    somewhere = (sizes > 0) | (counts.sum(axis=0) > 0)
    return [
        {
            "zone": zone,
            "class": code,
            "units": int(counts[i].sum()),
            "mapped_km2": float(sizes[i]),
            "km2": float(km2[i]),
            "km2_low": float(ends[i, 0]),
            "km2_high": float(ends[i, 1]),
        }
        for i, code in enumerate(classes)
        if somewhere[i] or not shown.source.of_change
    ]
