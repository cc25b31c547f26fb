"""Trainings as processes of their own: started, watched, queued, cancelled, adopted, and told how they ended."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.progress.liveness import process_lives
from federated_pneumonia_detection.server.jobs import Jobs
from federated_pneumonia_detection.server.serving import BackgroundServer
from federated_pneumonia_detection.server.settings import ServerSettings

WaitUntil = Callable[..., None]
ENDS = ("training_complete", "training_error", "training_cancelled")


def _train(http: httpx.Client, name: str, kind: str = "centralized") -> str:
    response = http.post(f"/api/{kind}/train", json={"experiment_name": name, "source_path": "phantoms"})
    assert response.status_code == 202, response.text
    return str(response.json()["run_id"])


def _status(http: httpx.Client, run_id: str) -> str:
    return str(http.get(f"/api/runs/{run_id}").json()["status"])


def _messages(http: httpx.Client, run_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.get(f"/api/runs/{run_id}/events", params={"after": 0, "limit": 10_000}).json()[
        "messages"
    ]
    return [message for message in found if "offset" in message]


def _ends(http: httpx.Client, run_id: str) -> list[dict[str, Any]]:
    return [message for message in _messages(http, run_id) if message["type"] in ENDS]


@pytest.mark.parametrize("kind", ["centralized", "federated"])
def test_a_started_run_is_known_everywhere_at_once_and_completes(
    http: httpx.Client, server: BackgroundServer, wait_until: WaitUntil, kind: str
) -> None:
    run_id = _train(http, "quick", kind)
    for path in ("", "/events", "/document", "/series", "/export"):
        assert http.get(f"/api/runs/{run_id}{path}").status_code == 200, path
    assert run_id in [run["run_id"] for run in http.get("/api/runs").json()["runs"]]
    with connect(f"{server.url.replace('http', 'ws')}/ws/training-progress?run_id={run_id}&after=0") as viewer:
        types = []
        while not types or types[-1] != "training_complete":
            types.append(json.loads(viewer.recv(timeout=20))["type"])
    assert types[:3] == ["subscribed", "run_queued", "run_start"]
    assert types.count("epoch_start") == 3
    wait_until(lambda: _status(http, run_id) == "completed", "the run is complete")
    assert http.get(f"/api/runs/{run_id}/log").text == "training phantoms as quick\n"
    part = http.get(f"/api/runs/{run_id}/log", headers={"Range": "bytes=-6"})
    assert (part.status_code, part.text) == (206, "quick\n")


def test_more_than_max_runs_wait_in_order(start: Callable[..., BackgroundServer], wait_until: WaitUntil) -> None:
    server = start(max_runs=1)
    with httpx.Client(base_url=server.url) as http:
        first, second, third = _train(http, "slow"), _train(http, "slow"), _train(http, "quick")
        wait_until(lambda: _status(http, first) == "running", "the first runs")
        assert [_status(http, run_id) for run_id in (second, third)] == ["queued", "queued"]
        assert [job.run_id for job in server.service.supervisor.waiting()] == [second, third]
        # The one that is cancelled while it waits never starts, and does not hold up the others.
        assert http.post(f"/api/runs/{second}/cancel", json={"by": "Ada"}).status_code == 202
        wait_until(lambda: _status(http, second) == "cancelled", "the second is cancelled")
        assert _ends(http, second)[0]["by"] == "Ada"
        assert _status(http, third) == "queued"
        http.post(f"/api/runs/{first}/cancel")
        wait_until(lambda: _status(http, third) == "completed", "the third had its turn")
        assert "run_start" not in [message["type"] for message in _messages(http, second)]


def test_two_at_once_where_two_may_run(start: Callable[..., BackgroundServer], wait_until: WaitUntil) -> None:
    server = start(max_runs=2)
    with httpx.Client(base_url=server.url) as http:
        runs = [_train(http, "slow"), _train(http, "slow")]
        wait_until(lambda: [_status(http, run_id) for run_id in runs] == ["running"] * 2, "both run")


@pytest.mark.parametrize(
    ("name", "error", "detail"),
    [
        ("dies-early", "exit code 3", "ImportError: no torch here"),
        ("no-last-word", "exit code 4", None),
        ("crashes", "signal 9", "about to crash"),
    ],
)
def test_a_dead_training_is_told_within_five_seconds_with_how_it_ended(
    http: httpx.Client, wait_until: WaitUntil, name: str, error: str, detail: str | None
) -> None:
    run_id = _train(http, name)
    began = time.monotonic()
    wait_until(lambda: _status(http, run_id) == "failed", "its end is told", timeout_s=10)
    assert time.monotonic() - began < 6  # the training itself takes part of the first second
    (end,) = _ends(http, run_id)
    assert end["type"] == "training_error"
    assert error in end["error"].lower().replace("sigkill", "signal 9")
    assert "\n" not in end["error"]
    if detail is not None:
        assert detail in str(end["error"]) + str(end["detail"])
    wait_until(lambda: not http.get("/api/runs", params={"status": "running"}).json()["runs"], "nothing runs")
    assert len(_ends(http, run_id)) == 1


def test_a_command_that_is_not_there_is_a_failed_run(
    start: Callable[..., BackgroundServer], wait_until: WaitUntil
) -> None:
    server = start(training_command=("/no/such/program",))
    with httpx.Client(base_url=server.url) as http:
        run_id = _train(http, "quick")
        wait_until(lambda: _status(http, run_id) == "failed", "it failed")
        assert "/no/such/program" in _ends(http, run_id)[0]["error"]


def test_a_run_that_hears_stops_at_its_next_batch_and_twice_is_once(
    http: httpx.Client, server: BackgroundServer, settings: ServerSettings, wait_until: WaitUntil
) -> None:
    run_id = _train(http, "slow")
    wait_until(lambda: _status(http, run_id) == "running", "it runs")
    for _ in range(2):
        response = http.post(f"/api/runs/{run_id}/cancel", json={"reason": "enough", "by": "Ada"})
        assert response.status_code == 202
        assert response.json()["run_id"] == run_id
        assert response.json()["cancel_asked"]
    wait_until(lambda: _status(http, run_id) == "cancelled", "it stopped")
    (end,) = _ends(http, run_id)
    assert (end["type"], end["reason"], end["by"]) == ("training_cancelled", "enough", "Ada")
    asked = [m for m in http.get(f"/api/runs/{run_id}/events").json()["messages"] if m.get("about") == "cancel"]
    assert [(m["type"], m["text"]) for m in asked] == [("alert", "by Ada: enough")]
    assert http.post(f"/api/runs/{run_id}/cancel").status_code == 202
    wait_until(lambda: not list(settings.log_dir.glob("*.cancel")), "the request was taken back")
    assert len(_ends(http, run_id)) == 1


@pytest.mark.parametrize("name", ["deaf", "ignores-signals", "hangs-early"])
def test_a_run_that_does_not_hear_gets_signals(
    http: httpx.Client, settings: ServerSettings, wait_until: WaitUntil, name: str
) -> None:
    run_id = _train(http, name)
    directory = Jobs(settings.jobs_dir).directory(run_id)
    wait_until(lambda: _status(http, run_id) == "running" or name == "hangs-early", "it runs")
    wait_until(directory.training_pid, "it has a process")
    assert http.post(f"/api/runs/{run_id}/cancel", json={"by": "Ada"}).status_code == 202
    wait_until(lambda: _status(http, run_id) == "cancelled", "it was stopped")
    (end,) = _ends(http, run_id)
    assert (end["type"], end["by"]) == ("training_cancelled", "Ada")
    assert directory.training_pid() is None


def test_a_run_of_somebody_else_is_asked_if_it_hears_and_refused_if_not(
    http: httpx.Client, settings: ServerSettings, wait_until: WaitUntil
) -> None:
    with (
        ProgressLogger(str(settings.log_dir), "deaf", run_id="deaf") as deaf,
        ProgressLogger(str(settings.log_dir), "hears", run_id="hears", hears_cancel=True) as hears,
    ):
        for logger in (deaf, hears):
            logger.log_epoch_start(1, 3)
            wait_until(lambda name=logger.run_id: http.get(f"/api/runs/{name}").status_code == 200, "it is known")
            wait_until(lambda name=logger.run_id: _status(http, name) == "running", "it runs")
        refused = http.post("/api/runs/deaf/cancel")
        assert refused.status_code == 409
        assert "hear" in refused.json()["title"]
        assert http.post("/api/runs/hears/cancel", json={"reason": "enough"}).status_code == 202
        assert json.loads((settings.log_dir / "hears.cancel").read_text())["reason"] == "enough"
        hears.log_training_cancelled("enough", "Ada")


def test_an_ended_run_can_be_deleted_and_a_running_one_cannot(
    http: httpx.Client, settings: ServerSettings, wait_until: WaitUntil
) -> None:
    run_id = _train(http, "slow")
    wait_until(lambda: _status(http, run_id) == "running", "it runs")
    assert http.delete(f"/api/runs/{run_id}").status_code == 409
    http.post(f"/api/runs/{run_id}/cancel")
    wait_until(lambda: _status(http, run_id) == "cancelled", "it stopped")
    assert http.delete(f"/api/runs/{run_id}").status_code == 204
    assert http.get(f"/api/runs/{run_id}").status_code == 404
    assert http.delete(f"/api/runs/{run_id}").status_code == 404
    assert [path.name for path in settings.log_dir.rglob("*") if run_id in path.name] == []


def test_names_tags_and_notes_are_kept_and_told_to_viewers(http: httpx.Client, wait_until: WaitUntil) -> None:
    run_id = _train(http, "quick")
    wait_until(lambda: _status(http, run_id) == "completed", "it is complete")
    http.patch(f"/api/runs/{run_id}", json={"name": "Best \u2028 one", "tags": ["paper"], "notes": "a\nb"})
    wait_until(lambda: http.get(f"/api/runs/{run_id}").json()["tags"] == ["paper"], "it is edited")
    run = http.get(f"/api/runs/{run_id}").json()
    assert (run["name"], run["notes"], run["status"]) == ("Best \u2028 one", "a\nb", "completed")
    assert [m["name"] for m in _messages(http, run_id) if m["type"] == "run_edited"] == ["Best \u2028 one"]
    assert http.get("/api/runs", params={"q": "PAPER"}).json()["total"] == 1


def test_the_next_server_adopts_what_runs_and_starts_what_waits(
    start: Callable[..., BackgroundServer], settings: ServerSettings, wait_until: WaitUntil
) -> None:
    first = start()
    with httpx.Client(base_url=first.url) as http:
        running, waiting = _train(http, "slow"), _train(http, "quick")
        wait_until(lambda: _status(http, running) == "running", "it runs")
    pid = Jobs(settings.jobs_dir).directory(running).training_pid()
    assert pid is not None
    first.stop()
    assert process_lives(pid)

    second = start()
    with httpx.Client(base_url=second.url) as http:
        assert _status(http, waiting) == "queued"
        assert [job.run_id for job in second.service.supervisor.running()] == [running]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: _status(http, running) == "failed", "its death is told, with its signal")
        error = _ends(http, running)[0]["error"].lower()
        assert "9" in error or "kill" in error
        wait_until(lambda: _status(http, waiting) == "completed", "the other had its turn")


def test_what_died_while_no_server_ran_is_told_by_the_next(
    start: Callable[..., BackgroundServer], settings: ServerSettings, wait_until: WaitUntil
) -> None:
    first = start()
    with httpx.Client(base_url=first.url) as http:
        run_id = _train(http, "slow")
        wait_until(lambda: _status(http, run_id) == "running", "it runs")
    directory = Jobs(settings.jobs_dir).directory(run_id)
    pid = directory.training_pid()
    assert pid is not None
    first.stop()
    os.kill(pid, signal.SIGKILL)
    wait_until(directory.exit, "its warden saw it")
    with httpx.Client(base_url=start().url) as http:
        wait_until(lambda: _status(http, run_id) == "failed", "its death is told")
        assert len(_ends(http, run_id)) == 1


def test_a_training_whose_warden_was_killed_too_is_noticed(
    http: httpx.Client, settings: ServerSettings, wait_until: WaitUntil
) -> None:
    run_id = _train(http, "slow")
    wait_until(lambda: _status(http, run_id) == "running", "it runs")
    directory = Jobs(settings.jobs_dir).directory(run_id)
    pid = directory.training_pid()
    assert pid is not None
    os.kill(json.loads((directory.path / "warden.json").read_text())["pid"], signal.SIGKILL)
    assert _status(http, run_id) == "running"
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: _status(http, run_id) == "failed", "its death is told")


def test_a_run_over_a_superlink_needs_a_federation_that_the_operator_named(
    start: Callable[..., BackgroundServer], settings: ServerSettings
) -> None:
    body = {"engine": "superlink", "source_path": "phantoms", "experiment_name": "quick"}
    with httpx.Client(base_url=start().url) as http:
        refused = http.post("/api/federated/train", json=body)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["where"] == "engine"
        assert "--federation DIR" in refused.json()["detail"]
        assert http.get("/api/runs").json()["runs"] == []


def test_the_operators_federation_is_handed_to_the_training(
    start: Callable[..., BackgroundServer], settings: ServerSettings, tmp_path: Path
) -> None:
    server = start(federation=tmp_path / "fed")
    with httpx.Client(base_url=server.url) as http:
        for engine, expected in (("superlink", ["--federation", str(tmp_path / "fed")]), ("local", [])):
            body = {"engine": engine, "source_path": "phantoms", "experiment_name": "quick"}
            run_id = http.post("/api/federated/train", json=body).json()["run_id"]
            job = Jobs(settings.jobs_dir).directory(run_id).job()
            assert job is not None
            assert list(job.command[-2:]) == expected or not expected
            assert ("--federation" in job.command) is bool(expected)
