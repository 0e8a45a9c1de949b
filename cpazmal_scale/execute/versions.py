"""Whether a Dask cluster runs the same software: equal versions give equal maps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cpazmal_scale.errors import ClusterError

if TYPE_CHECKING:
    from distributed import Client

DECISIVE = ("python", "cpazmal-scale", "dask", "distributed", "cloudpickle", "msgpack")
"""What must be equal for scheduler, workers and this process to understand each other."""
NUMERIC = ("numpy", "numba", "zarr", "numcodecs")
"""What must be equal on workers for numbers to be equal too."""


def check_versions(client: Client, address: str) -> None:
    """Compare scheduler and workers at an address with this process.

    Raises:
        ClusterError: naming what differs, where, and the remedy.
    """
    found: Any = client.get_versions(packages=[*DECISIVE[1:], *NUMERIC])
    here = found["client"]["packages"]
    sides: dict[str, list[str]] = defaultdict(list)
    difference = _difference(here, found["scheduler"]["packages"], DECISIVE)
    if difference:
        sides[difference].append("scheduler")
    for name, worker in found["workers"].items():
        difference = _difference(here, worker["packages"], (*DECISIVE, *NUMERIC))
        if difference:
            sides[difference].append(f"worker {name}")
    if sides:
        differences = "; ".join(_sentence(*side) for side in sides.items())
        raise ClusterError(
            f"the Dask cluster runs other software: {differences}",
            where=address,
            remedy="install cpazmal-scale there with the same constraints.txt and Python, or use "
            "one container image for all",
        )


def _difference(here: Mapping[str, Any], there: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Such as `numba 0.62.0 (here 0.63.1), no zarr`; empty when all are equal."""
    parts = []
    for name in names:
        ours, theirs = _version(name, here.get(name)), _version(name, there.get(name))
        if ours != theirs:
            parts.append(f"{name} {theirs} (here {ours})" if theirs else f"no {name}")
    return ", ".join(parts)


def _version(name: str, version: Any) -> str:
    """Of Python, only what decides on compatibility."""
    text = str(version or "")
    return ".".join(text.split(".")[:2]) if name == "python" else text


def _sentence(difference: str, sides: list[str]) -> str:
    more = f" and {len(sides) - 2} more" if len(sides) > 2 else ""
    return f"{', '.join(sides[:2])}{more}: {difference}"
