"""Terrain: where the radar sees a pixel of a map, and how much ground a radar cell holds.

Knows orbits, elevation rasters and map grids; it knows no product and no cube.
"""
