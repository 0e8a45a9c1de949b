"""Reference pages made from the program itself: settings, commands and docstrings cannot drift."""

from __future__ import annotations

import ast
import pkgutil
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel

import cpazmal_scale
from cpazmal_scale.cli import app as command_line
from cpazmal_scale.cli.answers import KEYS
from cpazmal_scale.cli.completion import parsed_once
from cpazmal_scale.cli.help_text import EXAMPLES
from cpazmal_scale.cli.obeyed import OBEYED
from cpazmal_scale.config import RunConfig

if TYPE_CHECKING:
    from sphinx.application import Sphinx

LIBRARY = Path(__file__).parents[1] / "reference" / "library"


def settings() -> str:
    """All settings as Markdown tables, one per section of the run configuration."""
    return "\n".join(_section(RunConfig(), ""))


def commands() -> str:
    """All commands as Markdown, without the settings, which are the same for all."""
    with parsed_once():
        text = command_line.generate_docs(usage_name="cpazmal", heading_level=1)
    text = text[text.index("\n## cpazmal ") :]
    text = re.sub(r"\*\*Run configuration\*\*:\n\n(?:[*] .*\n(?: .*\n)*)+", _SETTINGS, text)
    text = re.sub(_SHARED, "", text).replace("**Parameters**:\n\n\n", "")
    for verb, words in EXAMPLES.items():
        usage = re.compile(rf"## cpazmal {verb}\n\n```console\n.*\n")
        text = usage.sub(lambda found, line=f"{verb} {words}": f"{found[0]}cpazmal {line}\n", text)
    for verb, names in OBEYED.items():
        names = sorted(("workspace", *names), key=lambda name: _ORDER.index(name.split(".")[0]))
        read = ", ".join(f"`{name}`" for name in names)
        section = re.compile(rf"(?s)(## cpazmal {verb}\n.*?){re.escape(_SETTINGS)}")
        text = section.sub(
            lambda found, read=read: f"{found[1]}Reads {read}; {_FLAGS}", text, count=1
        )
    return text.replace(" *[default: False]*", "").replace("-README", "")


def answers() -> str:
    """Keys of the document that each verb prints with `--json`, as a Markdown table."""
    rows = [
        f"| `{verb}` | `{key}` | {meaning} |"
        for verb, keys in KEYS.items()
        for key, meaning in keys.items()
    ]
    return "\n".join(["| verb | key | holds |\n|---|---|---|", *rows])


_SHARED = r"[*] `--config, -c PATH`.*\n[*] `--debug`.*\n[*] `--json`.*\n"
_ORDER = list(RunConfig.model_fields)
_FLAGS = "these [settings](configuration.md) are flags too, such as `--workspace run`.\n"
_SETTINGS = "All [settings](configuration.md) are flags too, such as `--dtw.band-days 33`.\n"


def library() -> list[tuple[str, str]]:
    """Name and Markdown of a page for every room of the library."""
    rooms = pkgutil.iter_modules(cpazmal_scale.__path__, "cpazmal_scale.")
    named = [(room.name.split(".")[1], room) for room in rooms]
    return [(name, _room(room)) for name, room in named if name != "cli" and name[0] != "_"]


def complete(app: Sphinx, page: str, content: list[str]) -> None:
    """Put what is generated in the place of its mark."""
    makers: dict[str, Callable[[], str]] = {
        "settings": settings,
        "commands": commands,
        "answers": answers,
    }
    if page.startswith("docs/reference/"):
        for mark, make in makers.items():
            if f"<!-- {mark} -->" in content[0]:
                content[0] = content[0].replace(f"<!-- {mark} -->", make())


