"""What a user gets: the source archive, and the wheel that is built of it."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def tracked() -> set[str]:
    ran = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if ran.returncode:
        pytest.skip("these files are no git repository")
    return {name for name in ran.stdout.splitlines() if (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of the unpacked source archive and of the wheel, as pip installs it anywhere."""
    try:
        enough = int(version("setuptools").partition(".")[0]) >= 77
    except PackageNotFoundError:
        enough = False
    if not enough:
        pytest.skip("setuptools 77 or newer is not installed here")
    folder = tmp_path_factory.mktemp("built")
    clone, made = folder / "clone", folder / "made"
    for name in tracked():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_bytes((ROOT / name).read_bytes())
    _build("sdist", clone, made)
    with tarfile.open(next(made.glob("*.tar.gz"))) as archive:
        archive.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    _build("wheel", source, made)
    with zipfile.ZipFile(next(made.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "installed")
    return source, folder / "installed"


def _build(kind: str, folder: Path, made: Path) -> None:
    made.mkdir(exist_ok=True)
    call = f"from setuptools import build_meta as b; b.build_{kind}({str(made)!r})"
    ran = subprocess.run([sys.executable, "-c", call], cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_the_source_archive_holds_every_file(built: tuple[Path, Path]) -> None:
    source, _ = built
    held = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    assert tracked() - held == {".gitignore"}


def test_the_description_stands_without_the_repository(built: tuple[Path, Path]) -> None:
    _, installed = built
    (info,) = installed.glob("*.dist-info")
    metadata = email.message_from_string((info / "METADATA").read_text())
    links = re.findall(r"\]\(([^)]*)\)", str(metadata.get_payload()))
    assert [link for link in links if not link.startswith("https://")] == []
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert metadata["Author"] == citation["authors"][0]["name"]
    assert metadata["Keywords"].split(",") == citation["keywords"]
    assert metadata["License-Expression"] == citation["license"]


def test_an_installed_package_finds_its_deployments(built: tuple[Path, Path]) -> None:
    """As `pip install --target` leaves it: no checkout, no environment's `share/`."""
    _, installed = built
    call = "from cpazmal_scale.cli import serve; print(serve.deploy_folder())"
    ran = subprocess.run(
        [sys.executable, "-c", call],
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    found = Path(ran.stdout.strip())
    assert found == installed / "cpazmal_scale" / "deploy"
    for name in tracked():
        if name.startswith("deploy/"):
            assert (found.parent / name).read_bytes() == (ROOT / name).read_bytes()
    assert {path.name for path in installed.iterdir() if path.suffix != ".dist-info"} == {
        "cpazmal_scale",
        "flows",
    }
