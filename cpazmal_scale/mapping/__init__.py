"""Cube and model to maps of class, probability and uncertainty."""
