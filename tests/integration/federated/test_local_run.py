"""A whole federated run in this process: what it tells, what it leaves, and how it goes wrong."""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from flwr.app import Context, Message
from flwr.clientapp.typing import ClientAppCallable

from federated_pneumonia_detection.data import DataError
from federated_pneumonia_detection.federated import AllClientsFailed, FederatedError, FederatedTrainer
from federated_pneumonia_detection.progress.cancel import request_cancel
from federated_pneumonia_detection.training import TrainingError, load_checkpoint

Make = Callable[..., FederatedTrainer]
Told = Callable[..., list[dict[str, Any]]]

CLIENTS = ("client_0", "client_1", "client_2")


def types(messages: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in messages if message["type"] not in ("step", "stage")]


def test_three_clients_and_the_server_are_one_run_with_four_journals(
    make_trainer: Make, small_source: Path, tmp_path: Path
) -> None:
    make_trainer().train(small_source, "demo", run_id="r1")

    names = {path.name for path in (tmp_path / "logs" / "progress").glob("*.jsonl")}
    assert names == {"r1.jsonl", *(f"r1.{client}.jsonl" for client in CLIENTS)}


def test_the_server_tells_rounds_and_aggregates_and_the_end(make_trainer: Make, small_source: Path, told: Told) -> None:
    make_trainer(num_rounds=2).train(small_source, "demo")

    messages = told()
    once = ["round_start", "round_aggregated", "round_end"]
    assert types(messages) == ["run_start", *once, *once, "test_curves", "training_complete"]
    assert not any("client_id" in message for message in messages)
    assert [message["round"] for message in messages if message["type"] in once] == [1, 1, 1, 2, 2, 2]


def test_the_server_says_what_it_does_and_waits_for(make_trainer: Make, small_source: Path, told: Told) -> None:
    make_trainer(num_rounds=1).train(small_source, "demo")

    # A round of seconds, on a busy machine, also tells who has answered meanwhile.
    said = [m for m in told(kind="stage") if not m.get("answered")]
    stages = [(m["stage"], m.get("round"), m["connected"]) for m in said]
    everybody = list(CLIENTS)
    assert stages == [
        ("waiting_for_clients", None, everybody),
        ("training", 1, everybody),
        ("aggregating", 1, None),
        ("evaluating", 1, None),
        ("testing", 1, None),
    ]


def test_run_start_says_what_is_trained_on_what(make_trainer: Make, small_source: Path, told: Told) -> None:
    make_trainer(num_rounds=1).train(small_source, "demo")

    (start,) = told(kind="run_start")
    assert (start["experiment_name"], start["mode"], start["total_rounds"]) == ("demo", "federated", 1)
    assert start["config"]["num_clients"] == 3
    assert start["software"]["flwr"] == "1.41.0"
    assert start["data"]["splits"]["train"] == {"n": 120, "normal": 40, "pneumonia": 80}
    clients = start["data"]["clients"]
    assert list(clients) == list(CLIENTS)
    assert sum(client["train"]["n"] for client in clients.values()) == 120
    assert sum(client["val"]["pneumonia"] for client in clients.values()) == 24
    assert str(small_source) not in str(start)


@pytest.mark.parametrize("client", CLIENTS)
def test_each_client_tells_one_start_and_one_end_of_each_round_and_what_lies_between(
    make_trainer: Make, small_source: Path, told: Told, client: str
) -> None:
    make_trainer(num_rounds=2, local_epochs=2).train(small_source, "demo")

    messages = told(client)
    once = ["round_start", "local_epoch", "local_epoch", "round_end"]
    assert types(messages) == [*once, *once]
    assert {message["client_id"] for message in messages} == {client}
    steps = [m for m in messages if m["type"] == "step"]
    assert {m["round"] for m in steps} == {1, 2}
    assert [m["step"] for m in steps if m["round"] == 2 and m["epoch"] == 1] == [1, 2]
    assert steps[0]["total_steps"] == 2


