"""The real server over the real hub, on a port of its own, with a small script in the place of trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from quick_server import end_trainings, settings_in

from federated_pneumonia_detection.server.serving import BackgroundServer, running
from federated_pneumonia_detection.server.settings import ServerSettings


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[ServerSettings]:
    made = settings_in(tmp_path)
    yield made
    end_trainings(made)


@pytest.fixture
def start(settings: ServerSettings) -> Iterator[Callable[..., BackgroundServer]]:
    """Starts a server over the test's directory; with other settings where some are given. Stopped at the end."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda **changes: stack.enter_context(running(replace(settings, **changes)))


@pytest.fixture
def server(start: Callable[..., BackgroundServer]) -> BackgroundServer:
    return start()


@pytest.fixture
def http(server: BackgroundServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackgroundServer]:
    """One server for a table of requests that must change nothing."""
    settings = settings_in(tmp_path_factory.mktemp("shared"))
    with running(settings) as background:
        yield background
    end_trainings(settings)
