"""Why is nothing moving? Faults of a federated run, injected for real, and the sentence that names who and why.

Each test reports how many seconds passed from the moment at which it could be known until the hub said it. Hospitals
are processes with a journal of their own; those on another machine are shipped.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from direct_line import DirectLine
from puppet import Puppet

from federated_pneumonia_detection.hub import Hub
from federated_pneumonia_detection.hub import verdicts as verdicts_module
from federated_pneumonia_detection.hub.fold import fold_all
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore
from federated_pneumonia_detection.hub.words import described

CLIENTS = ("client_0", "client_1", "client_2")
GOAL_S = 5.0
SLACK_S = 10.0
"""What is held is far above the goal: a loaded machine must not fail a test. What was measured is reported."""

WaitUntil = Callable[..., None]


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "progress"
    folder.mkdir()
    return folder


@pytest.fixture
def hub(log_dir: Path) -> Iterator[Hub]:
    made = Hub(MemoryStore())
    made.follow(str(log_dir))
    made.start()
    yield made
    made.close()


class Told:
    """Waits for a sentence, and reports how long it took."""

    def __init__(self, hub: Hub, record: Callable[[str, object], None], run_id: str = "run") -> None:
        self._hub, self._record, self._run_id = hub, record, run_id

    def state(self) -> RunState:
        return self._hub.run(self._run_id) or RunState(self._run_id)

    def until(self, *words: str, condition: str | None = None, since: float | None = None) -> RunState:
        """Wait until the first sentence holds all these words (and the run is in this condition)."""
        began = time.monotonic() if since is None else since
        while True:
            state = self.state()
            if all(word in state.sentence for word in words) and condition in (None, state.condition):
                break
            if time.monotonic() - began > GOAL_S + SLACK_S:
                pytest.fail(f"not told: {words} ({condition}); it says {state.sentence!r} ({state.condition})")
            time.sleep(0.02)
        took_s = time.monotonic() - began
        self._record("seconds to the sentence", round(took_s, 2))
        print(f"told after {took_s:.2f} s: {state.sentence} {state.detail_sentence}")
        return state


@pytest.fixture
def told(hub: Hub, record_property: Callable[[str, object], None]) -> Told:
    return Told(hub, record_property)


class Run:
    """A federated run of puppets: whoever leads it here, and hospitals here or on another machine."""

    def __init__(
        self, stack: ExitStack, log_dir: Path, told: Told, *, elsewhere: dict[str, Path] | None = None
    ) -> None:
        self.leader = stack.enter_context(Puppet(log_dir))
        places = elsewhere or {}
        self.clients = {c: stack.enter_context(Puppet(places.get(c, log_dir), c)) for c in CLIENTS}
        self.told = told
        config = {"num_clients": 3}
        self.leader.say("log_run_start", config=config, total_rounds=3)

    def open(self, round_: int) -> None:
        """Open a round: everybody is asked and trains."""
        self.leader.say("log_round_start", round_, 3)
        self.leader.say("log_stage", "training", round_num=round_, expected=3, connected=list(CLIENTS))
        for client in self.clients.values():
            client.say("log_round_start", round_, 3)
            client.train()
        self.told.until(f"Round {round_} of 3", "client_0", "client_1", "client_2", "train")

    def send(self, round_: int, *clients: str) -> None:
        for client in clients or CLIENTS:
            self.clients[client].say("log_round_end", round_, {"num_samples": 10}, {"num_samples": 10})


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def shipped(stack: ExitStack, log_dir: Path, tmp_path: Path, told: Told) -> tuple[Run, DirectLine]:
    """A run whose client_1 is on another machine: its journal comes by a shipper."""
    site = tmp_path / "beta"
    site.mkdir()
    line = stack.enter_context(DirectLine(site, log_dir))
    return Run(stack, log_dir, told, elsewhere={"client_1": site}), line


# --- processes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["here", "shipped"])
def test_a_killed_hospital_is_named_with_how_it_died_and_who_goes_on(
    where: str, request: pytest.FixtureRequest, stack: ExitStack, log_dir: Path, told: Told
) -> None:
    run = request.getfixturevalue("shipped")[0] if where == "shipped" else Run(stack, log_dir, told)
    run.open(1)

    run.clients["client_1"].kill()

    state = told.until("Round 1 of 3", "client_1 died", "kill", "the round goes on with client_0 and client_2")
    assert state.status == "running"
    run.send(1, "client_0", "client_2")
    state = told.until("client_1 died", "the others have sent", condition="waiting_for_straggler")
    run.leader.say("log_client_failed", 1, "client_1", "no answer")
    run.leader.say("log_round_aggregated", 1, {"val_loss": 0.5}, 2, ["client_1"])
    told.until("client_1 died", "the run goes on with client_0 and client_2")


@pytest.mark.parametrize("where", ["here", "shipped"])
def test_a_hospital_stopped_by_a_signal_is_named_and_its_return_too(
    where: str, request: pytest.FixtureRequest, stack: ExitStack, log_dir: Path, told: Told
) -> None:
    run = request.getfixturevalue("shipped")[0] if where == "shipped" else Run(stack, log_dir, told)
    run.open(1)

    run.clients["client_1"].signal(signal.SIGSTOP)
    told.until("Round 1 of 3: client_1 was stopped by a signal")
    assert "died" not in told.state().sentence

    run.clients["client_1"].signal(signal.SIGCONT)
    told.until("Round 1 of 3", "client_1", "train")


def test_a_killed_server_app_is_the_death_of_the_run(stack: ExitStack, log_dir: Path, told: Told) -> None:
    run = Run(stack, log_dir, told)
    run.open(1)

    run.leader.kill()

    told.until("Died in round 1: the training process", "kill", condition="dead")


def test_a_run_that_goes_on_after_its_coordinator_was_restarted_is_alive_again(
    stack: ExitStack, log_dir: Path, told: Told
) -> None:
    # A SuperLink that is restarted takes the server app with it; the run goes on from the last aggregate.
    run = Run(stack, log_dir, told)
    run.open(1)
    run.leader.kill()
    told.until("Died in round 1", condition="dead")

    again = stack.enter_context(Puppet(log_dir))
    again.say("log_stage", "waiting_for_clients", expected=3, connected=["client_0"])

    told.until("Waiting for hospitals: 1 of 3 is here (client_0)", condition="waiting_for_clients")


def test_a_hospital_that_dies_between_two_rounds_is_named_before_anybody_waits_for_it(
    stack: ExitStack, log_dir: Path, told: Told
) -> None:
    run = Run(stack, log_dir, told)
    run.open(1)
    run.send(1)

    run.clients["client_1"].kill()

    state = told.until("client_1 died")
    assert state.rounds_with_failures == ()


# --- what a hospital says of itself, and what is heard of it no more -----------------------------------------------


def test_too_few_hospitals_and_why_one_is_not_here(stack: ExitStack, log_dir: Path, told: Told) -> None:
    leader = stack.enter_context(Puppet(log_dir))
    leader.say("log_run_start", config={"num_clients": 3}, total_rounds=3)

    leader.say("log_stage", "waiting_for_clients", expected=3, connected=["client_0"])
    told.until("Waiting for hospitals: 1 of 3 is here (client_0)", condition="waiting_for_clients")

    leader.say("log_stage", "waiting_for_clients", expected=3, connected=["client_0", "client_1"])
    told.until("2 of 3 are here (client_0 and client_1)")
    # The wrong key: only the site itself is told, and says so.
    refused = stack.enter_context(Puppet(log_dir, "client_2"))
    refused.say("log_alert", "error", "Not connected", "the SuperLink refused its key")
    state = told.until("2 of 3 are here (client_0 and client_1), client_2 is not")
    assert "client_2: the SuperLink refused its key" in state.detail_sentence


def test_a_network_that_is_cut_is_lost_contact_and_no_death_and_it_heals(
    shipped: tuple[Run, DirectLine], told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts_module, "REMOTE_LOST_AFTER_S", 3.0)
    run, line = shipped
    run.open(1)

    line.is_cut = True
    cut_at = time.monotonic()
    state = told.until("Round 1 of 3: contact with client_1 was lost", "may still train", since=cut_at + 3.0)
    assert state.status == "running"

    line.is_cut = False
    told.until("Round 1 of 3: client_0, client_1 and client_2 train")
    assert run.told.state().rounds_with_failures == ()


def test_a_full_disk_is_told_while_it_is_full(
    stack: ExitStack, tmp_path: Path, hub: Hub, told: Told, lacking: Callable[[str, str], None]
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        lacking("A SMALL FILE SYSTEM", "no test filled the disk of a run (mounting one asks for root)")
    stack.callback(subprocess.run, ["umount", "-l", str(small)], check=False)
    hub.follow(str(small))
    run = Run(stack, small, told)
    run.open(1)

    ballast = (small / "ballast").open("wb", buffering=0)
    for size in (65536, 4096, 1):
        with suppress(OSError):
            while ballast.write(b"x" * size):
                pass
    ballast.close()
    told.until("The disk of", "is full", "the training goes on")

    (small / "ballast").unlink()
    told.until("Round 1 of 3: client_0, client_1 and client_2 train")


def test_a_hospital_ten_times_slower_is_named_against_its_own_pace_and_in_the_first_round_against_the_others() -> None:
    # On an injected clock: at ten seconds beyond what is usual it is late, not before.
    def at(second: float) -> str:
        return datetime.fromtimestamp(1_800_000_000 + second, UTC).isoformat()

    def sentence(messages: list[dict[str, Any]], second: float) -> str:
        state = fold_all("run", messages)
        return described(state, datetime.fromtimestamp(1_800_000_000 + second, UTC)).sentence

    messages: list[dict[str, Any]] = [
        {"type": "run_start", "timestamp": at(0), "mode": "federated", "config": {"num_clients": 2}, "total_rounds": 4}
    ]

    def round_(number: int, began: float, slow_s: float | None) -> None:
        for client, took in (("quick", 10.0), ("slow", slow_s)):
            said = {"client_id": client, "round": number}
            messages.append({"type": "round_start", "timestamp": at(began), "total_rounds": 4, **said})
            messages.append({"type": "step", "timestamp": at(began + 9), "epoch": 1, "step": 1, **said})
            if took is not None:
                messages.append({"type": "round_end", "timestamp": at(began + took), **said})

    round_(1, 0, None)
    assert "is waiting for slow" not in sentence(messages, 20)
    assert sentence(messages, 21) == ("Round 1 of 4 is waiting for slow, 21 s so far; nobody else took more than 10 s.")
    messages = messages[:1]
    round_(1, 0, 12)
    round_(2, 20, 12)
    round_(3, 40, None)
    assert "is waiting for slow" not in sentence(messages, 40 + 22)
    assert sentence(messages, 40 + 23) == (
        "Round 3 of 4 is waiting for slow, late by 11 s; its rounds usually take 12 s."
    )


def test_the_owner_of_the_keyboard_is_named(stack: ExitStack, log_dir: Path, told: Told) -> None:
    environment = {**os.environ, "FPD_DATA": "", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "federated_pneumonia_detection", "train", "centralized", "phantoms"]
    options = ["--epochs", "500", "--run-id", "run", "--log-dir", str(log_dir), "--checkpoint-dir", str(log_dir / "c")]
    process = subprocess.Popen(
        [*command, *options], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    deadline = time.monotonic() + 120
    while told.state().step is None and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.05)

    os.killpg(process.pid, signal.SIGINT)

    told.until("Stopped by keyboard in epoch 1 of 500", condition="stopped")


# --- what goes wrong inside: the real trainer on the embedded engine -----------------------------------------------


SMALL: dict[str, Any] = {
    "model_args": {"channels": [4, 4, 8]},
    "batch_size": 16,
    "threads": 1,
    "device": "cpu",
    "test_time_augmentation": False,
    "num_rounds": 2,
}


@pytest.fixture
def train(log_dir: Path, tmp_path: Path) -> Callable[..., None]:
    """Train on a few made-up images until the end, whichever it is."""
    from federated_pneumonia_detection.federated.environment import prepare

    prepare()
    with warnings.catch_warnings():
        # Flower imports typer, and typer a name that click will drop; Ray has some of its own.
        warnings.simplefilter("ignore")
        import flwr.simulation  # noqa: F401
    from federated_pneumonia_detection import federated
    from federated_pneumonia_detection.config import make_config

    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split, count in (("train", 120), ("val", 36), ("test", 36)):
        labels = np.arange(count) % 3 > 0
        arrays[f"{split}_images"] = rng.integers(0, 160, (count, 28, 28)).astype(np.uint8)
        arrays[f"{split}_labels"] = labels.astype(np.uint8)[:, None]
    np.savez(tmp_path / "few.npz", **arrays)

    def run(*mods: Any, **changes: Any) -> None:
        trainer = federated.FederatedTrainer(
            config=make_config({**SMALL, **changes}, "federated"),
            checkpoint_dir=tmp_path / "checkpoints",
            progress_log_dir=log_dir,
            reply_timeout_s=60.0,
        )
        trainer._client_mods = mods
        with suppress(Exception):
            trainer.train(tmp_path / "few.npz", "why", run_id="run")

    return run


def failing(client: int, error: Callable[[], object]) -> Any:
    """A mod that calls something that raises, in one client's training."""

    def mod(message: Any, context: Any, call_next: Any) -> Any:
        if context.node_config["partition-id"] == client:
            error()
        return call_next(message, context)

    return mod


