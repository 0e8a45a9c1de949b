"""The house rules: one-way imports, light start-up, docstrings, nothing that belongs elsewhere."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "cpazmal_scale"
MODULES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "flows").glob("*.py")])

RANKS: dict[str, int] = {
    **dict.fromkeys(("__init__", "errors", "config"), 0),
    **dict.fromkeys(("features", "dtw"), 0),
    **dict.fromkeys(("storage", "execute", "scenes"), 1),
    **dict.fromkeys(("cube", "samples", "simulate"), 2),
    "model": 3,
    **dict.fromkeys(("mapping", "assess"), 4),
    "catalog": 5,
    "workspace": 6,
    "stages": 7,
    "cli": 8,
    "flows": 9,
}
"""Rooms in the order the data travel; a module imports rooms of lower rank, and its own."""

BESIDE = {("scenes", "storage"), ("errors", "__init__"), ("config", "errors")}
BESIDE |= {("samples", "cube")}
"""Imports within a rank that are part of the plan."""


def room(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "flows" if parts[0] == "flows" else parts[1]


def imports(path: Path) -> set[str]:
    """Absolute names of everything a module imports, at any depth."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    here = room(path)
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top not in ("cpazmal_scale", "flows"):
            continue
        there = "flows" if top == "flows" else (rest.split(".")[0] or "__init__")
        if there not in RANKS:  # a name of the package itself, such as __version__
            there = "__init__"
        allowed = RANKS[there] < RANKS[here] or there in (here, "__init__")
        assert allowed or (here, there) in BESIDE, f"{here} must not import {there}"


@pytest.mark.parametrize("name", ["features", "dtw"])
def test_kernel_rooms_need_nothing_of_ours(name: str) -> None:
    ours = {"cpazmal_scale", f"cpazmal_scale.{name}"}
    for path in (PACKAGE / name).rglob("*.py"):
        for found in imports(path):
            if found.startswith("cpazmal_scale"):
                assert found in ours or found.startswith(f"cpazmal_scale.{name}."), (path, found)


@pytest.mark.parametrize(
    ("library", "rooms"),
    [("prefect", {"flows"}), ("distributed", {"execute", "flows"}), ("intake", {"catalog"})],
)
def test_orchestrators_stay_in_their_rooms(library: str, rooms: set[str]) -> None:
    users = {room(p) for p in MODULES if any(n.split(".")[0] == library for n in imports(p))}
    assert users <= rooms


def test_every_module_says_what_it_is() -> None:
    for path in MODULES:
        assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"


def test_no_module_does_work_when_imported() -> None:
    """Importing the light modules loads none of the heavy libraries."""
    heavy = "xarray zarr dask distributed numba pandas rasterio geopandas matplotlib prefect intake"
    light = [
        "errors",
        "config",
        "storage",
        "execute",
        "workspace",
        "cli",
    ]
    rooms = [p.parent.name for p in PACKAGE.glob("*/__init__.py")]
    code = "; ".join(f"import cpazmal_scale.{name}" for name in [*light, *rooms])
    code += f"; import sys; print(*[m for m in '{heavy}'.split() if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


def test_files_name_no_registry_and_no_machine() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if tracked.returncode:
        pytest.skip("not a git checkout")
    hosts = re.compile(r"pypi\.(org|python)|files\.pythonhosted|registry\.npmjs|deb\.debian")
    for name in tracked.stdout.split():
        path = ROOT / name
        if path.is_file() and path.suffix not in {".png", ".tif"} and path != Path(__file__):
            assert not hosts.search(path.read_text(errors="replace")), name
