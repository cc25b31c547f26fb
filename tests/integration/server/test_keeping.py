"""Ended runs go by age and size: shown first, then journals, documents, output, rows and, when asked for, models."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from federated_pneumonia_detection.hub.retention import Policy
from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger
from federated_pneumonia_detection.server.keeping import Pruner
from federated_pneumonia_detection.server.serving import BackgroundServer
from federated_pneumonia_detection.server.settings import ServerSettings

WaitUntil = Callable[..., None]
EVERYTHING = {"older_than_s": 0}


@pytest.fixture
def runs(http: httpx.Client, settings: ServerSettings, wait_until: WaitUntil) -> Iterator[None]:
    """Two runs that have ended, one of them of hospitals and with models; and one that goes on."""
    with ProgressLogger(settings.log_dir, "one", run_id="first") as logger:
        logger.log_step(1, 1, 1, {"loss": 1.0})
        logger.log_training_complete({})
    lead = ProgressLogger(settings.log_dir, "two", "federated", run_id="second")
    with FederatedProgressLogger("north", settings.log_dir, "two", run_id="second") as north:
        north.log_round_start(1, 1)
        north.log_round_end(1, {}, {})
    lead.log_training_complete({})
    lead.close()
    models = settings.checkpoints / "second"
    models.mkdir(parents=True)
    (models / "best.ckpt").write_bytes(b"x" * 5000)
    with ProgressLogger(settings.log_dir, "three", run_id="third") as going:
        going.log_epoch_start(1, 2)
        wait_until(lambda: statuses(http) == {"first": "completed", "second": "completed", "third": "running"}, "known")
        # Their journals are closed; the hub looks at that twice a second.
        wait_until(lambda: not any(run["kept_because"] for run in prune(http, **EVERYTHING)["runs"]), "they are closed")
        yield


def statuses(http: httpx.Client) -> dict[str, str]:
    return {run["run_id"]: run["status"] for run in http.get("/api/runs").json()["runs"]}


def prune(http: httpx.Client, **asked: Any) -> dict[str, Any]:
    answer = http.post("/api/prune", json=asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix in (".json", ".jsonl"))


@pytest.mark.usefixtures("runs")
def test_a_dry_run_shows_what_would_go_and_deletes_nothing(http: httpx.Client, settings: ServerSettings) -> None:
    before = names(settings.log_dir)

    found = prune(http, **EVERYTHING)

    assert found["deleted"] is False
    assert [(run["run_id"], run["kept_because"]) for run in found["runs"]] == [("first", None), ("second", None)]
    sizes = {name: (settings.log_dir / name).stat().st_size for name in before if name.startswith(("first", "second"))}
    assert found["size_bytes"] == sum(sizes.values())
    assert found["runs"][1]["files"] == 4
    assert found["runs"][1]["checkpoint_dir"] == str(settings.checkpoints / "second")
    assert found["runs"][1]["checkpoint_bytes"] == 5000
    assert names(settings.log_dir) == before
    assert len(statuses(http)) == 3


@pytest.mark.usefixtures("runs")
def test_ended_runs_go_with_all_their_files_and_their_models_stay(
    http: httpx.Client, settings: ServerSettings, server: BackgroundServer
) -> None:
    log_id = http.get("/api/events").json()["log_id"]

    assert prune(http, **EVERYTHING, dry_run=False)["deleted"] is True

    assert statuses(http) == {"third": "running"}
    assert names(settings.log_dir) == ["third.json", "third.jsonl"]
    assert (settings.checkpoints / "second" / "best.ckpt").exists()
    assert http.get("/api/runs/second/events").status_code == 404
    assert server.service.hub._ledger.store.steps(run_id="first") == []
    # Who was away since before that is told that its place is no more; who comes now is not.
    away = http.get("/api/events", params={"after": 1, "log_id": log_id}).json()
    assert away["recovered"] is False
    now = http.get("/api/events", params={"after": away["top"], "log_id": log_id}).json()
    assert now["recovered"] is True


@pytest.mark.usefixtures("runs")
def test_models_go_when_they_are_named(http: httpx.Client, settings: ServerSettings) -> None:
    found = prune(http, **EVERYTHING, checkpoints=True, dry_run=False)

    assert found["size_bytes"] > 5000
    assert list(settings.checkpoints.iterdir()) == []


@pytest.mark.usefixtures("runs")
def test_the_oldest_go_first_and_only_until_the_rest_fits(http: httpx.Client) -> None:
    total = prune(http, **EVERYTHING)["total_bytes"]

    found = prune(http, keep_bytes=total - 1, dry_run=False)

    assert [run["run_id"] for run in found["runs"]] == ["first"]
    assert set(statuses(http)) == {"second", "third"}
    assert prune(http, keep_bytes=total)["runs"] == []


@pytest.mark.usefixtures("runs")
def test_a_server_prunes_by_itself_what_it_was_told_not_to_keep(
    server: BackgroundServer, settings: ServerSettings, http: httpx.Client
) -> None:
    from dataclasses import replace

    pruner = Pruner(server.service.hub, replace(settings, keep=Policy(keep_bytes=0)))

    assert [run.run_id for run in pruner.look()] == ["first", "second"]

    assert set(statuses(http)) == {"third"}


def test_a_run_called_like_a_path_takes_nothing_outside_its_folders_along(
    http: httpx.Client, settings: ServerSettings, wait_until: WaitUntil, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "kept").write_text("kept")
    settings.checkpoints.mkdir(exist_ok=True)
    with ProgressLogger(settings.log_dir, "evil", run_id="../precious") as logger:
        logger.log_training_complete({})
    wait_until(lambda: "completed" in statuses(http).values(), "it is known")
    wait_until(
        lambda: prune(http, **EVERYTHING, checkpoints=True, dry_run=False)["runs"][0]["kept_because"] is None, "it went"
    )

    assert (precious / "kept").read_text() == "kept"
    shutil.rmtree(precious)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "older_than_s"),
        ({"older_than_s": -1}, "older_than_s"),
        ({"keep_bytes": "5GB"}, "keep_bytes"),
        ({"keep_bytes": 10**30}, "keep_bytes"),
        ({"older_than_s": 1, "force": True}, "force"),
    ],
)
def test_a_wish_that_cannot_be_understood_is_refused(shared_server: BackgroundServer, body: Any, says: str) -> None:
    answer = httpx.post(f"{shared_server.url}/api/prune", json=body)

    assert answer.status_code == 422
    assert says in answer.text
