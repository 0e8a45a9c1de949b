"""Odd surroundings of a run: variables, encodings, closed ends, a terminal's Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest
from support.command import ended
from support.scenes_factory import STARTS, campaign, speckle, write_raster
from support.small_cluster import until
from support.small_run import settings, simulated, written

from cpazmal_scale.__main__ import main as start
from cpazmal_scale.cli.streams import ignore_undecodable_words

CPAZMAL = str(Path(sys.executable).with_name("cpazmal"))
HELD = """
import time
from cpazmal_scale.mapping.classify import block

classify = block.classify_block

def classify_block(*given, **named):
    time.sleep(10)
    return classify(*given, **named)

block.classify_block = classify_block
"""
"""Preloaded by Dask's workers: a map cannot end before it is interrupted."""


def run(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **options.pop("env", {})}  # type: ignore[dict-item]
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    ran = subprocess.run([CPAZMAL, *map(str, words)], text=True, timeout=500, env=env, **given)  # type: ignore[call-overload]
    assert "Traceback" not in ran.stderr
    return ran


@pytest.mark.parametrize(
    ("name", "value"),
    [("PROJ_DATA", "/nonsense"), ("PROJ_LIB", ""), ("NUMBA_NUM_THREADS", "0")],
)
def test_a_variable_that_stops_the_work_is_named(name: str, value: str, tmp_path: Path) -> None:
    ran = run("ingest", "--workspace", tmp_path / "w", env={name: value})
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"cpazmal: {name}={value}: ")
    assert f"unset {name}" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DASK_CONFIG", "dask.yaml", "cpazmal: A dask config file at"),
        ("MPLBACKEND", "nonsense", "cpazmal: Key backend: 'nonsense' is not a valid value"),
    ],
)
def test_what_a_library_is_told_wrongly_is_named(
    tmp_path: Path, name: str, value: str, said: str
) -> None:
    (tmp_path / "dask.yaml").write_text("distributed: [")
    scenes = campaign(tmp_path / "scenes", starts=STARTS[:1])
    words = ["ingest", "--workspace", "w", "--ingest.scenes", scenes]
    if name == "MPLBACKEND":
        words = ["inspect", next(scenes.rglob("*.tif"))]
    ran = run(*words, env={name: value}, cwd=tmp_path)
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.splitlines()[-1].startswith(said)
    assert f"unset {name}" in ran.stderr


def test_ctrl_c_while_the_program_loads_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Loading(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "cpazmal_scale.cli", Loading("cli"))
    with pytest.raises(SystemExit) as end:
        start()
    assert end.value.code == 130
    assert capsys.readouterr().err == "cpazmal: stopped; nothing was done\n"


def test_what_gdal_says_of_a_damaged_header_is_no_traceback(tmp_path: Path) -> None:
    """Words of GDAL that hold bytes of the file, which are no UTF-8, are not for people."""
    plain = dict.fromkeys(("tiled", "compress", "blockxsize", "blockysize"))
    write_raster(tmp_path / "x.img", [speckle((40, 50))], driver="ENVI", nodata=None, **plain)
    (tmp_path / "x.img.yaml").write_text(
        "{sensor: TSX1, start: 2011-05-05T17:25:01, beam: ASC45, bands: [HH], radiometry: sigma0, "
        "scale: linear, incidence_angle: 44.5, driver: ENVI}"
    )
    header = tmp_path / "x.hdr"
    data = header.read_bytes()
    assert b'"False_Easting",5' in data
    header.write_bytes(data.replace(b'"False_Easting",5', b'"False_Easting",\xae'))
    ran = run("inspect", tmp_path / "x.img", cwd=tmp_path)
    assert "rasterio" not in ran.stderr
    assert len(ran.stderr.splitlines()) <= 1, ran.stderr


def test_errors_of_other_callbacks_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda ignored: seen.append(ignored.exc_type))
    monkeypatch.setattr(sys, "excepthook", lambda kind, *_: seen.append(kind))
    ignore_undecodable_words()

    class Ends:
        def __del__(self) -> None:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "one of the program's own")

    Ends()
    sys.excepthook(OSError, OSError("of a thread"), None)
    assert seen == [UnicodeDecodeError, OSError]


def test_outputs_of_any_kind_do_not_stop_a_verb() -> None:
    whole = run("config").stdout
    ascii_only = run("config", env={"PYTHONIOENCODING": "ascii"})
    assert ascii_only.returncode == 0
    assert len(ascii_only.stdout) == len(whole)
    closed = subprocess.run(
        ["sh", "-c", f"{CPAZMAL} config >&-"], capture_output=True, text=True, timeout=500
    )
    assert (closed.returncode, closed.stderr) == (0, "")
    broken = subprocess.run(
        ["sh", "-c", f"{CPAZMAL} config | true"], capture_output=True, text=True, timeout=500
    )
    assert broken.stderr == ""
    with Path("/dev/full").open("w") as full:
        ran = run("config", stdout=full)
    assert ran.returncode == 5
    assert len(ran.stderr.splitlines()) == 1
    assert "standard output cannot be written" in ran.stderr


def test_ctrl_c_and_sigterm_end_a_verb_with_one_line(tmp_path: Path) -> None:
    """The arrays that its workers share in the workspace are gone."""
    config = written(
        settings(
            simulated(tmp_path / "campaign", end=date(2020, 4, 10)),
            str(tmp_path / "w"),
            cluster={"workers": 2},
        ),
        tmp_path / "run.yaml",
    )
    for verb in ("ingest", "samples", "train"):
        ended(verb, "-c", config, "--cluster.kind", "threads")
    held = tmp_path / "held.py"
    held.write_text(HELD)
    local = ("-c", str(config), "--cluster.kind", "local")
    words = ("map", *local, "--classify.block", "64")
    many = ("assess", *local, "--assess.methods", "sum", "--assess.repeats", "50")
    shared = tmp_path / "w" / "shared"
    for stop, number, verb in ((os.killpg, signal.SIGINT, words), (os.kill, signal.SIGTERM, many)):
        said = tmp_path / number.name
        with said.open("w") as stream:
            running = subprocess.Popen(
                [CPAZMAL, *verb],
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                env={**os.environ, "DASK_DISTRIBUTED__WORKER__PRELOAD": str(held)},
            )
        until(
            lambda: (
                any(shared.glob("*/*"))
                or ("dashboard" in said.read_text() and verb is words)  # noqa: B023
                or running.poll() is not None  # noqa: B023
            ),
            seconds=500,
        )
        stop(running.pid, number)
        assert running.wait(300) == 128 + number
        text = said.read_text()
        assert "Traceback" not in text
        assert "KeyboardInterrupt" not in text
        assert text.count("cpazmal: ") == 1
        assert "run the same command again to continue" in text
        assert not list(shared.glob("*"))
    again = run(*words)
    assert again.returncode == 0, again.stderr
    assert " computed, " in again.stdout
