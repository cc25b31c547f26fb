"""What the tables of bad inputs share: a server that must live on, and a look at what must not have changed.

One file for each row of the table: HTTP, the OpenAPI document, WebSocket, journals and documents, configuration, data
sources, checkpoints, the command line, callers of the loggers. What a site ships and who may do what have tests of
their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from quick_server import end_trainings, settings_in
from snapshots import Snapshot, files_in

from federated_pneumonia_detection.server.serving import BackgroundServer, running


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackgroundServer]:
    """One server for a table of inputs that must change nothing."""
    settings = settings_in(tmp_path_factory.mktemp("shared"))
    with running(settings) as background:
        yield background
    end_trainings(settings)


@pytest.fixture
def http(shared_server: BackgroundServer) -> Iterator[httpx.Client]:
    """A client of the shared server, which lives on afterwards, with the same runs and the same files."""
    directory = shared_server.service.settings.log_dir
    with httpx.Client(base_url=shared_server.url, timeout=30) as client:
        runs, files = client.get("/api/runs").json(), files_in(directory)
        yield client
        assert client.get("/healthz").status_code == 200
        assert client.get("/api/runs").json()["runs"] == runs["runs"]
        assert files_in(directory) == files


@pytest.fixture
def unchanged(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Call it when everything is in place: from then on the test's directory stays as it is."""
    before: list[Snapshot] = []
    yield lambda: before.append(files_in(tmp_path))
    assert before, "the test never said when everything was in place"
    assert files_in(tmp_path) == before[0]
