"""Verify and repair cubes."""