def test_round_end_holds_metrics_with_their_numbers_of_images(
    make_trainer: Make, small_source: Path, told: Told
) -> None:
    make_trainer(num_rounds=1).train(small_source, "demo")

    (start,) = told(kind="run_start")
    (end,) = told("client_1", kind="round_end")
    counts = start["data"]["clients"]["client_1"]
    fit, evaluated = end["fit_metrics"], end["eval_metrics"]
    assert fit["num_samples"] == counts["train"]["n"] and fit["num_normal"] == counts["train"]["normal"]
    assert evaluated["num_samples"] == counts["val"]["n"]
    assert {"train_loss", "train_auroc", "learning_rate"} <= fit.keys()
    assert {"val_loss", "val_accuracy", "val_recall", "val_auroc"} <= evaluated.keys()
    assert not any(key.startswith("val") for key in fit)


def test_each_figure_of_a_hospital_says_over_how_many_images_it_is(
    make_trainer: Make, small_source: Path, told: Told
) -> None:
    """What leaves a hospital may be bound to a least number: one that nobody tells is withheld."""
    make_trainer(num_rounds=1).train(small_source, "demo")

    (local,) = told("client_0", kind="local_epoch")
    (sent,) = told("client_0", kind="round_end")
    assert local["metrics"]["num_samples"] == sent["fit_metrics"]["num_samples"]
    steps = told("client_0", kind="step")
    assert {step["metrics"]["num_samples"] for step in steps} == {16}


def test_the_aggregate_is_measured_on_the_whole_validation_split(
    make_trainer: Make, small_source: Path, told: Told
) -> None:
    make_trainer(num_rounds=1).train(small_source, "demo")

    (aggregated,) = told(kind="round_aggregated")
    assert aggregated["metrics"]["num_samples"] == 36
    assert {"val_loss", "val_auroc"} <= aggregated["metrics"].keys()
    assert not any(key.startswith("train") for key in aggregated["metrics"])
    assert (aggregated["num_clients"], aggregated["failed_clients"]) == (3, [])


def test_a_hospital_of_one_class_is_no_alarm(make_trainer: Make, small_source: Path, told: Told) -> None:
    make_trainer(num_rounds=1, num_clients=6, partition="dirichlet", alpha=0.2, seed=3).train(small_source, "demo")

    (start,) = told(kind="run_start")
    one_class = [
        client
        for client, counts in start["data"]["clients"].items()
        if 0 in (counts["train"]["normal"], counts["train"]["pneumonia"])
    ]
    assert one_class
    for client in (None, *start["data"]["clients"]):
        assert told(client, kind="alert") == []
    (end,) = told(one_class[0], kind="round_end")
    assert "train_auroc" not in end["fit_metrics"]
    (server,) = told(kind="round_end")
    assert server["fit_metrics"]["train_auroc"] is not None


def test_a_checkpoint_that_cannot_be_written_is_told_in_one_line(
    make_trainer: Make, small_source: Path, told: Told, tmp_path: Path
) -> None:
    (tmp_path / "checkpoints").write_text("in the way")

    with pytest.raises(TrainingError, match="the checkpoint cannot be written"):
        make_trainer(num_rounds=1).train(small_source, "demo")

    assert told()[-1]["error"].startswith("the checkpoint cannot be written")


def test_without_ray_its_engine_is_refused_and_the_run_says_so(
    make_trainer: Make, small_source: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(FederatedError, match="the engine ray needs Ray: pip install"):
        make_trainer(engine="ray").train(small_source, "demo")

    assert types(told()) == ["run_start", "training_error"]


def test_the_end_tells_the_test_and_its_curves(make_trainer: Make, small_source: Path, told: Told) -> None:
    results = make_trainer(num_rounds=2, local_epochs=2).train(small_source, "demo")

    (complete,), (curves,) = told(kind="training_complete"), told(kind="test_curves")
    final = complete["final_metrics"]
    assert (final["total_rounds"], final["total_epochs"], final["test_num_samples"]) == (2, 4, 36)
    assert {"best_round", "best_val_recall", "best_val_loss", "duration_seconds", "test_auroc"} <= final.keys()
    assert sum(curves["confusion"].values()) == sum(curves["bin_n"]) == 36
    assert "client_id" not in curves, "the server's own test split; no hospital adds to it"
    assert len(set(curves["hardest"])) == 24
    assert curves["brier"] >= 0
    assert len(curves["pr_recall"]) == len(curves["pr_precision"]) >= 2
    assert results["status"] == "completed"
    assert results["final_metrics"]["test_auroc"] == pytest.approx(final["test_auroc"])
    assert json.loads(json.dumps(results, allow_nan=False)) == results


def test_the_best_global_model_loads_like_any_other(make_trainer: Make, small_source: Path) -> None:
    results = make_trainer(num_rounds=1).train(small_source, "demo", run_id="r1")

    network, config = load_checkpoint(results["best_model_path"])

    assert config.model_args == {"channels": [4, 4, 8]}
    assert results["best_model_path"].endswith("checkpoints/r1/best.pt")
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2,)


