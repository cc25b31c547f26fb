"""The callback on modules of strangers: tiny real ones, trained by a real Lightning trainer."""

import json
import logging
import pickle
import threading
import time
import warnings
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from federated_pneumonia_detection.progress.cancel import request_cancel
from federated_pneumonia_detection.progress.pause import go_on, request_pause
from federated_pneumonia_detection.training import MetricsCollectorCallback


class Plain(pl.LightningModule):
    """A module as people write it: two logged values, nothing of ours."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def training_step(self, batch, batch_idx):
        loss = nn.functional.mse_loss(self.layer(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", nn.functional.mse_loss(self.layer(batch[0]), batch[1]))

    def test_step(self, batch, batch_idx):
        self.log("test_loss", nn.functional.mse_loss(self.layer(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.125)


class OneName(Plain):
    """Logs training and validation under one and the same name."""

    def training_step(self, batch, batch_idx):
        loss = nn.functional.mse_loss(self.layer(batch[0]), batch[1])
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("loss", torch.tensor(7.0))


class LastWord(Plain):
    """Logs one more value in its own on_train_epoch_end, after all callbacks had theirs."""

    def on_train_epoch_end(self):
        self.log("train_last", torch.tensor(float(self.current_epoch)))


class Failing(Plain):
    def training_step(self, batch, batch_idx):
        if self.current_epoch == 1 and batch_idx == 1:
            raise self.failure
        return super().training_step(batch, batch_idx)


def loader(count=12):
    torch.manual_seed(0)
    x = torch.randn(count, 4)
    return DataLoader(TensorDataset(x, x.sum(dim=1, keepdim=True)), batch_size=4)


def trainer_with(callback, **options):
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pl.Trainer(
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[callback],
            **{"max_epochs": 2, **options},
        )


def fit(module, callback, *, val=True, **options):
    trainer = trainer_with(callback, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(module, loader(), loader() if val else None)
    return trainer


@pytest.fixture
def callback(tmp_path):
    return MetricsCollectorCallback(
        save_dir=tmp_path / "metrics", experiment_name="test", run_id="run", progress_log_dir=tmp_path
    )


@pytest.fixture
def told(tmp_path):
    """What was logged, in order, without the journal's own lines."""

    def read(*, steps=False, stages=False):
        lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
        left_out = {"journal", "journal_end"} | (set() if steps else {"step"})
        left_out |= set() if stages else {"stage"}
        return [line for line in lines if line["type"] not in left_out]

    return read


def kinds(messages):
    return [f"{m['type']} {m['epoch']} {m.get('phase', '')}".strip() if "epoch" in m else m["type"] for m in messages]


WHOLE = [
    "run_start",
    "epoch_start 1",
    "epoch_end 1 train",
    "epoch_end 1 val",
    "epoch_start 2",
    "epoch_end 2 train",
    "epoch_end 2 val",
    "training_complete",
]


def test_an_epoch_is_told_as_start_train_val_though_lightning_validates_first(callback, told):
    fit(Plain(), callback)
    assert kinds(told()) == WHOLE
    train, val = told()[2], told()[3]
    assert train["total_epochs"] == val["total_epochs"] == 2
    assert set(train["metrics"]) == {"train_loss", "learning_rate"}
    assert train["metrics"]["learning_rate"] == 0.125
    assert set(val["metrics"]) == {"val_loss"}


def test_the_numbers_are_those_of_lightning(callback, told):
    trainer = fit(Plain(), callback)
    assert told()[-2]["metrics"]["val_loss"] == pytest.approx(float(trainer.callback_metrics["val_loss"]))
    assert told()[-3]["metrics"]["train_loss"] == pytest.approx(float(trainer.callback_metrics["train_loss"]))


def test_each_batch_is_a_step_before_its_epoch_ends(callback, told):
    fit(Plain(), callback)
    first = told(steps=True)[2:6]
    assert [(m["type"], m.get("step"), m.get("total_steps"), m.get("phase")) for m in first] == [
        ("step", 1, 3, "train"),
        ("step", 2, 3, "train"),
        ("step", 3, 3, "train"),
        ("epoch_end", None, None, "train"),
    ]
    assert set(first[0]["metrics"]) == {"train_loss", "learning_rate"}


def test_what_is_done_meanwhile_is_told_where_nothing_else_tells_it(callback, told):
    fit(Plain(), callback, max_epochs=1, val_check_interval=1)
    found = [m["stage"] if m["type"] == "stage" else m["type"] for m in told(stages=True)]
    assert found[2:] == [
        *["evaluating", "training"] * 2,
        "evaluating",
        *["epoch_end"] * 2,
        "training_complete",
    ]


def test_the_loss_of_a_step_is_whole_when_gradients_are_accumulated(callback, told):
    module = Plain()
    torch.manual_seed(0)
    nn.init.zeros_(module.layer.weight)
    nn.init.zeros_(module.layer.bias)
    fit(module, callback, accumulate_grad_batches=3, max_epochs=1)
    step = next(m for m in told(steps=True) if m["type"] == "step")
    batch = next(iter(loader()))
    assert step["metrics"]["train_loss"] == pytest.approx(float(batch[1].square().mean()))


