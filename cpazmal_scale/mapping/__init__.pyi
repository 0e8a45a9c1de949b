"""Cube and model to class, probability and uncertainty map, and maps to maps."""

from .classify.acquired import acquired, acquired_by, used
from .classify.card import plan_card
from .classify.coarse import LEVELS, OVERVIEWS, mean_levels, mean_shares, most_frequent
from .classify.pixels import PixelClassifier
from .classify.plan import MapPlan, plan_map
from .classify.recipe import Recipe
from .classify.records import floored, summary
from .classify.run import MapResult, map_cube
from .classify.store import classified_by, legend_of, open_map, read_recipe, read_root, withheld
from .refine.after import refine_map
from .refine.change import Change, compare_maps
from .refine.derived import DerivedMap
from .refine.fusion import fuse_maps
from .refine.modal import modal
from .refine.periods import compared_periods
from .refine.pool import pool
from .refine.restrict import restrict
from .refine.sieve import sieve
from .refine.smooth import smooth
from .refine.source import Source, open_source
from .refine.zones import by_zone
from .show.export import to_cog
from .show.facts import about, place, times
from .show.figures import quicklook
from .show.overview import Averages
from .show.polygons import to_polygons
from .show.viewer import write_viewer

__all__ = [
    "LEVELS",
    "OVERVIEWS",
    "Averages",
    "Change",
    "DerivedMap",
    "MapPlan",
    "MapResult",
    "PixelClassifier",
    "Recipe",
    "Source",
    "about",
    "acquired",
    "acquired_by",
    "by_zone",
    "classified_by",
    "compare_maps",
    "compared_periods",
    "floored",
    "fuse_maps",
    "legend_of",
    "map_cube",
    "mean_levels",
    "mean_shares",
    "modal",
    "most_frequent",
    "open_map",
    "open_source",
    "plan_card",
    "place",
    "plan_map",
    "pool",
    "quicklook",
    "read_recipe",
    "read_root",
    "refine_map",
    "restrict",
    "sieve",
    "smooth",
    "summary",
    "times",
    "to_cog",
    "to_polygons",
    "used",
    "withheld",
    "write_viewer",
]
