"""With `--json` every verb answers one document with the keys that are documented."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App
from support.command import cpazmal
from support.settings_read import names, noted

from cpazmal_scale.cli import app
from cpazmal_scale.cli.answers import KEYS
from cpazmal_scale.cli.obeyed import OBEYED, kept, obeys

SLOW = {"demo", "talk", "dataset protocol", "serve"}
"""Verbs that are `run` on a campaign of their own, need a larger area than this one, or a server
of Prefect (tests of `serve`)."""


def verbs(group: App, above: str = "") -> Iterator[str]:
    """Every verb of the parser."""
    for name in group:
        if name.startswith("-"):
            continue
        verb = f"{above}{name}"
        if group[name].default_command is not None:
            yield verb
        yield from verbs(group[name], f"{verb} ")


ASIDE = {
    "assess": {"ingest.level1b.terrain.dem"},  # the name of a file whose heights the cube holds
    "ingest": {"samples.polygons", "beam"},  # for the verb that it names as the next, and a warning
    "samples import": {"samples.polygons"},  # which a table does not go with
}
"""Settings that a verb reads and that change nothing of what it makes."""


def test_every_verb_of_the_parser_is_documented() -> None:
    assert set(verbs(app)) == set(KEYS)


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of a finished run."""
    shutil.copytree(finished_run.parent / "run", tmp_path / "run")
    text = finished_run.read_text().replace(f"{finished_run.parent}/run\n", f"{tmp_path}/run\n")
    (tmp_path / "run.yaml").write_text(text)
    return tmp_path / "run.yaml"


def series_table(folder: Path) -> Path:
    """Eight labelled series of eight dates in decibels, one row each."""
    dates = [f"VV_2020{month:02}15" for month in range(1, 9)]
    rows = [
        [code, f"{code}{group}", *(f"{level + n % 3:.1f}" for n in range(8))]
        for code, level in (("A", -8), ("B", -15))
        for group in (1, 2)
        for _ in (1, 2)
    ]
    path = folder / "series.csv"
    path.write_text("\n".join(",".join(row) for row in [["class", "g", *dates], *rows]) + "\n")
    return path


def answer(verb: str, *words: object) -> dict[str, object]:
    """The document of a verb that succeeds; its keys are those that are documented.

    The verb reads no setting whose flag it refuses.
    """
    with noted() as read:
        ran = cpazmal(*verb.split(), *words, "--json")
    assert ran.code == 0, ran.err
    assert {name for name in read if not obeys(verb, name)} <= ASIDE.get(verb, set()), verb
    found = ran.document
    assert set(found) == set(KEYS[verb]), verb
    return found


