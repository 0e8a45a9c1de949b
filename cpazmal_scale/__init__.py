"""Glacier maps from X-band SAR time series, from scenes to exact per-pixel DTW classification."""

__version__ = "0.1.0"
