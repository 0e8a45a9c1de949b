"""Polygons and cube to labelled windows, their SQL index and splits."""
