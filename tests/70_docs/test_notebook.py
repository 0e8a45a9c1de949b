"""The notebook: it runs from top to bottom on a fresh workspace, and is kept with its pictures."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from support.small_run import settings, simulated

from cpazmal_scale.stages import classify, ingest, samples, train

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"


def pictures(notebook: nbformat.NotebookNode) -> int:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("image/jpeg" in output.get("data", {}) for output in outputs)


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_runs_on_a_fresh_workspace(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings(simulated(tmp_path / "campaign"), str(tmp_path / "workspace"))
    ingest.ingest(config)
    samples.draw_samples(config)
    train.train(config)
    classify.classify(config)
    monkeypatch.setenv("CPAZMAL_WORKSPACE", str(tmp_path / "workspace"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    kept = pictures(notebook)
    for cell in notebook.cells:
        cell.pop("outputs", None) if cell.cell_type == "markdown" else cell.update(outputs=[])
    NotebookClient(notebook, timeout=500, resources={"metadata": {"path": tmp_path}}).execute()
    assert pictures(notebook) == kept == 3


def test_it_is_kept_with_its_pictures_and_small() -> None:
    assert NOTEBOOK.stat().st_size <= 300_000
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    text = NOTEBOOK.read_text()
    assert "/home/" not in text
    assert "/work/" not in text
