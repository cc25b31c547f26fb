"""Pause, go on and resume, asked of a server: who may, who is told to have asked, what cannot be done and why."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.server.access.token_store import TokenFile
from federated_pneumonia_detection.server.access.tokens import issue
from federated_pneumonia_detection.server.serving import BackgroundServer
from federated_pneumonia_detection.server.settings import ServerSettings

WaitUntil = Callable[..., None]
Start = Callable[..., BackgroundServer]


def train(http: httpx.Client, name: str) -> str:
    answer = http.post("/api/centralized/train", json={"experiment_name": name, "source_path": "phantoms"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])


def state(http: httpx.Client, run_id: str) -> dict[str, Any]:
    return dict(http.get(f"/api/runs/{run_id}").json())


def said(http: httpx.Client, run_id: str, *kinds: str) -> list[dict[str, Any]]:
    page = http.get(f"/api/runs/{run_id}/events", params={"after": 0, "limit": 10_000}).json()
    return [message for message in page["messages"] if message["type"] in kinds]


def ask(http: httpx.Client, run_id: str, what: str, **body: Any) -> httpx.Response:
    return http.post(f"/api/runs/{run_id}/{what}", json=body)


def test_a_run_waits_where_it_is_and_goes_on_from_there(http: httpx.Client, wait_until: WaitUntil) -> None:
    run_id = train(http, "slow")
    wait_until(lambda: state(http, run_id)["epoch"] > 2, "it trains")
    assert ask(http, run_id, "pause", reason="lunch", by="Ada").status_code == 202
    wait_until(lambda: state(http, run_id)["paused"], "it waits")
    waiting = state(http, run_id)
    assert (waiting["paused_by"], waiting["sentence"][:13]) == ("Ada", "Paused by Ada")
    assert ask(http, run_id, "pause", by="Bert").status_code == 202, "asked twice is asked once"
    time.sleep(0.3)
    assert state(http, run_id)["epoch"] == waiting["epoch"], "nothing moves"
    answer = ask(http, run_id, "resume", by="Carla")
    assert (answer.status_code, answer.json()["how"]) == (202, "goes_on")
    wait_until(lambda: state(http, run_id)["epoch"] > waiting["epoch"], "it goes on")
    paused, resumed = said(http, run_id, "training_paused", "training_resumed")
    assert (paused["reason"], paused["by"], resumed["by"]) == ("lunch", "Ada", "Carla")
    ask(http, run_id, "cancel")


def test_a_run_that_waits_can_be_stopped(http: httpx.Client, wait_until: WaitUntil) -> None:
    run_id = train(http, "slow")
    wait_until(lambda: state(http, run_id)["epoch"] > 0, "it trains")
    ask(http, run_id, "pause")
    wait_until(lambda: state(http, run_id)["paused"], "it waits")
    ask(http, run_id, "cancel", by="Ada")
    wait_until(lambda: state(http, run_id)["status"] == "cancelled", "it stops")
    assert said(http, run_id, "training_cancelled")[0]["by"] == "Ada"
    assert state(http, run_id)["stopped_by"] == "Ada"


def test_a_stopped_run_goes_on_in_the_same_run_and_what_it_had_reached_beyond_is_superseded(
    http: httpx.Client, server: BackgroundServer, wait_until: WaitUntil
) -> None:
    run_id = train(http, "slow")
    wait_until(lambda: state(http, run_id)["epoch"] > 5, "it trains")
    ask(http, run_id, "cancel")
    wait_until(lambda: state(http, run_id)["status"] == "cancelled", "it stops")
    offered = http.get(f"/api/runs/{run_id}/checkpoints").json()
    assert (offered["unit"], offered["points"], offered["why_not"]) == ("epoch", [1, 2, 3], None)
    answer = ask(http, run_id, "resume", **{"from": 2})
    assert (answer.status_code, answer.json()) == (
        202,
        {"run_id": run_id, "how": "again", "attempt": 2, "from_point": 2},
    )
    again = ask(http, run_id, "resume")
    assert again.status_code == 409, "twice is once"
    wait_until(lambda: state(http, run_id)["status"] == "running", "it goes on")
    starts = said(http, run_id, "run_start")
    assert [(m["attempt"], m.get("from_epoch")) for m in starts] == [(1, None), (2, 2)]
    wait_until(lambda: len(state(http, run_id)["key_series"]) > 3, "it has gone on")
    now = state(http, run_id)
    assert [at for at, _ in now["key_series"]] == list(range(1, len(now["key_series"]) + 1))
    assert now["attempts"][0]["reached"] > 5
    assert now["attempts"][0]["kept"] == 2
    # What both attempts printed is kept.
    assert http.get(f"/api/runs/{run_id}/log").text.count("training phantoms") == 2
    ask(http, run_id, "cancel", by="Ada")
    wait_until(lambda: state(http, run_id)["status"] == "cancelled", "the second attempt stops")
    assert [m.get("attempt", 1) for m in said(http, run_id, "training_cancelled")] == [1, 2]


def test_a_crashed_run_goes_on_and_waits_for_room_like_any_other(start: Start, wait_until: WaitUntil) -> None:
    server = start(max_runs=1)
    with httpx.Client(base_url=server.url, timeout=30) as http:
        crashed = train(http, "crashes")
        wait_until(lambda: state(http, crashed)["status"] == "failed", "its end is told", timeout_s=10)
        other = train(http, "slow")
        wait_until(lambda: state(http, other)["status"] == "running", "another one runs")
        assert ask(http, crashed, "resume", **{"from": 1}).status_code == 202
        wait_until(lambda: state(http, crashed)["status"] == "queued", "it waits for room")
        assert [at for at, _ in state(http, crashed)["key_series"]] == [1], "what is kept is still there"
        # Stopped while it waits, it never starts; and it can go on all the same.
        assert ask(http, crashed, "cancel", by="Ada").status_code == 202
        wait_until(lambda: state(http, crashed)["status"] == "cancelled", "it is stopped in the queue")
        assert ask(http, crashed, "resume").json()["attempt"] == 3
        ask(http, other, "cancel")
        wait_until(lambda: state(http, crashed)["status"] == "completed", "it had its turn")
        assert [m["attempt"] for m in said(http, crashed, "run_start")] == [1, 3]


@pytest.mark.parametrize(
    ("what", "body", "words"),
    [
        ("resume", {}, "is running"),
        ("pause", {"reason": ""}, "reason"),
        ("resume", {"from": -1}, "from"),
        ("resume", {"from": "five"}, "from"),
        ("resume", {"form": 5}, "form"),
    ],
)
def test_what_makes_no_sense_of_a_running_run_is_refused_in_words(
    shared_server: BackgroundServer, wait_until: WaitUntil, what: str, body: dict[str, Any], words: str
) -> None:
    with (
        httpx.Client(base_url=shared_server.url, timeout=30) as http,
        ProgressLogger(shared_server.service.settings.log_dir, "x", run_id="runs", hears_cancel=True) as logger,
    ):
        logger.log_epoch_start(1, 3)
        wait_until(lambda: state(http, "runs").get("status") == "running", "it is known")
        answer = ask(http, "runs", what, **body)
        assert answer.status_code in (409, 422)
        assert words in answer.json()["title"]


def test_what_cannot_go_on_says_why(http: httpx.Client, settings: ServerSettings, wait_until: WaitUntil) -> None:
    assert ask(http, "nobody", "resume").status_code == 404
    finished = train(http, "quick")
    wait_until(lambda: state(http, finished)["status"] == "completed", "it is complete")
    assert "has finished" in ask(http, finished, "resume").json()["title"]
    assert "has ended already" in ask(http, finished, "pause").json()["title"]
    assert "has finished" in http.get(f"/api/runs/{finished}/checkpoints").json()["why_not"]

    stopped = train(http, "slow")
    wait_until(lambda: state(http, stopped)["epoch"] > 4, "it trains")
    ask(http, stopped, "cancel")
    wait_until(lambda: state(http, stopped)["status"] == "cancelled", "it stops")
    answer = ask(http, stopped, "resume", **{"from": 9}).json()
    assert answer["detail"] == (
        "There is no checkpoint of epoch 9; there are those of epochs 1, 2 and 3, and 0 starts over."
    )

    bare = train(http, "keeps-nothing")
    wait_until(lambda: state(http, bare)["epoch"] > 1, "it trains")
    ask(http, bare, "cancel")
    wait_until(lambda: state(http, bare)["status"] == "cancelled", "it stops")
    assert "No checkpoint of it was found" in ask(http, bare, "resume").json()["detail"]
    assert "No checkpoint of it was found" in http.get(f"/api/runs/{bare}/checkpoints").json()["why_not"]


def test_a_run_that_does_not_listen_cannot_be_paused(http: httpx.Client, wait_until: WaitUntil) -> None:
    run_id = train(http, "deaf")
    wait_until(lambda: state(http, run_id)["status"] == "running", "it runs")
    answer = ask(http, run_id, "pause")
    assert (answer.status_code, "cannot hear" in answer.json()["title"]) == (409, True)
    ask(http, run_id, "cancel")


def test_a_viewer_may_not_and_an_operator_is_named_by_the_token(
    settings: ServerSettings, start: Start, wait_until: WaitUntil, tmp_path: Path
) -> None:
    store = TokenFile(settings.log_dir / ".server" / "tokens.json")
    secrets = {}
    for name, role in (("olga", "operator"), ("vera", "viewer")):
        token, secrets[name] = issue(name, role, now=time.time())  # type: ignore[arg-type]
        store.add(token)
    server = start(require_token=True)
    olga, vera = (
        httpx.Client(base_url=server.url, timeout=30, headers={"authorization": f"Bearer {secrets[name]}"})
        for name in ("olga", "vera")
    )
    with olga, vera:
        run_id = train(olga, "slow")
        wait_until(lambda: state(vera, run_id)["epoch"] > 3, "it trains")
        for what in ("pause", "resume", "cancel"):
            assert ask(vera, run_id, what, by="olga").status_code == 403
        assert state(vera, run_id)["paused"] is None
        ask(olga, run_id, "pause", by="somebody else")
        wait_until(lambda: state(vera, run_id)["paused"], "it waits")
        ask(olga, run_id, "resume")
        wait_until(lambda: said(vera, run_id, "training_resumed"), "it goes on")
        ask(olga, run_id, "cancel", reason="enough", by="somebody else")
        wait_until(lambda: state(vera, run_id)["status"] == "cancelled", "it stops")
        paused, resumed, cancelled = said(vera, run_id, "training_paused", "training_resumed", "training_cancelled")
        assert (paused["by"], resumed["by"], cancelled["by"]) == ("olga", "olga", "olga")
        assert cancelled["reason"] == "enough"
        refused = server.service.refusals.count
        assert refused == 3
