"""The house rules: one-way imports, light start-up, docstrings, nothing that belongs elsewhere."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from inspect import isfunction
from pathlib import Path
from types import ModuleType

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "cpazmal_scale"
MODULES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "flows").glob("*.py")])

FLOORS = (
    "__init__ addresses errors progress vocabulary surfaces words palette pictures tables",
    "kernels config storage legend web",
    "features dtw",
    "grid execute",
    "terrain scenes",
    "cube simulate",
    "samples",
    "published",
    "model",
    "mapping",
    "view",
    "assess",
    "catalog label",
    "stages",
    "cli",
    "__main__",
    "flows",
)
"""Rooms in the order the data travel; a module imports rooms of lower floors, and its own."""

RANKS = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}

BESIDE = {("config", "errors"), ("errors", "__init__"), ("vocabulary", "__init__")}
BESIDE |= {
    ("errors", "addresses"),
    ("config", "storage"),
    ("legend", "config"),
    ("palette", "surfaces"),
    ("dtw", "features"),
    ("scenes", "terrain"),
}
"""Imports within a floor that are part of the plan."""


def room(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "flows" if parts[0] == "flows" else parts[1]


@cache
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


@cache
def faces_of() -> dict[str, str]:
    """Modules of the names in the rooms' faces: `cpazmal_scale.dtw.decide` to its module."""
    places = {}
    for stub in PACKAGE.glob("*/__init__.pyi"):
        face = f"cpazmal_scale.{stub.parent.name}"
        for node in ast.parse(stub.read_text()).body:
            if isinstance(node, ast.ImportFrom):
                places |= {f"{face}.{a.name}": f"{face}.{node.module}" for a in node.names}
    return places


ROOMS_WITH_A_FACE = sorted(stub.parent.name for stub in PACKAGE.glob("*/__init__.pyi"))


@pytest.mark.parametrize("name", ROOMS_WITH_A_FACE)
def test_a_face_holds_what_it_names(name: str) -> None:
    face = import_module(f"cpazmal_scale.{name}")
    named = {full.rpartition(".")[2] for full in faces_of() if full.split(".")[1] == name}
    assert set(face.__all__) == named
    for one in named:
        value = getattr(face, one)
        assert not isinstance(value, ModuleType), f"{name}.{one} is hidden by a module"


UNTYPED = re.compile(r"(?<!\[)(?<!, )\bAny\b")
"""Of annotations: `NDArray[Any]` and `dict[str, Any]` say enough, `Any` alone nothing."""


@pytest.mark.parametrize("name", ROOMS_WITH_A_FACE)
def test_what_a_face_names_is_typed(name: str) -> None:
    face, loose = import_module(f"cpazmal_scale.{name}"), set()
    for one in face.__all__:
        value = getattr(face, one)
        for owner, told in _annotations(one, value):
            if any(UNTYPED.search(str(kind)) for kind in told.values()):
                loose.add(owner)
    assert not loose


def _annotations(name: str, value: object) -> Iterator[tuple[str, dict[str, object]]]:
    """Annotations of a function, or of a class's attributes and public methods."""
    if isfunction(value):
        yield name, value.__annotations__
    if isinstance(value, type):
        yield name, vars(value).get("__annotations__", {})
        for own, part in vars(value).items():
            inner = part.fget if isinstance(part, property) else getattr(part, "__func__", part)
            if isfunction(inner) and not own.startswith("_"):
                yield f"{name}.{own}", inner.__annotations__


BEHIND = {("simulate", "scenes")}
"""Rooms that look behind a face: the simulator writes products in the words of their reader."""


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_are_entered_by_their_face(path: Path) -> None:
    here = room(path)
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        there = (*node.module.split("."), "", "")[1:3]
        if there[0] in ROOMS_WITH_A_FACE and there[0] != here and (here, there[0]) not in BEHIND:
            assert there[1] == "", f"{node.module}: import from cpazmal_scale.{there[0]}"


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


LIBRARIES: dict[str, set[str]] = {
    "addresses": set(),
    "errors": set(),
    "palette": set(),
    "progress": set(),
    "surfaces": set(),
    "vocabulary": set(),
    "words": set(),
    "kernels": {"llvmlite", "numba", "numpy"},
    "features": {"lazy_loader", "numpy"},
    "dtw": {"lazy_loader", "matplotlib", "numba", "numpy", "scipy", "sklearn"},
    "config": {"pydantic", "yaml"},
    "web": {"lazy_loader", "starlette", "uvicorn"},
    "grid": {
        "affine",
        "geopandas",
        "numpy",
        "odc",
        "pandas",
        "pyproj",
        "rasterio",
        "rioxarray",
        "shapely",
        "xarray",
    },
}
"""Libraries that the lower rooms may import, beside Python's own."""


@pytest.mark.parametrize("name", LIBRARIES)
def test_lower_rooms_need_few_libraries(name: str) -> None:
    for path in (path for path in MODULES if room(path) == name):
        found = {imported.split(".")[0] for imported in imports(path)}
        assert found - sys.stdlib_module_names - {"cpazmal_scale"} <= LIBRARIES[name], path