def weights(results: dict[str, Any]) -> str:
    state = torch.load(results["best_model_path"], weights_only=True)
    return hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in state.values())).hexdigest()


@pytest.mark.parametrize("strategy", ["fedavg", "fedadam"])
def test_the_same_seed_gives_the_same_weights_bit_for_bit(
    make_trainer: Make, small_source: Path, tmp_path: Path, strategy: str
) -> None:
    runs = [
        make_trainer(where=tmp_path / name, num_rounds=2, strategy=strategy, fraction_train=0.7, seed=seed).train(
            small_source, "demo"
        )
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]

    first, again, other = map(weights, runs)
    assert first == again
    assert first != other


def test_a_network_that_draws_by_itself_repeats_too(make_trainer: Make, small_source: Path, tmp_path: Path) -> None:
    """Dropout draws from torch's one generator, which a run before it has moved on."""
    settings = {
        "model": "monai.networks.nets.Classifier",
        "model_args": {
            "in_shape": [1, 28, 28], "classes": 1, "channels": [4, 8], "strides": [2, 2], "dropout": 0.5,
        },
        "num_rounds": 1,
    }  # fmt: skip
    first = make_trainer(where=tmp_path / "a", **settings).train(small_source, "demo")
    torch.rand(7)
    again = make_trainer(where=tmp_path / "b", **settings).train(small_source, "demo")

    assert weights(first) == weights(again)


@pytest.mark.parametrize("strategy", ["fedprox", "fedadam", "fedyogi", "fedmedian", "krum"])
def test_the_other_strategies_come_to_a_tested_end(make_trainer: Make, small_source: Path, strategy: str) -> None:
    results = make_trainer(strategy=strategy, num_rounds=2).train(small_source, "demo")

    assert results["status"] == "completed"
    assert results["final_metrics"]["test_loss"] is not None


@pytest.mark.parametrize("privacy", ["server_fixed", "client_fixed", "server_adaptive", "client_adaptive"])
def test_what_a_private_run_has_spent_is_a_metric_of_each_round(
    make_trainer: Make, small_source: Path, told: Told, privacy: str
) -> None:
    pytest.importorskip("dp_accounting")

    results = make_trainer(privacy=privacy, num_rounds=3, noise_multiplier=2.0).train(small_source, "demo")

    assert results["status"] == "completed"
    rounds = [message["metrics"] for message in told(kind="round_aggregated")]
    spent = [metrics["epsilon"] for metrics in rounds]
    assert 0 < spent[0] < spent[1] < spent[2] == results["final_metrics"]["epsilon"]
    assert {metrics["delta"] for metrics in rounds} == {1e-5}
    assert all(math.isfinite(metrics["val_loss"]) for metrics in rounds)
    ends = told(kind="round_end")
    assert ends[0]["fit_metrics"]["clipping_norm"] == 1.0
    assert (ends[1]["fit_metrics"]["clipping_norm"] == 1.0) == privacy.endswith("fixed")
    assert told(kind="alert") == []


def test_a_run_ends_before_it_spends_more_privacy_than_it_may(
    make_trainer: Make, small_source: Path, told: Told
) -> None:
    pytest.importorskip("dp_accounting")

    results = make_trainer(privacy="server_fixed", num_rounds=5, noise_multiplier=2.0, max_epsilon=4.5).train(
        small_source, "demo"
    )

    assert results["status"] == "completed"
    assert 0 < results["final_metrics"]["epsilon"] <= 4.5
    assert len(told(kind="round_aggregated")) == results["final_metrics"]["total_rounds"] < 5
    (alert,) = told(kind="alert")
    assert alert["title"] == "The privacy budget is spent"