@pytest.mark.timeout(900)
def test_every_verb_answers_in_json(run: Path, tmp_path: Path, monkeypatch) -> None:
    at = ("-c", run)
    campaign = Path(str(answer("config", *at)["settings"]["ingest"]["scenes"])).parent
    zones = ("--after.outlines", campaign / "polygons.gpkg")
    asked = {"config"}

    def ask(verb: str, *words: object) -> dict[str, object]:
        asked.add(verb)
        return answer(verb, *words)

    made = ask("simulate", tmp_path / "c", "--size", 256, "--beams", "DSC37", "--end", "2020-01-08")
    assert (made["products"], made["shape"]) == (1, [256, 256])
    scenes = ask("inspect", tmp_path / "c" / "scenes")["scenes"]
    assert (scenes[0]["beam"], scenes[0]["shape"]) == ("DSC37", [256, 256])
    cubes = ask("ingest", *at)["cubes"]
    assert (cubes[0]["appended"], len(cubes[0]["unchanged"])) == ([], cubes[0]["dates"])
    assert answer("ingest", *at, "--dry-run")["dry_run"] is True
    assert ask("samples", *at)["product"]["kind"] == "samples"
    rows = ask("samples query", "SELECT class, count(*) AS n FROM samples GROUP BY 1", *at)["rows"]
    assert {"ABL", "ROC"} <= {row["class"] for row in rows}
    assert ask("train", *at)["product"]["metadata"]["method"] == "sum"
    plan = answer("map", *at, "--dry-run")
    assert (plan["map"], plan["files"], len(plan["plan"]["dates"]) > 5) == (None, [], True)
    assert ask("classify", *at)["map"]["blocks_executed"] == 0
    mapped = ask("map", *at)
    assert mapped["map"]["areas"]["ABL"]["group"] == "glacier"
    assert all(Path(url).is_file() for url in mapped["files"])
    assert ask("assess", *at)["methods"][0]["macro_f1_mean"] > 0
    assert ask("verify", *at) == {"intact": True, "findings": [], "repaired": []}
    assert ask("run", *at)["steps"].keys() == {"ingest", "samples", "train", "map", "assess"}
    assert ask("export", "--polygons", tmp_path / "m.gpkg", *at)["polygons"] > 10
    layer = ("--layer", "entropy", "--raster", tmp_path / "e.tif")
    assert answer("export", *layer, *at)["files"] == [f"{tmp_path}/e.tif"]
    assert ask("refine", *at, "--after.window", 15)["product"]["name"] == "map_DSC37_refined"
    both = ("map_DSC37", "map_DSC37_refined")
    assert ask("fuse", *both, *at)["product"]["name"] == "map_fused"
    assert ask("change", *both, *at)["mapped"]["ABL"]["ABL"] > 0
    assert ask("zonal", "map_DSC37", *at, *zones)["rows"][0]["pixels"] > 0
    units = ask("areas design", "map_DSC37", tmp_path / "u.gpkg", "--units", 60, *at)
    assert units["units"] >= 60
    truth = campaign / "truth.tif"
    estimated = ask("areas estimate", "map_DSC37", truth, *at)
    assert len(estimated["overall"]) == 3
    assert estimated["groups"].keys() == {"glacier", "not glacier"}
    listed = ask("catalog ls", *at, "--kind", "map")["products"]
    assert {one["name"] for one in listed} >= {"map_DSC37", "map_fused"}
    assert "intake" in ask("catalog show", "map_DSC37", *at)["open"]
    opened = ask("catalog open", "map_DSC37", *at)
    assert opened["sizes"]["y"] == 256
    assert "entropy" in opened["variables"]
    assert ask("catalog rm", "map_fused", *at)["product"]["name"] == "map_fused"
    assert ask("catalog rebuild", *at)["products"] > 3
    nested = ask("catalog add", "run", "--workspace", tmp_path)
    assert nested["product"]["kind"] == "catalog"
    published = tmp_path / "ours.hdf5"
    assert ask("dataset export", published, *at, "--end", "2020-01-31")["series"] > 5
    assert len(ask("dataset show", published)["groups"]) > 5
    table = (
        "--samples.table.group",
        "g",
        "--samples.table.values",
        r"(?P<channel>VV)_(?P<date>\d{8})",
    )
    drawn = ask(
        "samples import", series_table(tmp_path), "--workspace", tmp_path / "points", *table
    )
    assert drawn["product"]["metadata"]["windows"] == {"A": 4, "B": 4}
    brought = ("--workspace", tmp_path / "brought", "--cluster.kind", "serial")
    assert ask("dataset import", published, *brought, "--dry-run")["settings"] is None
    assert "complete" in str(ask("completion", "bash")["script"])
    monkeypatch.setattr("cpazmal_scale.web.serve", lambda _, *, say, **__: say("http://here/", 7))
    assert ask("view", *at) == {
        "address": "http://here/",
        "port": 7,
        "maps": [mapped["map"]["url"]],
    }
    page = ask("label", *at)
    assert (page["port"], Path(str(page["file"])).suffix) == (7, ".gpkg")
    assert asked == set(KEYS) - SLOW


def test_the_table_of_flags_speaks_of_settings_and_verbs_that_there_are() -> None:
    known = set(names())
    for verb, own in OBEYED.items():
        assert verb in KEYS
        for one in own:
            assert any(name == one or name.startswith(f"{one}.") for name in known), (verb, one)


@pytest.mark.parametrize(
    ("words", "users"),
    [
        (("run", "--after.window", 5), "refine"),
        (("map", "--after.modal", 5), "refine"),
        (("verify", "--months", 7), "map"),
        (("view", "--features.window", 5), "train"),
        (("refine", "--polarisations", "HH"), "train"),
        (("areas", "design", "map_DSC37", "u.gpkg", "--after.zone", "name"), "zonal"),
        (("samples", "import", "s.csv", "--after.strength", 2), "refine"),
    ],
)
def test_a_flag_that_changes_nothing_is_refused(
    run: Path, words: tuple[object, ...], users: str
) -> None:
    ran = cpazmal(*words, "-c", run)
    assert ran.code == 2
    (said,) = ran.complaints
    flag = next(str(word) for word in words if str(word).startswith("--"))
    assert f"cpazmal: {flag} changes nothing" in said
    assert users in said.partition("belongs to ")[2]


@pytest.mark.parametrize(
    ("words", "users"),
    [
        (("ingest", "--start", "2020-02-01", "--dry-run"), "map"),
        (("ingest", "--beam", "DSC37", "--dry-run"), "map"),
        (("map", "--train.restarts", 5, "--dry-run"), "assess, run, talk, train"),
        (("map", "--samples.max-masked", 0.2, "--dry-run"), "samples"),
    ],
)
def test_a_flag_of_another_step_is_told(run: Path, words: tuple[object, ...], users: str) -> None:
    """The same flags may go with every step of the main job."""
    ran = cpazmal(*words, "-c", run)
    assert ran.code == 0
    (told,) = (line for line in ran.err.splitlines() if "changes nothing" in line)
    assert told.startswith(f"{words[1]} changes nothing of `cpazmal {words[0]}`; it belongs to ")
    assert users in told