def test_one_name_in_two_phases_becomes_two(callback, told):
    fit(OneName(), callback)
    assert told()[3]["metrics"] == {"val_loss": 7.0}
    assert 0 < told()[2]["metrics"]["train_loss"] != 7.0


def test_what_a_module_logs_in_its_last_hook_is_told_with_its_epoch(callback, told):
    fit(LastWord(), callback)
    assert kinds(told()) == WHOLE
    assert [m["metrics"]["train_last"] for m in told() if m.get("phase") == "train"] == [0.0, 1.0]


def test_nothing_is_told_from_the_sanity_check(callback, told):
    fit(Plain(), callback, num_sanity_val_steps=2, max_epochs=1)
    assert kinds(told()) == [*WHOLE[:4], "training_complete"]


def test_without_validation_there_is_no_val(callback, told):
    fit(Plain(), callback, val=False)
    assert "val" not in {m.get("phase") for m in told()}
    assert told()[-1]["final_metrics"]["best_epoch"] is None


def test_a_validation_every_second_epoch_is_told_in_its_epoch(callback, told):
    fit(Plain(), callback, check_val_every_n_epoch=2)
    assert [m["epoch"] for m in told() if m.get("phase") == "val"] == [2]


def test_several_validations_within_an_epoch_are_points_and_the_last_one_ends_it(callback, told):
    fit(Plain(), callback, val_check_interval=1, max_epochs=1)
    points = [m for m in told(steps=True) if m.get("phase") == "val"]
    assert [(m["type"], m.get("step")) for m in points] == [("step", 1), ("step", 2), ("epoch_end", None)]


def test_the_end_says_how_it_went(callback, told):
    fit(Plain(), callback)
    final = told()[-1]["final_metrics"]
    losses = [m["metrics"]["val_loss"] for m in told() if m.get("phase") == "val"]
    assert final["total_epochs"] == 2
    assert final["best_epoch"] == losses.index(min(losses)) + 1
    assert final["best_val_loss"] == pytest.approx(min(losses))
    assert final["duration_seconds"] > 0


def test_the_beginning_says_what_was_configured(callback, told):
    module = Plain()
    module.save_hyperparameters({"width": 4, "odd": object()})
    fit(module, callback)
    start = told()[0]
    assert (start["experiment_name"], start["mode"], start["total_epochs"]) == ("test", "centralized", 2)
    assert start["config"] == {"width": 4}
    assert start["software"]["torch"] == torch.__version__


def test_the_number_of_epochs_follows_from_the_number_of_steps(callback, told):
    fit(Plain(), callback, max_epochs=-1, max_steps=5)
    assert told()[1]["total_epochs"] == 2


def test_the_metrics_are_saved_as_json(callback, tmp_path):
    fit(Plain(), callback)
    rows = json.loads((tmp_path / "metrics" / "run_metrics.json").read_text())
    assert [row["epoch"] for row in rows] == [1, 2]
    assert {"train_loss", "val_loss", "learning_rate"} <= set(rows[0])


@pytest.mark.parametrize(
    ("failure", "line"), [(ValueError("out of cheese\nreally"), "ValueError: out of cheese"), (KeyError(), "KeyError")]
)
def test_an_exception_is_told_in_one_line_and_raised_on(callback, told, failure, line):
    module = Failing()
    module.failure = failure
    with pytest.raises(type(failure)):
        fit(module, callback)
    assert kinds(told()) == [*WHOLE[:5], "training_error"]
    assert told()[-1]["error"] == line
    assert "training_step" in told()[-1]["detail"]
    assert callback.outcome == "failed"


def test_ctrl_c_is_told_as_cancelled(callback, told):
    module = Failing()
    module.failure = KeyboardInterrupt()
    with pytest.raises(SystemExit):
        fit(module, callback)
    end = told()[-1]
    assert (end["type"], end["by"]) == ("training_cancelled", "keyboard")


def test_a_request_to_cancel_is_seen_at_the_next_batch_and_fit_returns(callback, told, tmp_path):
    class Asking(Plain):
        def on_train_batch_start(self, batch, batch_idx):
            if self.current_epoch == 1 and batch_idx == 1:
                request_cancel(tmp_path, "run", reason="enough", by="a test")
                callback._watch._next_look = 0.0

    trainer = fit(Asking(), callback, max_epochs=50, min_epochs=50)
    assert kinds(told()) == [*WHOLE[:5], "training_cancelled"]
    assert (told()[-1]["reason"], told()[-1]["by"]) == ("enough", "a test")
    assert trainer.global_step == 5
    assert trainer.limit_val_batches == 1.0
    assert not list(tmp_path.glob("*.cancel"))


