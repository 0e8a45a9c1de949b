"""Damaged and hostile Level-1b products: refused in one sentence, quickly, and nothing written."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import tarfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from support.hostile_xml import HOSTILE

from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import ingest_scenes
from cpazmal_scale.errors import SceneError
from cpazmal_scale.scenes import discover
from cpazmal_scale.scenes.untrusted import archive
from cpazmal_scale.simulate.campaign import campaign

PLACES = 50
SECONDS = 5.0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated SSC product that is intact."""
    folder = tmp_path_factory.mktemp("whole")
    period = {"start": date(2021, 2, 1), "end": date(2021, 2, 8)}
    campaign(folder, size=256, beams=("DSC37",), level1b="flat", **period)
    (product,) = (one for one in (folder / "scenes").iterdir() if one.is_dir())
    return product


@pytest.fixture
def product(whole: Path, tmp_path: Path) -> Path:
    """A copy of it to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "in" / whole.name))


def settings(folder: Path) -> RunConfig:
    return RunConfig.parse(
        {
            "workspace": str(folder.parent / "run"),
            "ingest": {
                "precision": "full",
                "scenes": str(folder),
                "grid": "utm32n-3m",
                "level1b": {"height": 2000.0},
            },
        }
    )


def refused(folder: Path) -> SceneError:
    """The error of an ingest, which must come soon and leave nothing behind."""
    before = sorted(folder.parent.rglob("*"))
    begun = time.process_time()
    with pytest.raises(SceneError) as found:
        ingest_scenes(settings(folder))
    assert time.process_time() - begun < SECONDS
    assert sorted(folder.parent.rglob("*")) == before
    assert "\n" not in str(found.value)
    assert found.value.remedy
    return found.value


def part(product: Path, name: str) -> Path:
    return {
        "annotation": product / f"{product.name}.xml",
        "georef": product / "ANNOTATION" / "GEOREF.xml",
        "image": next((product / "IMAGEDATA").glob("*.cos")),
    }[name]


def packed(product: Path, kind: str) -> Path:
    """The product as the only thing in a new folder."""
    folder = product.parent.parent / "packed"
    folder.mkdir(exist_ok=True)
    path = folder / f"p.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
            for one in sorted(product.rglob("*.*")):
                file.write(one, one.relative_to(product.parent))
    else:
        with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as file:
            file.add(product, product.name)
    return path


def test_the_intact_product_is_accepted(product: Path) -> None:
    (scene,) = discover(settings(product.parent).ingest, check=True)
    assert scene.polarisations == ("HH",)


@pytest.mark.parametrize("name", ["annotation", "georef", "image"])
def test_truncated_anywhere(product: Path, name: str) -> None:
    path = part(product, name)
    content = path.read_bytes()
    for length in np.linspace(0, len(content) - 2, PLACES).astype(int):
        path.write_bytes(content[:length])
        refused(product.parent)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("incidenceAngle", value) for value in ("0", "-1", "1e308")),
        ("referencePoint", "1e308"),
        *(("calFactor", value) for value in ("0", "1e308")),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_numbers_that_cannot_be(product: Path, field: str, value: str) -> None:
    path = part(product, "annotation")
    text = path.read_text()
    changed = re.sub(rf"(<{field}[^>]*>)[^<]+", rf"\g<1>{value}", text)
    assert changed != text
    path.write_text(changed)
    refused(product.parent)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_archives_truncated_anywhere(product: Path, kind: str) -> None:
    path = packed(product, kind)
    content = path.read_bytes()
    end = len(content) - (2 * tarfile.RECORDSIZE if kind == "tar" else 2)
    for length in np.linspace(0, end, PLACES).astype(int):
        path.write_bytes(content[:length])
        refused(path.parent)


@pytest.mark.parametrize("name", ["annotation", "georef", "image"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_zeroed_tails(product: Path, name: str, share: float) -> None:
    path = part(product, name)
    content = path.read_bytes()
    kept = int(share * len(content))
    path.write_bytes(content[:kept] + bytes(len(content) - kept))
    refused(product.parent)


def test_lines_of_zeros_inside_valid_ranges(product: Path) -> None:
    path = part(product, "image")
    (scene,) = discover(settings(product.parent).ingest)
    raster = scene.files[0].product.annotation.raster  # type: ignore[union-attr]
    with path.open("r+b") as file:
        for line in range(100, 120):
            file.seek((line + 4) * (raster.samples + 2) * 4 + 8)
            file.write(bytes(raster.samples * 4))
    assert "never written" in str(refused(product.parent))


def _flipped(content: bytes, seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    data = bytearray(content)
    data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    return bytes(data)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_flipped_bit_in_an_archive_is_noticed(product: Path, kind: str) -> None:
    """By its checksum, or it was in what is not read (a date, a picture): the scene is the same."""
    path = packed(product, kind)
    (intact,) = discover(settings(path.parent).ingest)
    content = path.read_bytes()
    noticed = 0
    for seed in range(PLACES):
        path.write_bytes(_flipped(content, seed))
        try:
            (scene,) = discover(settings(path.parent).ingest)
        except SceneError:
            noticed += 1
        else:
            assert scene.source_sha256 == intact.source_sha256
    assert noticed > PLACES // 2


@pytest.mark.parametrize("name", ["annotation", "georef"])
def test_a_flipped_bit_in_a_document_is_read_or_refused(product: Path, name: str) -> None:
    path = part(product, name)
    content = path.read_bytes()
    for seed in range(PLACES):
        path.write_bytes(_flipped(content, seed))
        with contextlib.suppress(SceneError):
            discover(settings(product.parent).ingest, check=True)


@pytest.mark.parametrize("name", ["annotation", "georef"])
@pytest.mark.parametrize("kind", ["bomb", "external entity", "200 000 deep", "too many"])
def test_hostile_documents(product: Path, name: str, kind: str) -> None:
    part(product, name).write_bytes(HOSTILE[kind])
    refused(product.parent)


def test_an_image_elsewhere_is_not_read(product: Path) -> None:
    path = part(product, "annotation")
    text = path.read_text()
    name = part(product, "image").name
    for place in ("../../../secret", "/etc", ".."):
        changed = text.replace("<path>IMAGEDATA</path>", f"<path>{place}</path>")
        path.write_text(changed.replace(name, "passwd"))
        assert "lacks this file" in str(refused(product.parent))


ESCAPES = ("../evil", "/tmp/evil", "a/../../evil", "C:\\evil", "..\\evil")


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_archives_that_name_files_outside_themselves(product: Path, name: str, kind: str) -> None:
    path = packed(product, kind)
    if kind == "zip":
        with zipfile.ZipFile(path, "a") as file:
            file.writestr(name, b"x")
    else:
        with tarfile.open(path, "a") as file:
            info = tarfile.TarInfo(name)
            info.size = 1
            file.addfile(info, io.BytesIO(b"x"))
    assert "outside itself" in str(refused(path.parent))


def test_links_in_an_archive_are_not_followed(product: Path) -> None:
    image = part(product, "image")
    image.unlink()
    path = packed(product, "tar")
    with tarfile.open(path, "a") as file:
        info = tarfile.TarInfo(f"{product.name}/IMAGEDATA/{image.name}")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(info)
    assert "lacks this file" in str(refused(path.parent))


def _zip_bomb(product: Path, path: Path) -> None:
    name = f"{product.name}/PREVIEW/bomb"
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file,
        file.open(name, "w", force_zip64=True) as stream,
    ):
        for _ in range(400):
            stream.write(bytes(2**20))


def _tar_bomb(product: Path, path: Path) -> None:
    with tarfile.open(path, "w:gz", compresslevel=1) as file:
        info = tarfile.TarInfo("bomb")
        info.size = 400 * 2**20
        with Path("/dev/zero").open("rb") as zeros:
            file.addfile(info, zeros)
        file.add(product, product.name)


BOMBS: dict[str, Callable[[Path, Path], None]] = {"zip": _zip_bomb, "tar.gz": _tar_bomb}


@pytest.mark.parametrize("kind", BOMBS)
def test_archives_that_would_unpack_to_much(
    product: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = part(product, "image")
    image.write_bytes(image.read_bytes()[:1000])  # the rest of the archive is small
    path = packed(product, kind)
    BOMBS[kind](product, path)
    tracemalloc.start()
    error = refused(path.parent)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert f"more than {archive.MAX_RATIO} times" in str(error)
    assert peak < 32 * 2**20


def test_a_member_that_lies_about_its_size(product: Path) -> None:
    """The directory says fewer bytes than the member unpacks to: its checksum is wrong then."""
    folder = product.parent.parent / "packed"
    folder.mkdir()
    path = folder / "p.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for one in sorted(product.rglob("*.*")):
            file.write(one, one.relative_to(product.parent))
    size = part(product, "image").stat().st_size
    content = path.read_bytes()
    lie = content.replace(size.to_bytes(4, "little"), (size - 4096).to_bytes(4, "little"))
    assert lie != content
    path.write_bytes(lie)
    refused(folder)


def test_what_is_no_archive(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, content in (
        ("p.zip", b"PK\3\4 not really"),
        ("p.tar", b"x" * 2000),
        ("p.tar.gz", b"\x1f\x8b" + bytes(100)),
        ("p.tgz", b""),
    ):
        path = folder / name
        path.write_bytes(content)
        refused(folder)
        path.unlink()


def test_names_that_begin_with_a_dot_are_the_same_names(product: Path) -> None:
    (plain,) = discover(settings(packed(product, "zip").parent).ingest)
    folder = product.parent.parent / "dotted"
    folder.mkdir()
    with zipfile.ZipFile(folder / "p.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for one in sorted(product.rglob("*.*")):
            file.writestr(f"./{one.relative_to(product.parent)}", one.read_bytes())
    (dotted,) = discover(settings(folder).ingest)
    assert dotted.source_sha256 == plain.source_sha256


def test_bursts_of_complex_scansar_are_refused(product: Path) -> None:
    path = part(product, "annotation")
    path.write_text(path.read_text().replace("<imagingMode>SM<", "<imagingMode>SC<"))
    assert "ScanSAR" in str(refused(product.parent))


def test_a_product_of_another_mission_is_refused(product: Path) -> None:
    path = part(product, "annotation")
    path.write_text(path.read_text().replace("<mission>PAZ-1<", "<mission>KOMPSAT-5<"))
    assert "unknown mission" in str(refused(product.parent))
