"""Scenes to a chunked Zarr cube on a fixed grid, append-only and crash-safe."""
