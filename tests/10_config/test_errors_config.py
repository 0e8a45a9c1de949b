"""Errors are one sentence with a stable kind; the configuration refuses what it does not know."""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cpazmal_scale import errors
from cpazmal_scale.config import Features, RunConfig, identity
from cpazmal_scale.config.section import Section
from cpazmal_scale.config.written import read_yaml, yaml_value
from cpazmal_scale.errors import ConfigError, CpazmalError, SceneChanged


def all_errors() -> list[type[CpazmalError]]:
    found = [CpazmalError]
    for cls in found:
        found += cls.__subclasses__()
    return found


def test_kinds_are_unique_and_exit_codes_not_zero() -> None:
    kinds = [cls.kind for cls in all_errors()]
    assert len(kinds) == len(set(kinds))
    assert all(1 <= cls.exit_code < 64 for cls in all_errors())
    assert {cls.__name__ for cls in all_errors()} == {
        n for n, v in vars(errors).items() if isinstance(v, type) and issubclass(v, CpazmalError)
    }


def test_an_error_is_one_sentence_and_travels_between_processes() -> None:
    error = SceneChanged("the bytes differ", where="a.tif", remedy="ingest it under another id")
    assert str(error) == "a.tif: the bytes differ; ingest it under another id"
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is SceneChanged
    assert str(again) == str(error)
    assert (again.kind, again.exit_code) == ("scene_changed", 3)


def test_long_words_are_cut_in_messages() -> None:
    path = "/data/" + 40 * "scenes/" + "a.tif"
    assert str(SceneChanged("the bytes differ", where=path)).startswith(path)
    for text in (10_000 * "a", "\u00e9" * 4000, " ".join(3000 * ["word"])):
        assert len(str(ConfigError(f"no setting {text}", where=text, remedy=text))) <= 2000


