"""The help of every verb: an example, and the settings that the verb reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclopts.help import DefaultFormatter

from cpazmal_scale.cli.console import CONFIGURATION
from cpazmal_scale.cli.obeyed import OBEYED, setting_of, shows

if TYPE_CHECKING:
    from cyclopts import App
    from cyclopts.help import HelpPanel
    from rich.console import Console, ConsoleOptions

EXAMPLES: dict[str, str] = {
    "areas design": "map_DSC37 units.gpkg --config run.yaml",
    "areas estimate": "map_DSC37 units.gpkg --config run.yaml",
    "assess": "--config run.yaml --assess.methods sum forest",
    "catalog add": "mont-blanc --workspace massifs",
    "catalog ls": "--workspace run --kind map",
    "catalog open": "map_DSC37 --workspace run",
    "catalog rebuild": "--workspace run",
    "catalog rm": "map_DSC37 --workspace run",
    "catalog show": "map_DSC37 --workspace run",
    "change": "map_DSC37@1a2b3c4d map_DSC37 --config run.yaml",
    "classify": "--config run.yaml --dry-run",
    "completion": "bash > ~/.local/share/bash-completion/completions/cpazmal",
    "config": "> run.yaml",
    "dataset export": "windows.h5 --config run.yaml",
    "dataset import": "CPAZMaL.h5 --workspace published",
    "dataset protocol": "CPAZMaL.h5",
    "dataset show": "CPAZMaL.h5 --windows",
    "demo": "build/demo",
    "export": "--polygons map.gpkg --config run.yaml",
    "fuse": "map_DSC37 map_ASC45 --config run.yaml",
    "ingest": "--config run.yaml --dry-run",
    "inspect": "/data/paz --config run.yaml",
    "label": "--config run.yaml",
    "map": "--config run.yaml --start 2021-01-01 --end 2021-12-31",
    "refine": "--config run.yaml --after.window 15",
    "run": "--config run.yaml",
    "samples": "--config run.yaml --samples.classes ABL ACC ROC",
    "samples import": "series.csv --config run.yaml",
    "samples query": "'SELECT class, count(*) FROM samples GROUP BY 1' --config run.yaml",
    "serve": "--config run.yaml",
    "simulate": "campaign --size 256 --beams DSC37 --level1b mountains",
    "talk": "build/talk",
    "train": "--config run.yaml --classify.method sum",
    "verify": "--config run.yaml --repair",
    "view": "map_DSC37 map_ASC45 --config run.yaml",
    "zonal": "map_DSC37 --config run.yaml --after.outlines glaciers.gpkg",
}
"""What follows the verb, by its name."""


def complete_help(app: App) -> None:
    """Show in the help of every verb its example, and of the settings those that it reads."""
    for verb, words in EXAMPLES.items():
        place = _place(app, verb)
        place.help_epilogue = f"Example: cpazmal {verb} {words}"
        if verb in OBEYED:
            place.help_formatter = _Read(verb)


class _Read(DefaultFormatter):
    """Renders the help of a verb, with the settings that it reads."""

    def __init__(self, verb: str) -> None:
        super().__init__()
        self.verb = verb

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print a panel."""
        if str(panel.title) == CONFIGURATION.name:
            shown = [
                entry
                for entry in panel.entries
                if shows(self.verb, setting_of(entry.positive_names[0]))
            ]
            about = (
                "Settings that this command reads; `none:` says what holds without a value. "
                "`cpazmal config` prints every setting."
            )
            panel = panel.copy(entries=shown, description=about)
        super().__call__(console, options, panel)


def _place(app: App, verb: str) -> App:
    for name in verb.split():
        app = app[name]
    return app
