"""Scenes to append-safe Zarr cubes, and cubes to arrays."""

from .care.repair import Repair, repair_cube
from .care.verify import is_cube, verify_cube
from .format.record import Record, read_record, require_record, start_of
from .read.chunks import ChunkReader, Fetch
from .read.dataset import open_cube, within
from .read.windows import gather, region, require_data, window_pixels
from .write.admission import date_of
from .write.append import append
from .write.ingest import append_planned, fill_cube, ingest_scenes, prepare_ground
from .write.plan import (
    CubePlan,
    cube_url,
    cube_urls,
    ground_url,
    plan_cube,
    plan_ingest,
    plan_usable,
)
from .write.report import CubeReport, IngestReport

__all__ = [
    "ChunkReader",
    "CubePlan",
    "CubeReport",
    "Fetch",
    "IngestReport",
    "Record",
    "Repair",
    "append",
    "append_planned",
    "cube_url",
    "cube_urls",
    "date_of",
    "fill_cube",
    "gather",
    "ground_url",
    "ingest_scenes",
    "is_cube",
    "open_cube",
    "plan_cube",
    "plan_ingest",
    "plan_usable",
    "prepare_ground",
    "read_record",
    "require_record",
    "region",
    "repair_cube",
    "require_data",
    "start_of",
    "verify_cube",
    "window_pixels",
    "within",
]
