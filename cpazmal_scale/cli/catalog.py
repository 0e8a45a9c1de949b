"""The verbs of `cpazmal catalog`: what a workspace holds, shown, opened and withdrawn."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from cyclopts import App, Parameter

from cpazmal_scale import storage
from cpazmal_scale.catalog import Kind
from cpazmal_scale.cli import facts
from cpazmal_scale.cli.answers import say
from cpazmal_scale.cli.console import PLACE_OF_COMMAND
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError, StoreMissing

Workspace = Annotated[str, PLACE_OF_COMMAND]
DEFAULT: str = RunConfig().workspace

catalog_app = App(
    name="catalog", help="What a workspace holds.", default_parameter=Parameter(negative=())
)


@catalog_app.command
def ls(
    *,
    workspace: Workspace = DEFAULT,
    kind: Kind | None = None,
    beam: str | None = None,
    time: str | None = None,
    bbox: tuple[float, float, float, float] | None = None,
    versions: bool = False,
) -> None:
    """List the products of a workspace and of the workspaces nested in it.

    Args:
        workspace: folder or bucket URL.
        kind: only this class of product.
        beam: only this viewing geometry.
        time: only products of a day, 2020-03-01, or period, 2020-03-01/2020-06-30, 2020-03-01/..
        bbox: only products that overlap west south east north, in degrees; a west beyond the east
            crosses 180°.
        versions: also each single version, not only the latest.
    """
    from cpazmal_scale import catalog
    from cpazmal_scale.cli.products import line

    period = None if time is None else _period(time)
    found = catalog.search(
        workspace, kind=kind, beam=beam, time=period, bbox=bbox, versions=versions
    )
    if not found and not storage.exists(workspace):
        raise StoreMissing(
            "no workspace is here", where=workspace, remedy="check the folder or bucket"
        )
    say(
        "\n".join(map(line, found)) or f"nothing of this kind published in {workspace}",
        products=[facts.product(one, workspace) for one in found],
    )


@catalog_app.command
def show(name: str, /, *, workspace: Workspace = DEFAULT) -> None:
    """Show the record of one product, and the lines of Python that open it.

    Args:
        name: its name in the catalog; `name@identity` for a version, `nested/name` below.
        workspace: folder or bucket URL.
    """
    from cpazmal_scale import catalog
    from cpazmal_scale.cli.products import describe

    found = catalog.entry(workspace, name)
    say(
        describe(found, workspace),
        product=facts.product(found, workspace),
        open=catalog.how_to_open(workspace, found.name),
    )


@catalog_app.command(name="open")
def open_(name: str, /, *, workspace: Workspace = DEFAULT) -> None:
    """Open a product and print its dimensions and variables, and the files to look at.

    Args:
        name: its name in the catalog; `name@identity` for a version, `nested/name` below.
        workspace: folder or bucket URL.
    """
    from cpazmal_scale import catalog
    from cpazmal_scale.cli.products import contents, pictures

    data, entry = catalog.read(workspace, name), catalog.entry(workspace, name)
    files = pictures(workspace, entry)
    say(
        "\n".join([repr(data), *files]),
        product=facts.product(entry, workspace),
        **contents(data),
        files=files,
    )


@catalog_app.command
def add(folder: str, /, *, workspace: Workspace = DEFAULT) -> None:
    """Nest the catalog of a workspace in the catalog of the folder above it.

    Args:
        folder: where the workspace is, below `workspace`.
        workspace: folder or bucket URL of the catalog above.
    """
    from cpazmal_scale import catalog
    from cpazmal_scale.cli.products import line

    added = catalog.add_workspace(workspace, folder)
    say(line(added), product=facts.product(added, workspace))


@catalog_app.command
def rm(name: str, /, *, workspace: Workspace = DEFAULT) -> None:
    """Remove a name from the catalog; the data stay.

    Args:
        name: its name in the catalog; `name@identity` for a version.
        workspace: folder or bucket URL.
    """
    from cpazmal_scale import catalog

    gone = catalog.withdraw(workspace, name)
    say(
        f"{gone.name} is no longer in the catalog; its data stay in {gone.path}",
        product=facts.product(gone, workspace),
    )


@catalog_app.command
def rebuild(*, workspace: Workspace = DEFAULT) -> None:
    """Write the index again: the records of all products, and cubes that have none.

    Args:
        workspace: folder or bucket URL.
    """
    from cpazmal_scale import catalog
    from cpazmal_scale.stages.ingest import list_cubes

    list_cubes(RunConfig(workspace=workspace))
    url, count = catalog.rebuild(workspace), len(catalog.entries(workspace))
    say(f"{url} lists {count} products", catalog=url, products=count)


def _period(text: str) -> tuple[date | None, date | None]:
    first, slash, last = text.partition("/")
    ends = (first, last) if slash else (first, first)
    try:
        days = [None if slash and day in ("", "..") else date.fromisoformat(day) for day in ends]
    except ValueError:
        raise ConfigError(
            f"{text!r} is not a day or period",
            where="--time",
            remedy="write 2020-03-01, 2020-03-01/2020-06-30 or ../2020-06-30",
        ) from None
    return days[0], days[1]