def raising(error: BaseException) -> Callable[[], object]:
    def call() -> object:
        raise error

    return call


def test_an_exception_in_a_client_is_named_with_whose_it_is(train: Callable[..., None], told: Told, hub: Hub) -> None:
    seen: list[str] = []
    over = threading.Event()

    def keep() -> None:
        while not over.is_set():
            seen.append(told.state().sentence)
            time.sleep(0.01)

    watcher = threading.Thread(target=keep)
    watcher.start()
    train(failing(1, raising(ValueError("the images of round 1 are gone"))), num_rounds=1)
    told.until("Finished", "1 with a failure")
    over.set()
    watcher.join()

    first = next(sentence for sentence in seen if "client_1 failed" in sentence)
    assert first.startswith("Round 1 of 1: client_1 failed")
    assert "(ValueError: the images of round 1 are gone); the round goes on with client_0" in first
    assert "client_1 failed in round 1." in told.state().detail_sentence


def _no_memory() -> None:
    bytearray(1 << 62)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (_no_memory, "out of memory"),
        ("no data", "there is no training image"),
    ],
    ids=["out of memory", "no data at one site"],
)
def test_what_a_site_lacks_is_named(
    error: Any, words: str, train: Callable[..., None], told: Told, log_dir: Path
) -> None:
    if error == "no data":
        from federated_pneumonia_detection.training.errors import TrainingError

        error = raising(TrainingError("there is no training image here"))
    train(failing(2, error), num_rounds=1)

    state = told.until("Finished", "1 with a failure")
    (client,) = [client for client in state.clients if client.client_id == "client_2"]
    assert words in (client.error or "")