def numbers(section: type[Section], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of all settings that may be numbers with a fraction."""
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from numbers(kind, (*above, name))
        elif kind is float or float in get_args(kind):
            yield (*above, name)


@pytest.mark.parametrize("path", [*numbers(RunConfig)], ids=".".join)
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_numbers_without_end_are_refused(path: tuple[str, ...], value: float) -> None:
    values: object = value
    for name in reversed(path):
        values = {name: values}
    with pytest.raises(ConfigError, match=".".join(path)) as found:
        RunConfig.parse(values)  # type: ignore[arg-type]
    assert len(str(found.value).splitlines()) == 1


def write(tmp_path, text: str):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    return path


def test_yaml_and_flags_are_the_same_model(tmp_path) -> None:
    path = write(tmp_path, "workspace: s3://b/x\nstart: 2020-01-01\nfeatures: {window: 9}\n")
    config = RunConfig.load(path, seed=7)
    assert (config.workspace, config.start, config.seed) == ("s3://b/x", date(2020, 1, 1), 7)
    assert config.features == Features(window=9)
    assert RunConfig.parse(yaml.safe_load(yaml.safe_dump(config.model_dump(mode="json")))) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("featurs: {}", "no setting `featurs`; did you mean `features`"),
        ("window: 7", r"no setting `window`; did you mean `features\.window`"),
        ("dtw: {raduis: 3}", r"no setting `dtw\.raduis`; did you mean `dtw\.radius`"),
        ("xyz: 3", "no setting `xyz`; `cpazmal config` prints"),
        ("features: {window: 8}", "must be odd"),
        ("features: {window: seven}", r"features\.window: .*integer"),
        ("dtw: {radius: 3, band_days: 33}", "not both"),
        ("cluster: {kind: address}", r"cluster\.address"),
        ("start: 2021-01-01\nend: 2020-01-01", "after end"),
        ("seed: [", "not valid YAML"),
        ("seed: 1\nstart: 2020-13-01", "not valid YAML, line 2: month must be in 1..12"),
        ("workspace: ''", "workspace: an empty address"),
        ("samples: {also: ['']}", "an empty address"),
        ("just text", "not a mapping"),
        ("polarisations: []", "polarisations"),
        (f"assess: {{report: {'a' * 200}}}", r"assess\.report"),  # no folder has such a name
        (f"samples: {{table: {{name: {'a' * 100}}}}}", r"samples\.table\.name"),
        ("cluster: {memory_gib: 1.0e+300}", r"cluster\.memory_gib"),
        ("cluster: {wait_s: 1.0e+300}", r"cluster\.wait_s"),
        ("cluster: {workers: 1000000}", r"cluster\.workers: .*10000"),
        ("cluster: {minimum: 1, maximum: 1000000}", r"cluster\.maximum: .*10000"),
        (
            'samples: {classes: ["A\\uD800"]}',
            r"samples\.classes\.0: it holds bytes",
        ),
        ('legend: {ROC: {name: "r\\uD800"}}', "it holds bytes that are no text"),
        ('legend: {"R\\uD800": {name: rock}}', "it holds bytes that are no text"),
        ("samples: {classes: [ABL, ICA, ABL]}", r"samples\.classes: ABL is there twice"),
        ("samples: {also: [a/b, a/c/../b]}", r"samples\.also: \S*a/b is there twice"),
        ("months: [12, 1, 12]", "months: 12 is there twice"),
        ("dates: [2020-01-01, '2020-01-01']", "dates: 2020-01-01 is there twice"),
        ("features: {statistics: [k1, k1]}", r"features\.statistics: k1 is there twice"),
        ("features: {masked: [shadow, shadow]}", r"features\.masked: shadow is there twice"),
        ("classify: {candidates: [sum, sum]}", r"classify\.candidates: sum is there twice"),
        ("assess: {methods: [sum, sum]}", r"assess\.methods: sum is there twice"),
    ],
)
def test_bad_settings_are_one_sentence(tmp_path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=message) as caught:
        RunConfig.load(path)
    assert "\n" not in str(caught.value)
    assert "run.yaml" in str(caught.value)


def test_paths_of_a_file_start_from_its_folder(tmp_path, monkeypatch) -> None:
    text = """
workspace: ../run
ingest: {scenes: scenes/*.tif, table: s3://b/t.csv, level1b: {terrain: {dem: dem, vertical: EGM96}}}
samples: {polygons: /data/p.gpkg, dem: ~/dem.tif}
cluster: {kind: address, address: "scheduler:8786"}
"""
    (tmp_path / "a").mkdir()
    write(tmp_path / "a", text)
    config = RunConfig.load(tmp_path / "a" / "run.yaml", assess={"truth": "truth.tif"})
    assert config.workspace == f"{tmp_path}/run"
    assert config.ingest.scenes == f"{tmp_path}/a/scenes/*.tif"
    assert config.ingest.table == "s3://b/t.csv"
    terrain = config.ingest.level1b.terrain
    assert (terrain.dem, terrain.vertical) == (f"{tmp_path}/a/dem", "EGM96")
    assert config.samples.polygons == "/data/p.gpkg"
    assert str(config.samples.dem).startswith("/")
    assert config.cluster.address == "scheduler:8786"
    assert config.assess.truth == "truth.tif"
    monkeypatch.chdir(tmp_path)
    assert RunConfig.load("a/run.yaml").workspace == "run"
    assert RunConfig.load("a/run.yaml").placed("/x").workspace == "/x/run"
    monkeypatch.chdir(tmp_path / "a")
    assert RunConfig.load("run.yaml").ingest.scenes == "scenes/*.tif"


def test_a_section_without_settings_is_as_by_default(tmp_path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("ingest:\n  naming:\nsamples:\n  # stride: 3\nseed: 7\n")
    assert RunConfig.load(path) == RunConfig(seed=7)


def test_missing_file_is_one_sentence(tmp_path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        RunConfig.load(tmp_path / "absent.yaml")


def test_radius_replaces_the_default_band() -> None:
    config = RunConfig.parse({"dtw": {"radius": 3}})
    assert (config.dtw.radius, config.dtw.band_days) == (3, None)
    assert RunConfig.parse(config.model_dump(mode="json")) == config


def test_excluded_bits_always_hold_no_data() -> None:
    assert Features(masked=()).excluded == 32
    assert Features().excluded == 1 | 2 | 4 | 8 | 32
    assert Features(floor_db=-20).floor == pytest.approx(0.01)


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=4))
def test_identity_ignores_order_and_sees_values(values: dict[str, int | str]) -> None:
    turned = dict(reversed(values.items()))
    assert identity(values) == identity(turned)
    assert identity({**values, "extra": 1}) != identity({**values, "extra": 2})
    assert identity(Features(window=9)) != identity(Features())


def test_the_commented_yaml_is_the_configuration(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = RunConfig.parse({"seed": 7, "dtw": {"radius": 3}, "features": {"masked": ["shadow"]}})
    text = config.commented_yaml()
    write(tmp_path, text)
    assert RunConfig.load("run.yaml") == config
    for section in (RunConfig, Features):
        for field in section.model_fields.values():
            assert " ".join((field.description or "").split()) in text


LONG = {
    "dates": [str(date(2020, 1, 1) + timedelta(days)) for days in range(120)],
    "legend": {
        f"C{n:02}": {"name": f"class {n}: à {n} %", "colour": f"#{n:06x}", "order": n}
        for n in range(30)
    },
    "cluster": {"slurm": {"prologue": ["module load x\n  module load y", "a: b # c", "\t- x\n"]}},
    "samples": {"where": "\n AND ".join(f"id != {n}" for n in range(120))},
}


def test_long_settings_are_whole_in_the_commented_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = RunConfig.parse(LONG)
    write(tmp_path, config.commented_yaml())
    assert RunConfig.load("run.yaml") == config
    assert config.samples.where == LONG["samples"]["where"]


@given(
    st.recursive(
        st.text(st.characters(exclude_categories=["Cs"]))
        | st.from_regex(r"[-+0-9.eExob:_]{1,6}", fullmatch=True)
        | st.sampled_from(
            ["null", "~", "yes", "No", "0x1f", "1:20:30", "08", "2020-01-31", "=", "<<"]
        )
        | st.integers()
        | st.floats(allow_nan=False)
        | st.none()
        | st.booleans(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=4), inner),
        max_leaves=8,
    )
)
def test_what_is_written_as_yaml_is_read_again(value: object) -> None:
    """By the rules of YAML 1.2 and by those of 1.1."""
    text = yaml_value(value)
    assert "\n" not in text
    assert read_yaml(f"a: {text}\nb: 1\n") == {"a": value, "b": 1}
    assert yaml.safe_load(f"a: {text}\nb: 1\n") == {"a": value, "b": 1}


@pytest.mark.parametrize("start", ["02-29", "1-1", "Oct 1", "W01-1", "2020-10-01", "10-01\n"])
def test_the_season_begins_on_a_day_of_every_year(start: str) -> None:
    assert RunConfig.parse({"dtw": {"season_start": "10-01"}}).dtw.season_start == "10-01"
    with pytest.raises(ConfigError, match="a day of every year, MM-DD, not"):
        RunConfig.parse({"dtw": {"season_start": start}})
