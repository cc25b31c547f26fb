"""Several servers on one PostgreSQL: what one starts, all show; who may stop and delete it; nothing is said twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import talkers

from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.server.serving import BackgroundServer, running
from federated_pneumonia_detection.server.settings import ServerSettings

pytestmark = pytest.mark.postgres

WaitUntil = Callable[..., None]
ENDS = ("training_complete", "training_error", "training_cancelled")


class Two:
    """Two servers, and a client for each."""

    def __init__(self, servers: list[BackgroundServer], clients: list[httpx.Client], wait_until: WaitUntil) -> None:
        self.servers = servers
        self._wait_until = wait_until
        self.one, self.other = clients

    def statuses(self, run_id: str) -> set[str]:
        answers = [client.get(f"/api/runs/{run_id}") for client in (self.one, self.other)]
        return {str(answer.json().get("status")) if answer.status_code == 200 else "unknown" for answer in answers}

    def said(self, run_id: str) -> list[dict[str, Any]]:
        """The lifecycle messages of a run, the same from both."""
        pages: list[list[dict[str, Any]]] = []

        def same() -> bool:
            # A last word may come between the two questions.
            pages[:] = [self._page(client, run_id) for client in (self.one, self.other)]
            return pages[0] == pages[1]

        self._wait_until(same, "both tell the same")
        return pages[0]

    @staticmethod
    def _page(client: httpx.Client, run_id: str) -> list[dict[str, Any]]:
        page = client.get(f"/api/runs/{run_id}/events", params={"after": 0, "limit": 10_000}).json()["messages"]
        return [message for message in page if "offset" in message]

    def ends(self, run_id: str) -> list[str]:
        return [message["type"] for message in self.said(run_id) if message["type"] in ENDS]


@pytest.fixture
def start_two(
    settings: ServerSettings, postgres_url: str, tmp_path: Path, wait_until: WaitUntil
) -> Iterator[Callable[..., Two]]:
    """Start two servers on one database, over the same directory or over one each."""
    with ExitStack() as stack:

        def start(*, same_directory: bool) -> Two:
            servers = []
            for log_dir in (settings.log_dir, settings.log_dir if same_directory else tmp_path / "elsewhere"):
                changed = replace(settings, log_dir=log_dir, database=postgres_url)
                servers.append(stack.enter_context(running(changed)))
            return Two(
                servers,
                [stack.enter_context(httpx.Client(base_url=server.url, timeout=30)) for server in servers],
                wait_until,
            )

        yield start


def train(http: httpx.Client, name: str) -> str:
    answer = http.post("/api/centralized/train", json={"experiment_name": name, "source_path": "phantoms"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])


def test_what_one_server_starts_the_other_shows_and_says_who_can_stop_and_delete_it(
    start_two: Callable[..., Two], wait_until: WaitUntil
) -> None:
    two = start_two(same_directory=False)
    run_id = train(two.one, "slow")
    wait_until(lambda: two.statuses(run_id) == {"running"}, "both show that it runs")

    refused = two.other.post(f"/api/runs/{run_id}/cancel")
    assert refused.status_code == 409
    assert "another server on the same database" in refused.json()["title"]
    named = two.other.patch(f"/api/runs/{run_id}", json={"name": "Baseline"})
    assert named.status_code == 200
    wait_until(lambda: two.one.get(f"/api/runs/{run_id}").json()["name"] == "Baseline", "both know its name")

    assert two.one.post(f"/api/runs/{run_id}/cancel").status_code == 202
    wait_until(lambda: two.statuses(run_id) == {"cancelled"}, "both show that it was stopped")
    assert two.ends(run_id) == ["training_cancelled"]

    assert two.other.delete(f"/api/runs/{run_id}").status_code == 409
    assert two.one.delete(f"/api/runs/{run_id}").status_code == 204
    wait_until(lambda: two.statuses(run_id) == {"unknown"}, "both have forgotten it")


def test_servers_of_one_directory_stop_each_others_runs_once(
    start_two: Callable[..., Two], wait_until: WaitUntil
) -> None:
    two = start_two(same_directory=True)
    running_id, waiting_id = train(two.one, "deaf"), train(two.other, "slow")
    wait_until(lambda: two.statuses(running_id) == {"running"}, "both show that it runs")
    assert two.statuses(waiting_id) == {"queued"}, "there is room for one"

    assert two.other.post(f"/api/runs/{waiting_id}/cancel").status_code == 202
    wait_until(lambda: two.statuses(waiting_id) == {"cancelled"}, "the one that waited never starts")
    # It does not listen: signals follow, from the server that keeps the jobs alone.
    assert two.other.post(f"/api/runs/{running_id}/cancel", json={"by": "Ada"}).status_code == 202
    wait_until(lambda: two.statuses(running_id) == {"cancelled"}, "it was stopped")

    assert two.ends(waiting_id) == two.ends(running_id) == ["training_cancelled"]


def test_a_server_takes_over_the_runs_of_one_that_is_gone(start_two: Callable[..., Two], wait_until: WaitUntil) -> None:
    two = start_two(same_directory=True)
    keeper = next(server for server in two.servers if server.service.supervisor.jobs.are_kept)
    left = two.one if keeper is two.servers[1] else two.other
    first, second = train(left, "slow"), train(left, "quick")
    wait_until(lambda: two.statuses(first) == {"running"}, "the first runs")
    keeper.stop()

    assert left.post(f"/api/runs/{first}/cancel").status_code == 202
    wait_until(lambda: left.get(f"/api/runs/{second}").json()["status"] == "completed", "the second had its turn")

    assert left.get(f"/api/runs/{first}").json()["status"] == "cancelled"


@pytest.mark.parametrize("same_directory", [True, False])
def test_a_death_that_two_servers_see_is_told_once(
    same_directory: bool, start_two: Callable[..., Two], settings: ServerSettings, tmp_path: Path, wait_until: WaitUntil
) -> None:
    two = start_two(same_directory=same_directory)
    command = [sys.executable, talkers.__file__, str(settings.log_dir), "endless-run", str(tmp_path / "returned")]
    trainer = subprocess.Popen(command)
    try:
        wait_until(lambda: two.statuses("endless-run") == {"running"}, "both show that it runs")
        trainer.send_signal(signal.SIGKILL)
        wait_until(lambda: two.statuses("endless-run") == {"failed"}, "both show that it died")
    finally:
        trainer.kill()
        trainer.wait()
    with ProgressLogger(settings.log_dir, "after", run_id="after") as logger:
        logger.log_training_complete({})
    wait_until(lambda: two.statuses("after") == {"completed"}, "both went on")

    assert two.ends("endless-run") == ["training_error"]