def test_a_private_round_in_which_a_client_fails_changes_nothing_and_says_so(
    make_trainer: Make, small_source: Path, told: Told, fails_in: Any
) -> None:
    pytest.importorskip("dp_accounting")

    make_trainer(fails_in(2, clients=(1,)), num_rounds=3, privacy="server_fixed").train(small_source, "demo")

    (alert,) = told(kind="alert")
    assert alert["text"] == "the strategy made no model of 2 answers, 1 failed: the one before stays"
    epsilons = [message["metrics"].get("epsilon") for message in told(kind="round_aggregated")]
    assert epsilons[0] == epsilons[1]


def test_without_noise_no_privacy_is_claimed(make_trainer: Make, small_source: Path, told: Told) -> None:
    results = make_trainer(privacy="server_fixed", num_rounds=1, noise_multiplier=0.0).train(small_source, "demo")

    (alert,) = told(kind="alert")
    assert (alert["title"], alert["text"]) == ("No account is kept of privacy", "without noise nothing is promised")
    assert "epsilon" not in results["final_metrics"]


def test_krum_ends_a_run_whose_clients_are_too_few_to_be_safe(
    make_trainer: Make, small_source: Path, told: Told, fails_in: Any
) -> None:
    with pytest.raises(FederatedError, match="krum needs 3 updates to be safe, and 2 came"):
        make_trainer(fails_in(1, clients=(1,)), num_rounds=2, strategy="krum").train(small_source, "demo")

    assert told(kind="training_error")[-1]["error"] == "round 1: krum needs 3 updates to be safe, and 2 came"


def test_fedprox_holds_the_clients_back(make_trainer: Make, small_source: Path, tmp_path: Path) -> None:
    free = make_trainer(where=tmp_path / "a", num_rounds=1, strategy="fedavg").train(small_source, "demo")
    held = make_trainer(where=tmp_path / "b", num_rounds=1, strategy="fedprox", proximal_mu=10.0).train(
        small_source, "demo"
    )
    loose = make_trainer(where=tmp_path / "c", num_rounds=1, strategy="fedprox", proximal_mu=0.0).train(
        small_source, "demo"
    )

    assert weights(free) != weights(held)
    assert weights(free) == weights(loose)


def test_a_client_that_fails_in_one_round_is_named_and_the_run_completes(
    make_trainer: Make, small_source: Path, told: Told, fails_in: Any
) -> None:
    results = make_trainer(fails_in(2, clients=(1,)), num_rounds=3).train(small_source, "demo")

    assert results["status"] == "completed"
    (failed,) = told(kind="client_failed")
    assert (failed["round"], failed["client_id"]) == (2, "client_1")
    assert failed["error"] == "out of memory (MemoryError: no memory is left)"
    aggregated = told(kind="round_aggregated")
    assert [message["num_clients"] for message in aggregated] == [3, 2, 3]
    assert [message["failed_clients"] for message in aggregated] == [[], ["client_1"], []]
    assert [message["round"] for message in told("client_1", kind="round_start")] == [1, 2, 3]
    assert [message["round"] for message in told("client_1", kind="round_end")] == [1, 3]


def test_a_run_whose_clients_all_fail_is_a_failed_run_and_says_why(
    make_trainer: Make, small_source: Path, told: Told, fails_in: Any
) -> None:
    with pytest.raises(AllClientsFailed) as caught:
        make_trainer(fails_in(2), num_rounds=3).train(small_source, "demo")

    (error,) = told(kind="training_error")
    assert error["error"] == str(caught.value)
    assert error["error"] == (
        "all clients failed in round 2: client_0: out of memory (MemoryError: no memory is left)"
        " (and 2 more, all the same)"
    )
    assert error["detail"].splitlines()[2] == "client_2: out of memory (MemoryError: no memory is left)"
    assert [message["client_id"] for message in told(kind="client_failed")] == list(CLIENTS)
    assert types(told())[-1] == "training_error"


