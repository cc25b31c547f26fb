"""The same run carried by Flower's simulation: same numbers, same messages, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from flwr.app import Context, Message
from flwr.clientapp.typing import ClientAppCallable

from federated_pneumonia_detection.federated import FederatedTrainer
from federated_pneumonia_detection.progress.cancel import request_cancel
from federated_pneumonia_detection.progress.pause import go_on, request_pause

Make = Callable[..., FederatedTrainer]
Told = Callable[..., list[dict[str, Any]]]

# Ray and Flower use what others have deprecated, and Ray leaves sockets and files to the garbage collector.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(120)]


Children = Callable[[], list[str]]


@pytest.fixture
def children() -> Callable[[], list[str]]:
    """The processes begun since the test did: other tests of this process may have left a fork server of theirs."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}

    def begun() -> list[str]:
        found = []
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # gone in between
                if child.pid not in before and child.status() != psutil.STATUS_ZOMBIE:
                    found.append(child.name())
        return found

    return begun


def once(messages: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(message["type"], message.get("round")) for message in messages if message["type"] not in ("step", "stage")]


def test_ray_and_local_agree(
    make_trainer: Make,
    small_source: Path,
    told: Told,
    tmp_path: Path,
    wait_until: Callable[..., None],
    children: Children,
) -> None:
    local = make_trainer(where=tmp_path / "local", num_rounds=2).train(small_source, "demo")
    before = os.environ.copy()
    ray = make_trainer(where=tmp_path / "ray", num_rounds=2, engine="ray").train(small_source, "demo")

    assert ray["status"] == "completed"
    for ours, theirs in zip(local["history"], ray["history"], strict=True):
        assert theirs == pytest.approx(ours, abs=1e-5, nan_ok=True)
    ours_state = torch.load(local["best_model_path"], weights_only=True)
    for name, tensor in torch.load(ray["best_model_path"], weights_only=True).items():
        torch.testing.assert_close(tensor, ours_state[name], rtol=1e-4, atol=1e-5)
    for client in (None, "client_0", "client_1", "client_2"):
        assert once(told(client, where=tmp_path / "ray")) == once(told(client, where=tmp_path / "local"))
    assert os.environ.copy() == before
    wait_until(lambda: not children(), "all of Ray is gone")


class _Dies:
    """Ends the client's process as the kernel does when there is no memory."""

    def __call__(self, message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        if message.content["config"]["server-round"] == 1 and context.node_config["partition-id"] == 1:
            os._exit(1)
        return call_next(message, context)


@pytest.mark.long
def test_a_client_whose_process_dies_is_named_and_takes_part_again(
    make_trainer: Make, small_source: Path, told: Told
) -> None:
    """Flower puts a dead actor back among the living: every message to it failed from then on."""
    results = make_trainer(_Dies(), num_rounds=3, engine="ray").train(small_source, "demo")

    assert results["status"] == "completed"
    (failed,) = told(kind="client_failed")
    assert (failed["round"], failed["client_id"]) == (1, "client_1")
    assert failed["error"] == "its process died (killed, or out of memory)"
    assert [message["num_clients"] for message in told(kind="round_aggregated")] == [2, 3, 3]


class _Hangs:
    def __call__(self, message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        if message.content["config"]["server-round"] == 1 and context.node_config["partition-id"] == 1:
            threading.Event().wait(300)
        return call_next(message, context)


@pytest.mark.long
def test_a_client_that_never_answers_does_not_keep_the_run(
    make_trainer: Make, small_source: Path, told: Told, wait_until: Callable[..., None], children: Children
) -> None:
    """Flower waits at the end for every actor, this one too."""
    trainer = make_trainer(_Hangs(), num_rounds=1, engine="ray", reply_timeout_s=12.0)

    results = trainer.train(small_source, "demo")

    assert results["status"] == "completed"
    (failed,) = told(kind="client_failed")
    assert (failed["client_id"], failed["error"]) == ("client_1", "no answer within 12 s")
    wait_until(lambda: not children(), "all of Ray is gone")


def test_a_simulation_waits_and_goes_on_when_asked_and_a_request_to_stop_ends_it_and_all_of_ray(
    make_trainer: Make,
    small_source: Path,
    told: Told,
    tmp_path: Path,
    wait_until: Callable[..., None],
    children: Children,
) -> None:
    log_dir = tmp_path / "logs" / "progress"
    trainer = make_trainer(num_rounds=1, local_epochs=10_000, engine="ray")
    results: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: results.append(trainer.train(small_source, "demo", run_id="r1")))
    thread.start()
    wait_until(lambda: len(told("client_0")) > 10, "a client has trained some batches", timeout_s=60)

    request_pause(log_dir, "r1", by="Ada")
    wait_until(lambda: told("client_0", kind="training_paused") and told(kind="training_paused"), "both wait")
    go_on(log_dir, "r1", by="Bob")
    wait_until(lambda: told("client_0", kind="training_resumed") and told(kind="training_resumed"), "both go on")
    assert [message["by"] for message in told("client_0", kind="training_resumed")] == ["Bob"]

    request_cancel(log_dir, "r1", reason="too slow", by="Ben")
    thread.join(30)

    assert not thread.is_alive()
    assert results[0]["status"] == "cancelled"
    assert [message["by"] for message in told(kind="training_cancelled")] == ["Ben"]
    wait_until(lambda: not children(), "all of Ray is gone")
