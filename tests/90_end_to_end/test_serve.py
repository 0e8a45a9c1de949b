"""`cpazmal serve`: up with one command, reached with its key only, down with all it started."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.command import ended
from support.servers import free_port
from support.small_cluster import until
from support.small_run import settings, simulated

from cpazmal_scale.cli.answers import KEYS

CPAZMAL = str(Path(sys.executable).with_name("cpazmal"))
READY = "Ctrl-C stops everything"
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


class Served:
    """A running `cpazmal serve` of a small campaign in a folder."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        run = settings(simulated(folder / "campaign", end=date(2020, 4, 10)), "here")
        mapped = run.with_values({"cluster": {"kind": "local"}})
        given = mapped.model_dump(mode="json", exclude_unset=True)
        (folder / "run.yaml").write_text(json.dumps(given))
        self.folder, self.env, self.port = folder, env, free_port()
        self.config, self.output = given, folder / "output"
        self.process = self.start("prefect", self.port, self.output)

    def start(self, home: str, port: int, output: Path, *more: str) -> subprocess.Popen[bytes]:
        words = ("serve", "--config", "run.yaml", "--port", str(port), "--home", home, *more)
        with output.open("wb") as said:
            return subprocess.Popen(
                [CPAZMAL, *words], cwd=self.folder, env=self.env, stdout=said, stderr=said
            )

    def wait(self) -> None:
        ended = self.process.poll
        until(lambda: READY in self.output.read_text() or ended() is not None, seconds=400)
        assert ended() is None, self.output.read_text()

    @property
    def key(self) -> str:
        line = next(x for x in self.output.read_text().splitlines() if x.startswith("key "))
        return line.split()[1]

    def ask(self, path: str, *, key: str | None = None, **headers: str) -> Any:
        """The answer of the API, as JSON."""
        if key is not None:
            headers["Authorization"] = f"Basic {base64.b64encode(key.encode()).decode()}"
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/{path}", headers=headers)
        with urllib.request.urlopen(asked, timeout=300) as answer:
            return json.load(answer)

    def prefect(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The documented command: the home knows the server and its key."""
        return subprocess.run(
            [sys.executable, "-m", "prefect", *words],
            env={**self.env, "PREFECT_HOME": str(self.folder / "prefect")},
            capture_output=True,
            text=True,
            timeout=300,
        )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "DASK_"))}
    one = Served(tmp_path_factory.mktemp("served"), env)
    try:
        one.wait()
        yield one
    finally:
        one.process.terminate()
        one.process.wait(300)


def test_the_page_is_there_and_the_forms_are_filled(served: Served) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{served.port}", timeout=300) as answer:
        assert b"<html" in answer.read()
    deployment = served.ask("deployments/name/watch/default", key=served.key)
    assert deployment["parameters"]["config"] == served.config


def test_only_who_has_the_key_is_answered(served: Served) -> None:
    for headers in ({}, {"key": "cpazmal:guessed"}):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            served.ask("deployments/name/watch/default", **headers)
    file = served.folder / "prefect" / "profiles.toml"
    assert file.stat().st_mode & 0o077 == 0
    assert served.key in file.read_text()


def test_other_pages_are_not_allowed_to_ask(served: Served) -> None:
    for origin, allowed in (
        ("http://evil.example", False),
        (f"http://127.0.0.1:{served.port}", True),
    ):
        asked = urllib.request.Request(
            f"http://127.0.0.1:{served.port}/api/deployments/filter",
            method="OPTIONS",
            headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=300) as answer:
                said = answer.headers.get("Access-Control-Allow-Origin")
        except urllib.error.HTTPError as error:
            said = error.headers.get("Access-Control-Allow-Origin")
        assert (said == origin) is allowed
        assert said != "*"


def test_a_run_brings_no_command_of_its_own(served: Served) -> None:
    said = served.prefect(
        "deployment", "run", "watch/default", "--job-variable", "command=id > PWNED"
    )
    assert said.returncode != 0
    assert not (served.folder / "PWNED").exists()


@pytest.mark.parametrize(
    "config", [{"features": {"window": 8}}, {"dtw": {"radius": 3, "band_days": 24}}]
)
def test_settings_that_contradict_each_other_are_refused_at_once(
    served: Served, config: dict[str, Any]
) -> None:
    said = served.prefect(
        "deployment", "run", "ingest/default", "--param", f"config={json.dumps(config)}"
    )
    assert said.returncode != 0


@pytest.mark.parametrize("home", ["prefect", "another"])
def test_a_second_one_on_this_port_or_home_touches_nothing(served: Served, home: str) -> None:
    before = served.ask("deployments/name/watch/default", key=served.key)
    port = served.port if home == "another" else free_port()
    said = served.folder / f"second-{home}"
    assert served.start(home, port, said).wait(300) == 2
    assert len(said.read_text().splitlines()) == 1
    assert ("is in use" if home == "another" else "runs from here") in said.read_text()
    assert not (served.folder / "another").exists()
    after = served.ask("deployments/name/watch/default", key=served.key)
    assert after | {"last_polled": None} == before | {"last_polled": None}
    assert served.process.poll() is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--port", "0"), "there is no port 0"),
        (("--port", "99999"), "there is no port 99999"),
        (("--limit", "0"), "no run starts with 0 at a time"),
        (("--home", "file"), "no folder that can be written to"),
        (("--home", "/proc/x"), "no folder that can be written to"),
    ],
)
def test_places_that_cannot_be_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    port = () if "--port" in words else ("--port", free_port())
    (sentence,) = ended("serve", *port, *words, code=2).complaints
    assert said in sentence


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "prefect", None)
    (sentence,) = ended("serve", "--port", free_port(), code=2).complaints
    assert "pip install 'cpazmal-scale[flows]'" in sentence
    assert not list(tmp_path.iterdir())


def test_parameters_come_on_top_of_the_deployment_and_sigterm_ends_all(served: Served) -> None:
    said = served.prefect(
        *("deployment", "run", "full-area-map/default"),
        *("--param", 'config={"seed": 7, "samples": {"max_per_group": 50}}'),
    )
    assert said.returncode == 0, said.stderr
    catalog = served.folder / "here" / "catalog.d"
    until(lambda: (catalog / "samples_DSC37.json").exists(), seconds=500)
    serving = psutil.Process(served.process.pid)

    def workers() -> list[psutil.Process]:
        return [p for p in serving.children(recursive=True) if "spawn" in " ".join(p.cmdline())]

    until(lambda: bool(workers()), seconds=500, every=0.3)
    family = serving.children(recursive=True)
    os.kill(served.process.pid, signal.SIGTERM)
    assert served.process.wait(300) == 0
    assert served.output.read_text().endswith("stopped\n")
    until(lambda: not any(one.is_running() for one in family))


def test_nothing_is_left_when_it_is_killed(served: Served, tmp_path: Path) -> None:
    """SIGKILL leaves no time to end anything: the guard sees that it is gone."""
    said, port = tmp_path / "output", free_port()
    process = served.start("killed", port, said, "--json")
    try:
        until(lambda: said.read_text() or process.poll() is not None, seconds=400)
        facts = json.loads(said.read_text())
        assert set(facts) == set(KEYS["serve"])
        assert (facts["port"], facts["api"]) == (port, f"http://127.0.0.1:{port}/api")
        assert facts["key_file"] == str(served.folder / "killed" / "profiles.toml")
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) >= 3, said.read_text()
    finally:
        process.kill()
        process.wait(300)
    until(lambda: not any(map(alive, family)))


def alive(process: psutil.Process) -> bool:
    """Whether it runs; one whose end nobody has asked about does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
