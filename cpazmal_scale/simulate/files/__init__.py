"""Scenes and products as files."""
