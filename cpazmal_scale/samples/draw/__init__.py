"""Polygons and cubes to labelled windows."""
