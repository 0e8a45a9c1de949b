"""A map against a reference raster, pixel by pixel, block by block."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.assess.against.calibration import SHAPE, MapCalibration, Seen, several, tally
from cpazmal_scale.assess.against.comparison import MapComparison
from cpazmal_scale.errors import SampleError, StoreError
from cpazmal_scale.grid.blocks import Block, cut
from cpazmal_scale.grid.raster_files import misplaced, open_plain
from cpazmal_scale.grid.vectors import placed
from cpazmal_scale.legend import spelt_as
from cpazmal_scale.vocabulary import NO_DATA, REJECTED

if TYPE_CHECKING:
    import geopandas
    from numpy.typing import NDArray
    from rasterio.transform import Affine

    from cpazmal_scale.mapping import Source
    from cpazmal_scale.progress import Progress


Reader = Callable[[int, int, int, int], "NDArray[np.uint8]"]
"""Row, column, height and width of a window to its (height, width) values."""

_CODES = 256


def compare_map(
    map_url: str,
    truth_url: str,
    polygons: geopandas.GeoDataFrame | None = None,
    *,
    margin: int = 3,
    block: int = 1024,
    progress: Progress | None = None,
) -> MapComparison:
    """Count a map's pixels by reference class, in memory that does not grow with the map.

    The reference is read on the map's grid, nearest pixel; capitals and blanks of its classes make
    no difference.

    Args:
        map_url: a finished map of classes.
        truth_url: raster with uint8 values from 1 in the order of its tag `classes`; 0 unlabelled.
        polygons: training polygons with a column `class`; those of the map's classes are left out
            in a second count.
        margin: pixels around the training polygons left out with them: half the window, since a
            map pixel within it saw pixels that were trained on.
        block: edge of the blocks in pixels.
        progress: called as (blocks done, blocks).

    Raises:
        StoreMissing: the map or the reference is not there.
        StoreError: one of them is not what it should be, or the map is not finished.
        StoreDamaged: a chunk of the map is lost or altered.
        ModelMismatch: it is a map of change.
        SampleError: the reference has none of the map's classes.
    """
    from cpazmal_scale.mapping import open_source

    mapped = open_source(map_url)
    classes, grid = mapped.recipe.classes, mapped.grid.geobox
    crs = str(grid.crs)
    with open_on_grid(truth_url, crs, grid.transform, mapped.shape) as (truth, names):
        names = tuple(spelt_as(names, classes))
        rows = [*classes, *dict.fromkeys(name for name in names if name not in classes)]
        if not set(names) & set(classes):
            raise SampleError(
                f"the reference knows none of the map's classes {', '.join(classes)}",
                where=truth_url,
                remedy="compare a map whose classes have the names of the reference's",
            )
        row_of = np.full(_CODES, -1, np.int64)
        row_of[1 : len(names) + 1] = [rows.index(name) for name in names]
        trained = _Trained(polygons, classes, crs, grid.transform, margin)
        every = np.zeros((len(rows), len(classes) + 2), np.int64)
        inside, sums = np.zeros_like(every), np.zeros(SHAPE)
        probable = mapped.recipe.withheld is None
        windows = list(cut(mapped.shape, block))
        for done, part in enumerate(windows, start=1):
            around = mapped.read("class", part, margin)
            labels = _labels(truth, part, mapped.shape, margin)
            values, reference = _inner(around, margin), row_of[_inner(labels, margin)]
            every += cross_table(reference, values, every.shape)
            used = trained.mask(part.y0, part.x0, *values.shape)
            if used is not None:
                inside += cross_table(np.where(used, reference, -1), values, every.shape)
            if probable:
                codes = _classes(around)
                seen = Seen(
                    reference,
                    _inner(codes, margin).astype(np.int64) - 1,
                    _confidence(mapped, part),
                    _inner(several(labels, margin), margin),
                    _inner(several(codes, margin), margin),
                )
                sums += tally(seen, used, len(classes))
            if progress is not None:
                progress(done, len(windows))
    outside = None if polygons is None else every - inside
    believed = MapCalibration(sums, polygons is not None) if probable else None
    return MapComparison(classes, tuple(rows[len(classes) :]), every, outside, believed)


def boundary_share(map_url: str, margin: int, *, block: int = 1024) -> float:
    """Share of a map's classified pixels with another class at most `margin` pixels away.

    NaN where nothing is classified; memory does not grow with the map.

    Raises:
        StoreMissing: the map is not there.
        StoreError: it is no finished map.
        StoreDamaged: a chunk of it is lost or altered.
        ModelMismatch: it is a map of change.
    """
    from cpazmal_scale.mapping import open_source

    mapped = open_source(map_url)
    found = np.zeros(2, np.int64)
    for part in cut(mapped.shape, block):
        codes = _classes(mapped.read("class", part, margin))
        used = _inner(codes, margin) > 0
        found += (_inner(several(codes, margin), margin) & used).sum(), used.sum()
    return float(found[0] / found[1]) if found[1] else float("nan")


def require_reference(url: str) -> None:
    """Check that a map can be compared with a raster, before work begins.

    Raises:
        StoreMissing: nothing is there.
        StoreError: not a GeoTIFF of uint8 with a CRS and a tag `classes`.
    """
    with open_raster(url):
        pass


def cross_table(
    rows: NDArray[np.int64], values: NDArray[np.uint8], shape: tuple[int, int]
) -> NDArray[np.int64]:
    """Counts of `shape` of pixels by row (-1 left out) and map value."""
    classes = shape[1] - 2
    column = values.astype(np.int64) - 1
    column[values == REJECTED] = classes
    column[(values == 0) | (values == NO_DATA)] = classes + 1
    known = (rows >= 0) & (column < shape[1])
    cells = rows[known] * shape[1] + column[known]
    return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)


def _classes(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Map values with 0 where there is no class."""
    return np.where(values < REJECTED, values, np.uint8(0))


