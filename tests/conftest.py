"""What every test may ask for, and what the last line says when a machine lacks it."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import postgres_process
import pytest

ROOT = Path(__file__).resolve().parent.parent

_missing: dict[str, str] = {}
"""What this machine lacks, by the reason that the skipped tests give."""


# What the machine does is said when it has been looked at for a while: a test that takes longer would find it among its
# messages. Those that are about it ask for it.
os.environ.setdefault("FPD_MACHINE_S", "0")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also what takes minutes (`make long`)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: takes minutes; runs with --long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: make long"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name, consequence in sorted(_missing.items()):
        terminalreporter.write_line(f"SKIPPED FOR WANT OF {name}: {consequence}", yellow=True, bold=True)


def _lacking(name: str, consequence: str) -> None:
    _missing[name] = consequence
    pytest.skip(f"{name} is not to be had: {consequence}")


@pytest.fixture(scope="session")
def lacking() -> Callable[[str, str], None]:
    """Skip, and say so in the last lines: `lacking("A SMALL FILE SYSTEM", "no test filled a disk")`."""
    return _lacking


@pytest.fixture(scope="session")
def xrays() -> Path:
    """The real X-rays that `FPD_DATA` names."""
    named = os.environ.get("FPD_DATA")
    if not named or not Path(named).exists():
        _lacking("REAL X-RAYS", "FPD_DATA names no file, so nothing was trained on real images")
    return Path(str(named))


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium that Playwright can drive."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    for found_path in sorted(Path.home().glob(".cache/ms-playwright/chromium-*/chrome-linux*/chrome")):
        return str(found_path)
    _lacking("CHROMIUM", "no test of the page ran")
    raise AssertionError("unreachable")


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_process.PostgresProcess]:
    """A PostgreSQL of the tests' own."""
    bin_dir = postgres_process.programs()
    if bin_dir is None:
        _lacking("POSTGRESQL", "the store was tested on SQLite and memory alone")
        raise AssertionError("unreachable")
    with postgres_process.postgres(bin_dir) as server:
        yield server


@pytest.fixture
def postgres_url(postgres: postgres_process.PostgresProcess) -> str:
    """The SQLAlchemy URL of an empty PostgreSQL."""
    postgres_process.empty(postgres.url)
    return postgres.url


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., None]:
    """Wait for a condition, never for seconds: `wait_until(lambda: done(), "it was done")`."""

    def wait(condition: Callable[[], object], what: str, *, timeout_s: float = 20.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"waited {timeout_s:g} s in vain until {what}")
            time.sleep(0.01)

    return wait
