"""Names of folders in which URLs, patterns and shells see more than a name."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from support.command import Ran, ended
from support.small_run import settings, simulated, written

NAMES = ["h#sh", "p%20c", "q?m", "co::lon", "run [2020]", "a*b", "{x}", "~", "$HOME & 'x' \"y\" !z"]
WHOLE = "a#b%20c?d [2020] {x}* & ~"


def cpazmal(*words: object, cwd: Path, code: int = 0, **env: str) -> Ran:
    with contextlib.chdir(cwd), mock.patch.dict("os.environ", env):
        return ended(*words, code=code)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with all products; it, the scenes and the polygons lie in a folder of signs."""
    folder = tmp_path_factory.mktemp("names") / WHOLE
    folder.mkdir()
    run = settings(simulated(folder / "campaign"), str(folder / "run"), end="2020-04-30")
    config = written(run, folder / "run.yaml")
    for verb in ("ingest", "samples", "train", "map"):
        cpazmal(verb, "-c", config, cwd=folder)
    return folder / "run"


@pytest.mark.parametrize("name", NAMES)
def test_a_workspace_of_any_name_opens_whole(made: Path, name: str, tmp_path: Path) -> None:
    workspace = tmp_path / name
    shutil.copytree(made, workspace)
    listed = cpazmal("catalog", "ls", "--workspace", f"./{name}", cwd=tmp_path).out
    assert all(kind in listed for kind in ("cube", "samples", "model", "map"))
    opened = cpazmal("catalog", "open", "samples_DSC37", "--workspace", f"./{name}", cwd=tmp_path)
    assert "rows x" in opened.out
    from cpazmal_scale.catalog import entries, how_to_open, read

    for entry in entries(str(workspace)):
        assert len(read(str(workspace), entry.name)) > 0
    lines = how_to_open(str(workspace), "samples_DSC37")
    shown: dict[str, Any] = {}
    exec("\n".join(line.strip() for line in lines.splitlines()), shown)
    assert len(shown["samples"]) > 0


def test_tilde_is_the_home_folder_once_for_every_verb(made: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for place in (home / "tw2", tmp_path / "~" / "tw2"):
        shutil.copytree(made, place)
    record = "catalog.d/map_DSC37.json"
    said = cpazmal(
        *("catalog", "rm", "map_DSC37", "--workspace", "~/tw2"), cwd=tmp_path, HOME=str(home)
    )
    assert "no longer in the catalog" in said.out
    assert not (home / "tw2" / record).exists()
    assert (tmp_path / "~" / "tw2" / record).exists()
    cpazmal(*("catalog", "rm", "map_DSC37", "--workspace", "./~/tw2"), cwd=tmp_path, HOME=str(home))
    assert not (tmp_path / "~" / "tw2" / record).exists()


def test_a_record_that_intake_would_expand_is_refused(made: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "hostile"
    shutil.copytree(made, workspace)
    record = workspace / "catalog.d" / "map_DSC37.json"
    plain = {"name": "map_DSC37", "kind": "map", "metadata": {}}
    for path in (
        "maps/{env(SECRET)}",
        "maps/{func(os:system)}",
        "../x",
        "/etc",
        "s3://b/x",
        "a\0b",
    ):
        record.write_text(json.dumps({**plain, "path": path}))
        said = cpazmal(
            *("catalog", "open", "map_DSC37", "--workspace", workspace),
            cwd=tmp_path,
            code=5,
            SECRET="hunter2",
        )
        assert "is not below the workspace" in said.err
        assert "hunter2" not in said.err


def test_a_step_that_a_catalog_asks_for_is_not_run(made: Path, tmp_path: Path) -> None:
    import yaml

    workspace = tmp_path / "steps"
    shutil.copytree(made, workspace)
    index = workspace / "catalog.yaml"
    text = yaml.safe_load(index.read_text())
    for entry in text["entries"].values():
        steps = [["{func(os:system)}", [f"touch {tmp_path}/PWNED"], {}]]
        entry["kwargs"] = {**entry.get("kwargs", {}), "steps": steps}
    index.write_text(yaml.safe_dump(text))
    cpazmal("catalog", "open", "map_DSC37", "--workspace", workspace, cwd=tmp_path)
    assert not (tmp_path / "PWNED").exists()