def _inner(around: NDArray[Any], margin: int) -> NDArray[Any]:
    """Pixels (h, w) without the margin around them."""
    return around[margin : around.shape[0] - margin, margin : around.shape[1] - margin]


def _labels(truth: Reader, part: Block, shape: tuple[int, int], margin: int) -> NDArray[np.uint8]:
    """Reference values of a block and `margin` pixels around it, 0 outside the map."""
    top, left = max(part.y0 - margin, 0), max(part.x0 - margin, 0)
    bottom, right = min(part.y1 + margin, shape[0]), min(part.x1 + margin, shape[1])
    after = part.y1 + margin - bottom, part.x1 + margin - right
    before = top - part.y0 + margin, left - part.x0 + margin
    found = truth(top, left, bottom - top, right - left)
    return np.pad(found, tuple(zip(before, after, strict=True)))


def _confidence(mapped: Source, part: Block) -> NDArray[np.float64]:
    """Largest probability (h, w) of the pixels of a block; NaN without one."""
    stored: Any = mapped.group["probability"]
    largest = mapped.read("probability", part).max(axis=0)
    sure = np.asarray(largest * np.float64(stored.attrs["scale_factor"]))
    sure[largest == stored.fill_value] = np.nan
    return sure


@contextlib.contextmanager
def open_raster(url: str) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """A reference raster, open, and the class names of its values from 1.

    Raises:
        StoreMissing: nothing is there.
        StoreError: not a GeoTIFF of uint8 with a CRS and a tag `classes`.
    """
    import rasterio

    with storage.open_local(url) as path, contextlib.ExitStack() as stack:
        try:
            source = stack.enter_context(open_plain(path, "GTiff"))
        except (rasterio.RasterioIOError, ValueError):
            raise StoreError(
                "not a GeoTIFF that can be read", where=url, remedy="give the reference raster"
            ) from None
        names = _names(source.tags().get("classes", ""))
        if not names or source.crs is None or source.dtypes[0] != "uint8":
            raise StoreError(
                "not a reference: uint8 with a CRS and a tag `classes` is needed",
                where=url,
                remedy="write the class names, in the order of the values from 1, as the tag",
            )
        _require_whole(source, url)
        try:
            yield source, names
        except rasterio.RasterioIOError:
            raise StoreError(
                "its pixels cannot be decoded", where=url, remedy="copy it again from its source"
            ) from None


def _require_whole(source: Any, url: str) -> None:
    """A reference raster is one band, and every pixel of it counts.

    Raises:
        StoreError: it has more bands, a mask of its own or another reference system than its name.
    """
    from rasterio.enums import MaskFlags

    problem = misplaced(source)
    if source.count != 1:
        problem = f"it has {source.count} bands, of which one would be read"
    elif {MaskFlags.per_dataset, MaskFlags.alpha} & set(source.mask_flag_enums[0]):
        problem = "a mask hides some of its pixels"
    if problem:
        raise StoreError(
            problem, where=url, remedy="give one band of classes, 0 where none is known"
        )


@contextlib.contextmanager
def open_on_grid(
    url: str, crs: str, transform: Affine, shape: tuple[int, int]
) -> Iterator[tuple[Reader, tuple[str, ...]]]:
    """A reference raster on a grid, nearest pixel, and the class names of its values from 1.

    Raises:
        StoreMissing: nothing is there.
        StoreError: not a GeoTIFF of uint8 with a CRS and a tag `classes`.
    """
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT
    from rasterio.windows import Window

    with (
        open_raster(url) as (source, names),
        WarpedVRT(
            source,
            crs=crs,
            transform=transform,
            height=shape[0],
            width=shape[1],
            resampling=Resampling.nearest,
            src_nodata=0,
            nodata=0,
        ) as warped,
    ):
        yield lambda r, c, h, w: warped.read(1, window=Window(c, r, w, h)), names


def _names(tag: str) -> tuple[str, ...]:
    """Class names of a tag, written with commas or as a JSON list."""
    bare = tag.strip().strip("[]")
    return tuple(part.strip().strip("\"'") for part in bare.split(",") if part.strip())


class _Trained:
    """Mask of the training polygons, drawn block by block."""

    def __init__(
        self,
        polygons: geopandas.GeoDataFrame | None,
        classes: Sequence[str],
        crs: str,
        transform: Affine,
        margin: int,
    ) -> None:
        self._shapes: Any = None
        if polygons is None:
            return
        self._transform = transform
        pixel = max(abs(self._transform.a), abs(self._transform.e))
        own = placed(polygons[polygons["class"].isin(list(classes))], crs)
        self._shapes = own.geometry.buffer(margin * pixel, join_style="mitre")

    def mask(self, row: int, col: int, height: int, width: int) -> NDArray[np.bool_] | None:
        """Whether each pixel is touched; none where no polygon is near."""
        import shapely
        from rasterio.features import geometry_mask
        from rasterio.transform import Affine

        if self._shapes is None:
            return None
        a, b, c, d, e, f = self._transform[:6]
        here = Affine(a, b, c + a * col + b * row, d, e, f + d * col + e * row)
        extent = shapely.box(here.c, here.f, here.c + a * width, here.f + e * height)
        near = self._shapes.iloc[self._shapes.sindex.query(extent)]
        if near.empty:
            return None
        drawn = geometry_mask(near, (height, width), here, all_touched=True, invert=True)
        return np.asarray(drawn)
