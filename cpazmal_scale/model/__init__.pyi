"""A trained classifier with what it needs, its place in a store, and its card."""

from .card import barycenters_figure, model_card
from .learning import Workers
from .methods import PixelModel
from .panels import feature_panels, legend_and_title
from .season import OnDates, in_order, on_dates
from .stored import as_dataset, open_model, save_model
from .trained import Model
from .training import require_method, train

__all__ = [
    "Model",
    "OnDates",
    "PixelModel",
    "Workers",
    "as_dataset",
    "barycenters_figure",
    "feature_panels",
    "in_order",
    "legend_and_title",
    "model_card",
    "on_dates",
    "open_model",
    "require_method",
    "save_model",
    "train",
]