class _Asks:
    """A mod that asks the run to stop when a round begins."""

    def __init__(self, log_dir: Path, run_id: str, round_num: int) -> None:
        self.log_dir, self.run_id, self.round_num = log_dir, run_id, round_num

    def __call__(self, message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        if message.content["config"]["server-round"] == self.round_num:
            request_cancel(self.log_dir, self.run_id, reason="seen enough", by="Anna")
        return call_next(message, context)


def test_a_cancelled_run_says_who_and_keeps_the_best_model_so_far(
    make_trainer: Make, small_source: Path, told: Told, tmp_path: Path
) -> None:
    log_dir = tmp_path / "logs" / "progress"
    # Long enough that only the look at each batch can end it in time.
    trainer = make_trainer(_Asks(log_dir, "r1", 2), num_rounds=2, local_epochs=1)
    trainer.config = trainer.config.model_copy(update={"num_rounds": 50})

    results = trainer.train(small_source, "demo", run_id="r1")

    assert results["status"] == "cancelled"
    (cancelled,) = told(kind="training_cancelled")
    assert (cancelled["reason"], cancelled["by"]) == ("seen enough", "Anna")
    assert types(told())[-1] == "training_cancelled"
    assert told(kind="client_failed") == [] and told(kind="training_error") == []
    assert load_checkpoint(results["best_model_path"])
    assert not (log_dir / "r1.cancel").exists()


def test_a_request_to_stop_is_heard_in_the_middle_of_a_round(
    make_trainer: Make, small_source: Path, told: Told, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    log_dir = tmp_path / "logs" / "progress"
    trainer = make_trainer(num_rounds=1, local_epochs=10_000)
    results: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: results.append(trainer.train(small_source, "demo", run_id="r1")))
    thread.start()
    wait_until(lambda: len(told("client_0")) > 10, "a client has trained some batches")

    request_cancel(log_dir, "r1", reason="too slow", by="Ben")
    thread.join(20)

    assert not thread.is_alive()
    assert results[0]["status"] == "cancelled"
    assert results[0]["best_model_path"] is None


class _Waits:
    def __init__(self, let_go: threading.Event) -> None:
        self.let_go = let_go

    def __call__(self, message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        self.let_go.wait()
        return call_next(message, context)


def test_clients_that_never_answer_end_the_run_when_their_time_is_up(
    make_trainer: Make, small_source: Path, told: Told
) -> None:
    let_go = threading.Event()
    threading.Timer(3.0, let_go.set).start()

    with pytest.raises(AllClientsFailed, match=r"no answer within 0\.5 s"):
        make_trainer(_Waits(let_go), num_rounds=1, reply_timeout_s=0.5).train(small_source, "demo")

    assert [message["client_id"] for message in told(kind="client_failed")] == list(CLIENTS)


def test_a_validation_loss_that_does_not_fall_ends_the_rounds_early(
    make_trainer: Make, small_source: Path, told: Told
) -> None:
    # A rate at which nothing is learned: the loss after the first round is as good as it gets.
    results = make_trainer(num_rounds=50, early_stopping_patience=2, learning_rate=9.0).train(small_source, "demo")

    assert results["status"] == "completed"
    assert results["final_metrics"]["total_rounds"] < 50
    (alert,) = [message for message in told(kind="alert") if message["title"] == "Stopped early"]
    assert alert["text"] == "the validation loss has not fallen for 2 rounds"
    assert len(told(kind="round_start")) == len(told(kind="round_end"))


def test_more_hospitals_than_images_is_told_before_anything_is_trained(
    make_trainer: Make, small_source: Path, told: Told
) -> None:
    with pytest.raises(DataError, match="cannot be dealt out to 1000 clients"):
        make_trainer(num_clients=1000).train(small_source, "demo")

    assert types(told()) == ["run_start", "training_error"]


def test_a_source_that_is_not_there_is_a_failed_run_without_its_path(
    make_trainer: Make, tmp_path: Path, told: Told
) -> None:
    with pytest.raises(DataError):
        make_trainer().train(tmp_path / "nowhere.npz", "demo")

    (error,) = told(kind="training_error")
    assert "no such file" in error["error"] and str(tmp_path) not in error["error"]
