"""Scenes into a cube."""
