"""Fixtures shared by all layers: the real data beside the project, a real S3 server."""

from __future__ import annotations

import gc
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from support.servers import DecidingS3Server, S3Server
from support.small_products import amplitudes, cut_product

# A loaded machine is no fault of an example.
hypothesis.settings.register_profile(
    "any-speed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any-speed")
# Kernels compile in seven eighths of the time where the collector seldom walks their trees.
gc.set_threshold(50_000, 20, 20)

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--figures` prints what tests measured beside what they allow."""
    parser.addoption("--figures", action="store_true", help="print measured figures at the end")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of all tests, of those that failed too."""
    if not terminalreporter.config.getoption("figures"):
        return
    terminalreporter.section("figures")
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            test = report.nodeid.rpartition("::")[2]
            for name, figure in report.user_properties:
                terminalreporter.write_line(f"{test}: {name} {figure}")


@pytest.fixture
def at_most(record_property: Callable[[str, object], None]) -> Callable[[str, float, float], None]:
    """Asserts that a named figure is not above a bound, and keeps it for `--figures`."""

    def check(name: str, figure: float, bound: float) -> None:
        record_property(name, f"{figure:.3g} (at most {bound:g})")
        assert figure <= bound, name

    return check


@pytest.fixture
def at_least(record_property: Callable[[str, object], None]) -> Callable[[str, float, float], None]:
    """Asserts that a named figure is not below a bound, and keeps it for `--figures`."""

    def check(name: str, figure: float, bound: float) -> None:
        record_property(name, f"{figure:.4g} (at least {bound:g})")
        assert figure >= bound, name

    return check


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Upper floors first: their files wait for servers, and the longest must not begin last."""
    items.sort(key=lambda item: item.path.parent.name, reverse=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data nobody here wrote."""
    if not SHARED.is_dir():
        pytest.skip("the real data folder ../shared/data is not here")
    return SHARED


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment that reaches a real S3 server on this machine, with a bucket `cpazmal`."""
    server = S3Server(tmp_path_factory.mktemp("s3"))
    (server.folder / "cpazmal").mkdir()
    server.start()
    try:
        yield server.environment
    finally:
        server.stop()


@pytest.fixture
def s3_url(s3_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A fresh prefix on the S3 server, with the environment that reaches it."""
    yield from _fresh_prefix(s3_server, monkeypatch)


def _fresh_prefix(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    import s3fs

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    yield f"s3://cpazmal/{uuid.uuid4().hex[:12]}"
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="module")
def product(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small TerraSAR-X SSC: a real annotation cut to 700 lines of 600 samples of speckle."""
    folder = tmp_path_factory.mktemp("products")
    return cut_product(shared_data, folder, amplitudes((700, 600)))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Addresses of a model and a cube of the small campaign."""
    from support.small_campaign import make_cube, make_model

    folder = tmp_path_factory.mktemp("campaign")
    return make_model(f"{folder}/model.zarr"), make_cube(f"{folder}/cube.zarr")


@pytest.fixture(scope="session")
def deciding_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment that reaches a real S3 server that decides conditional writes."""
    server = DecidingS3Server(tmp_path_factory.mktemp("deciding"))
    try:
        server.start()
        yield server.environment
    finally:
        server.stop()


@pytest.fixture
def deciding_url(deciding_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A fresh prefix on the S3 server that decides conditional writes."""
    yield from _fresh_prefix(deciding_server, monkeypatch)


@pytest.fixture
def clean_environment() -> dict[str, str]:
    """This environment without Prefect's and Dask's settings, for subprocesses."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "DASK_"))}