def write_library(app: Sphinx) -> None:
    """Write the pages of the rooms, and remove those of rooms that are gone."""
    pages = {f"{name}.md": text for name, text in library()}
    LIBRARY.mkdir(exist_ok=True)
    for path in LIBRARY.glob("*.md"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = LIBRARY / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def plain(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Docstrings are plain text with code in backticks: no other sign is markup."""
    parts = re.split(r"(`[^`]*`)", "\n".join(lines))
    parts[::2] = [re.sub(r"([|\\]|(?<=\w)_(?!\w)|[*](?! ))", r"\\\1", part) for part in parts[::2]]
    for after in range(2, len(parts), 2):
        if re.match(r"\w", parts[after]):  # `UNIT`s
            parts[after] = "\\ " + parts[after]
        if re.search(r"[\w/]$", parts[after - 2]):
            parts[after - 2] += "\\ "
    lines[:] = "".join(parts).split("\n")
    if what == "attribute":
        _ATTRIBUTES[name] = list(lines)


_ATTRIBUTES: dict[str, list[str]] = {}


def whole(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Give attributes back what napoleon takes for a type: their text before a colon."""
    if name in _ATTRIBUTES:
        lines[:] = _ATTRIBUTES.pop(name)


def skip(app: Sphinx, what: str, name: str, obj: object, own: bool, options: object) -> bool | None:
    """Leave out what scikit-learn adds to estimators."""
    return True if name.startswith("set_") and name.endswith("_request") else None


def _section(section: BaseModel, prefix: str) -> Iterator[str]:
    plain = {n: f for n, f in type(section).model_fields.items() if not _nested(section, n)}
    if prefix:
        yield f"\n## `{prefix.rstrip('.')}`\n\n{type(section).__doc__}\n"
    yield "| setting | | default | meaning |\n|---|---|---|---|"
    dumped = section.model_dump(mode="json")
    for name, field in plain.items():
        default = yaml.safe_dump(dumped[name], default_flow_style=True, width=999).splitlines()[0]
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        limits = "".join(f", {limit}" for limit in map(_limit, field.metadata) if limit)
        kind = (_kind(field.annotation) + limits).replace("|", "\\|")
        yield f"| `{prefix}{name}` | {kind} | `{default}` | {meaning} |"
    for name, field in type(section).model_fields.items():
        if _nested(section, name):
            yield from _section(getattr(section, name), f"{prefix}{name}.")
        elif get_origin(field.annotation) is dict:
            yield from _section(get_args(field.annotation)[1](), f"{prefix}{name}.CODE.")


def _nested(section: BaseModel, name: str) -> bool:
    return isinstance(getattr(section, name), BaseModel)


_KINDS = {"str": "text", "float": "number", "int": "whole number", "bool": "true, false"}


def _kind(annotation: Any) -> str:
    """A type in plain words."""
    members = [m for m in get_args(annotation) if m not in (type(None), Ellipsis)]
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kind(members[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in members)
    if origin is dict:
        return "settings by code"
    if origin is tuple:
        return f"list of {_kind(members[0])}"
    if origin in (Union, type(int | None)):
        return " or ".join(_kind(member) for member in members)
    name = getattr(annotation, "__name__", str(annotation))
    return _KINDS.get(name, name)


def _limit(bound: Any) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    return ", ".join(f"{s} {getattr(bound, n):g}" for n, s in signs.items() if hasattr(bound, n))


def _room(room: pkgutil.ModuleInfo) -> str:
    modules = [room.name]
    if room.ispkg:
        path = Path(cpazmal_scale.__path__[0]) / room.name.split(".")[1]
        found = pkgutil.walk_packages([str(path)], f"{room.name}.")
        modules += [module.name for module in found]
    parts = [f"# {room.name.split('.')[1]}\n"]
    for name in modules:
        parts += [] if name == room.name else [f"## {name}\n"]
        members = "\n   :no-members:" if room.ispkg and name == room.name else ""
        parts += [f"```{{eval-rst}}\n.. automodule:: {name}{members}\n```\n"]
        parts += _face(room.name) if room.ispkg and name == room.name else []
    return "\n".join(parts)


def _face(room: str) -> list[str]:
    """What a room gives to others, each name with a link to its module; nothing without a face."""
    given = getattr(import_module(room), "__all__", ())
    folder = Path(cpazmal_scale.__path__[0]) / room.split(".")[1]
    stub = folder / "__init__.pyi"
    links = [
        f"{{py:obj}}`{alias.name} <{f'{room}.' * node.level}{node.module}.{alias.name}>`"
        for node in ast.parse((stub if stub.exists() else folder / "__init__.py").read_text()).body
        if given and isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in given
    ]
    names = ", ".join(sorted(links, key=str.casefold))
    return [f"`from {room} import …` gives {names}.\n"] if links else []


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the generated pages before and while the others are read."""
    app.connect("builder-inited", write_library)
    app.connect("source-read", complete)
    app.connect("autodoc-process-docstring", plain, priority=100)
    app.connect("autodoc-process-docstring", whole, priority=900)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
