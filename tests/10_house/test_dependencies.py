"""What the package imports, it asks for itself."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GIVEN = {"IPython", "torch"}
"""Imported in a notebook's kernel only, which brings it, or where the caller has it."""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(folder: str) -> set[str]:
    """Top names of the imports, of those inside functions too."""
    names: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module)
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names


def declared(*extras: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"]]
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return {normal(re.split(r"[\[<>=!~; ]", line)[0]) for line in lines}


@pytest.mark.parametrize(
    ("folder", "extras"),
    [("cpazmal_scale", ("kubernetes", "onnx", "slurm")), ("flows", ("flows",))],
)
def test_every_import_is_declared(folder: str, extras: tuple[str, ...]) -> None:
    brought = packages_distributions()
    asked = declared(*extras)
    missing = {
        name
        for name in imported(folder) - {"cpazmal_scale", "flows"} - GIVEN
        if not {normal(one) for one in brought.get(name, [name])} & asked
    }
    assert missing == set()


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {normal(line.partition("==")[0]) for line in lines if "==" in line}
    assert declared(*project["optional-dependencies"]) - pins == {"cpazmal-scale"}
