"""The verb `cpazmal label`: a page on this machine to draw polygons, or to interpret points."""

from __future__ import annotations

from typing import Annotated

from cpazmal_scale.cli.answers import ANSWER, say
from cpazmal_scale.cli.console import COMMAND, PLACE_OF_COMMAND, Config, Place, Switch, say_where
from cpazmal_scale.config import RunConfig

DEFAULT = RunConfig()


def label(
    workspace: Place | None = None,
    /,
    *,
    config: Config = DEFAULT,
    points: Annotated[str | None, PLACE_OF_COMMAND] = None,
    port: Annotated[int | None, COMMAND] = None,
    no_browser: Switch = False,
) -> None:
    """Draw, cut and name polygons over the scenes, on a page that only this machine sees.

    They are those of `samples.polygons`, or of labels.gpkg in the workspace. Every edit is kept at
    once, and goes into the file when it is saved.

    Args:
        workspace: folder or URL; none: that of the configuration.
        points: file of `areas design`: the page asks for the class of its points instead, and
            hides the map.
        port: port of the page; none: a free one.
        no_browser: only print the page's address.
    """
    from cpazmal_scale.label import page
    from cpazmal_scale.stages import label as stage
    from cpazmal_scale.web import serve

    if workspace is not None:
        config = config.with_values({"workspace": workspace})
    desk = stage.polygons(config) if points is None else stage.points(config, points)
    say(desk.session.url, file=desk.session.url)
    serve(page(desk), port=port, browser=not no_browser, say=say_where)
    left, url = desk.session.unsaved, desk.session.url
    if left:
        say(f"{left} changes are not in {url} yet; the next `cpazmal label` shows them again")
    elif points is None and url != config.samples.polygons:
        given = ANSWER.flags[:2] if ANSWER.flags[:1] == ("--config",) else ()
        flags = (*(given or ("--workspace", config.workspace)), "--samples.polygons", url)
        say(ANSWER.next("samples", "windows inside them", flags))
