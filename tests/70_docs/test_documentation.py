"""Documentation: the tutorial's commands work as written, generated pages are complete."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from cyclopts import MissingArgumentError
from packaging.version import Version
from pydantic import BaseModel
from support.one_process import path_of_commands

import cpazmal_scale
from cpazmal_scale.cli import app
from cpazmal_scale.cli.answers import KEYS
from cpazmal_scale.cli.help_text import EXAMPLES
from cpazmal_scale.cli.obeyed import obeys, setting_of
from cpazmal_scale.config import RunConfig

ROOT = Path(__file__).parents[2]
PAGES = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "deploy" / "README.md"]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()


@pytest.mark.timeout(900)
def test_the_tutorial_works_as_written(tmp_path: Path) -> None:
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", TUTORIAL, re.DOTALL)[1:])
    assert commands.count("cpazmal ") == 13
    # The page's figures need all methods and five draws of the folds, its words some and one.
    quick = "--assess.repeats 1 --assess.methods sum euclid-sum discriminant"
    commands = commands.replace("cpazmal assess", f"cpazmal assess {quick}")
    few = "echo 'classify: {candidates: [sum, discriminant]}' >> campaign/run.yaml\ncpazmal inspect"
    commands = commands.replace("cpazmal inspect", few, 1)
    ran = subprocess.run(
        ["bash", "-e", "-c", commands],
        cwd=tmp_path,
        env={"PATH": path_of_commands(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=880,
    )
    assert ran.returncode == 0, ran.stderr
    said = re.sub(r"[0-9a-f]{16}", "ID", ran.stdout)
    for shown in re.findall(r"```text\n(.*?)```", TUTORIAL, re.DOTALL):
        first = re.sub(r"[0-9a-f]{16}", "ID", shown.splitlines()[0].split(":")[0])
        assert " ".join(first.split()) in " ".join(said.split()), first
    opening = re.search(r"```python\n(.*?)```", TUTORIAL, re.DOTALL)
    assert opening is not None
    opened = subprocess.run(
        [sys.executable, "-c", f"{opening[1]}\nprint(dict(ice_aprons.sizes))"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "{'y': 256, 'x': 256}" in opened.stdout, opened.stderr


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    pytest.importorskip("sphinx", reason="the documentation's extra is not installed")
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "extensions"))
    import reference

    return reference


def test_every_setting_is_in_the_reference(reference) -> None:  # type: ignore[no-untyped-def]
    text = reference.settings()

    def names(section: object, prefix: str = "") -> list[str]:
        found = []
        for name in type(section).model_fields:
            value = getattr(section, name)
            nested = hasattr(type(value), "model_fields")
            found += names(value, f"{prefix}{name}.") if nested else [prefix + name]
        return found

    for name in names(RunConfig()):
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert row.count(" | ") == 3, row
        assert not row.endswith("|  |"), f"{name} has no meaning"


def test_every_command_is_in_the_reference(reference) -> None:  # type: ignore[no-untyped-def]
    text = reference.commands()
    for verb in app:
        if not verb.startswith("-"):
            assert f"## cpazmal {verb}\n" in text
    assert "## cpazmal catalog ls\n" in text
    assert "--dtw.radius" not in text
    assert "`--debug`" not in text


def test_every_verb_has_an_example_that_is_understood(reference) -> None:  # type: ignore[no-untyped-def]
    assert set(EXAMPLES) == set(KEYS)
    text = reference.commands()
    for verb, words in EXAMPLES.items():
        assert f"\ncpazmal {verb} {words}\n```" in text
        given = shlex.split(words.split(" > ")[0].removeprefix("> run.yaml"))
        tokens = [one for one in given if one not in ("--config", "run.yaml")]
        command, _, unused = app.parse_args([*verb.split(), *tokens], exit_on_error=False)
        assert command.__name__.strip("_").split("_")[-1] == verb.split()[-1]
        assert not unused


def _written(page: Path) -> set[str]:
    """Commands of a page, in blocks and in lines, without comments and what stands for more."""
    text = page.read_text().replace("\\\n", " ")
    lines = [
        line
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in block.split("\n")
    ]
    lines += re.findall(r"`(cpazmal [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    found = (line.partition(" #")[0].strip().removesuffix("&").strip() for line in lines)
    return {one for one in found if one.startswith("cpazmal ") and not re.search(r"[…$<|\[]", one)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_is_understood(page: Path) -> None:
    """Verb, arguments and flags are the parser's; that each verb works is tested elsewhere."""
    for line in _written(page):
        words = shlex.split(line.partition(" > ")[0], comments=True)[1:]
        place = next((n for n, one in enumerate(words) if one in ("-c", "--config")), None)
        if place is not None:
            del words[place : place + 2]
        try:
            command, _, unused = app.parse_args(words, exit_on_error=False, print_error=False)
        except MissingArgumentError:
            continue  # a verb that is named
        assert not unused, line
        helped = words[-1] == "--help" or words[0] in ("areas", "catalog", "dataset")
        assert helped or command.__name__ != "help_print", line