def test_no_circle_of_files() -> None:
    """Modules import each other in one direction, whatever is imported where."""
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in MODULES
    }
    needs = {}
    for name, path in files.items():
        found = {faces_of().get(one, one) for one in imports(path)} & files.keys()
        faces = {other.rpartition(".")[0] for other in found}  # `from room import module`
        needs[name] = {other for other in found if other not in faces} - {name}
    TopologicalSorter(needs).prepare()


def test_no_two_sub_rooms_point_at_each_other() -> None:
    arrows = set()
    for path in MODULES:
        here = path.relative_to(ROOT).parts
        for name in imports(path):
            there = tuple(name.split("."))
            if len(here) > 3 and len(there) > 3 and here[1] == there[1] and here[2] != there[2]:
                arrows.add((here[1], here[2], there[2]))
    assert not {(top, a, b) for top, a, b in arrows if (top, b, a) in arrows}


def test_the_simulated_radar_shares_nothing_with_the_processor() -> None:
    """Its truth judges scenes and terrain: neither is imported, not even by what it imports."""
    files = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in MODULES}
    waiting = [name for name in files if name.startswith("cpazmal_scale.simulate.radar.")]
    assert waiting
    met = set(waiting)
    while waiting:
        found = imports(files[waiting.pop()]) & files.keys()
        waiting += sorted(found - met)
        met |= found
    assert not {name for name in met if room(files[name]) in ("scenes", "terrain")}


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
        "stages.workspace",
        "cli",
    ]
    rooms = [p.parent.name for p in PACKAGE.glob("*/__init__.py")]
    code = "; ".join(f"import cpazmal_scale.{name}" for name in [*light, *rooms])
    code += f"; import sys; print(*[m for m in '{heavy}'.split() if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


def test_one_decorator_keeps_compiled_code() -> None:
    """A kernel that numba caches by itself cannot be imported where nothing can be written."""
    found = [path for path in MODULES if re.search(r"\bcache\s*=\s*True", path.read_text())]
    assert found == [PACKAGE / "kernels" / "compiled.py"]


def test_the_tree_names_every_room() -> None:
    """CONTRIBUTING draws the rooms; none is missing, none is invented."""
    table = (ROOT / "CONTRIBUTING.md").read_text().split("## The tree")[1].split("##")[0]
    named = {name for line in table.splitlines() for name in re.findall(r"`([a-z_0-9/]+)/`", line)}
    named = {name for name in named if not name.startswith(("tests", "deploy", "benchmarks"))}
    here = {path.parent.relative_to(PACKAGE) for path in MODULES if PACKAGE in path.parents}
    assert named == {str(path) for path in here if path.parts} | {"flows", "cpazmal_scale"}


KERNEL = {"kept", "kept_with", "inlined"}
"""Decorators of compiled functions, whose parameters are arrays and numbers one by one."""


def test_modules_and_functions_stay_small() -> None:
    long = {str(path.relative_to(ROOT)) for path in MODULES if _lines(path.read_text()) > 400}
    assert not long
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                where = f"{path.relative_to(ROOT)}: {node.name}"
                assert _body(node) <= 50, where
                takes = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                own = {"self", "cls"} & {one.arg for one in takes}
                named = [getattr(d, "func", d) for d in node.decorator_list]
                kernel = any(isinstance(d, ast.Name) and d.id in KERNEL for d in named)
                public = not node.name.startswith("_") and not kernel
                assert not public or len(takes) - len(own) <= 8, f"{where} has {len(takes)}"


def _lines(text: str) -> int:
    return len(text.splitlines())


def _body(node: ast.FunctionDef) -> int:
    """Lines of a function without its signature and docstring."""
    first = node.body[1:] if ast.get_docstring(node) else node.body
    return (node.end_lineno or 0) - first[0].lineno + 1 if first else 0


def _tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return listed.stdout.split()


def test_paragraphs_of_pages_wrap() -> None:
    """At 130 characters, but for equations and words without a blank."""
    for name in _tracked():
        if not name.endswith(".md") or not (ROOT / name).is_file():
            continue
        text = (ROOT / name).read_text()
        lines = text.splitlines()
        for token in MarkdownIt("commonmark").enable("table").parse(text):
            if token.type == "paragraph_open" and token.map:
                paragraph = lines[slice(*token.map)]
                if not any("$" in line for line in paragraph):
                    wide = [line for line in paragraph if len(line) > 130]
                    spans = [re.sub(r"`[^`]*`", "`", line).strip() for line in wide]
                    assert not [span for span in spans if " " in span], f"{name}: {wide}"


def test_files_name_no_registry_and_no_machine() -> None:
    hosts = re.compile(r"pypi\.(org|python)|files\.pythonhosted|registry\.npmjs|deb\.debian")
    for name in _tracked():
        path = ROOT / name
        if path.is_file() and path.suffix not in {".png", ".tif"} and path != Path(__file__):
            assert not hosts.search(path.read_text(errors="replace")), name
