"""However a command with `--json` ends, it prints one document."""

from __future__ import annotations

import json
import logging
import signal
import sys
from types import ModuleType

import pytest
from support.command import cpazmal

from cpazmal_scale.__main__ import main
from cpazmal_scale.cli import main as command_line
from cpazmal_scale.cli.answers import ANSWER
from cpazmal_scale.config import RunConfig


@pytest.mark.parametrize(("sent", "code"), [((), 130), ((signal.SIGTERM,), 143)])
def test_a_stopped_command_answers_in_json(
    monkeypatch: pytest.MonkeyPatch, sent: tuple[int, ...], code: int
) -> None:
    def stop(_: RunConfig) -> str:
        raise KeyboardInterrupt(*sent)

    monkeypatch.setattr(RunConfig, "commented_yaml", stop)
    ran = cpazmal("config", "--json")
    assert ran.code == ran.document["error"]["exit_code"] == code
    assert ran.document["error"]["kind"] == "stopped"
    assert ran.complaints == ["cpazmal: stopped; run the same command again to continue"]


def test_an_error_that_nobody_foresaw_answers_in_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: RunConfig) -> str:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(RunConfig, "commented_yaml", fail)
    monkeypatch.setattr(sys, "argv", ["cpazmal", "config", "--json"])
    for name in ("stdout", "stderr", "excepthook", "unraisablehook"):  # the command replaces them
        monkeypatch.setattr(sys, name, getattr(sys, name))
    monkeypatch.setattr(logging.getLogger("cpazmal_scale"), "handlers", [])
    monkeypatch.setattr(ANSWER, "as_json", ANSWER.as_json)  # as it was for what comes after
    with pytest.raises(RuntimeError):
        command_line()
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["kind"], error["what"]) == ("error", "RuntimeError: no such luck")


def test_a_command_stopped_while_it_loads_answers_in_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Loading(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "cpazmal_scale.cli", Loading("cli"))
    monkeypatch.setattr(sys, "argv", ["cpazmal", "config", "--json"])
    with pytest.raises(SystemExit):
        main()
    error = json.loads(capsys.readouterr().out)["error"]
    assert set(error) == {"kind", "exit_code", "what", "where", "remedy"}
    assert (error["kind"], error["exit_code"]) == ("stopped", 130)