def test_a_request_to_cancel_breaks_off_a_validation(callback, told, tmp_path):
    class Asking(Plain):
        seen = 0

        def validation_step(self, batch, batch_idx):
            Asking.seen += 1
            request_cancel(tmp_path, "run", reason="enough", by="a test")
            callback._watch._next_look = 0.0

    fit(Asking(), callback, max_epochs=50, num_sanity_val_steps=0)
    assert Asking.seen == 1
    assert kinds(told()) == ["run_start", "epoch_start 1", "training_cancelled"]


def test_a_request_to_pause_is_heeded_at_the_next_batch_and_taken_back_it_goes_on(callback, told, tmp_path):
    class Asking(Plain):
        def on_train_batch_start(self, batch, batch_idx):
            if self.current_epoch == 1 and batch_idx == 1:
                request_pause(tmp_path, "run", reason="lunch", by="anna")
                callback._watch._next_look = 0.0

    def let_go_on():
        while not any(m["type"] == "training_paused" for path in callback_journals(callback) for m in read(path)):
            time.sleep(0.02)
        go_on(tmp_path, "run", by="bert")

    other = threading.Thread(target=let_go_on)
    other.start()
    trainer = fit(Asking(), callback)
    other.join()
    said = [m for m in told() if m["type"].startswith("training_")]
    assert [(m["type"], m.get("by")) for m in said[:2]] == [("training_paused", "anna"), ("training_resumed", "bert")]
    assert said[0]["reason"] == "lunch"
    assert kinds(told())[-1] == "training_complete"
    assert trainer.global_step == 2 * trainer.num_training_batches


def test_a_loss_that_is_no_number_is_an_alert_and_travels_as_null(callback, told):
    class Broken(Plain):
        def training_step(self, batch, batch_idx):
            loss = self.layer(batch[0]).mean() * float("nan")
            self.log("train_loss", loss, on_step=False, on_epoch=True)
            return loss

        def validation_step(self, batch, batch_idx):
            pass

    fit(Broken(), callback, max_epochs=1)
    assert "alert" in kinds(told())
    assert next(m for m in told() if m["type"] == "epoch_end")["metrics"]["train_loss"] is None


def test_a_test_after_the_training_is_told_too(callback, told):
    trainer = fit(Plain(), callback)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.test(Plain(), loader(), verbose=False)
    messages = [m for path in callback_journals(callback) for m in read(path)]
    tested = [m for m in messages if m.get("phase") == "test"]
    assert [set(m["metrics"]) for m in tested] == [{"test_loss"}]


def callback_journals(callback):
    return sorted(Path(callback.progress_log_dir).glob("run*.jsonl"))


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_second_fit_is_a_second_attempt_of_the_run(callback):
    fit(Plain(), callback)
    fit(Plain(), callback)
    starts = [m for path in callback_journals(callback) for m in read(path) if m["type"] == "run_start"]
    assert sorted(m["attempt"] for m in starts) == [1, 2]


def test_it_can_be_switched_off_and_still_collects(tmp_path, callback):
    callback.enable_progress_logging = False
    fit(Plain(), callback)
    assert callback.progress_logger is None
    assert len(callback.history) == 2
    assert not list(tmp_path.glob("*.jsonl"))


def test_it_can_be_pickled_before_and_after_its_logger_was_made(callback, told):
    again = pickle.loads(pickle.dumps(callback))
    assert again.experiment_name == "test"
    assert callback.progress_logger is not None
    child = pickle.loads(pickle.dumps(callback))
    child.progress_logger.log_epoch_start(1, 1)
    assert kinds(told()) == ["run_start", "epoch_start 1"]


def test_constructing_it_begins_no_run(callback, tmp_path):
    assert not list(tmp_path.iterdir())


class Manager:
    def __init__(self):
        self.followed = []

    def follow(self, directory):
        self.followed.append(directory)
        return directory


def test_a_websocket_manager_is_asked_to_follow_the_directory(tmp_path):
    manager = Manager()
    callback = MetricsCollectorCallback(None, "test", "run", progress_log_dir=tmp_path, websocket_manager=manager)
    fit(Plain(), callback)
    assert manager.followed == [str(tmp_path)]
    assert type(callback.progress_logger).__name__ == "WebSocketProgressLogger"


def test_its_messages_are_sent_ten_times_a_second_at_most(callback, tmp_path):
    fit(Plain(), callback)
    assert read(tmp_path / "run.jsonl")[0]["broadcast_interval"] == 0.1
    assert read(tmp_path / "run.jsonl")[0]["hears"] == ["cancel", "pause"]


def test_what_cannot_be_saved_is_warned_of_and_stops_nothing(callback, told, tmp_path):
    (tmp_path / "metrics").write_text("in the way")
    trainer = trainer_with(callback)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.fit(Plain(), loader(), loader())
    assert any("could not be saved" in str(warning.message) for warning in caught)
    assert kinds(told()) == WHOLE