def test_a_map_refuses_flags_that_its_model_was_not_trained_with(run: Path) -> None:
    asked = (("--dtw.min-dates", 8), ("--features.window", 5), ("--polarisations", "HH"))
    for flag, value in asked:
        ran = cpazmal("map", flag, value, "-c", run)
        assert ran.code == 7
        assert "the model was trained with" in ran.complaints[0]
        assert "changes nothing" not in ran.err
    same = cpazmal("map", "--dtw.min-dates", 6, "--dry-run", "-c", run)
    assert same.code == 0
    assert "changes nothing" not in same.err
    flags = ("--polarisations", "HH", "--samples.clusters", "4", "--dtw.band-days", "33")
    assert kept("map", flags) == ["--polarisations", "HH", "--dtw.band-days", "33"]


@pytest.mark.parametrize(
    ("flag", "written", "absent"),
    [
        ("--dtw.band-days", "dtw: {band_days: 20}", True),
        ("--samples.max-per-group", "samples: {max_per_group: 9}", True),
        ("--months", "months: [1, 2]", True),
        ("--start", "start: 2020-06-01", True),
        ("--beam", "beam: DSC37", True),
        ("--dtw.open-ends", "dtw: {open_ends: both}", True),
        ("--train.barycenters", "train: {barycenters: auto}", True),
        ("--seed", "seed: 3", False),
    ],
)
def test_null_takes_a_setting_away(tmp_path: Path, flag: str, written: str, absent: bool) -> None:
    """As in the file, and of settings alone that may be absent."""
    run = tmp_path / "run.yaml"
    run.write_text(f"{written}\n")
    ran = cpazmal("config", "-c", run, flag, "null", "--json")
    if not absent:
        assert (ran.code, len(ran.complaints)) == (2, 1)
        return
    value = ran.document["settings"]
    for name in flag.removeprefix("--").replace("-", "_").split("."):
        value = value[name]
    assert value is None


def test_a_flag_that_waits_for_another_setting_is_refused_and_a_line_of_the_file_is_told(
    run: Path,
) -> None:
    for verb, flag, value, other in (
        ("refine", "after.strength", 3, "after.window"),
        ("train", "classify.candidates", "sum", "classify.method: best"),
        ("assess", "assess.train-until", "2020-02-01", "assess.split: temporal"),
        ("samples", "samples.clusters", 7, "samples.polygons: null"),
    ):
        ran = cpazmal(verb, "-c", run, f"--{flag}", value)
        said = f"cpazmal: --{flag} changes nothing without {other}; leave it out, or set that"
        assert (ran.code, ran.complaints) == (2, [said])
    run.write_text(f"{run.read_text()}after: {{strength: 3.0}}\n")
    ran = cpazmal("refine", "-c", run)
    assert "after.strength changes nothing without after.window" in ran.err
    assert "changes nothing" not in cpazmal("samples", "query", "SELECT 1", "-c", run).err


def test_rules_across_settings_meet_flags_and_file_together(tmp_path: Path) -> None:
    """One half of a rule may stand in the file, the other half on the command line."""
    run = tmp_path / "run.yaml"
    run.write_text("ingest: {level1b: {terrain: {dem: d.tif}}}\nstart: 2020-06-01\n")
    flag = ("--ingest.level1b.radiometry", "gamma0_T")
    assert cpazmal("config", "-c", run, *flag).code == 0
    alone = cpazmal("config", *flag)
    assert (alone.code, len(alone.complaints)) == (2, 1)
    assert "radiometry gamma0_T needs an elevation raster" in alone.err
    ran = cpazmal("config", "-c", run, "--end", "2020-05-01")
    assert ran.complaints[0].startswith("cpazmal: configuration: start 2020-06-01 is after end")


def test_an_error_is_a_document_too(tmp_path: Path) -> None:
    ran = cpazmal("train", "--workspace", tmp_path, "--json")
    assert ran.code == ran.document["error"]["exit_code"] == 5
    assert ran.document["error"]["kind"] == "store_missing"
    assert ran.complaints
    wrong = cpazmal("train", "--dtw.radus", "3", "--json")
    assert (wrong.code, wrong.document["error"]["kind"]) == (2, "config")
    damaged = cpazmal("ingest", "--ingest.scenes", tmp_path, "--json", "--dry-run")
    assert damaged.document["error"]["what"]


def test_text_is_as_before(finished_run: Path) -> None:
    listed = cpazmal("catalog", "ls", "-c", finished_run)
    assert "map_DSC37" in listed.out.split()
    assert not listed.out.startswith("{")


def test_lists_are_written_as_they_come(finished_run: Path) -> None:
    for words in (
        ("--samples.classes", "ABL", "ACC", "--months", "1", "2"),
        ("--samples.classes", "ABL", "--samples.classes", "ACC", "--months", 1, "--months", 2),
    ):
        settings = cpazmal("config", *words, "-c", finished_run, "--json").document["settings"]
        assert settings["samples"]["classes"] == ["ABL", "ACC"]
        assert settings["months"] == [1, 2]
