"""The verbs on scenes before they are in a cube: `cpazmal simulate` and `inspect`."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal

from cpazmal_scale.cli import facts
from cpazmal_scale.cli.answers import say
from cpazmal_scale.cli.console import PLACE_OF_COMMAND, Config, Folder, Place, bar, show_card
from cpazmal_scale.config import RunConfig
from cpazmal_scale.words import coefficient

if TYPE_CHECKING:
    from cpazmal_scale.scenes import Scene

DEFAULT = RunConfig()


def simulate(
    folder: Folder,
    /,
    *,
    size: int = 768,
    seed: int = 42,
    start: date | None = None,
    end: date | None = None,
    beams: tuple[Literal["DSC37", "ASC45", "ASC54"], ...] = ("DSC37", "ASC45", "ASC54"),
    grid: Literal["utm", "authors"] = "utm",
    level1b: Literal["mountains", "flat"] | None = None,
) -> None:
    """Write a simulated campaign: scenes, acquisition table, truth, polygons and a run.yaml.

    Args:
        folder: folder that the files are written to.
        size: edge of the area in pixels, 256 to 20000.
        seed: seed of every random choice.
        start: first day of the campaign; none: January 2020.
        end: last day of the campaign; none: December 2022.
        beams: viewing geometries; the first is the one that run.yaml maps.
        grid: UTM at 3 m, or the WGS84 grid of the CPAZMAL authors.
        level1b: SSC products in slant range, instead of calibrated GeoTIFFs: of the mountains,
            with their DEM, or of the area as if flat, which is quick.
    """
    from cpazmal_scale.simulate.campaign import campaign

    with bar("simulate the scenes") as progress:
        made = campaign(
            folder,
            size=size,
            seed=seed,
            start=start,
            end=end,
            beams=beams,
            grid=grid,
            level1b=level1b,
            progress=progress,
        )
    say(
        f"{made}\nnext: cpazmal run --config {folder / 'run.yaml'}",
        folder=folder,
        settings=made.run,
        products=len(made.files),
        acquisitions=made.acquisitions,
        shape=made.size,
        polygons=made.polygons,
    )


def inspect(
    scenes: Place,
    /,
    *,
    pictures: Annotated[str | None, PLACE_OF_COMMAND] = None,
    config: Config = DEFAULT,
) -> None:
    """Check scenes and describe them: one by a card and a picture, several by a line each.

    Args:
        scenes: folder, file, archive or glob, on any fsspec URL.
        pictures: folder for quick-look pictures; none: `build/inspect` for a single scene.
    """
    from cpazmal_scale.scenes import discover

    rules = config.ingest.model_copy(update={"scenes": scenes})
    with bar("look at the scenes") as progress:
        found = discover(rules, check=True, progress=progress)
    if len(found) == 1 or pictures is not None:
        drawn = _show_cards(found, pictures or "build/inspect")
        say("", scenes=[facts.scene(one) for one in found], pictures=drawn)
    else:
        said = [facts.scene(one) for one in found]
        lines = [line for one in found for line in _lines(one)]
        beams = Counter(one.beam for one in found)
        held = ", ".join(f"{beam} {count}" for beam, count in sorted(beams.items()))
        lines.append(f"{len(found)} scenes can be used, by beam: {held}")
        say("\n".join(lines), scenes=said, pictures=[])


def _lines(scene: Scene) -> list[str]:
    """A scene, the coefficient of its values, and what is to be known of it."""
    notes = sorted({file.note for file in scene.files} - {""})
    return [
        f"{scene} {coefficient(scene.radiometry)}",
        *(f"  {text}" for text in (*notes, *scene.warnings)),
    ]


def _show_cards(found: list[Scene], pictures: str) -> list[str]:
    """Print cards and draw pictures; where they are."""
    from cpazmal_scale import storage
    from cpazmal_scale.scenes import overview, scene_card, scene_picture

    drawn = []
    for scene in found:
        seen = overview(scene)
        show_card(str(scene), scene_card(scene, seen))
        drawn.append(scene_picture(scene, storage.join(pictures, f"{scene.id}.png"), seen=seen))
        say(drawn[-1])
    return drawn