def test_a_loss_that_became_nan_is_named_with_whose_it_is(train: Callable[..., None], told: Told) -> None:
    def poison(message: Any, context: Any, call_next: Any) -> Any:
        from flwr.app import ArrayRecord

        weights = message.content["arrays"].to_torch_state_dict()
        message.content["arrays"] = ArrayRecord({name: value * float("nan") for name, value in weights.items()})
        return call_next(message, context)

    train(poison, num_rounds=1)

    told.until("Failed in round 1: all clients failed", "client_0: the training loss became NaN", condition="failed")


def test_an_exception_in_the_server_app_is_named_as_the_server_apps(
    train: Callable[..., None], told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    from federated_pneumonia_detection.federated.global_model import GlobalModel

    monkeypatch.setattr(GlobalModel, "take", raising_method(RuntimeError("the shapes do not fit")))
    train()

    state = told.until(
        "Failed in round 1: the server app raised RuntimeError: the shapes do not fit", condition="failed"
    )
    assert state.detail is not None and "Traceback" in state.detail


def raising_method(error: BaseException) -> Callable[..., object]:
    def call(*args: object, **keywords: object) -> object:
        raise error

    return call


def test_a_gpu_that_is_asked_for_and_absent_is_named(train: Callable[..., None], told: Told) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    train(device="cuda")

    told.until("Failed: device 'cuda' is not available here", condition="failed")


def test_hospitals_that_never_connect_are_waited_for_by_name_and_then_the_run_says_so(
    train: Callable[..., None], told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    from federated_pneumonia_detection.federated.local_engine import LocalGrid
    from federated_pneumonia_detection.federated.server_app import ServerRun

    everybody, connected = LocalGrid.get_node_ids, [1]
    monkeypatch.setattr(LocalGrid, "get_node_ids", lambda grid: list(everybody(grid))[: connected[0]])
    made = ServerRun.__init__

    def impatient(run: Any, *args: Any, **keywords: Any) -> None:
        made(run, *args, **{**keywords, "connect_timeout_s": 4.0})

    monkeypatch.setattr(ServerRun, "__init__", impatient)
    thread = threading.Thread(target=train)
    thread.start()
    told.until("Waiting for hospitals: 1 of 3 is here (client_0)", condition="waiting_for_clients")
    connected[0] = 2
    told.until("Waiting for hospitals: 2 of 3 are here (client_0 and client_1)")
    thread.join(60)

    told.until("Failed: 2 of 3 clients connected within 4 s", condition="failed")


def test_the_document_of_a_killed_writer_says_what_the_hub_says(stack: ExitStack, log_dir: Path, told: Told) -> None:
    run = Run(stack, log_dir, told)
    run.open(1)
    run.leader.kill()
    state = told.until("Died in round 1", condition="dead")

    deadline = time.monotonic() + 10
    while (metadata := json.loads((log_dir / "run.json").read_text())["metadata"])["status"] != "failed":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert metadata["condition"] == "dead"
    assert state.error is not None and state.error[1:] in metadata["sentence"]
