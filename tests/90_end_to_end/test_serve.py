"""`cpazmal serve`: one command brings up everything, Ctrl-C takes everything down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest
from support.servers import free_port
from support.small_cluster import until

CPAZMAL = str(Path(sys.executable).with_name("cpazmal"))


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_one_command_up_and_ctrl_c_down(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    port = free_port()
    (tmp_path / "run.yaml").write_text("workspace: here\nfeatures: {window: 9}\n")
    output = tmp_path / "output"
    with output.open("wb") as said:
        process = subprocess.Popen(
            [CPAZMAL, "serve", "--config", "run.yaml", "--port", str(port), "--home", "prefect"],
            cwd=tmp_path,
            env=clean_environment,
            stdout=said,
            stderr=said,
        )
    ready = "Ctrl-C stops everything"
    until(lambda: ready in output.read_text() or process.poll() is not None, seconds=400)
    assert process.poll() is None, output.read_text()
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    page = f"http://127.0.0.1:{port}"
    with urllib.request.urlopen(page, timeout=30) as answer:
        assert b"<html" in answer.read()
    with urllib.request.urlopen(f"{page}/api/deployments/name/watch/default", timeout=30) as answer:
        deployment = json.load(answer)
    assert deployment["parameters"]["config"] == {"workspace": "here", "features": {"window": 9}}
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(60) == 0
    assert output.read_text().endswith("stopped\n")
    until(lambda: not any(child.is_running() for child in children), seconds=20)
