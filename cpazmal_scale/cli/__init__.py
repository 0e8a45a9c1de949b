"""The command line: one verb per stage, all with the same YAML file and the flags made from it."""

from cpazmal_scale.cli.app import app, main

__all__ = ["app", "main"]