def _settings(section: BaseModel, before: str = "") -> set[str]:
    found: set[str] = set()
    for name in type(section).model_fields:
        value = getattr(section, name)
        own = {f"{before}{name}"}
        found |= _settings(value, f"{before}{name}.") if isinstance(value, BaseModel) else own
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_gives_a_verb_a_flag_that_changes_nothing(page: Path) -> None:
    known = _settings(RunConfig())
    for line in _written(page):
        words = shlex.split(line, comments=True)[1:]
        verb = next((two for two in (" ".join(words[:2]), words[0]) if two in KEYS), "")
        given = {setting_of(word) for word in words if word.startswith("--")} & known
        assert all(obeys(verb, name) for name in given), line


def test_every_room_is_in_the_reference(reference) -> None:  # type: ignore[no-untyped-def]
    pages = dict(reference.library())
    rooms = {p.stem for p in Path(cpazmal_scale.__path__[0]).iterdir() if p.suffix in ("", ".py")}
    assert set(pages) == {r for r in rooms - {"cli"} if not r.startswith("_")}
    assert ".. automodule:: cpazmal_scale.cube.write.plan" in pages["cube"]
    for room, page in pages.items():
        listed = re.findall(r"{py:obj}`(\w+) <", page)
        face = getattr(import_module(f"cpazmal_scale.{room}"), "__all__", ())
        assert sorted(listed) == sorted(face), room


def test_the_citation_is_that_of_this_version() -> None:
    """Checked against the schema of CFF 1.2.0 when written; cffconvert needs an old jsonschema."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0"
    assert citation["references"][0]["authors"][0]["family-names"] == "Lin-Kwong-Chon"


def test_what_is_not_released_is_not_called_by_a_release() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text()
    heads = re.findall(r"^## (\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)$", changes, re.MULTILINE)
    newest, day = heads[0]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], str(citation["date-released"])) == (newest, day)
    version = Version(cpazmal_scale.__version__)
    unreleased = changes.partition("## Unreleased\n")[2].partition(f"\n## {newest}")[0]
    if unreleased.strip():
        assert version.is_devrelease
        assert Version(version.base_version) > Version(newest)
    else:
        assert str(version) == newest


def test_nothing_comes_from_another_host() -> None:
    """Of the built pages, where `make docs` has built them."""
    pages = list((ROOT / "build" / "site").rglob("*.html"))
    if not pages:
        pytest.skip("`make docs` has not built the pages")
    loaded = re.compile(r'<(?:script|link|img|iframe)[^>]*\s(?:src|href)="(?:https?:)?//[^"]*"')
    for page in pages:
        assert not loaded.search(page.read_text()), page


FAULTS = (ROOT / "docs" / "failure-modes.md").read_text()
NAMED = re.compile(r"`(?:tests/)?((?:\d\d_\w+/)?test_\w+\.py)?(?:::(test_\w+))?`|`(test_\w+)`")


def test_every_test_that_failure_modes_name_is_there() -> None:
    files: dict[str, list[Path]] = {}
    for path in (ROOT / "tests").glob("*/test_*.py"):
        for name in (path.name, f"{path.parent.name}/{path.name}"):
            files.setdefault(name, []).append(path)
    missing, count = [], 0
    for part in re.split(r"\n## ", FAULTS):
        here: list[Path] = []
        for file, name, alone in NAMED.findall(part):
            if file:
                here = files.get(file, [])
                count += 1
                missing += [] if here else [file]
            if name or alone:
                wanted = re.compile(rf"def {name or alone}\(")
                known = any(wanted.search(path.read_text()) for path in here)
                missing += [] if known else [f"{file} {name or alone}"]
    assert count > 100
    assert not missing


def test_every_row_of_the_fault_table_has_a_test_and_a_figure() -> None:
    rows = re.findall(r"^\| (.*) \|$", FAULTS.split("## Fault table")[1], re.MULTILINE)[2:]
    assert len(rows) >= 50
    for row in rows:
        kind, test, figure = row.split(" | ")
        assert "test_" in test, kind
        assert figure, kind
